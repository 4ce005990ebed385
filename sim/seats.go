package sim

import (
	"encoding/json"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
)

// seats is the smallest family that decides who orders blocks: whoever asks
// gives a node a seat, its vote, takes both away, or bars it at once. It keeps the
// rules every such family has to: one member at a time, no further change before a
// block was ordered by the set decided last, and voters that are not barred are a
// majority.
type seats struct{ first *wire.MemberSet }

const seatsName = "seats"

// What a seat transaction does.
const (
	seatGive    = 1 // a learner, in the next slot
	seatPromote = 2
	seatTake    = 3
	seatBar     = 4
)

// seat is the payload.
type seat struct {
	_   struct{} `cbor:",toarray"`
	Do  uint8
	Key wire.PublicKey
}

// seated is the state.
type seated struct {
	_    struct{} `cbor:",toarray"`
	Set  *wire.MemberSet
	Slot uint64 // newest given
	Bars []wire.NodeID
}

var seatKey = []byte("set")

func (f seats) Name() string { return seatsName }

func (f seats) Genesis(st ledger.State, _ json.RawMessage) error {
	return st.Set(seatKey, wire.Marshal(seated{Set: f.first, Slot: uint64(len(f.first.Members))}))
}

func (f seats) Check(tx *wire.Tx) (any, error) {
	s := new(seat)
	if err := wire.Unmarshal(tx.Payload, s, 64); err != nil || s.Do < seatGive || s.Do > seatBar {
		return nil, wire.Faultf(wire.ErrMalformed, "no seat")
	}
	return s, nil
}

func (f seats) Price(*ledger.Call) (ledger.Price, error) { return ledger.Price{}, nil }
func (f seats) Admit(*ledger.Call) error                 { return nil }

func (f seats) Execute(c *ledger.Call) ([]byte, error) {
	now, _, err := ledger.Load[seated](c.State(seatsName), seatKey)
	if err != nil {
		return nil, err
	}
	if c.Epoch != now.Set.Epoch { // nor a bar: the set in force has to be able to hand over
		return nil, wire.Faultf(wire.ErrBusy, "a change is under way")
	}
	p := c.Payload.(*seat)
	id := wire.NodeIDOf(p.Key)
	old := now.Set.ByID(id)
	if p.Do == seatBar {
		if now.Bars = append(now.Bars, id); old == nil || !now.able() {
			return nil, wire.Faultf(wire.ErrBadRequest, "nobody to bar")
		}
		return nil, c.State(seatsName).Set(seatKey, wire.Marshal(now))
	}
	next := seated{Bars: slices.DeleteFunc(slices.Clone(now.Bars), func(x wire.NodeID) bool { return x == id }), Set: &wire.MemberSet{Epoch: now.Set.Epoch + 1, From: c.Height + 1}, Slot: now.Slot}
	for _, m := range now.Set.Members {
		switch {
		case m.ID != id:
		case p.Do == seatTake:
			continue
		case p.Do == seatPromote:
			m.Role = wire.Voter
		}
		next.Set.Members = append(next.Set.Members, m)
	}
	switch {
	case p.Do == seatGive && old == nil:
		next.Slot++
		next.Set.Members = append(next.Set.Members, wire.Member{ID: id, Slot: next.Slot, Weight: 1, Role: wire.Learner, Key: p.Key})
	case p.Do == seatPromote && old != nil && old.Role == wire.Learner:
	case p.Do == seatTake && old != nil:
	default:
		return nil, wire.Faultf(wire.ErrBadRequest, "nothing to change")
	}
	if !next.able() {
		return nil, wire.Faultf(wire.ErrBadRequest, "too few would be left")
	}
	return nil, c.State(seatsName).Set(seatKey, wire.Marshal(next))
}

// Roster implements ledger.Membership.
func (f seats) Roster(st ledger.State, _ uint64) (*wire.Roster, error) {
	now, _, err := ledger.Load[seated](st, seatKey)
	if err != nil {
		return nil, err
	}
	r := wire.NewRoster(now.Set)
	for _, id := range now.Bars {
		if s := r.Of(id); s != nil {
			s.Barred = wire.ErrNodeRevoked
		}
	}
	return r, nil
}

// able reports whether voters that are not barred are a majority.
func (s *seated) able() bool {
	n := 0
	for _, m := range s.Set.Members {
		if m.Role == wire.Voter && !slices.Contains(s.Bars, m.ID) {
			n++
		}
	}
	return n > 0 && n >= s.Set.Quorum()
}
