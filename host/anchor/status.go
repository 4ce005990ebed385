package anchor

import (
	"slices"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Phase is how far a height is.
type Phase string

// Phases, in their order.
const (
	Waiting  Phase = "waiting"  // it is another host's turn
	Queued   Phase = "queued"   // to be paid for
	Sent     Phase = "sent"     // unconfirmed
	Mined    Phase = "mined"    // in a block
	Deep     Phase = "deep"     // deep enough to be recorded
	Recorded Phase = "recorded" // watched until it settles
)

// Phases are all of them.
var Phases = []Phase{Waiting, Queued, Sent, Mined, Deep, Recorded}

// maxShown bounds the heights of a status: the newest.
const maxShown = 256

// Status is how anchoring stands. Errors are those of the last try.
type Status struct {
	Network string
	Address string // where money for anchors has to be sent

	Tip         Place  // newest block followed
	Next        uint32 // height that the ledger closes next; those before are on their way or done
	Confirmed   uint64 // satoshi that can be spent
	Unconfirmed uint64 // satoshi of change that has to be mined
	// Missing is how many satoshi more an address needs before the next anchor can
	// be paid; 0: enough.
	Missing uint64

	Counts  map[Phase]int
	Heights []HeightStatus // newest last, at most maxShown

	Funds  error // carries ErrInsufficientFunds
	Node   error // why the Bitcoin node cannot be followed
	Ledger error // why the ledger cannot be asked or written to
}

// HeightStatus is one height on its way. What is not known yet is zero.
type HeightStatus struct {
	Height   uint32
	KeyMR    wire.Hash
	Phase    Phase
	TxID     bitcoin.Hash
	Fee      uint64 // satoshi
	Versions int    // transactions made so far; more than 1: replaced
	Block    Place
	Offset   uint32
	Depth    uint32 // blocks
}

// Status returns the newest one. Its slices and maps are the caller's.
func (a *Anchorer) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Heights = slices.Clone(s.Heights)
	s.Counts = make(map[Phase]int, len(Phases))
	for _, p := range Phases {
		s.Counts[p] = a.status.Counts[p]
	}
	return s
}

// show takes the machine's state over.
func (a *Anchorer) show(node, ledger error) {
	s := a.m.status()
	s.Network, s.Address, s.Node, s.Ledger = a.cfg.Network.Name, a.cfg.Key.address, node, ledger
	if s.Missing > 0 {
		s.Funds = wire.Faultf(wire.ErrInsufficientFunds, "anchor: send at least %d satoshi to %s", s.Missing, s.Address)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = s
}

func (a *Anchorer) showLedger(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.Ledger = err
}

func (m *machine) status() Status {
	s := Status{Tip: m.Tip, Next: m.Next, Missing: m.short, Counts: map[Phase]int{}}
	v := m.view()
	for i := range m.Coins {
		if c := &m.Coins[i]; v.ready(c) && v.unspent(c.Out) {
			s.Confirmed += c.Value
		}
	}
	for i := range m.Anchors {
		x := &m.Anchors[i]
		h := HeightStatus{Height: x.Height, KeyMR: x.KeyMR, Phase: m.phase(x), Versions: len(x.Versions)}
		s.Counts[h.Phase]++
		m.describe(v, x, &h)
		if h.Phase == Sent {
			if value, ok := v.value(bitcoin.Outpoint{Tx: h.TxID, Index: changeIndex}); ok && v.unspent(bitcoin.Outpoint{Tx: h.TxID, Index: changeIndex}) {
				s.Unconfirmed += value
			}
		}
		if i >= len(m.Anchors)-maxShown {
			s.Heights = append(s.Heights, h)
		}
	}
	return s
}

// unspent reports whether no anchor spends an output.
func (v *view) unspent(out bitcoin.Outpoint) bool {
	_, taken := v.taken[out]
	return !taken
}

func (m *machine) phase(x *anchor) Phase {
	switch {
	case x.Recorded != nil:
		return Recorded
	case x.Mined != nil && m.depth(x.Mined.At.Height) >= m.rules.depth:
		return Deep
	case x.Mined != nil:
		return Mined
	case len(x.Versions) > 0:
		return Sent
	case x.Due:
		return Queued
	}
	return Waiting
}

// describe fills in the transaction and the block.
func (m *machine) describe(v *view, x *anchor, h *HeightStatus) {
	if x.Mined != nil {
		h.Block, h.Offset, h.Depth = x.Mined.At, x.Mined.Offset, m.depth(x.Mined.At.Height)
		h.TxID, h.Fee = x.last().tx.ID(), x.last().Fee
		return
	}
	if x.Recorded != nil {
		h.Block, h.Depth = *x.Recorded, m.depth(x.Recorded.Height)
	}
	if i := v.current(x); i >= 0 {
		h.TxID, h.Fee = x.Versions[i].tx.ID(), x.Versions[i].Fee
	}
}
