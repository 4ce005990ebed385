package client

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/query"
)

// Light is a verified chain of headers from block 0 on, kept as its newest
// header and the right edge of the history tree: about 3 KiB, however long the
// chain. Not for use by several goroutines at a time.
type Light struct {
	trust   *Trust
	head    *wire.Header
	hash    wire.Hash
	history merkle.Range // of the header hashes 0..head
}

// NewLight starts at block 0, which the genesis file gives.
func NewLight(t *Trust) *Light {
	l := &Light{trust: t, head: t.genesis.Header(), hash: t.origin}
	l.history.Append(merkle.LeafHash(l.hash[:]))
	return l
}

// Head is the newest verified header and its hash.
func (l *Light) Head() (*wire.Header, wire.Hash) { return l.head, l.hash }

// Extend adds the headers that follow the head, all or none. Each must be the
// child of the one before it and commit to the whole history; the last must be
// sealed or covered, which proves the ones before it. A seal on any of them is
// verified too. Errors: ErrProof, ErrSealInvalid, ErrNotCovered,
// ErrForeignChain, ErrUnknownEpoch.
func (l *Light) Extend(headers []*query.SealedHeader) error {
	next := *l
	for i, s := range headers {
		var h *wire.Header
		var hash wire.Hash
		var err error
		if len(s.Seal) > 0 || i == len(headers)-1 {
			h, hash, err = l.trust.VerifyHeader(s)
		} else if h, err = wire.DecodeHeader(s.Header); err == nil {
			hash = h.Hash()
		} else {
			err = wire.Faultf(wire.ErrProof, "%v", err)
		}
		if err != nil {
			return err
		}
		if err := next.follows(h); err != nil {
			return err
		}
		next.head, next.hash = h, hash
		next.history.Append(merkle.LeafHash(hash[:]))
	}
	*l = next
	return nil
}

// follows checks a header against the one before it.
func (l *Light) follows(h *wire.Header) error {
	switch {
	case h.ChainID != l.head.ChainID:
		return wire.Faultf(wire.ErrForeignChain, "header of chain %s", h.ChainID)
	case h.Height != l.head.Height+1 || h.Parent != l.hash:
		return wire.Faultf(wire.ErrProof, "block %d is no child of block %d", h.Height, l.head.Height)
	case h.HistoryRoot != l.history.Root():
		return wire.Faultf(wire.ErrProof, "block %d commits to another history", h.Height)
	case h.TimeMs <= l.head.TimeMs:
		return wire.Faultf(wire.ErrProof, "block %d is not later than its parent", h.Height)
	case h.ExecHeight >= h.Height || h.ExecHeight < l.head.ExecHeight:
		return wire.Faultf(wire.ErrProof, "block %d commits to the state after block %d", h.Height, h.ExecHeight)
	}
	return nil
}

// Follow extends l to the newest header that a host can prove. That it is the
// newest there is remains the host's word.
func (c *Client) Follow(ctx context.Context, l *Light) error {
	for {
		end := false
		err := c.do(ctx, "headers", func(ctx context.Context, e *endpoint) error {
			from := l.head.Height + 1
			res, err := e.ledger.Headers(ctx, connect.NewRequest(&pb.HeadersRequest{From: from, Limit: maxPage}))
			switch code := wire.CodeOf(received(ctx, err)); {
			case code == wire.ErrNotFound || code == wire.ErrNotCovered:
				end = true
				return nil
			case err != nil:
				return err
			}
			list := make([]*query.SealedHeader, len(res.Msg.Headers))
			for i, h := range res.Msg.Headers {
				if list[i], err = sealedHeader(h); err != nil {
					return err
				}
			}
			if len(list) == 0 {
				return wire.Faultf(wire.ErrProof, "no headers come after block %d", from-1)
			}
			if err := l.Extend(list); err != nil {
				return err
			}
			return c.seen.header(l.head, l.hash)
		})
		if err != nil || end {
			return err
		}
	}
}

// Consistent verifies that the history of the earlier of two verified headers
// is the beginning of that of the later one: that nobody rewrote what lies
// before them. For headers kept from different times or hosts.
func (c *Client) Consistent(ctx context.Context, a, b *wire.Header) error {
	if a.Height > b.Height {
		a, b = b, a
	}
	if a.ChainID != c.trust.chain || b.ChainID != c.trust.chain {
		return wire.Faultf(wire.ErrForeignChain, "headers of chains %s and %s", a.ChainID, b.ChainID)
	}
	if a.Height == b.Height && a.Hash() != b.Hash() {
		return wire.Faultf(wire.ErrProof, "fork: two headers of height %d", a.Height)
	}
	return c.do(ctx, "consistency", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Consistency(ctx, connect.NewRequest(&pb.ConsistencyRequest{From: a.Height, To: b.Height}))
		if err != nil {
			return err
		}
		path, err := hashes(res.Msg.Path)
		if err != nil {
			return err
		}
		return merkle.VerifyConsistency(a.Height, a.HistoryRoot, b.Height, b.HistoryRoot, path)
	})
}
