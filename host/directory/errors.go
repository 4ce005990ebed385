package directory

import (
	"errors"
	"fmt"

	"cloister/wire"
)

var (
	// ErrCorrupt means that this index, or the archive under it, contradicts the
	// ledger's state or itself. Delete the folder of the index, which is filled
	// again; if the same comes back, the archive is damaged, or program and ledger
	// disagree on a rule.
	ErrCorrupt = errors.New("directory: contradiction")
	// ErrClosed ends every call after Close.
	ErrClosed = errors.New("directory: closed")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

func notFound(format string, args ...any) error {
	return wire.Faultf(wire.ErrNotFound, format, args...)
}
