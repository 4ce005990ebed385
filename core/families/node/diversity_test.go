package node_test

import (
	"testing"

	"cloister/evidence"
	"cloister/wire"
	public "cloister/wire/node"
)

// onTwoVendors is a chain whose voters have to have hardware of two vendors; the
// last of its founders is the one on AMD's.
func onTwoVendors(t testing.TB, founders int) (w *world, last *core) {
	t.Helper()
	w = newWorld(t, founders)
	w.policies[1].MinVendorClasses = 2
	last = w.Founders[founders-1]
	last.kind = evidence.SNP
	return w, last
}

func TestVotersKeepHardwareOfTwoVendors(t *testing.T) {
	w, last := onTwoVendors(t, 4)
	w.found()
	w.overruled(w.remove(last), wire.ErrVendorClasses)
	w.refused(w.retire(last.key, last), wire.ErrVendorClasses)
	w.OK(w.remove(w.Founders[0])) // of three like it
	w.handOver()
	if w.role(w.Founders[0]) != 0 || w.role(last) != wire.Voter {
		t.Fatalf("%+v", w.roster().Set)
	}

	// With another on AMD's hardware the first may go, and then that one stays.
	other := newCore(10)
	other.kind = evidence.SNP
	w.OK(w.register(other))
	w.OK(w.admit(other, wire.Voter))
	w.handOver()
	w.overruled(w.remove(last), wire.ErrVendorClasses) // it only learns yet
	w.OK(w.promote(w.Founders[1], other))
	w.handOver()
	w.OK(w.remove(last))
	w.overruled(w.remove(other), wire.ErrVendorClasses)
	w.settle()
	if w.role(last) != 0 || w.role(other) != wire.Voter {
		t.Errorf("%+v", w.roster().Set)
	}
}

// Two removals that would do, each alone, are not both taken.
func TestRemovalsThatWaitAreCountedForDiversity(t *testing.T) {
	w, last := onTwoVendors(t, 5)
	other := w.Founders[3]
	other.kind = evidence.SNP
	w.found()
	done := w.Run(w.remove(last), w.remove(other))
	if a, b := w.Result(done, 0).Code, w.Result(done, 1).Code; a != wire.OK || b != wire.ErrVendorClasses {
		t.Errorf("%s and %s", a, b)
	}
}

// Learners and audit members decide nothing, so their hardware does not matter.
func TestOnlyVotersAreHeldToDiversity(t *testing.T) {
	w, last := onTwoVendors(t, 3)
	w.found()
	k := newCore(10)
	k.kind = evidence.SNP
	w.OK(w.register(k))
	w.OK(w.admit(k, wire.Audit))
	w.handOver()
	w.OK(w.remove(k))
	w.settle()
	if w.role(k) != 0 || w.role(last) != wire.Voter {
		t.Errorf("%+v", w.roster().Set)
	}
}

// The removal of a voter whose registration ran out waits for another on such
// hardware; nothing else in the queue waits with it.
func TestABarredVotersRemovalWaitsForDiversity(t *testing.T) {
	w, last := onTwoVendors(t, 4)
	w.found()
	end := w.node(last).ExpiresMs
	w.RunAt(end - 5000)
	w.OK(w.renew(w.Founders[0]), w.renew(w.Founders[1]), w.renew(w.Founders[2]))
	w.RunAt(end)
	w.settle()
	if w.role(last) != wire.Voter || w.barred(last) != wire.ErrNodeExpired {
		t.Fatalf("%+v", w.roster())
	}
	other := newCore(10)
	other.kind = evidence.SNP
	w.OK(w.register(other))
	w.OK(w.admit(other, wire.Voter))
	w.handOver()
	if w.role(other) != wire.Learner {
		t.Fatalf("an admission waits: %+v", w.roster().Set)
	}
	w.OK(w.promote(w.Founders[0], other))
	w.settle()
	if w.role(last) != 0 || w.role(other) != wire.Voter {
		t.Errorf("%+v", w.roster().Set)
	}
}

// While a voter that cannot order blocks has to stay, no other leaves that it
// would take to make a quorum.
func TestDiversityNeverCostsTheQuorum(t *testing.T) {
	w, last := onTwoVendors(t, 3)
	w.found()
	a, b := w.Founders[0], w.Founders[1]
	end := w.node(last).ExpiresMs
	w.RunAt(end - 5000)
	w.OK(w.renew(a), w.renew(b))
	w.RunAt(end)
	w.OK(w.remove(a))
	w.settle()
	if w.role(a) != wire.Voter || w.role(last) != wire.Voter || w.barred(last) != wire.ErrNodeExpired {
		t.Fatalf("%+v", w.roster())
	}
	w.OK(w.revoke(last)) // whatever its hardware
	w.settle()
	if w.role(last) != 0 || w.role(a) != 0 || w.roster().Set.Voters() != 1 {
		t.Errorf("%+v", w.roster().Set)
	}
}

func TestTheRevokedGoWhateverTheirHardware(t *testing.T) {
	w, last := onTwoVendors(t, 4)
	w.found()
	w.OK(w.revoke(last))
	w.settle()
	if w.role(last) != 0 {
		t.Fatalf("%+v", w.roster().Set)
	}
	w.OK(w.remove(w.Founders[0])) // of one vendor already: nothing is left to keep
	w.settle()
	if w.roster().Set.Voters() != 2 {
		t.Errorf("%+v", w.roster().Set)
	}
}

// A chain founded on one vendor's hardware goes on with it, and founders that
// have shown no evidence count for no vendor.
func TestDiversityBindsOnceItIsReached(t *testing.T) {
	w, last := onTwoVendors(t, 4)
	a, b := w.Founders[0], w.Founders[1]
	w.OK(w.register(a), w.register(b), w.register(w.Founders[2]))
	w.OK(w.remove(a))
	w.settle()
	if w.role(a) != 0 {
		t.Fatalf("%+v", w.roster().Set)
	}
	w.OK(w.register(last))
	w.overruled(w.remove(last), wire.ErrVendorClasses)
	w.policies[1].MinVendorClasses = 1 // the authorities ask for less
	w.OK(w.remove(last))
	w.settle()
	if w.role(last) != 0 || w.node(last).Status != public.Active {
		t.Errorf("%+v", w.roster().Set)
	}
}
