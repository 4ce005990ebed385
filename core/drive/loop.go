package drive

import (
	"context"
	"time"

	"cloister/core"
	"cloister/core/step"
	"cloister/gate"
	"cloister/wire"
)

// Bounds of the loop.
const (
	inboxSize  = 4096
	tickEvery  = 10 * time.Millisecond
	slowStepMs = 10
	noteMs     = 1000 // slow steps are reported at most this often
)

// post gives the machine an event, waiting while it is behind.
func (d *driver) post(ctx context.Context, ev step.Event) {
	select {
	case d.inbox <- ev:
	case <-ctx.Done():
	}
}

// offer gives the machine an event unless it is behind.
func (d *driver) offer(ev step.Event) bool {
	select {
	case d.inbox <- ev:
		return true
	default:
		return false
	}
}

// loop owns the machine.
func (d *driver) loop(ctx context.Context, boot step.Boot) {
	var out step.Effects
	noted := int64(0)
	do := func(ev step.Event) {
		now := d.now()
		d.node.Step(now, ev, &out)
		if took := d.now().Elapsed - now.Elapsed; took >= slowStepMs && now.Elapsed-noted > noteMs {
			noted = now.Elapsed
			d.note(NoteSlowStep, []uint64{uint64(took)}, nil)
		}
		for _, e := range out.List {
			d.carryOut(ctx, e)
		}
		out.Reset()
	}
	do(boot)
	archived := boot.Archived
	for {
		select {
		case ev := <-d.inbox:
			if h := d.archived.Load(); h > archived {
				archived = h
				do(step.Archived{Height: h})
			}
			do(ev)
		case <-ctx.Done():
			return
		}
	}
}

func (d *driver) tick(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	slow := false
	for {
		select {
		case <-t.C:
			d.offer(step.Tick{})
			stall := d.gate.StorageStalled()
			if stall >= gate.StalledStorage {
				d.fatal(step.Fatal{Code: core.ExitCorrupt, Note: step.Note{ID: NoteSlowDisk, Numbers: []uint64{uint64(stall.Seconds())}}})
				return
			}
			if is := stall >= gate.SlowStorage; is != slow {
				slow = is
				if slow {
					d.note(NoteSlowDisk, []uint64{uint64(stall.Seconds())}, nil)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// carryOut hands one effect to its lane.
func (d *driver) carryOut(ctx context.Context, e step.Effect) {
	switch e := e.(type) {
	case step.Append:
		d.lanes.log.push(e)
	case step.Cut:
		d.lanes.log.push(e)
	case step.Execute:
		d.lanes.exec.push(e)
	case step.Flush:
		d.lanes.exec.push(e)
	case step.Compute:
		d.lanes.work.push(e)
	case step.Read:
		d.lanes.work.push(e)
	case step.Attest:
		d.group.Go(func() { d.post(ctx, d.attest(e)) }) // one at a time: the machine waits for the answer
	case step.Fetch:
		d.group.Go(func() { d.fetch(ctx, e) }) // bounded by the machine's tokens and the gate's 32
	case step.Send:
		d.peers.send(e.To, e.Msg)
	case step.Roster:
		d.peers.meet(ctx, e)
	case step.Answer:
		d.replies.answer(e.ID, e.Reply)
	case step.Publish:
		d.lanes.publish.push(e)
	case step.Note:
		d.note(e.ID, e.Numbers, e.Hashes)
	case step.Fatal:
		d.fatal(e)
	}
}

func (d *driver) fetch(ctx context.Context, e step.Fetch) {
	b, err := d.gate.Fetch(ctx, gate.FetchKind(e.Kind), e.Key)
	d.post(ctx, step.Done{Token: e.Token, Result: b, Err: err})
}

// final is a block as the gate carries it.
func final(f *step.Final) gate.Final {
	return gate.Final{
		Height: f.Header.Height, Header: wire.Marshal(f.Header), Body: f.Body, Seal: f.Seal,
		Results: wire.Marshal(wire.Outcome{Exec: f.Exec, Results: wire.EncodeList(f.Results)}),
	}
}
