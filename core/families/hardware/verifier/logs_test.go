package verifier_test

import (
	"bytes"
	"slices"
	"testing"

	"cloister/core/families/hardware/verifier"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/wire"
	"cloister/wire/factom"
	public "cloister/wire/hardware"
)

// spread puts a log into entries of so many bytes and lets evidence refer to them.
func (w *world) spread(log []byte, size int) (l public.Log) {
	w.Helper()
	var refs []wire.Hash
	for part := range slices.Chunk(log, size) {
		e := factom.Entry{ChainID: ledgertest.ChainID("logs"), ExtIDs: [][]byte{[]byte("log")}, Content: part}
		raw := must(e.Marshal())
		h := factom.EntryHash(raw)
		w.entries[h] = raw
		refs = append(refs, h)
	}
	return public.LogOf(log, refs...)
}

// Where logs are does not change a vote, and until they are there it waits; but
// not for ever.
func TestLogsAreFetchedBeforeAVoteAndMissedInTheEnd(t *testing.T) {
	w := newWorld(t)
	chip := newMember(100, w.chips[1])
	chip.owner = ledgertest.Bob
	w.step(w.join(chip))
	own := must(verifier.OwnTask(w.get, chip.id))
	w.members = append(w.members, chip)
	w.reaches(own.ID, public.PhaseCommit)
	m := w.members[0]
	inline, _ := w.seen(m, nil)
	if len(inline) != 1 || inline[0].Op() != public.OpCommit {
		t.Fatalf("%+v", inline)
	}
	e, _ := ledgertest.Load[public.Evidence](w.Chain, public.Name, public.EvidenceKey(own.ID))
	boot, app := w.spread(e.Boot.Inline, 300), w.spread(e.App.Inline, 40)
	refs := slices.Concat(boot.Refs, app.Refs)
	if len(boot.Refs) < 2 || len(app.Refs) < 2 {
		t.Fatalf("%d and %d entries", len(boot.Refs), len(app.Refs))
	}
	elsewhere := changed(public.EvidenceKey(own.ID), func(e *public.Evidence) { e.Boot, e.App = boot, app })
	same := func(what string) {
		t.Helper()
		if jobs, needs := w.seen(m, elsewhere); len(jobs) != 1 || len(needs) != 0 || !bytes.Equal(jobs[0].Payload, inline[0].Payload) {
			t.Errorf("%s: %d jobs, %d needs, or another vote", what, len(jobs), len(needs))
		}
	}
	waits := func(what string, missing ...wire.Hash) {
		t.Helper()
		if jobs, needs := w.seen(m, elsewhere); len(jobs) != 0 || !slices.Equal(needs, missing) {
			t.Errorf("%s: %d jobs, %d needs of %d", what, len(jobs), len(needs), len(missing))
		}
	}
	same("all entries are there")
	full := w.entries
	w.entries = map[wire.Hash][]byte{}
	waits("none is there", refs...)
	for h, raw := range full {
		w.entries[h] = raw
	}
	w.entries[refs[1]] = full[refs[0]]
	waits("one is another entry", refs[1])
	w.entries[refs[1]] = append(slices.Clone(full[refs[1]]), make([]byte, factom.MaxEntry)...)
	waits("one is too long", refs[1])
	delete(w.entries, refs[0])
	w.entries[refs[1]] = full[refs[1]]
	waits("the first is missing", refs[0])

	failed := verdictOf(t, w, own.ID, m, appraise.Missing(w.task(own.ID).EvidenceDigest))
	for w.Ledger.Height() < w.task(own.ID).Deadline-w.params.Schedule.WCommit/3 {
		waits("there is time", refs[0])
		w.OK()
	}
	if jobs, _ := w.seen(m, elsewhere); len(jobs) != 1 || !failed(jobs[0].Payload) {
		t.Errorf("at last call: %d jobs, or no FAIL for lack of evidence", len(jobs))
	}
	w.entries[refs[0]] = full[refs[0]]
	same("the entry came late")

	swapped := changed(public.EvidenceKey(own.ID), func(e *public.Evidence) {
		e.Boot, e.App = boot, app
		e.Boot.Refs = slices.Clone(boot.Refs)
		slices.Reverse(e.Boot.Refs)
	})
	if jobs, _ := w.seen(m, swapped); len(jobs) != 1 || !failed(jobs[0].Payload) {
		t.Error("entries that are not the log are taken for it")
	}
	garbage := []byte("no entry at all")
	w.entries[factom.EntryHash(garbage)] = garbage
	odd := changed(public.EvidenceKey(own.ID), func(e *public.Evidence) { e.Boot.Inline, e.Boot.Refs = nil, []wire.Hash{factom.EntryHash(garbage)} })
	if jobs, _ := w.seen(m, odd); len(jobs) != 1 || !failed(jobs[0].Payload) {
		t.Error("bytes that are no entry hold a log")
	}
}

// verdictOf recognizes a member's commitment to a result: by what the member
// itself reveals once that is what state says it committed to.
func verdictOf(t *testing.T, w *world, task wire.Hash, m *member, r appraise.Result) func(payload []byte) bool {
	t.Helper()
	return func(payload []byte) bool {
		c := must(public.Decode(payload)).(*public.Commit)
		jobs, _ := w.seen(m, func(get verifier.Reader) verifier.Reader {
			revealing := changed(public.TaskKey(task), func(t *public.Task) { t.Phase, t.Deadline = public.PhaseReveal, 1<<40 })(get)
			return changed(public.CommitteeKey(task), func(s *struct {
				_    struct{} `cbor:",toarray"`
				List []public.Seat
			}) {
				for i := range s.List {
					if s.List[i].Device == m.id {
						s.List[i].Commitment = c.Commitment
					}
				}
			})(revealing)
		})
		if len(jobs) != 1 {
			return false
		}
		p := must(public.Decode(jobs[0].Payload)).(*public.Reveal)
		return p.Verdict == r.Verdict && p.Reason == r.Reason && p.Digest == r.Digest
	}
}
