package node_test

import (
	"testing"

	"cloister/core/families/node"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/wire"
	public "cloister/wire/node"
)

// do submits what a core owes, as its own automatic duty would.
func (w *world) do(k *core) (txs []*wire.Tx) {
	w.Helper()
	self := public.Self{Identity: k.key.Public(), Boots: k.boots, BootID: k.bootID}
	var due []public.Duty
	w.View(func(v *ledger.View) {
		var err error
		get := func(key []byte) ([]byte, error) { return v.Get(public.Name, key) }
		if due, err = public.Due(get, self, w.NextMs()); err != nil {
			w.Fatal(err)
		}
	})
	for _, d := range due {
		switch d.Kind {
		case public.KindRegister:
			txs = append(txs, w.register(k))
		case public.KindRenew:
			txs = append(txs, w.renew(k))
		case public.KindBoot:
			txs = append(txs, w.boot(k))
		case public.KindPromote:
			txs = append(txs, w.Tx(k.key, public.Name, (&public.Promote{Node: d.Node}).Bytes()))
		}
	}
	return txs
}

// A network whose cores do what is due, and nothing else, runs for a month:
// through founding, renewals, a restart and a new voter.
func TestCoresThatDoTheirDutyStay(t *testing.T) {
	w := newWorld(t, 3)
	k := newCore(10)
	w.OK(w.do(k)...)
	w.OK(w.admit(k, wire.Voter)) // one voter is enough to promote it
	cores := append([]*core{k}, w.Founders...)
	for hours := range 30 * 24 {
		for _, c := range cores {
			if hours == 100 {
				c.restart()
			}
			w.OK(w.do(c)...)
		}
		w.handOver()
		if hours > 0 && (w.roster().Set.Voters() != 4 || w.roster().Set.Epoch != 3) {
			t.Fatalf("hour %d: %+v", hours, w.roster())
		}
		w.RunAt(w.NextMs() + 3_600_000)
		for _, s := range w.roster().Nodes {
			if s.Barred != wire.OK || hours > 100 && s.Boots != 2 {
				t.Fatalf("hour %d: %+v", hours, s)
			}
		}
	}
}

// Check is the first to read what anybody sends.
func FuzzCheck(f *testing.F) {
	w, k := newWorld(f, 1), newCore(10)
	f.Add(w.registration(k).Bytes())
	f.Add(w.renew(k).Payload)
	f.Add(w.retire(k.operator, k).Payload)
	chain := w.Genesis.ChainID()
	f.Fuzz(func(t *testing.T, payload []byte) {
		tx := &wire.Tx{ChainID: chain, Family: public.Name, Payload: payload}
		v, err := node.Family{}.Check(tx)
		if (v == nil) == (err == nil) || err != nil && wire.CodeOf(err) == wire.ErrInternal {
			t.Fatalf("%v, %v", v, err)
		}
	})
}

// Evidence that names no device is registered where a policy allows it, and is
// renewed as of no device.
func TestANodeWithoutADeviceRenews(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	k.device = wire.Hash{}
	w.OK(w.register(k))
	w.OK(w.renew(k))
	c := w.claims(k, evidence.Renew)
	k.device = wire.Hash{1}
	r := &public.Renew{Shown: w.show(k, c)}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.refused(w.Tx(k.operator, public.Name, r.Bytes()), wire.ErrDeviceChanged)
}
