package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"

	"cloister/gate"
	pb "cloister/gen/cloister/v1"
	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/query"
)

// from takes blocks of one host until it stalls, fails or is not needed. The
// error says why.
func (f *Follower) from(ctx context.Context, h *host) error {
	// The newest block held comes again: if the host has another one there, the
	// chain has forked, and what follows it would only look like a lie.
	held := f.cfg.Archive.Height()
	next := max(1, held)
	f.asks(h)
	target, err := f.ask(ctx, h)
	if err != nil {
		return because(ctx, err)
	}
	if target < held {
		return wire.Faultf(wire.ErrUnavailable, "its newest sealed block is %d, this host has %d", target, held)
	}
	f.answered(target)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(f.cfg.stall, func() { cancel(errStalled) })
	defer watch.Stop()
	stream, err := h.ledger.Blocks(ctx, connect.NewRequest(&pb.BlocksRequest{From: next}))
	if err != nil {
		return because(ctx, err)
	}
	defer stream.Close()
	s := &intake{f: f, host: h, next: next}
	for stream.Receive() {
		watch.Reset(f.cfg.stall)
		if err := s.block(ctx, stream.Msg().GetBlock()); err != nil {
			return because(ctx, err)
		}
	}
	if err := because(ctx, stream.Err()); !errors.Is(err, errStalled) {
		return err
	}
	return nil // an idle chain looks like this
}

var errStalled = errors.New("no block came for a while")

// because prefers the reason a stream was ended for.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return shown(err)
}

// shown makes a host's words about an error harmless for a log.
func shown(err error) error {
	var remote *connect.Error
	if !errors.As(err, &remote) {
		return err
	}
	text := []rune(remote.Message())
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, string(text[:min(len(text), 200)]))
	return wire.Faultf(wire.ErrUnavailable, "%s: %s", remote.Code(), clean)
}

// ask finds out whether a host serves the chain, and how far.
func (f *Follower) ask(ctx context.Context, h *host) (sealed uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	res, err := h.ledger.Status(ctx, connect.NewRequest(&pb.StatusRequest{}))
	if err != nil {
		return 0, err
	}
	if chain := f.trust.ChainID().String(); res.Msg.ChainId != chain {
		return 0, wire.Faultf(wire.ErrForeignChain, "it serves chain %.64q, not %s", res.Msg.ChainId, chain)
	}
	return res.Msg.Sealed, nil
}

// learn asks a host for the member sets after the newest known. What does not
// prove itself is an error.
func (f *Follower) learn(ctx context.Context, h *host) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for {
		res, err := h.ledger.Handovers(ctx, connect.NewRequest(&pb.HandoversRequest{FromEpoch: f.epoch}))
		if err != nil {
			return err
		}
		was := f.epoch
		for _, b := range res.Msg.Handovers {
			if err := f.trust.Learn(b); err != nil {
				return err
			}
			if shown, err := wire.DecodeHandover(b); err == nil {
				f.epoch = max(f.epoch, shown.Next.Epoch)
			}
		}
		if f.epoch == was {
			return nil
		}
	}
}

// intake is what came of one stream.
type intake struct {
	f    *Follower
	host *host
	next uint64 // height of the next block
	held held
	late int       // blocks in a row that the archive had already
	told time.Time // when progress was logged last
	near bool      // it has caught up
}

// block takes the next block of the stream.
func (s *intake) block(ctx context.Context, m *pb.BlockResponse) error {
	proof, err := sealedHeader(m.GetHeader())
	if err != nil {
		return err
	}
	h, _, err := s.f.trust.VerifyHeader(proof)
	if wire.CodeOf(err) == wire.ErrUnknownEpoch {
		if err = s.f.learn(ctx, s.host); err == nil {
			h, _, err = s.f.trust.VerifyHeader(proof)
		}
	}
	if err != nil {
		return err
	}
	if h.Height != s.next {
		return wire.Faultf(wire.ErrProof, "block %d came, %d was due", h.Height, s.next)
	}
	s.next++
	final := &gate.Final{Height: h.Height, Header: m.Header.Header, Body: m.Body, Results: m.Outcome}
	if proof.Cover == nil {
		final.Seal = proof.Seal
	}
	ready, err := s.held.add(h, final)
	if err != nil {
		return err
	}
	for _, final := range ready {
		if err := s.append(final); err != nil {
			return err
		}
	}
	return nil
}

// append stores a block that is proved.
func (s *intake) append(final *gate.Final) error {
	a := s.f.cfg.Archive
	known := final.Height <= a.Height()
	switch err := a.Append(final); {
	case errors.Is(err, archive.ErrFork):
		return err
	case errors.Is(err, archive.ErrRefused), errors.Is(err, archive.ErrGap):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errArchive, err)
	}
	if known {
		if s.late++; s.late >= enough {
			return errEnough
		}
		return nil
	}
	s.late = 0
	s.took(final.Height)
	return nil
}

// took notes progress, and logs it until the host's blocks come one by one.
func (s *intake) took(height uint64) {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.status.Active {
		s.told, f.status.From = time.Now(), height
		f.cfg.Log.Info("follow.began", "endpoint", s.host.url, "from", height, "target", f.status.Target)
	}
	caughtUp := f.status.Target <= height+near
	f.status.Active, f.status.Height, f.status.Problem = true, height, ""
	f.status.Target = max(f.status.Target, s.next-1)
	switch now := time.Now(); {
	case s.near:
	case caughtUp:
		s.near = true
		f.cfg.Log.Info("follow.caught_up", "endpoint", s.host.url, "height", height)
	case now.Sub(s.told) >= progressTime:
		s.told = now
		f.cfg.Log.Info("follow.progress", "endpoint", s.host.url, "height", height, "target", f.status.Target)
	}
}

// near is how many blocks behind a host one is counted as caught up: its newest
// is held back.
const near = 2

// asks notes who is asked.
func (f *Follower) asks(h *host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Endpoint = h.url
}

// answered notes how far that host says it is.
func (f *Follower) answered(target uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Target = target
}

// sealedHeader reads a header as the API carries it. A header without a proof is
// none for a follower.
func sealedHeader(h *pb.SealedHeader) (*query.SealedHeader, error) {
	if h == nil {
		return nil, wire.Faultf(wire.ErrProof, "a block came without its header")
	}
	s := &query.SealedHeader{Header: h.Header, Seal: h.Seal}
	if h.Cover == nil {
		return s, nil
	}
	s.Cover = &query.Cover{Header: h.Cover.Header}
	for _, b := range h.Cover.Path {
		if len(b) != len(wire.Hash{}) {
			return nil, wire.Faultf(wire.ErrProof, "a path has a hash of %d bytes", len(b))
		}
		s.Cover.Path = append(s.Cover.Path, wire.Hash(b))
	}
	return s, nil
}
