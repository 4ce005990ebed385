package verifier_test

import (
	"bytes"
	"testing"

	"cloister/core/families/hardware/verifier"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

func (w *world) upkeep(m *member, sees func(verifier.Reader) verifier.Reader) (list []public.Payload) {
	w.Helper()
	get := verifier.Reader(w.get)
	if sees != nil {
		get = sees(get)
	}
	jobs, err := verifier.Upkeep(get, m.id, ledgertest.Account(m.owner), w.at())
	if err != nil {
		w.Fatal(err)
	}
	for _, j := range jobs {
		list = append(list, must(public.Decode(j.Payload)))
	}
	return list
}

// An owner keeps one renewal prepaid, and brings back a device that answered
// nothing, once it may.
func TestAnOwnerKeepsItsDevice(t *testing.T) {
	w := newWorld(t)
	m := w.members[0]
	price := w.params.Committee.RAGas
	if got := w.upkeep(m, nil); len(got) != 1 || got[0].(*public.Deposit).Amount != price {
		t.Fatalf("%+v", got)
	}
	w.OK(w.Tx(m.owner, public.Name, public.Encode(&public.Deposit{Amount: price - 7})))
	if got := w.upkeep(m, nil); len(got) != 1 || got[0].(*public.Deposit).Amount != 7 {
		t.Fatalf("%+v", got)
	}
	w.OK(w.Tx(m.owner, public.Name, public.Encode(&public.Deposit{Amount: 7})))
	if got := w.upkeep(m, nil); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	stranger := *m
	stranger.owner = ledgertest.Carol
	if got := w.upkeep(&stranger, changed(public.TotalsKey, func(*public.Totals) {})); len(got) != 0 {
		t.Errorf("somebody else owes %+v", got)
	}

	id := w.open(ledgertest.Alice, m, public.KindChallenge)
	for w.task(id).Phase != public.PhaseClosed { // nobody answers
		w.OK()
	}
	d := w.device(m)
	if w.status(m) != public.Suspended {
		t.Fatalf("the device is %s", w.status(m))
	}
	for w.Ledger.Height()+1 < d.Cooldown {
		if got := w.upkeep(m, nil); len(got) != 0 {
			t.Fatalf("height %d of %d: %+v", w.Ledger.Height(), d.Cooldown, got)
		}
		w.OK()
	}
	root := changed(trust.RootKey(d.Root), func(r *trust.Root) { r.Revoked = 1 })
	if got := w.upkeep(m, root); len(got) != 0 {
		t.Errorf("under a root without trust: %+v", got)
	}
	key := wire.Hash{9}
	revoked := func(get verifier.Reader) verifier.Reader {
		keyed := changed(public.DeviceKey(m.id), func(d *public.Device) { d.Keys = []wire.Hash{key} })(get)
		return func(k []byte) ([]byte, error) {
			if bytes.Equal(k, trust.RevokedKey(key)) {
				return wire.U64(0), nil
			}
			return keyed(k)
		}
	}
	if got := w.upkeep(m, revoked); len(got) != 0 {
		t.Errorf("with a revoked key: %+v", got)
	}
	got := w.upkeep(m, nil)
	if len(got) != 1 || *got[0].(*public.Open) != (public.Open{Device: m.id, Kind: public.KindReinstate}) {
		t.Fatalf("%+v", got)
	}
	id = wire.Hash(w.One(w.Tx(m.owner, public.Name, public.Encode(got[0]))).Output)
	if got := w.upkeep(m, nil); len(got) != 0 {
		t.Errorf("while the task is open: %+v", got)
	}
	if got := w.finish(id); got.Verdict != public.Pass || w.status(m) != public.Active {
		t.Errorf("%+v, the device is %s", got, w.status(m))
	}
}

// A stale device is renewed, though not at once again if that came to nothing.
func TestAStaleDeviceIsRenewedNowAndThen(t *testing.T) {
	w := newWorld(t)
	m := w.members[0]
	page := w.device(m).Ordinal / public.PageDevices
	stale := func(ended uint64) func(verifier.Reader) verifier.Reader {
		return func(get verifier.Reader) verifier.Reader {
			last := changed(public.DeviceKey(m.id), func(d *public.Device) { d.LastEnd = ended })(get)
			return func(key []byte) ([]byte, error) {
				if bytes.Equal(key, public.StatusKey(page)) {
					return bytes.Repeat([]byte{byte(public.Stale)}, public.PageDevices), nil
				}
				return last(key)
			}
		}
	}
	now := w.Ledger.Height() + 1
	if got := w.upkeep(m, stale(0)); len(got) != 1 || got[0].(*public.Open).Kind != public.KindPeriodic {
		t.Errorf("%+v", got)
	}
	if got := w.upkeep(m, stale(now)); len(got) != 0 {
		t.Errorf("a task has just ended: %+v", got)
	}
	w.params.Schedule.RAGrace = 100
	for w.Ledger.Height()+1 < now+w.params.Schedule.RAGrace {
		w.OK()
	}
	if got := w.upkeep(m, stale(now)); len(got) != 1 {
		t.Errorf("the grace is over: %+v", got)
	}
}

func TestOnlyEvidenceOfACPUIsTakenForOne(t *testing.T) {
	c := &evidence.Claims{Purpose: evidence.Register}
	for _, bad := range []evidence.Evidence{
		{Kind: evidence.TPM, Aux: make([][]byte, 7)}, {Kind: evidence.SNP}, {Kind: evidence.SNP, Aux: make([][]byte, 2)},
		{Kind: evidence.SGX, Aux: make([][]byte, 1)}, {Kind: 9},
	} {
		if _, err := verifier.CPU(c, &bad); wire.CodeOf(err) != wire.ErrEvidenceKind {
			t.Errorf("%s with %d parts: %v", bad.Kind, len(bad.Aux), err)
		}
	}
	good, err := verifier.CPU(c, &evidence.Evidence{Kind: evidence.SNP, Quote: []byte{1}, Aux: [][]byte{{2}}})
	if err != nil || !bytes.Equal(good.Leaf, []byte{2}) || !bytes.Equal(good.Claims, wire.Marshal(c)) {
		t.Errorf("%+v, %v", good, err)
	}
}

// A founder brings in one device whatever the epoch has room for; a banned device
// waits.
func TestWhoMayJoin(t *testing.T) {
	w := newWorld(t)
	full := changed(public.TotalsKey, func(x *public.Totals) { x.Joins, x.JoinLimit = 3, 3 })(w.get)
	founder := func(taken wire.Hash) verifier.Reader {
		return func(key []byte) ([]byte, error) {
			if bytes.Equal(key, public.FounderKey(ledgertest.Account(ledgertest.Carol))) {
				return wire.Marshal([]any{uint64(1), taken}), nil
			}
			return full(key)
		}
	}
	banned := func(until uint64) verifier.Reader {
		return func(key []byte) ([]byte, error) {
			if bytes.Equal(key, public.BanKey(wire.Hash{5})) {
				return wire.Marshal(&public.Banned{Until: until}), nil
			}
			return w.get(key)
		}
	}
	for name, c := range map[string]struct {
		get  verifier.Reader
		want bool
	}{
		"there is room": {w.get, true}, "no room": {full, false}, "a founder": {founder(wire.Hash{}), true}, "a founder that did": {founder(wire.Hash{1}), false},
		"banned until the next block": {banned(101), true}, "banned": {banned(102), false},
	} {
		if got, err := verifier.MayJoin(c.get, wire.Hash{5}, ledgertest.Account(ledgertest.Carol), 100); got != c.want || err != nil {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}
