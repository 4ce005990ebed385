package node_test

import (
	"testing"

	"cloister/core/families/node"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	order "cloister/wire/governance"
	public "cloister/wire/node"
)

func TestTheFoundingSetIsTheGenesiss(t *testing.T) {
	for _, n := range []int{1, 3, 7} {
		w := newWorld(t, n)
		if got, want := w.roster().Set.Hash(), w.Genesis.MemberSet().Hash(); got != want {
			t.Errorf("%d founders: set %s, the genesis has %s", n, got, want)
		}
		set, ok := ledgertest.Load[wire.MemberSet](w.Chain, public.Name, public.SetKey(1))
		if !ok || set.Hash() != w.roster().Set.Hash() {
			t.Errorf("%d founders: stored %+v", n, set)
		}
	}
}

func TestANewVoterLearnsFirst(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	k := newCore(10)
	w.OK(w.register(k))
	w.OK(w.admit(k, wire.Voter))
	set := w.roster().Set
	if set.Epoch != 2 || set.From != w.Ledger.Height()+1 || w.role(k) != wire.Learner || set.ByID(k.id()).Slot != 4 || set.ByID(k.id()).Weight != 1 {
		t.Fatalf("%+v", set)
	}
	w.handOver()
	w.OK(w.promote(w.Founders[1], k))
	if set := w.roster().Set; set.Epoch != 3 || w.role(k) != wire.Voter || set.Voters() != 4 || set.ByID(k.id()).Slot != 4 {
		t.Fatalf("%+v", set)
	}
}

func TestLearnersAndAuditMembersStayWhatTheyWereAdmittedFor(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	learner, audit := newCore(10), newCore(11)
	w.OK(w.register(learner), w.register(audit))
	w.OK(w.admit(learner, wire.Learner), w.admit(audit, wire.Audit))
	w.settle()
	if w.role(learner) != wire.Learner || w.role(audit) != wire.Audit || w.roster().Set.Epoch != 3 {
		t.Fatalf("%+v", w.roster().Set)
	}
	w.refused(w.promote(w.Founders[0], learner), wire.ErrNotLearner)
	w.refused(w.promote(w.Founders[0], audit), wire.ErrNotLearner)
	w.overruled(w.admit(audit, wire.Voter), wire.ErrAlreadyMember)
	w.OK(w.admit(learner, wire.Voter)) // the authorities allow it now
	w.OK(w.promote(w.Founders[0], learner))
	w.settle()
	if w.role(learner) != wire.Voter {
		t.Errorf("%+v", w.roster().Set)
	}
}

func TestWhoMayBeAdmitted(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	k, worker, late := newCore(10), newCore(11), newCore(12)
	w.overruled(w.admit(k, wire.Voter), wire.ErrNotRegistered)
	r := w.registration(worker)
	r.Roles = public.WorkerRole
	r.Shown.Signature = worker.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.OK(w.register(k), w.register(late), w.Tx(worker.operator, public.Name, r.Bytes()))
	w.overruled(w.admit(worker, wire.Voter), wire.ErrNodeRole)
	w.overruled(w.admit(worker, wire.Audit), wire.ErrNodeRole)
	w.overruled(w.admit(w.Founders[0], wire.Voter), wire.ErrAlreadyMember)
	if got := w.Admit(w.admit(k, 9)); got != wire.ErrMalformed {
		t.Errorf("role 9: %s", got)
	}
	w.OK(w.retire(late.operator, late))
	w.overruled(w.admit(late, wire.Voter), wire.ErrNodeRetired)
	w.OK(w.admit(k, wire.Voter))
	w.overruled(w.admit(k, wire.Voter), wire.ErrAlreadyMember)

	expired := newCore(13)
	w.OK(w.register(expired))
	w.RunAt(w.NextMs() + 8*day)
	w.overruled(w.admit(expired, wire.Voter), wire.ErrNodeExpired)
}

func TestOnlyAVoterInGoodStandingPromotes(t *testing.T) {
	w := newWorld(t, 4)
	w.found()
	k, other := newCore(10), newCore(11)
	w.OK(w.register(k), w.register(other))
	w.OK(w.admit(k, wire.Voter))
	w.OK(w.revoke(w.Founders[3]))                                       // barred, and a member until the handover
	w.refused(w.promote(w.Founders[3], k), wire.ErrInsufficientCredits) // no free ride any more
	w.OK(w.Buy(ledgertest.Alice, 10*ledgertest.Rate, w.Founders[3].key.Public()))
	w.refused(w.promote(w.Founders[3], k), wire.ErrNotVoter)
	w.handOver()
	w.refused(w.Tx(ledgertest.Alice, public.Name, (&public.Promote{Node: k.id()}).Bytes()), wire.ErrNotVoter)
	w.refused(w.promote(k, k), wire.ErrNotVoter)
	w.refused(w.promote(w.Founders[0], other), wire.ErrNotMember)
	w.refused(w.promote(w.Founders[0], w.Founders[1]), wire.ErrNotLearner)
	w.OK(w.promote(w.Founders[0], k))
	w.refused(w.promote(w.Founders[0], k), wire.ErrChangePending)
	w.settle()
	w.refused(w.promote(w.Founders[0], k), wire.ErrNotLearner)
}

// One change is on its way at a time: the next is made only in a block that the
// newest set ordered.
func TestChangesWaitForTheHandover(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	var txs, admissions []*wire.Tx
	for i := range 5 {
		txs = append(txs, w.register(newCore(10+i)))
	}
	w.OK(txs...)
	for i := range 5 {
		admissions = append(admissions, w.admit(newCore(10+i), wire.Learner))
	}
	w.OK(admissions...)
	for epoch := uint64(2); epoch <= 6; epoch++ {
		for range 3 {
			if got := w.roster().Set.Epoch; got != epoch {
				t.Fatalf("epoch %d without a handover, want %d", got, epoch)
			}
			w.Run()
		}
		q, _ := ledgertest.Load[[]public.Change](w.Chain, public.Name, public.QueueKey)
		if len(q) != int(6-epoch) {
			t.Fatalf("epoch %d: %d changes wait", epoch, len(q))
		}
		if got := w.roster().Set.Members[epoch-1]; got.ID != newCore(10+int(epoch)-2).id() || got.Slot != epoch {
			t.Fatalf("epoch %d: %+v", epoch, got)
		}
		w.handOver()
	}
}

func TestRemovalsGoInGoodOrder(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	k, never := w.Founders[1], newCore(10)
	w.overruled(w.remove(never), wire.ErrNotMember)
	w.OK(w.remove(k))
	if w.role(k) != 0 || w.roster().Set.Voters() != 2 {
		t.Fatalf("%+v", w.roster().Set)
	}
	if n := w.node(k); n.Status != public.Active || n.Admitted != 0 {
		t.Errorf("removed as a member, it is %+v", n)
	}
	w.handOver()
	// Back again, it is another incarnation.
	w.OK(w.admit(k, wire.Voter))
	if m := w.roster().Set.ByID(k.id()); m.Slot != 4 || m.Role != wire.Learner {
		t.Errorf("%+v", m)
	}
	w.settle()
	if r := w.Result(w.Run(w.remove(w.Founders[0]), w.remove(w.Founders[2])), 1); r.Code != wire.ErrLastVoter {
		t.Errorf("the last voter was removed: %s", r.Code)
	}
}

func TestAWaitingAdmissionCanBeTakenBack(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	a, b := newCore(10), newCore(11)
	w.OK(w.register(a), w.register(b))
	w.OK(w.admit(a, wire.Learner), w.admit(b, wire.Learner))
	w.overruled(w.admit(b, wire.Learner), wire.ErrChangePending)
	w.OK(w.remove(b))
	w.settle()
	if w.role(a) != wire.Learner || w.role(b) != 0 || w.node(b).Admitted != 0 {
		t.Errorf("%+v", w.roster().Set)
	}
}

func TestARetiringMemberLeavesTheSetFirst(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	w.OK(w.retire(a.key, a), w.retire(b.key, b))
	w.refused(w.retire(c.key, c), wire.ErrLastVoter)
	if w.role(a) != 0 || w.node(a).Status != public.Retired {
		t.Errorf("%+v", w.node(a))
	}
	if w.barred(b) != wire.OK || w.node(b).Status != public.Leaving {
		t.Errorf("still a member: %s, %+v", w.barred(b), w.node(b))
	}
	w.refused(w.retire(b.key, b), wire.ErrNodeRetired)
	w.overruled(w.admit(b, wire.Voter), wire.ErrNodeRetired)
	w.settle()
	if set := w.roster().Set; w.role(b) != 0 || w.node(b).Status != public.Retired || set.Voters() != 1 {
		t.Errorf("%+v", set)
	}
	l, _ := ledgertest.Load[[]public.Listed](w.Chain, public.Name, public.ListKey)
	if len(l) != 1 {
		t.Errorf("%d are listed", len(l))
	}
}

// Nothing of a revoked node is believed from the end of that very block on.
func TestARevocationShowsInItsOwnBlock(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	k, learner := w.Founders[2], newCore(10)
	w.OK(w.register(learner))
	w.OK(w.admit(learner, wire.Learner)) // a handover is on its way: the removal must wait
	w.OK(w.revoke(k))
	if got := w.barred(k); got != wire.ErrNodeRevoked {
		t.Fatalf("barred with %s", got)
	}
	w.overruled(w.revoke(k), wire.ErrNodeRevoked)
	w.handOver()
	if w.role(k) != 0 || w.roster().Set.Voters() != 2 {
		t.Fatalf("removed within two blocks: %+v", w.roster().Set)
	}
	w.OK(w.revoke(learner))
	w.settle()
	if w.role(learner) != 0 {
		t.Error("a revoked learner stayed")
	}
}

// Revocations cannot stop the chain, not even on everybody's word.
func TestRevocationsLeaveAQuorum(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	w.OK(w.revoke(w.Founders[0]))
	w.overruled(w.revoke(w.Founders[1]), wire.ErrQuorumAtRisk) // of three, and of two
	w.settle()
	w.overruled(w.revoke(w.Founders[1]), wire.ErrQuorumAtRisk)
	w.OK(w.remove(w.Founders[1]))
	w.settle()
	w.OK(w.revoke(w.Founders[1])) // a member no more
	w.overruled(w.revoke(w.Founders[2]), wire.ErrQuorumAtRisk)
	w.overruled(w.revoke(newCore(10)), wire.ErrNotRegistered)
}

func TestAnUnregisteredFounderCanBeRevoked(t *testing.T) {
	w := newWorld(t, 3)
	k := w.Founders[0]
	w.OK(w.revoke(k))
	w.settle()
	if w.role(k) != 0 {
		t.Error("it is still a member")
	}
	w.refused(w.Tx(k.operator, public.Name, w.registration(k).Bytes()), wire.ErrInsufficientCredits) // no member, no free ride
	k.operator = ledgertest.Alice
	w.refused(w.register(k), wire.ErrNodeRevoked)
}

func TestFoundersHaveTheirTimeToRegister(t *testing.T) {
	w := newWorld(t, 4)
	start := w.Ledger.Tip().Header.TimeMs
	late := w.Founders[3]
	w.OK(w.register(w.Founders[0]), w.register(w.Founders[1]), w.register(w.Founders[2]))
	w.RunAt(start + foundingMs - 1)
	if got := w.barred(late); got != wire.OK {
		t.Fatalf("a moment before: %s", got)
	}
	w.Run()
	if w.role(late) != 0 || w.roster().Set.Voters() != 3 {
		t.Fatalf("%+v", w.roster().Set)
	}
	// Forgotten as a founder, it is a stranger like any other.
	late.operator = ledgertest.Alice
	w.OK(w.register(late))
	if w.role(late) != 0 {
		t.Error("it came back by itself")
	}
}

// A network whose founders never register goes on.
func TestAChainDoesNotBarItselfToDeath(t *testing.T) {
	w := newWorld(t, 3)
	w.RunAt(w.NextMs() + foundingMs)
	for _, k := range w.Founders {
		if got := w.barred(k); got != wire.OK {
			t.Fatalf("barred with %s", got)
		}
	}
	// With a quorum registered the rule bites again.
	w.OK(w.register(w.Founders[0]))
	if w.role(w.Founders[1]) != wire.Voter || w.barred(w.Founders[1]) != wire.OK {
		t.Error("one of three is no quorum")
	}
	w.OK(w.register(w.Founders[1]))
	if w.role(w.Founders[2]) != 0 {
		t.Errorf("%+v", w.roster())
	}
}

func TestWithoutAFoundingTimeNobodyHasToRegister(t *testing.T) {
	w := newWorld(t, 3, func(p *public.Params) { p.FoundingMs = 0 })
	w.OK(w.register(w.Founders[0]), w.register(w.Founders[1]))
	w.RunAt(w.NextMs() + 3*day)
	if got := w.barred(w.Founders[2]); got != wire.OK {
		t.Errorf("barred with %s", got)
	}
	w.OK(w.order((&public.SetParams{MaxNodes: 9, FoundingMs: 1}).Bytes()))
	if w.role(w.Founders[2]) != 0 {
		t.Error("the authorities set a time, it is over, and the founder is still there")
	}
}

func TestAMemberWhoseRegistrationRanOutIsBarredAndLeaves(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	learner := newCore(10)
	w.OK(w.register(learner))
	w.OK(w.admit(learner, wire.Learner)) // and no handover
	end := w.node(w.Founders[2]).ExpiresMs
	w.RunAt(end - 2000)
	w.OK(w.renew(w.Founders[0]), w.renew(w.Founders[1]), w.renew(learner))
	if got := w.barred(w.Founders[2]); got != wire.OK {
		t.Fatalf("before its end: %s", got)
	}
	w.RunAt(end)
	if got := w.barred(w.Founders[2]); got != wire.ErrNodeExpired {
		t.Fatalf("at its end: %s", got)
	}
	// In time for the handover it stays.
	w.OK(w.renew(w.Founders[2]))
	if got := w.barred(w.Founders[2]); got != wire.OK {
		t.Fatalf("renewed: %s", got)
	}
	w.settle()
	if w.role(w.Founders[2]) != wire.Voter {
		t.Error("removed for what no longer holds")
	}
	w.RunAt(end + 7*day - 2000)
	w.OK(w.renew(w.Founders[0]), w.renew(w.Founders[1]))
	w.RunAt(end + 7*day)
	w.settle()
	if w.role(w.Founders[2]) != 0 || w.role(learner) != 0 || w.roster().Set.Voters() != 2 {
		t.Errorf("%+v", w.roster())
	}
}

// After a long stop of the whole network every registration has run out; it must
// be able to order the renewals.
func TestRegistrationsThatAllRanOutDoNotStopTheChain(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	learner := newCore(10)
	w.OK(w.register(learner))
	w.OK(w.admit(learner, wire.Learner))
	w.handOver()
	w.RunAt(w.NextMs() + 30*day)
	for _, k := range w.Founders {
		if w.barred(k) != wire.OK || w.role(k) != wire.Voter {
			t.Fatalf("%+v", w.roster())
		}
	}
	if w.role(learner) != 0 {
		t.Fatal("the bar on a learner needs no quorum")
	}
	w.handOver()
	w.OK(w.renew(w.Founders[0]), w.renew(w.Founders[1]))
	w.settle()
	if w.role(w.Founders[2]) != 0 || w.roster().Set.Voters() != 2 {
		t.Errorf("with a quorum renewed, the third is removed: %+v", w.roster())
	}
}

// Until the set in force has handed over, its own quorum must stay as well.
func TestTheSetThatHandsOverKeepsItsQuorum(t *testing.T) {
	w := newWorld(t, 4)
	w.found()
	end := w.node(w.Founders[2]).ExpiresMs
	w.RunAt(end - 4000)
	w.OK(w.renew(w.Founders[0]), w.renew(w.Founders[1]))
	w.OK(w.remove(w.Founders[3]))
	w.RunAt(end)
	// Two of three of the new set would do; of the four in force, three must order.
	if got := w.barred(w.Founders[2]); got != wire.OK {
		t.Fatalf("barred with %s", got)
	}
	w.handOver()
	if w.role(w.Founders[2]) != 0 {
		t.Errorf("after the handover: %+v", w.roster())
	}
}

func TestWhatIsRegisteredIsJudgedAgain(t *testing.T) {
	withdrawn := wire.Hash{0xBA, 0xD0}
	for name, trigger := range map[string]func(w *world){
		"a new revision":         func(w *world) { w.revision++; w.Run() },
		"a height of its own":    func(w *world) { w.due = w.Ledger.Height() + 1; w.Run() },
		"an hour without either": func(w *world) { w.RunAt(w.NextMs() + 3_600_000) },
	} {
		w := newWorld(t, 3)
		bad := w.Founders[2]
		bad.code = withdrawn
		w.found()
		w.lab.refused[withdrawn] = wire.ErrEvidenceCode
		w.Run()
		if got := w.barred(bad); got != wire.OK {
			t.Fatalf("%s: nothing said that anything changed: %s", name, got)
		}
		trigger(w)
		if n := w.node(bad); w.role(bad) != 0 || n.Suspended != wire.ErrEvidenceCode || n.Standing(w.NextMs()) != wire.ErrNodeSuspended {
			t.Errorf("%s: %+v", name, n)
		}
		delete(w.lab.refused, withdrawn)
		trigger(w)
		if n := w.node(bad); n.Suspended != wire.OK {
			t.Errorf("%s, back again: %+v", name, n)
		}
	}
}

func TestASuspendedMemberIsBarredUntilItRenewsWithWhatIsApproved(t *testing.T) {
	w := newWorld(t, 3)
	bad, learner := w.Founders[2], newCore(10)
	bad.code = wire.Hash{0xBA, 0xD0}
	w.found()
	w.OK(w.register(learner))
	w.OK(w.admit(learner, wire.Learner)) // and no handover
	w.lab.refused[bad.code] = wire.ErrEvidenceCode
	w.revision++
	w.Run()
	if got := w.barred(bad); got != wire.ErrNodeSuspended {
		t.Fatalf("barred with %s", got)
	}
	w.refused(w.renew(bad), wire.ErrEvidenceCode)
	bad.code = wire.Hash{0xC0, 0xDE}
	bad.restart()
	w.OK(w.boot(bad))
	if got := w.barred(bad); got != wire.OK || w.node(bad).Suspended != wire.OK {
		t.Fatalf("reinstated, it is barred with %s", got)
	}
	w.settle()
	if w.role(bad) != wire.Voter {
		t.Error("a reinstated member was removed")
	}
}

func TestGraceEndsOnTimeAndOnce(t *testing.T) {
	w := newWorld(t, 3)
	old := w.Founders[2]
	old.code = wire.Hash{0x01D}
	w.policies[1].MaxRegistrationMs = 100 * day
	w.found()
	w.grace[old.code] = 5 * day
	w.revision++
	w.Run()
	began := w.Ledger.Tip().Header.TimeMs
	if n := w.node(old); n.GraceMs != began || n.Suspended != wire.OK || w.barred(old) != wire.OK {
		t.Fatalf("%+v", n)
	}
	w.RunAt(began + 4*day)
	w.RunAt(began + 5*day)
	if n := w.node(old); n.GraceMs != began || n.Suspended != wire.OK {
		t.Fatalf("on the last moment: %+v", n)
	}
	w.Run()
	for range 3 { // it does not begin again
		if n := w.node(old); n.Suspended != wire.ErrEvidenceStatus || w.role(old) != 0 {
			t.Fatalf("%+v", n)
		}
		w.RunAt(w.NextMs() + 3_600_000)
	}
}

// Whoever is barred does not wait behind those who want in.
func TestTheBarredGoFirst(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	for i := range 5 {
		w.OK(w.register(newCore(10 + i)))
		w.OK(w.admit(newCore(10+i), wire.Learner))
	}
	w.OK(w.revoke(w.Founders[2]))
	w.handOver()
	if w.role(w.Founders[2]) != 0 {
		t.Errorf("%+v", w.roster().Set)
	}
}

// A good voter's removal waits while a revoked one is in the set, even if it was
// ordered before: of two, the good one alone would be no majority.
func TestNoRemovalLeavesTheRevokedInTheMajority(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	a, b, learner := w.Founders[0], w.Founders[1], newCore(10)
	w.OK(w.register(learner))
	w.OK(w.admit(learner, wire.Learner)) // and no handover
	w.OK(w.remove(a), w.remove(b))
	w.OK(w.revoke(b))
	w.handOver()
	if w.role(a) != wire.Voter || w.role(b) != 0 {
		t.Fatalf("%+v", w.roster().Set)
	}
	w.handOver()
	if w.role(a) != 0 || w.roster().Set.Voters() != 1 {
		t.Errorf("%+v", w.roster().Set)
	}
}

// Who wants to leave as the last voter stays until there is another.
func TestTheLastVoterWaitsToLeave(t *testing.T) {
	w := newWorld(t, 3)
	w.found()
	a, b, c, learner := w.Founders[0], w.Founders[1], w.Founders[2], newCore(10)
	end := w.node(c).ExpiresMs
	w.RunAt(end - 10_000)
	w.OK(w.renew(a), w.renew(b), w.register(learner))
	w.OK(w.admit(learner, wire.Voter)) // and no handover
	w.RunAt(end)
	w.OK(w.retire(a.key, a), w.retire(b.key, b)) // c is barred, but might renew yet
	w.settle()
	if set := w.roster().Set; set.Voters() != 1 || w.role(b) != wire.Voter || w.node(b).Status != public.Leaving || w.barred(b) != wire.OK {
		t.Fatalf("%+v", set)
	}
	w.OK(w.promote(b, learner))
	w.settle()
	if set := w.roster().Set; set.Voters() != 1 || w.role(learner) != wire.Voter || w.role(b) != 0 || w.node(b).Status != public.Retired {
		t.Errorf("%+v", set)
	}
}

func TestBoundsOfTheMembership(t *testing.T) {
	w := newWorld(t, 7)
	w.found()
	k := newCore(10)
	w.OK(w.register(k))
	w.OK(w.admit(k, wire.Voter))
	w.handOver()
	w.refused(w.promote(w.Founders[0], k), wire.ErrVotersFull)
	w.OK(w.remove(w.Founders[6]))
	w.settle()
	w.OK(w.promote(w.Founders[0], k))
}

func TestMembersAndWaitingChangesAreBounded(t *testing.T) {
	w := newWorld(t, 1, func(p *public.Params) { p.MaxNodes = 200 })
	w.found()
	cores := make([]*core, 70)
	for i := range cores {
		cores[i] = newCore(100 + i)
		w.OK(w.register(cores[i]))
	}
	for _, k := range cores[:63] {
		w.OK(w.admit(k, wire.Learner))
	}
	w.overruled(w.admit(cores[63], wire.Learner), wire.ErrMembersFull)
	w.settle()
	if got := len(w.roster().Set.Members); got != wire.MaxGenesisMembers {
		t.Fatalf("%d members", got)
	}
	w.overruled(w.admit(cores[63], wire.Learner), wire.ErrMembersFull)
	if raw := wire.Marshal(w.roster()); len(raw) > wire.MaxRoster {
		t.Errorf("a roster of %d bytes", len(raw))
	}
}

func TestOrdersAreForTheAuthorities(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	b := (&public.Remove{Node: w.Founders[0].id()}).Bytes()
	w.refused(w.Tx(ledgertest.Alice, order.Name, (&order.Propose{Family: public.Name, Order: b}).Bytes()), wire.ErrNotAuthority)
	for _, b := range [][]byte{{0}, {9, 0x80}, {public.OrderAdmit}, append(b, 0), (&public.Revoke{Node: w.Founders[0].id()}).Bytes(),
		(&public.SetParams{}).Bytes(), (&public.SetParams{MaxNodes: 1000}).Bytes()} {
		if got := w.Admit(w.order(b)); got != wire.ErrMalformed {
			t.Errorf("order %x: %s", b, got)
		}
	}
}

func TestParametersOfTheGenesisAreChecked(t *testing.T) {
	good := newWorld(t, 2).Genesis
	for name, spoil := range map[string]func(p *public.Params){
		"no founders":   func(p *public.Params) { p.Founders = nil },
		"slot":          func(p *public.Params) { p.Founders[1].Slot = 3 },
		"twice":         func(p *public.Params) { p.Founders[1].Key = p.Founders[0].Key },
		"no key":        func(p *public.Params) { p.Founders[1].Key = wire.PublicKey{} },
		"operator":      func(p *public.Params) { p.Founders[1].Operator = "nobody" },
		"zero operator": func(p *public.Params) { p.Founders[1].Operator = wire.Account{}.String() },
		"no nodes":      func(p *public.Params) { p.MaxNodes = 0 },
		"many nodes":    func(p *public.Params) { p.MaxNodes = 257 },
		"founding time": func(p *public.Params) { p.FoundingMs = public.MaxFoundingMs + 1 },
		"name":          func(p *public.Params) { p.Founders[1].Name = "a\x00" },
	} {
		p := public.FoundingParams(good)
		spoil(p)
		g := *good
		g.Families = []wire.FamilyGenesis{{Name: public.Name, Params: p.JSON()}}
		if _, err := ledger.Open(store.NewMemory(), &g, []ledger.Family{node.Family{Hardware: newLab()}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
