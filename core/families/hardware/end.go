package hardware

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/hardware"
)

// endWeight is what the duties of a block may write, estimated. With it, all
// pages of credit (normalisation), and all of tickets in the last block of an
// epoch, stay below ledger.MaxEndWrites.
const (
	endWeight  = 768 << 10
	drawWeight = 64 << 10 // besides, so that duties never keep draws waiting
)

// EndBlock implements ledger.Ender: whose block it is, trust taken back, what is due, tasks that
// wait for the beacon, normalisation, and the end of the epoch, in this order.
func (Family) EndBlock(e *ledger.End) error {
	b, err := bookAt(e)
	if err != nil {
		return err
	}
	if err := b.propose(e.Proposer); err != nil {
		return err
	}
	if err := b.takenBack(b.height); err != nil {
		return err
	}
	p, err := b.current()
	if err != nil {
		return err
	}
	last := b.height >= b.totals.EpochStart+p.Schedule.Epoch
	if !last { // the snapshot needs the room
		if err := b.perform(endWeight, b.attend); err != nil {
			return err
		}
		if err := b.drawAll(endWeight + drawWeight); err != nil {
			return err
		}
	}
	if b.height%p.Schedule.NormInterval == 0 {
		if err := b.normalise(p); err != nil {
			return err
		}
	}
	if last {
		if err := b.nextEpoch(); err != nil {
			return err
		}
	}
	return b.flush()
}

// attend does one duty, unless what it was made for is gone.
func (b *book) attend(d due) error {
	switch d.Duty {
	case dutyPeriodic:
		return b.periodic(d.ID, d.Mark)
	case dutyStale:
		return b.lapse(d.ID, d.Mark)
	case dutyPrune:
		return b.prune(d.ID)
	case dutyVRF:
		v, err := row[hardware.Device](b, hardware.DeviceKey(d.ID))
		if err != nil || v == nil || v.VRFActive != d.Mark {
			return err
		}
		return b.votes(v)
	case dutyTask:
		return b.advanceTask(d.ID, d.Mark)
	}
	return fmt.Errorf("hardware: no rule for duty %d", d.Duty)
}

// advanceTask ends the phase of a task.
func (b *book) advanceTask(id wire.Hash, marked uint64) error {
	t, err := row[hardware.Task](b, hardware.TaskKey(id))
	if err != nil || t == nil || mark(t) != marked || t.Deadline > b.height {
		return err
	}
	p, err := b.params(t.Params)
	if err != nil {
		return err
	}
	s := &p.Schedule
	switch t.Phase {
	case hardware.PhaseAnchor:
		return b.anchor(id, t)
	case hardware.PhaseEvidence:
		return b.unanswered(id, t, p)
	case hardware.PhaseClaim:
		return b.seat(id, t, p)
	case hardware.PhaseChallenge:
		return b.anchor(id, t)
	case hardware.PhaseAnswer:
		if t.EvidenceDigest.IsZero() {
			return b.unanswered(id, t, p)
		}
		return b.phase(id, t, hardware.PhaseCommit, b.height+s.WCommit)
	case hardware.PhaseCommit:
		return b.phase(id, t, hardware.PhaseReveal, b.height+s.WReveal)
	case hardware.PhaseReveal:
		c, err := b.committeeOf(id)
		if err != nil {
			return err
		}
		return b.conclude(id, t, p, c)
	}
	return nil
}

// anchor fixes what evidence has to answer: the hash of this block is in it, so
// it cannot be older; for a joining neither than the challenges.
func (b *book) anchor(id wire.Hash, t *hardware.Task) error {
	p, err := b.params(t.Params)
	if err != nil {
		return err
	}
	if t.Revision, err = tables.Revision(b.own); err != nil {
		return err
	}
	t.Anchor = b.height
	t.Nonce = committee.Nonce(b.chain, id, t.Attempt, t.Device, b.height, b.self)
	if t.Kind == hardware.KindJoin {
		return b.phase(id, t, hardware.PhaseAnswer, b.height+p.Schedule.WAns)
	}
	return b.phase(id, t, hardware.PhaseEvidence, b.height+p.Schedule.WEvid)
}

// drawAll draws for the tasks that waited for a beacon value, oldest first.
func (b *book) drawAll(limit int) error {
	if b.totals.Waiting == 0 {
		return nil
	}
	value, final, ok, err := b.beacon()
	if err != nil || !ok {
		return err
	}
	for b.totals.Waiting > 0 && b.weight < limit {
		at := hardware.BeaconKey(b.totals.WaitHead)
		raw, err := b.bytesAt(at)
		if err != nil || len(raw) != 32 {
			return missing(err, "waiting task %d", b.totals.WaitHead)
		}
		id := wire.Hash(raw)
		t, err := b.task(id)
		if err != nil {
			return err
		}
		if final <= t.WaitFrom {
			return nil // so do all behind it
		}
		if err := b.draw(id, t, value); err != nil {
			return err
		}
		if err := b.drop(at); err != nil {
			return err
		}
		b.totals.WaitHead++
		b.totals.Waiting--
	}
	return nil
}

// nextEpoch takes the snapshot of who may judge, and starts the counts of an
// epoch anew. New parameters take effect here.
func (b *book) nextEpoch() error {
	if err := b.adopt(); err != nil {
		return err
	}
	p, err := b.current()
	if err != nil {
		return err
	}
	t := b.totals
	t.Epoch++
	t.EpochStart, t.Joins, t.Minted, t.Tickets = b.height, 0, 0, 0
	t.JoinLimit = max(p.Schedule.JoinRateMin, uint32(uint64(t.Active)*uint64(p.Schedule.JoinRateShare)/100))
	parts := [][]byte{wire.U64(t.Epoch)}
	for page := uint32(0); page <= t.Devices/hardware.PageDevices; page++ {
		raw, err := b.ticketPage(page, p)
		if err != nil {
			return err
		}
		parts = append(parts, raw)
	}
	t.Snapshot = wire.TH("cloister/ra/snapshot/v1", parts...)
	return nil
}

// ticketPage counts the tickets of a page of devices, by what they have now.
func (b *book) ticketPage(page uint32, p *Params) ([]byte, error) {
	status, err := b.bytesAt(hardware.StatusKey(page))
	if err != nil {
		return nil, err
	}
	credit, err := b.bytesAt(hardware.CreditKey(page))
	if err != nil {
		return nil, err
	}
	next := make([]byte, 2*hardware.PageDevices)
	for i := range min(len(status), len(credit)/8) {
		if status[i] != byte(hardware.Active)|mayVote {
			continue
		}
		n := min(committee.Tickets(p.Committee, binary.BigEndian.Uint64(credit[8*i:])), 1<<16-1)
		binary.BigEndian.PutUint16(next[2*i:], uint16(n))
		b.totals.Tickets += n
	}
	key := hardware.TicketKey(b.totals.Epoch, page)
	old, err := b.bytesAt(key)
	if err != nil || bytes.Equal(old, next) {
		return next, err
	}
	raw, err := b.page(key, len(next))
	copy(raw, next)
	return next, err
}

func sortRows(rows []committee.Row) {
	slices.SortFunc(rows, func(a, b committee.Row) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}
