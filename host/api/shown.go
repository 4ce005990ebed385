package api

import (
	"context"
	"errors"
	"time"

	"cloister/host/archive"
	"cloister/wire"
)

// The archive tells of a block when it is final and shows it to readers a
// little later, so that blocks are stored in groups. What waits for a block is
// answered when it is told. A read must not show less than that: whoever was
// told that a transaction is recorded must find it.

// look runs a read of the archive. If it misses something while blocks are told
// and not shown, they are shown first and it runs again.
func (s *Server) look(read func() error) error {
	shown := s.archive.Height() // before the read: more may be shown during it
	err := read()
	switch wire.CodeOf(err) {
	case wire.ErrNotFound, wire.ErrUnknownChain, wire.ErrNotCovered:
	default:
		return err
	}
	newest := s.archived.now()
	if newest <= shown {
		return err
	}
	if serr := s.archive.Settle(newest); serr != nil {
		return serr
	}
	return read()
}

// onceCovered runs a read, and while it fails with ErrNotCovered again after each
// new seal, until the time is over.
func (s *Server) onceCovered(ctx context.Context, wait time.Duration, read func() error) error {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		sealed := s.sealed.now() // before the read, so that a seal during it is not missed
		err := s.look(read)
		if !errors.Is(err, wire.ErrNotCovered) {
			return err
		}
		if s.sealed.reach(bounded, sealed+1) == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
}

// reachShown waits until a block is sealed or covered and gives the archive the
// time it takes to show it, so that a stream does not make it store each block
// alone.
func (s *Server) reachShown(ctx context.Context, height uint64) error {
	if err := s.sealed.reach(ctx, height); err != nil {
		return err
	}
	if s.archive.Sealed() >= height {
		return nil
	}
	t := time.NewTimer(archive.DefaultGroupInterval)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
