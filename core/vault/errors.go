package vault

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt means the host returned something that cannot follow from any
	// crash of an honest host. The core exits with code 6; nothing is repaired:
	// the operator wipes the store and the node joins again from its peers.
	ErrCorrupt = errors.New("vault: the store is damaged or was tampered with; wipe it and let the node join again")
	// ErrWrongStore means the store is sound but belongs to another chain or node.
	ErrWrongStore = errors.New("vault: the store belongs to another chain or node; point the node at its own store")
	// ErrStale means the store is sound and older than the last boot the platform
	// counted: somebody put back a copy.
	ErrStale = errors.New("vault: the store is an older copy of itself; wipe it and let the node join again")
	// ErrLimit means a bound of gate.md §6.2 rule 7 was reached.
	ErrLimit = errors.New("vault: limit of the store reached")
	// ErrUnsupported means an operation that write-once objects do not have,
	// such as writing into a file that was closed.
	ErrUnsupported = errors.New("vault: files are written once, from start to end")
	// ErrLocked means the lock file is already held.
	ErrLocked = errors.New("vault: the file is locked")
	// ErrClosed means the handle or the vault was used after Close.
	ErrClosed = errors.New("vault: used after it was closed")

	errIsDirectory    = errors.New("is a directory")
	errNotEmpty       = errors.New("directory is not empty")
	errReadOnly       = errors.New("file was not opened for writing")
	errNegativeOffset = errors.New("negative offset")
)

// corrupt returns an ErrCorrupt that says what was found.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
