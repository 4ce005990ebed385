package api

import (
	"testing"

	"pgregory.net/rapid"

	"cloister/host/archive"
	"cloister/wire"
)

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// TestWaitersMatchTheirDefinition drives the registry with random steps beside
// a model that keeps a flat list.
func TestWaitersMatchTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 12
		type expected struct {
			batch *batch
			fate  []slotState // as the registry should have it
		}
		w := newWaiters(limit)
		var live []*expected
		height := uint64(0)
		id := rapid.Custom(func(t *rapid.T) wire.Hash { return wire.Hash{rapid.Byte().Draw(t, "id") % 5} })
		open := func() (n int) {
			for _, e := range live {
				for _, s := range e.fate {
					if s == slotWaiting || s == slotDecided {
						n++
					}
				}
			}
			return n
		}
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				ids := rapid.SliceOfN(id, 1, 5).Draw(t, "ids")
				before := open()
				b, err := w.register(ids)
				if (err != nil) != (before+len(ids) > limit) {
					t.Fatalf("register of %d beside %d: %v", len(ids), before, err)
				}
				if err == nil {
					live = append(live, &expected{b, make([]slotState, len(ids))})
				}
			},
			"block": func(t *rapid.T) {
				height++
				a := archive.Appended{Height: height, Sealed: rapid.Bool().Draw(t, "sealed")}
				for _, tx := range rapid.SliceOfNDistinct(id, 0, 3, rapid.ID[wire.Hash]).Draw(t, "txs") {
					a.Results = append(a.Results, wire.Result{TxID: tx})
					for _, e := range live {
						for i := range e.fate {
							if e.fate[i] == slotWaiting && e.batch.slots[i].tx == tx {
								e.fate[i] = slotDecided
							}
						}
					}
				}
				if a.Sealed {
					for _, e := range live {
						for i := range e.fate {
							if e.fate[i] == slotDecided {
								e.fate[i] = slotSealed
							}
						}
					}
				}
				w.appended(a)
			},
			"refuse": func(t *rapid.T) {
				if len(live) == 0 {
					return
				}
				e := live[rapid.IntRange(0, len(live)-1).Draw(t, "batch")]
				i := rapid.IntRange(0, len(e.fate)-1).Draw(t, "slot")
				w.refuse(e.batch, i)
				if e.fate[i] != slotSealed {
					e.fate[i] = slotDropped
				}
			},
			"leave": func(t *rapid.T) {
				if len(live) == 0 {
					return
				}
				e := live[rapid.IntRange(0, len(live)-1).Draw(t, "batch")]
				w.leave(e.batch)
				for i := range e.fate {
					if e.fate[i] != slotSealed {
						e.fate[i] = slotDropped
					}
				}
			},
			"": func(t *rapid.T) {
				if w.waiting() != open() {
					t.Fatalf("%d are open, registry says %d", open(), w.waiting())
				}
				registered := map[wire.Hash]bool{}
				for _, e := range live {
					done := true
					for i, want := range e.fate {
						s := &e.batch.slots[i]
						if s.state != want {
							t.Fatalf("slot for %s is %d, want %d", s.tx, s.state, want)
						}
						done = done && want != slotWaiting && want != slotDecided
						if want == slotSealed && s.outcome.result.TxID != s.tx {
							t.Fatalf("slot for %s has the result of %s", s.tx, s.outcome.result.TxID)
						}
						if want == slotWaiting {
							registered[s.tx] = true
						}
					}
					if closed(e.batch.done) != done {
						t.Fatalf("batch done is %t, want %t", closed(e.batch.done), done)
					}
				}
				if len(w.byTx) != len(registered) {
					t.Fatalf("%d ids are kept, %d are waited for", len(w.byTx), len(registered))
				}
			},
		})
	})
}

func TestPendingForgetsWhatIsRecordedAndWhatIsOld(t *testing.T) {
	p := newPending(100)
	a, b := wire.Hash{1}, wire.Hash{2}
	p.appended(archive.Appended{Height: 1, TimeMs: 1})
	p.add([]wire.Hash{a, b})
	p.appended(archive.Appended{Height: 2, TimeMs: 2, Results: []wire.Result{{TxID: a}}})
	if p.has(a) || !p.has(b) {
		t.Fatalf("recorded one is pending: %t; other one is: %t", p.has(a), p.has(b))
	}
	p.appended(archive.Appended{Height: 3, TimeMs: wire.MaxValidity + 2})
	if !p.has(b) {
		t.Error("forgotten within its validity")
	}
	p.appended(archive.Appended{Height: 4, TimeMs: 2*wire.MaxValidity + 4})
	if p.has(b) || p.len() != 0 {
		t.Error("kept beyond two validity periods")
	}
}

func TestPendingIsBounded(t *testing.T) {
	p := newPending(10)
	for i := range byte(200) {
		p.add([]wire.Hash{{i}})
		if p.len() > 10 {
			t.Fatalf("%d ids are kept", p.len())
		}
	}
	if !p.has(wire.Hash{199}) || p.has(wire.Hash{0}) {
		t.Error("the newest ids are not the ones kept")
	}
}
