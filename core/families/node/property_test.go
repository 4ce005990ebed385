package node_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/wire"
	public "cloister/wire/node"
)

// history is what was seen of a chain so far.
type history struct {
	roster *wire.Roster
	slots  map[uint64]wire.NodeID
	boots  map[wire.NodeID]uint64
	dead   map[wire.NodeID]bool // revoked
	newest uint64               // slot
}

// TestTheRosterKeepsItsInvariants lets random members, operators and authorities
// do random things, most of them out of place, and checks after every block what
// the package promises.
func TestTheRosterKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 4).Draw(rt, "founders"))
		w.policies[1].MaxRegistrationMs = 40_000
		w.policies[1].MinVendorClasses = rapid.Uint8Range(0, 3).Draw(rt, "vendors")
		cores := append([]*core{}, w.Founders...)
		for i := range 4 {
			cores = append(cores, newCore(10+i))
		}
		for _, k := range cores {
			k.kind = rapid.SampledFrom([]evidence.Kind{evidence.SGX, evidence.SNP}).Draw(rt, "kind")
		}
		h := &history{slots: map[uint64]wire.NodeID{}, boots: map[wire.NodeID]uint64{}, dead: map[wire.NodeID]bool{}}
		h.check(rt, w, cores, w.Ledger.Tip().Header.Epoch)
		for range rapid.IntRange(5, 40).Draw(rt, "blocks") {
			var txs []*wire.Tx
			for range rapid.IntRange(0, 3).Draw(rt, "transactions") {
				txs = append(txs, w.something(rt, cores))
			}
			switch rapid.IntRange(0, 9).Draw(rt, "besides") {
			case 0:
				w.lab.refused[wire.Hash{0xBA, 0xD0}] = wire.ErrEvidenceCode
				w.revision++
			case 1:
				clear(w.lab.refused)
				w.revision++
			case 2:
				w.RunAt(w.NextMs() + rapid.Uint64Range(0, 50_000).Draw(rt, "pause"))
				h.check(rt, w, cores, w.Ledger.Tip().Header.Epoch)
			case 3, 4, 5, 6:
				w.handOver()
				h.check(rt, w, cores, w.Ledger.Tip().Header.Epoch)
			}
			w.Run(txs...)
			h.check(rt, w, cores, w.Ledger.Tip().Header.Epoch)
		}
	})
}

func (w *world) something(rt *rapid.T, cores []*core) *wire.Tx {
	k := rapid.SampledFrom(cores).Draw(rt, "core")
	if rapid.IntRange(0, 3).Draw(rt, "code") == 0 {
		k.code = rapid.SampledFrom([]wire.Hash{{0xC0, 0xDE}, {0xBA, 0xD0}}).Draw(rt, "code")
	}
	by := rapid.SampledFrom(cores).Draw(rt, "by")
	switch rapid.IntRange(0, 10).Draw(rt, "what") {
	case 0, 1:
		return w.register(k)
	case 2, 3:
		return w.renew(k)
	case 4:
		k.restart()
		return w.boot(k)
	case 5:
		return w.retire(k.operator, k)
	case 6, 7:
		return w.admit(k, rapid.SampledFrom([]wire.Role{wire.Voter, wire.Voter, wire.Learner, wire.Audit}).Draw(rt, "as"))
	case 8:
		return w.promote(by, k)
	case 9:
		return w.remove(k)
	}
	return w.revoke(k)
}

// check compares the state after a block, which the set of an epoch ordered,
// with what was before it.
func (h *history) check(rt *rapid.T, w *world, cores []*core, epoch uint64) {
	r := w.roster()
	h.set(rt, w, r.Set, epoch)
	h.standings(rt, r)
	h.nodes(rt, w, cores)
	h.roster = r
}

func (h *history) set(rt *rapid.T, w *world, set *wire.MemberSet, epoch uint64) {
	last := uint64(0)
	for _, m := range set.Members {
		if m.Slot <= last || m.Weight != 1 || m.ID != wire.NodeIDOf(m.Key) {
			rt.Fatalf("members %+v", set.Members)
		}
		last = m.Slot
		if was, used := h.slots[m.Slot]; used && was != m.ID {
			rt.Fatalf("slot %d was %s's, now %s's", m.Slot, was, m.ID)
		} else if !used && m.Slot <= h.newest {
			rt.Fatalf("slot %d is new after %d", m.Slot, h.newest)
		}
		h.slots[m.Slot] = m.ID
	}
	h.newest = max(h.newest, last)
	stored, ok := ledgertest.Load[wire.MemberSet](w.Chain, public.Name, public.SetKey(set.Epoch))
	if !ok || stored.Hash() != set.Hash() || set.Voters() < 1 {
		rt.Fatalf("set %+v, stored %+v", set, stored)
	}
	if h.roster == nil || h.roster.Set.Epoch == set.Epoch {
		return
	}
	was := h.roster.Set
	if set.Epoch != was.Epoch+1 || epoch != was.Epoch || set.From != w.Ledger.Height()+1 {
		rt.Fatalf("epoch %d follows %d in a block of epoch %d", set.Epoch, was.Epoch, epoch)
	}
	changes := 0
	for _, m := range set.Members {
		if old := was.BySlot(m.Slot); old == nil || *old != m {
			changes++
		}
	}
	for _, m := range was.Members {
		if set.BySlot(m.Slot) == nil {
			changes++
		}
	}
	if changes != 1 {
		rt.Fatalf("%d changes at once: %+v after %+v", changes, set.Members, was.Members)
	}
	least := int(w.policies[1].MinVendorClasses)
	if had, has := vendorsOf(w, was), vendorsOf(w, set); least > 1 && had >= least && has < least {
		rt.Fatalf("voters of %d vendors after %d, at least %d stay", has, had, least)
	}
}

// vendorsOf counts the vendors of the hardware of voters nobody revoked.
func vendorsOf(w *world, set *wire.MemberSet) int {
	seen := map[evidence.Vendor]bool{}
	for _, m := range set.Members {
		n, known := ledgertest.Load[public.Node](w.Chain, public.Name, public.Key(m.ID))
		if v := evidence.Kind(n.Platform.Kind).Vendor(); known && m.Role == wire.Voter && n.Status != public.Revoked && v != 0 {
			seen[v] = true
		}
	}
	return len(seen)
}

// standings: a quorum of voters is free to order blocks, whatever happens.
func (h *history) standings(rt *rapid.T, r *wire.Roster) {
	free := 0
	for i, m := range r.Set.Members {
		if r.Nodes[i].ID != m.ID {
			rt.Fatalf("standings out of order: %+v", r)
		}
		if m.Role == wire.Voter && r.Nodes[i].Barred == wire.OK {
			free++
		}
	}
	if free < r.Set.Quorum() {
		rt.Fatalf("%d of %d voters are free: %+v", free, r.Set.Voters(), r.Nodes)
	}
}

func (h *history) nodes(rt *rapid.T, w *world, cores []*core) {
	l, _ := ledgertest.Load[[]public.Listed](w.Chain, public.Name, public.ListKey)
	listed := map[wire.NodeID]public.Listed{}
	for i, e := range l {
		if i > 0 && bytes.Compare(l[i-1].ID[:], e.ID[:]) >= 0 {
			rt.Fatal("the list does not ascend")
		}
		listed[e.ID] = e
	}
	r := w.roster()
	for _, k := range cores {
		n, known := ledgertest.Load[public.Node](w.Chain, public.Name, public.Key(k.id()))
		e, on := listed[k.id()]
		switch s := r.Of(k.id()); {
		case on != (known && n.Status.Registered()):
			rt.Fatalf("listed %t: %+v", on, n)
		case on && (e.ExpiresMs != n.ExpiresMs || e.Device != n.Platform.Device || e.Roles != n.Roles):
			rt.Fatalf("listed %+v: %+v", e, n)
		case n.Boots < h.boots[k.id()]:
			rt.Fatalf("runs fell from %d to %d", h.boots[k.id()], n.Boots)
		case h.dead[k.id()] && n.Status != public.Revoked:
			rt.Fatalf("revoked, it is %+v", n)
		case s != nil && (s.Boots != n.Boots || s.BootID != n.BootID):
			rt.Fatalf("standing %+v of %+v", s, n)
		case s != nil && n.Status == public.Revoked && s.Barred != wire.ErrNodeRevoked:
			rt.Fatalf("a revoked member has standing %+v", s)
		case s != nil && s.Barred != wire.OK && n.Standing(w.Ledger.Tip().Header.TimeMs) != s.Barred:
			rt.Fatalf("barred with %s: %+v", s.Barred, n)
		}
		h.boots[k.id()], h.dead[k.id()] = n.Boots, n.Status == public.Revoked
	}
}
