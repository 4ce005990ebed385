package verifier_test

import (
	"bytes"
	"errors"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/verifier"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// A committee of programs that keep nothing judges a CPU: one of them is lazy, one
// appraises wrongly, and most of what is submitted is lost and made again.
func TestACommitteeReachesItsVerdictWhateverIsLost(t *testing.T) {
	w := newWorld(t)
	testee, lazy, wrong := w.members[0], w.members[1], w.members[2]
	lazy.lazy = true
	wrong.sees = blind(func(key []byte) bool {
		return bytes.Equal(key, trust.DigestKey(trust.Image, trust.SHA256, w.image().Digest))
	})
	w.lost = func(m *member, j *verifier.Job) bool { // two of three times, never in the last blocks
		h := w.Ledger.Height()
		return h+2 < j.Until && wire.TH("test/lost", wire.U64(h), m.id[:])[0]%3 != 0
	}
	id := w.open(ledgertest.Alice, testee, public.KindChallenge)
	got := w.finish(id)
	if got.Verdict != public.Pass || got.Attempt != 1 || got.Seats != founders-1 {
		t.Fatalf("%+v", got)
	}
	for _, s := range w.committee(id) {
		want := uint8(public.Pass)
		if s.Device == wrong.id {
			want = public.Fail
		}
		switch {
		case s.Device == lazy.id && (s.Revealed || !s.Commitment.IsZero()):
			t.Errorf("the lazy one voted: %+v", s)
		case s.Device != lazy.id && (!s.Revealed || s.Verdict != want):
			t.Errorf("seat %+v, want verdict %d", s, want)
		case s.Device == wrong.id && s.Reason != appraise.NotApproved:
			t.Errorf("reason %d", s.Reason)
		case s.Verdict == public.Pass && s.Digest != got.Digest:
			t.Errorf("%s found something else", s.Device)
		}
	}
	if d := w.device(testee); d.LastPass != got.Final || len(d.Measurements) != 1 {
		t.Errorf("%+v", d)
	}
}

// A TPM joins: secrets are wrapped, unwrapped and shown again, and nobody who did
// not challenge votes.
func TestATPMJoinsByTheCommitteesSecrets(t *testing.T) {
	w := newWorld(t)
	w.members[3].lazy = true
	mute := w.members[4] // its challenge never arrives: it has no vote, and knows it
	chip := newMember(100, w.chips[0])
	chip.owner = ledgertest.Bob
	w.lost = func(m *member, j *verifier.Job) bool {
		h := w.Ledger.Height()
		return m == mute && j.Op() == public.OpChallenge || h+2 < j.Until && wire.TH("test/lost", wire.U64(h), m.id[:])[0]%2 != 0
	}
	w.step(w.join(chip))
	own, err := verifier.OwnTask(w.get, chip.id)
	if err != nil || own == nil || own.Task.Kind != public.KindJoin {
		t.Fatalf("%+v, %v", own, err)
	}
	w.members = append(w.members, chip)
	got := w.finish(own.ID)
	if got.Verdict != public.Pass || got.Attempt != 1 || w.status(chip) != public.Active {
		t.Fatalf("%+v, the device is %s", got, w.status(chip))
	}
	for _, s := range w.committee(own.ID) {
		if lazy := s.Device == w.members[3].id || s.Device == mute.id; s.Challenged == lazy || s.Revealed == lazy || s.Answered == lazy {
			t.Errorf("seat %+v", s)
		}
	}
	if d := w.device(chip); len(d.Measurements) != 1 || d.Measurements[0] != w.binary().ID() {
		t.Errorf("it passed by %v", d.Measurements)
	}

	// Now that it counts, it judges with the others, and is judged.
	for w.Ledger.Height() < w.device(chip).VRFActive+w.params.Schedule.Epoch {
		w.step()
	}
	judged := w.open(ledgertest.Alice, w.members[0], public.KindChallenge)
	if got := w.finish(judged); got.Verdict != public.Pass || w.seat(judged, chip) == nil || !w.seat(judged, chip).Revealed {
		t.Errorf("%+v, the chip's seat is %+v", got, w.seat(judged, chip))
	}
	if got := w.finish(w.open(ledgertest.Alice, chip, public.KindChallenge)); got.Verdict != public.Pass {
		t.Errorf("%+v", got)
	}
}

// What was found is revealed as it was committed, even if it would be found
// otherwise now.
func TestARevealOpensWhatWasCommittedToNotWhatIsFoundNow(t *testing.T) {
	for _, prefix := range []string{"c", "R", "d"} { // collateral, roots, code by digest
		for _, before := range []bool{true, false} {
			w := newWorld(t)
			id := w.open(ledgertest.Alice, w.members[0], public.KindChallenge)
			m := w.members[1]
			w.reaches(id, public.PhaseCommit)
			veil := blind(func(key []byte) bool { return bytes.HasPrefix(key, []byte(trust.Prefix+prefix)) })
			if before {
				m.sees = veil
			}
			w.reaches(id, public.PhaseReveal)
			if m.sees = nil; !before {
				m.sees = veil
			}
			got := w.finish(id)
			want := uint8(public.Pass)
			if before {
				want = public.Fail
			}
			if s := w.seat(id, m); !s.Revealed || s.Verdict != want || got.Verdict != public.Pass {
				t.Errorf("table %s, hidden before the commitment: %t; seat %+v, verdict %d", prefix, before, s, got.Verdict)
			}
		}
	}
}

// Trust is judged as it was at the anchor: what was taken back since does not
// count, what was taken back by then does.
func TestTrustIsThatOfTheAnchor(t *testing.T) {
	w := newWorld(t)
	id := w.open(ledgertest.Alice, w.members[0], public.KindChallenge)
	w.reaches(id, public.PhaseCommit)
	m, anchor := w.members[1], w.task(id).Anchor
	e, _ := ledgertest.Load[public.Evidence](w.Chain, public.Name, public.EvidenceKey(id))
	leaf := must(verify.Keys(appraise.CPUEvidence(&e)))[0]
	root := w.device(w.members[0]).Root
	honest, _ := w.seen(m, nil)
	if len(honest) != 1 || honest[0].Op() != public.OpCommit {
		t.Fatalf("%+v", honest)
	}
	revoked := func(height uint64) func(verifier.Reader) verifier.Reader {
		return func(get verifier.Reader) verifier.Reader {
			return func(key []byte) ([]byte, error) {
				switch {
				case bytes.Equal(key, trust.RevokedKey(leaf)):
					return wire.U64(7), nil
				case bytes.Equal(key, trust.RevocationKey(7)):
					return wire.Marshal(&trust.Revocation{Number: 7, SPKIs: []wire.Hash{leaf}, Height: height}), nil
				}
				return get(key)
			}
		}
	}
	code := trust.MeasurementKey(w.image().ID())
	for name, c := range map[string]struct {
		sees  func(verifier.Reader) verifier.Reader
		fails bool
	}{
		"key revoked later":    {revoked(anchor + 1), false},
		"key revoked in time":  {revoked(anchor), true},
		"code revoked later":   {changed(code, func(m *trust.Measurement) { m.Revoked = anchor + 100 }), false},
		"code revoked in time": {changed(code, func(m *trust.Measurement) { m.Activation = anchor + 1 }), true},
	} {
		jobs, _ := w.seen(m, func(get verifier.Reader) verifier.Reader {
			told := c.sees(get)
			return func(key []byte) ([]byte, error) { // its own standing is another matter
				if bytes.Equal(key, public.DeviceKey(m.id)) {
					return changed(key, func(d *public.Device) { d.Measurements = nil })(get)(key)
				}
				return told(key)
			}
		})
		if len(jobs) != 1 || bytes.Equal(jobs[0].Payload, honest[0].Payload) == c.fails {
			t.Errorf("%s: the vote is another one: %t, want %t", name, !c.fails, c.fails)
		}
	}
	// A root is trusted from the height it was added at until it is revoked.
	for name, c := range map[string]struct {
		edit  func(*trust.Root)
		fails bool
	}{
		"added later": {func(r *trust.Root) { r.Added = anchor + 1 }, true},
		"added then":  {func(r *trust.Root) { r.Added = anchor }, false},
	} {
		jobs, _ := w.seen(m, changed(trust.RootKey(root), c.edit))
		if len(jobs) != 1 || bytes.Equal(jobs[0].Payload, honest[0].Payload) == c.fails {
			t.Errorf("root %s: the vote is another one: %t, want %t", name, !c.fails, c.fails)
		}
	}
}

// Nothing is due that the ledger would refuse.
func TestWhoMayNotJudgeOwesNothing(t *testing.T) {
	w := newWorld(t)
	id := w.open(ledgertest.Alice, w.members[0], public.KindChallenge)
	w.reaches(id, public.PhaseClaim)
	m := w.members[1]
	if jobs, _ := w.seen(m, nil); len(jobs) != 1 || jobs[0].Op() != public.OpClaim || jobs[0].Gas != w.params.Committee.ClaimBond || jobs[0].Until != w.task(id).Deadline {
		t.Fatalf("%+v", jobs)
	}
	self, d := public.DeviceKey(m.id), w.device(m)
	page := d.Ordinal / public.PageDevices
	for name, sees := range map[string]func(verifier.Reader) verifier.Reader{
		"not registered":      blind(func(key []byte) bool { return bytes.Equal(key, self) }),
		"another node key":    changed(self, func(d *public.Device) { d.NodeKey = w.members[2].node.Public() }),
		"another VRF key":     changed(self, func(d *public.Device) { d.VRFKey = w.members[2].vrf.Public() }),
		"a VRF key too young": changed(self, func(d *public.Device) { d.VRFActive = w.task(id).Selected + 1 }),
		"one owner":           changed(self, func(d *public.Device) { d.Owner = w.device(w.members[0]).Owner }),
		"too long unproven":   changed(public.TaskKey(id), func(t *public.Task) { t.Selected = d.LastPass + 10_000 }),
		"no status":           blind(func(key []byte) bool { return bytes.Equal(key, public.StatusKey(page)) }),
		"no tickets":          blind(func(key []byte) bool { return bytes.Equal(key, public.TicketKey(w.task(id).Epoch, page)) }),
		"its root is revoked": changed(trust.RootKey(d.Root), func(r *trust.Root) { r.Revoked = 1 }),
		"its code is revoked": changed(trust.MeasurementKey(w.image().ID()), func(m *trust.Measurement) { m.Revoked = w.Ledger.Height() + 1 }),
		"the time is over":    changed(public.TaskKey(id), func(t *public.Task) { t.Deadline = w.Ledger.Height() }),
		"no ticket is drawn": changed(public.ParamsKey(1), func(p *hardware.Params) {
			p.Committee.Over, p.Committee.K = 1, 1
			p.Committee.MaxTickets = 0
		}),
		"the device itself": changed(public.TaskKey(id), func(*public.Task) {}),
	} {
		who := m
		if name == "the device itself" {
			who = w.members[0]
		}
		if jobs, needs := w.seen(who, sees); len(jobs) != 0 || len(needs) != 0 {
			t.Errorf("%s: %d jobs", name, len(jobs))
		}
	}
}

// A state that lacks what it must have is an error, never a vote.
func TestAStateThatIsNotWholeGivesNoVote(t *testing.T) {
	w := newWorld(t)
	id := w.open(ledgertest.Alice, w.members[0], public.KindChallenge)
	w.reaches(id, public.PhaseCommit)
	m := w.members[1]
	broken := errors.New("disk")
	for name, key := range map[string][]byte{
		"open page": public.OpenPageKey(0), "open task": public.OpenKey(w.members[0].id), "task": public.TaskKey(id),
		"committee": public.CommitteeKey(id), "evidence": public.EvidenceKey(id), "parameters": public.ParamsKey(1),
		"policy": trust.PolicyKey(policy.Audit), "summary": trust.SummaryKey, "own root": trust.RootKey(w.device(m).Root),
	} {
		for _, how := range []func(k []byte) ([]byte, error){
			func([]byte) ([]byte, error) { return nil, nil },
			func([]byte) ([]byte, error) { return nil, broken },
			func([]byte) ([]byte, error) { return []byte{0x81}, nil },
		} {
			get := func(k []byte) ([]byte, error) {
				if bytes.Equal(k, key) {
					return how(k)
				}
				return w.get(k)
			}
			if jobs, _, err := verifier.Due(get, m.verifier(w.chain()), w.at(), w.entry); err == nil || len(jobs) != 0 {
				t.Errorf("without its %s: %d jobs, %v", name, len(jobs), err)
			}
		}
	}
	// What the appraisal alone reads may not fail unseen either.
	for _, table := range []string{"c", "R", "r", "k"} {
		get := func(k []byte) ([]byte, error) {
			if bytes.HasPrefix(k, []byte(trust.Prefix+table)) && !bytes.Equal(k, trust.RootKey(w.device(m).Root)) || table == "r" && bytes.HasPrefix(k, []byte(trust.Prefix+"R")) {
				return nil, broken
			}
			return w.get(k)
		}
		if jobs, _, err := verifier.Due(get, m.verifier(w.chain()), w.at(), w.entry); !errors.Is(err, broken) || len(jobs) != 0 {
			t.Errorf("table %s: %d jobs, %v", table, len(jobs), err)
		}
	}
}
