package client

import (
	"context"
	"iter"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/query"
	"cloister/wire/record"
)

// MaxVerified bounds the entries of a chain that VerifiedEntries keeps hashes
// of: 32 bytes each.
const MaxVerified = 1 << 20

// Entry is an entry as recorded. Hash, Chain, ExtIDs and Content are always
// verified to belong together; see the method that returned it for the rest.
type Entry struct {
	Hash    wire.Hash
	Chain   wire.Hash
	ExtIDs  [][]byte
	Content []byte
	Raw     []byte // as hashed
	Seq     uint64 // within the chain, from 0

	// The host's word:
	Tx     wire.Hash // the transaction that recorded it; EntryReceipt proves it
	Height uint64
	TimeMs uint64 // block time
}

// Entry fetches an entry by its hash. That the bytes have this hash is
// verified; that they are recorded, and where, is the host's word:
// EntryReceipt proves it.
func (c *Client) Entry(ctx context.Context, hash wire.Hash) (*Entry, error) {
	var out *Entry
	err := c.do(ctx, "entry", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Entry(ctx, connect.NewRequest(&pb.EntryRequest{Hash: hash.String(), AfterHeight: c.seen.after()}))
		if err != nil {
			return err
		}
		m := res.Msg.Entry
		if out, err = readEntry(m, hash); err != nil {
			return err
		}
		out.Seq = m.Seq
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Entries lists a chain's entries from number from on, to the end the host
// shows. Each entry's bytes are verified to have its hash and to name the
// chain. Order and completeness are the host's word: VerifiedEntries proves them.
// The sequence ends after the first error.
func (c *Client) Entries(ctx context.Context, chain wire.Hash, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for next, more := from, true; more; {
			var page []*Entry
			var err error
			if page, more, err = c.entryPage(ctx, chain, next, nil); err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			next += uint64(len(page))
		}
	}
}

// ChainState is the verified state of a chain of entries after block Height.
type ChainState struct {
	record.Chain
	ID     wire.Hash
	Height uint64
	Header *wire.Header // commits to this state; its seal or cover was verified
}

// Chain returns the verified state of a chain. Errors: ErrUnknownChain if it is
// proved not to exist.
func (c *Client) Chain(ctx context.Context, id wire.Hash) (*ChainState, error) {
	var out *ChainState
	err := c.do(ctx, "chain", func(ctx context.Context, e *endpoint) error {
		after := c.seen.after()
		res, err := e.ledger.Chain(ctx, connect.NewRequest(&pb.ChainRequest{ChainId: id.String(), Prove: true, AfterHeight: after}))
		if err != nil {
			return err
		}
		s, h, err := c.verifyState(record.Name, record.ChainKey(id), res.Msg.Proof, after)
		if err != nil {
			return err
		}
		if out, err = chainState(id, s, h); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func chainState(id wire.Hash, s *query.State, h *wire.Header) (*ChainState, error) {
	if !s.Present {
		return nil, wire.Faultf(wire.ErrUnknownChain, "chain %s does not exist after block %d", id, s.Exec.Height)
	}
	out := &ChainState{ID: id, Height: s.Exec.Height, Header: h}
	if err := wire.Unmarshal(s.Value, &out.Chain, len(s.Value)); err != nil {
		return nil, err
	}
	return out, nil
}

// EntryList is every entry of a chain up to a verified state: complete, in
// order, nothing added.
type EntryList struct {
	State  *ChainState
	Hashes []wire.Hash // of the entries, in order
	client *Client
}

// VerifiedEntries verifies the list of all entries of a chain: the fold of
// their hashes must be the head that a sealed header's state holds. Errors:
// ErrProof when hosts leave out, add or move an entry; ErrUnknownChain;
// ErrTooLarge above MaxVerified entries.
func (c *Client) VerifiedEntries(ctx context.Context, chain wire.Hash) (*EntryList, error) {
	state, err := c.Chain(ctx, chain)
	if err != nil {
		return nil, err
	}
	if state.Entries > MaxVerified {
		return nil, wire.Faultf(wire.ErrTooLarge, "the chain has %d entries, at most %d are verified at once", state.Entries, MaxVerified)
	}
	list := &EntryList{State: state, client: c}
	err = c.do(ctx, "entries", func(ctx context.Context, e *endpoint) error {
		list.Hashes, err = hashList(ctx, e, state)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// hashList fetches and folds the hashes of a whole chain from one host.
func hashList(ctx context.Context, e *endpoint, state *ChainState) ([]wire.Hash, error) {
	list := make([]wire.Hash, 0, state.Entries)
	var head wire.Hash
	for seq := uint64(0); seq < state.Entries; {
		limit := min(maxPage, state.Entries-seq)
		res, err := e.ledger.Entries(ctx, connect.NewRequest(&pb.EntriesRequest{
			ChainId: state.ID.String(), From: seq, Limit: uint32(limit), AfterHeight: state.Height,
		}))
		if err != nil {
			return nil, err
		}
		if n := uint64(len(res.Msg.Entries)); n == 0 || n > limit {
			return nil, wire.Faultf(wire.ErrProof, "%d entries come after number %d, of %d", n, seq, state.Entries)
		}
		for _, m := range res.Msg.Entries {
			hash, err := wire.ParseHash(m.GetHash())
			if err != nil {
				return nil, wire.Faultf(wire.ErrProof, "entry %d: %v", seq, err)
			}
			head = record.NextHead(head, seq, hash)
			list = append(list, hash)
			seq++
		}
	}
	if head != state.Head {
		return nil, wire.Faultf(wire.ErrProof, "the entries shown are not those of the chain after block %d", state.Height)
	}
	return list, nil
}

// Entries fetches the list's entries in order. Their bytes, order and
// completeness are verified. The sequence ends after the first error.
func (l *EntryList) Entries(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for next := uint64(0); next < uint64(len(l.Hashes)); {
			page, _, err := l.client.entryPage(ctx, l.State.ID, next, l.Hashes[next:])
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			next += uint64(len(page))
		}
	}
}

// entryPage fetches entries with their bytes. Where want is not nil it holds
// the hashes they must have, at least one; what comes beyond it is left out.
func (c *Client) entryPage(ctx context.Context, chain wire.Hash, from uint64, want []wire.Hash) (page []*Entry, more bool, err error) {
	err = c.do(ctx, "entries", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Entries(ctx, connect.NewRequest(&pb.EntriesRequest{
			ChainId: chain.String(), From: from, Limit: maxPage, Raw: true, AfterHeight: c.seen.after(),
		}))
		if err != nil {
			return err
		}
		list := res.Msg.Entries
		if want != nil {
			list = list[:min(len(list), len(want))]
			if len(list) == 0 {
				return wire.Faultf(wire.ErrProof, "no entries come after number %d, though there are %d more", from, len(want))
			}
		}
		page, more = make([]*Entry, 0, len(list)), res.Msg.More && len(list) > 0
		for i, m := range list {
			hash, err := wire.ParseHash(m.GetHash())
			if err != nil {
				return wire.Faultf(wire.ErrProof, "entry %d: %v", from+uint64(i), err)
			}
			if want != nil && hash != want[i] {
				return wire.Faultf(wire.ErrProof, "entry %d is %s, expected %s", from+uint64(i), hash, want[i])
			}
			entry, err := readEntry(m, hash)
			if err != nil {
				return err
			}
			if entry.Chain != chain {
				return wire.Faultf(wire.ErrProof, "entry %s is of chain %s", hash, entry.Chain)
			}
			entry.Seq = from + uint64(i)
			page = append(page, entry)
		}
		return nil
	})
	return page, more, err
}

// readEntry checks that a host's entry has the hash and reads it.
func readEntry(m *pb.EntryRecord, hash wire.Hash) (*Entry, error) {
	raw := m.GetRaw()
	parsed, err := factom.ParseEntry(raw)
	if err != nil {
		return nil, wire.Faultf(wire.ErrProof, "entry %s: %v", hash, err)
	}
	if factom.EntryHash(raw) != hash {
		return nil, wire.Faultf(wire.ErrProof, "the bytes shown are not those of entry %s", hash)
	}
	out := &Entry{
		Hash: hash, Chain: parsed.ChainID, ExtIDs: parsed.ExtIDs, Content: parsed.Content, Raw: raw,
		Height: m.Height, TimeMs: m.TimeMs,
	}
	if out.Tx, err = wire.ParseHash(m.TxId); err != nil {
		return nil, wire.Faultf(wire.ErrProof, "entry %s: %v", hash, err)
	}
	return out, nil
}
