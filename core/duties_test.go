package core

import (
	"errors"
	"testing"

	"cloister/core/duty"
	"cloister/core/step"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/hardware"
	"cloister/wire/node"
)

// dutiful is a node that has nothing but duties.
type dutiful struct {
	*Node
	t *testing.T
}

func newDutiful(t *testing.T) *dutiful {
	return &dutiful{&Node{tasks: map[step.Token]task{}, out: new(step.Effects)}, t}
}

// wants returns the effects since the last call.
func (d *dutiful) wants() []step.Effect {
	list := d.out.List
	d.out = new(step.Effects)
	return list
}

// shows does a job with claims at an elapsed time and returns the Attest it leads
// to, nil if none.
func (d *dutiful) shows(family string, c evidence.Claims, elapsed int64) *step.Attest {
	d.t.Helper()
	d.now.Elapsed = elapsed
	d.do(&duty.Job{Family: family, Claims: &c})
	for _, e := range d.wants() {
		if a, ok := e.(step.Attest); ok {
			return &a
		}
	}
	return nil
}

func (d *dutiful) fails(a *step.Attest) {
	d.t.Helper()
	if a == nil {
		d.t.Fatal("no evidence is asked for")
	}
	d.onDone(step.Done{Token: a.Token, Err: errors.New("the platform is out of order")})
	if n, ok := d.wants()[0].(step.Note); !ok || n.ID != NoteNoEvidence {
		d.t.Fatalf("%+v", n)
	}
}

// Evidence is made one at a time, on each occasion now and then, and no occasion
// keeps another waiting for longer than the hardware takes.
func TestOccasionsForEvidenceDoNotStarveEachOther(t *testing.T) {
	d := newDutiful(t)
	register, join := evidence.Claims{Purpose: evidence.Register}, evidence.Claims{Purpose: evidence.Register, Height: 1}
	asked := evidence.Claims{Purpose: evidence.Challenge, Challenge: wire.Hash{1}}
	next := evidence.Claims{Purpose: evidence.Challenge, Challenge: wire.Hash{2}}

	first := d.shows(node.Name, register, 1000)
	if first == nil || first.Data != register.ReportData() {
		t.Fatalf("%+v", first)
	}
	if d.shows(hardware.Name, join, 1001) != nil || !d.duties.registryAgain {
		t.Error("two pieces of evidence are made at a time, or one is forgotten")
	}
	d.fails(first)
	d.fails(d.shows(hardware.Name, join, 1002))
	d.fails(d.shows(hardware.Name, asked, 1003))
	d.fails(d.shows(hardware.Name, next, 1004))
	if d.shows(node.Name, register, 1000+attestMs-1) != nil {
		t.Error("evidence is asked for again too soon")
	}
	d.fails(d.shows(node.Name, register, 1000+attestMs))
	if d.shows(hardware.Name, next, 1003+attestMs) != nil {
		t.Error("one occasion renews another's turn")
	}
	d.fails(d.shows(hardware.Name, next, 1004+attestMs))
	if n := len(d.duties.shown); n > 3 {
		t.Errorf("%d occasions are remembered", n)
	}
}

// Entries are asked for once in a while, believed if they are what was asked for,
// and then there is something to look for again.
func TestEntriesADutyNeedsAreFetched(t *testing.T) {
	d := newDutiful(t)
	e := factom.Entry{ChainID: wire.Hash{1}, Content: []byte("log")}
	raw, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h := factom.EntryHash(raw)
	fetch := func(elapsed int64) *step.Fetch {
		d.now.Elapsed = elapsed
		d.fetchEntries([]wire.Hash{h})
		for _, x := range d.wants() {
			if f, ok := x.(step.Fetch); ok {
				return &f
			}
		}
		return nil
	}
	f := fetch(10)
	if f == nil || f.Kind != fetchEntry || wire.Hash(f.Key) != h {
		t.Fatalf("%+v", f)
	}
	d.onDone(step.Done{Token: f.Token, Result: append([]byte{0}, raw...)})
	if _, ok := d.duties.shelf.Reader()(h); ok || d.duties.registryAgain || fetch(20) != nil {
		t.Error("bytes that are another entry are taken, or asked for at once again")
	}
	if f = fetch(10_000); f == nil {
		t.Fatal("the entry is given up")
	}
	d.onDone(step.Done{Token: f.Token, Result: raw})
	if got, ok := d.duties.shelf.Reader()(h); !ok || string(got) != string(raw) || !d.duties.registryAgain || fetch(20_000) != nil {
		t.Error("the entry is lost, or asked for again")
	}
}
