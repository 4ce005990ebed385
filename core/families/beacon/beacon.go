package beacon

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/beacon"
	"cloister/wire/node"
)

// Family implements ledger.Family and ledger.Ender.
type Family struct{}

var _ ledger.Ender = Family{}

// Name implements ledger.Family.
func (Family) Name() string { return beacon.Name }

// Genesis implements ledger.Family; params is a beacon.Params, or nothing.
func (Family) Genesis(st ledger.State, params json.RawMessage) error {
	p, err := beacon.ParseParams(params)
	if err != nil {
		return err
	}
	return save(st, &beacon.Round{Number: 1, Last: beacon.Start(), IntervalMs: p.IntervalMs})
}

// Check implements ledger.Family; the payload is a *beacon.Prove.
func (Family) Check(tx *wire.Tx) (any, error) { return beacon.Decode(tx.Payload) }

// Price is nothing for voters; others pay one entry credit to be told that they
// are none.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	r, err := roster(c.State(node.Name))
	if err != nil || r != nil && node.MayVote(r, wire.NodeIDOf(c.Tx.Payer)) {
		return ledger.Price{}, err
	}
	return ledger.Price{Credits: uint64(c.Size+1023) / 1024}, nil
}

// Admit verifies the proof: a bad one must not travel for free.
func (Family) Admit(c *ledger.Call) error {
	_, _, err := judge(c)
	return err
}

// Execute takes the proof's output into the round.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	r, out, err := judge(c)
	if err != nil {
		return nil, err
	}
	r.Outputs = append(slices.Clone(r.Outputs), out)
	return nil, save(c.State(beacon.Name), r)
}

// judge checks a proof, cheap questions first, and returns its output.
func judge(c *ledger.Call) (*beacon.Round, beacon.Output, error) {
	none, p := beacon.Output{}, c.Payload.(*beacon.Prove)
	r, err := round(c.State(beacon.Name))
	if err != nil {
		return nil, none, err
	}
	id := wire.NodeIDOf(c.Tx.Payer)
	switch {
	case p.Round != r.Number:
		return nil, none, wire.Faultf(wire.ErrBeaconRound, "round %d is in hand, the proof is for %d", r.Number, p.Round)
	case c.TimeMs < r.OpensMs:
		return nil, none, wire.Faultf(wire.ErrBeaconEarly, "round %d opens at block time %d, now is %d", r.Number, r.OpensMs, c.TimeMs)
	case r.Has(id):
		return nil, none, wire.Faultf(wire.ErrBeaconTwice, "node %s in round %d", id, r.Number)
	}
	key, err := vrfKey(c.State(node.Name), id)
	if err != nil {
		return nil, none, err
	}
	alpha := beacon.Alpha(c.Tx.ChainID, r.Number, r.Last)
	ok, beta := ecvrf.Verify(ed25519.PublicKey(key[:]), p.Proof, alpha[:])
	if !ok || len(beta) != beacon.BetaSize {
		return nil, none, wire.Faultf(wire.ErrBeaconProof, "it is not node %s's for round %d", id, r.Number)
	}
	return r, beacon.Output{Node: id, Beta: beta}, nil
}

// vrfKey is a voter's registered key.
func vrfKey(nodes ledger.State, id wire.NodeID) (key [32]byte, err error) {
	r, err := roster(nodes)
	switch {
	case err != nil:
		return key, err
	case r == nil || !node.MayVote(r, id):
		return key, wire.Faultf(wire.ErrNotVoter, "node %s", id)
	}
	n, ok, err := ledger.Load[node.Node](nodes, node.Key(id))
	switch {
	case err != nil:
		return key, err
	case !ok || !n.Status.Registered():
		return key, wire.Faultf(wire.ErrNotRegistered, "node %s", id)
	}
	return n.VRF, nil
}

// EndBlock implements ledger.Ender: it makes the round's value if enough proofs
// are in. Proofs of the same block all go in, and the voters may have become
// fewer without any proof.
func (Family) EndBlock(e *ledger.End) error {
	st := e.State(beacon.Name)
	r, err := round(st)
	if err != nil || len(r.Outputs) == 0 {
		return err
	}
	members, err := roster(e.State(node.Name))
	if err != nil || members == nil {
		return err
	}
	outputs := slices.DeleteFunc(slices.Clone(r.Outputs), func(o beacon.Output) bool { return !node.MayVote(members, o.Node) })
	if len(outputs) < members.Set.Quorum() {
		return nil
	}
	value := beacon.Value{Round: r.Number, R: beacon.Combine(r.Last, outputs), Height: e.Height, TimeMs: e.TimeMs}
	if err := ledger.Save(st, beacon.ValueKey(r.Number), value); err != nil {
		return err
	}
	return save(st, &beacon.Round{
		Number: r.Number + 1, Last: value.R, OpensMs: e.TimeMs + r.IntervalMs, IntervalMs: r.IntervalMs,
	})
}

func round(st ledger.State) (*beacon.Round, error) {
	r, ok, err := ledger.Load[beacon.Round](st, beacon.RoundKey)
	if err == nil && !ok {
		err = fmt.Errorf("beacon: no round in state")
	}
	return &r, err
}

func save(st ledger.State, r *beacon.Round) error {
	return st.Set(beacon.RoundKey, wire.Marshal(r))
}

// roster is nil on a chain without the node family, where nobody proves anything.
func roster(nodes ledger.State) (*wire.Roster, error) {
	r, ok, err := ledger.Load[wire.Roster](nodes, node.RosterKey)
	if err != nil || !ok {
		return nil, err
	}
	return &r, nil
}
