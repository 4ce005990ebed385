package node_test

import (
	"errors"
	"strings"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/wire"
)

// One act of an operator makes node and device: what the registry has against
// taking in one more device now is no reason to do without the node.
func TestRegisteringANodeEnrolsItsDevice(t *testing.T) {
	for _, x := range []struct {
		full error
		want wire.Code
	}{
		{nil, wire.OK},
		{wire.ErrJoinRate, wire.OK}, {wire.ErrRootFull, wire.OK}, {wire.ErrRegistryFull, wire.OK}, {wire.ErrKeyReuse, wire.OK},
		{wire.ErrCreditOverflow, wire.OK}, {wire.Faultf(wire.ErrJoinRate, "wrapped"), wire.OK},
		{wire.ErrDeviceStatus, wire.ErrDeviceStatus}, {wire.ErrCooldown, wire.ErrCooldown},
		{wire.ErrChainInvalid, wire.ErrChainInvalid}, {wire.ErrCertRevoked, wire.ErrCertRevoked},
	} {
		w, k := newWorld(t, 1), newCore(10)
		w.full = x.full
		tx := w.register(k)
		if got := w.Admit(tx); got != wire.OK || len(w.devices) != 0 {
			t.Errorf("%v: admission says %s and enrols %d devices", x.full, got, len(w.devices))
		}
		if got := w.One(tx).Code; got != x.want {
			t.Errorf("%v: %s, want %s", x.full, got, x.want)
		}
		if owner := w.devices[k.device]; (owner == ledgertest.Account(k.operator)) != (x.full == nil) {
			t.Errorf("%v: the device belongs to %s", x.full, owner)
		}
	}
}

// Where there was no room at first, the next evidence of the node tries again.
func TestARenewalEnrolsADeviceThatFoundNoRoom(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.full = wire.ErrJoinRate
	w.OK(w.register(k))
	w.full = nil
	w.Run()
	w.OK(w.renew(k))
	if w.devices[k.device] != ledgertest.Account(k.operator) {
		t.Error("it is not enrolled")
	}
}

func TestADefectOfTheRegistryStopsTheLedger(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.full = errors.New("pages are damaged")
	if _, err := w.Ledger.Execute(w.Block(w.NextMs(), w.register(k))); err == nil || !strings.Contains(err.Error(), "pages are damaged") {
		t.Fatalf("%v", err)
	}
}

// A registration that ran out keeps no place among its operator's.
func TestARenewalAfterItsEndNeedsAPlaceOfTheOperator(t *testing.T) {
	w := newWorld(t, 1)
	w.policies[1].MaxPerOperator = 1
	a, b := newCore(10), newCore(11)
	w.OK(w.register(a))
	w.RunAt(w.NextMs() + 6*day)
	w.OK(w.renew(a)) // in time: it is one of them
	w.RunAt(w.NextMs() + 8*day)
	w.OK(w.register(b))
	w.refused(w.renew(a), wire.ErrNodesOfOperator)
	w.OK(w.retire(b.operator, b))
	w.OK(w.renew(a))
}

func TestTheKeysOfTheEvidenceAreKept(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.OK(w.register(k))
	if keys := w.node(k).Platform.Keys; len(keys) != 1 || keys[0] != (wire.Hash{0x4B}) {
		t.Errorf("%v", keys)
	}
}
