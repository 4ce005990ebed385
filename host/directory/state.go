package directory

import (
	"context"
	"sync/atomic"
	"time"

	"cloister/host/api"
	"cloister/host/api/factom"
	"cloister/wire"
)

// foldWait is how long balances wait for the fold to reach the state they are of.
const foldWait = time.Second

// State answers what the interface asks about the ledger now. It implements
// factom.State (host/api/factom). All methods are safe for concurrent use.
type State struct {
	*Core
	Index     *Index
	Submitter api.Submitter

	me atomic.Pointer[identity]
}

type identity struct {
	id  wire.NodeID
	key wire.PublicKey
}

var _ factom.State = (*State)(nil)

// Submit implements factom.State.
func (s *State) Submit(ctx context.Context, family string, payload []byte) error {
	tx := wire.Carry(s.Genesis.ChainID(), family, payload)
	items, err := s.Submitter.Submit(ctx, [][]byte{tx.Bytes()})
	switch {
	case err != nil:
		return err
	case len(items) != 1:
		return wire.Faultf(wire.ErrInternal, "the core answered %d items for one message", len(items))
	case items[0].Code != wire.OK:
		return wire.Faultf(items[0].Code, "message to family %s", family)
	}
	return nil
}

// Balances implements factom.State. What is saved is what is there now without
// what the blocks since the last closed period did to it: messages, and what
// native transactions cost. Rewards and deposits that other families move count as saved.
func (s *State) Balances(ctx context.Context, accounts []wire.Account) ([]factom.Balance, error) {
	rate, _, err := s.rate(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]factom.Balance, len(accounts))
	for i, a := range accounts {
		b, height, err := s.balance(ctx, a)
		if err != nil {
			return nil, err
		}
		s.await(ctx, height)
		d, err := s.Index.since(a, height, rate)
		if err != nil {
			return nil, err
		}
		list[i] = factom.Balance{
			Factoshis: b.Factoshis, Credits: b.Credits,
			SavedFactoshis: without(b.Factoshis, d.factoshis), SavedCredits: without(b.Credits, d.credits),
		}
	}
	return list, nil
}

// await gives the fold a moment; an answer that is a little off is better than none.
func (s *State) await(ctx context.Context, height uint64) {
	ctx, cancel := context.WithTimeout(ctx, foldWait)
	defer cancel()
	_ = s.Index.Await(ctx, height) // what there is will do
}

// without takes a change back. Nothing goes below zero: the two numbers may be of
// different moments.
func without(now uint64, change int64) uint64 {
	if change < 0 {
		return now + uint64(-change)
	}
	return now - min(now, uint64(change))
}

// since is what the blocks of periods that are not closed did to an account, up
// to a ledger height. rate is that of the period in progress, which may be wrong
// for one that is being closed just then.
func (x *Index) since(a wire.Account, height, rate uint64) (sum delta, err error) {
	v, err := x.view()
	if err != nil {
		return sum, err
	}
	for _, p := range v.Spans {
		if p.Period < v.Count {
			continue
		}
		prefix := periodHashKey(datedDelta, p.Period, wire.Hash(a))
		end := append(append([]byte(nil), prefix...), wire.U64(height+1)...)
		err := x.store.Scan(prefix, end, func(_, value []byte) (bool, error) {
			d, err := decodeDelta(value)
			if err != nil {
				return false, err
			}
			sum.factoshis += d.factoshis
			sum.credits += d.credits
			for _, amount := range d.bought {
				sum.credits += int64(amount / max(rate, 1))
			}
			return true, nil
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Rate implements factom.State.
func (s *State) Rate(ctx context.Context) (now, pending uint64, err error) { return s.rate(ctx) }

// Authorities implements factom.State. Voters are what Factom calls federated
// servers. Anchor keys are those of the closed admin blocks.
func (s *State) Authorities(ctx context.Context) ([]factom.Authority, error) {
	set, err := s.members(ctx)
	if err != nil {
		return nil, err
	}
	v, err := s.Index.view()
	if err != nil {
		return nil, err
	}
	var list []factom.Authority
	for _, federated := range []bool{true, false} {
		for i := range set.Members {
			m := &set.Members[i]
			if (m.Role == wire.Voter) != federated {
				continue
			}
			a := factom.Authority{ID: m.ID, SigningKey: m.Key, Federated: federated, Payout: wire.AccountOf(m.Key)}
			for i := range v.Servers {
				if v.Servers[i].ID == m.ID {
					a.AnchorKeys = v.Servers[i].anchorKeys()
				}
			}
			list = append(list, a)
		}
	}
	return list, nil
}

// Identity implements factom.State. Once the core has told it is remembered.
func (s *State) Identity() (wire.NodeID, wire.PublicKey) {
	if me := s.me.Load(); me != nil {
		return me.id, me.key
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldWait)
	defer cancel()
	id, err := s.self(ctx)
	if err != nil || id.IsZero() {
		return wire.NodeID{}, wire.PublicKey{}
	}
	set, err := s.members(ctx)
	if err != nil {
		return id, wire.PublicKey{}
	}
	m := set.ByID(id)
	if m == nil { // no member: its key is not on the ledger
		return id, wire.PublicKey{}
	}
	s.me.Store(&identity{id, m.Key})
	return id, m.Key
}
