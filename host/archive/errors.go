package archive

import (
	"errors"
	"fmt"

	"cloister/wire"
)

var (
	// ErrFork is a block of a height that is held, with another header hash. Two
	// final blocks of one height mean that a trusted rule broke somewhere; the
	// operator must look before anything runs on.
	ErrFork = errors.New("archive: two final blocks of one height")
	// ErrGap means that the block is not the one after the newest held.
	ErrGap = errors.New("archive: block out of order")
	// ErrRefused means that the block is malformed or contradicts the blocks before it.
	// Nothing was stored. Wraps what was wrong.
	ErrRefused = errors.New("archive: block refused")
	// ErrCorrupt means that what was durable can no longer be read as it was written.
	// Restore the file named from a copy, or wipe the archive and have it filled
	// from another host (package host/follow); deleting the folder index is enough if only that is damaged.
	ErrCorrupt = errors.New("archive: damaged")
	// ErrForeign means that the directory holds the archive of another chain.
	ErrForeign = errors.New("archive: belongs to another chain")
	// ErrClosed ends every call after Close.
	ErrClosed = errors.New("archive: closed")
)

// ForkError gives the evidence of a fork. It wraps ErrFork.
type ForkError struct {
	Height        uint64
	Held, Offered wire.Hash // header hashes
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("%v: height %d is held as %s and was offered as %s", ErrFork, e.Height, e.Held, e.Offered)
}

func (e *ForkError) Unwrap() error { return ErrFork }

func refused(height uint64, format string, args ...any) error {
	return fmt.Errorf("%w: height %d: %w", ErrRefused, height, wire.Faultf(wire.ErrMalformed, format, args...))
}

func corrupt(what string, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrCorrupt, what, fmt.Sprintf(format, args...))
}
