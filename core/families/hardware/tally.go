package hardware

import (
	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// conclude tallies an attempt at the end of a block, pays it out, and either
// closes the task or begins the next attempt.
func (b *book) conclude(id wire.Hash, t *hardware.Task, p *Params, c *seats) error {
	votes := ballots(t, c)
	o := committee.Tally(votes)
	var err error
	if o.Excused, err = b.excused(t, p, votes); err != nil {
		return err
	}
	return b.settleTask(id, t, p, c, o, votes)
}

// unanswered is the verdict about a device that showed no evidence in time.
func (b *book) unanswered(id wire.Hash, t *hardware.Task, p *Params) error {
	o := committee.Outcome{Verdict: committee.Fail, Reason: committee.ReasonNoEvidence}
	c, votes := new(seats), []committee.Ballot(nil)
	if t.Kind == hardware.KindJoin { // the committee is there, and has done what it could
		var err error
		if c, err = b.committeeOf(id); err != nil {
			return err
		}
		for i := range c.List { // nobody was asked to vote: no bonus, no penalty, bonds go back
			s := &c.List[i]
			b.totals.Held -= p.Committee.ClaimBond
			b.give(s.Payer, p.Committee.ClaimBond)
		}
	}
	return b.settleTask(id, t, p, c, o, votes)
}

func (b *book) settleTask(id wire.Hash, t *hardware.Task, p *Params, c *seats, o committee.Outcome, votes []committee.Ballot) error {
	d, err := b.device(t.Device)
	if err != nil {
		return err
	}
	final := o.Verdict != committee.Inconclusive || t.Attempt >= p.Schedule.MaxAttempts
	percent, err := b.lets(t, d, p, c, o)
	if err != nil {
		return err
	}
	plan := committee.PayOut(p.Committee, t.Kind, o, votes, percent, final)
	teller := &teller{book: b, task: t, testee: d, seats: c}
	effect, err := committee.Apply(plan, teller)
	if err != nil {
		return err
	}
	for i, m := range plan {
		switch {
		case m.Op != committee.Debit:
		case m.Who == committee.Testee:
			t.Taken += effect.Taken[i]
		default:
			teller.seat(m.Device).Taken += effect.Taken[i]
		}
	}
	if err := b.forget(id, t, c); err != nil {
		return err
	}
	if !final {
		return b.again(id, t)
	}
	t.Verdict, t.Reason, t.Digest, t.Final, t.Percent = o.Verdict, o.Reason, o.MajorityDigest, b.height, percent
	return b.close(id, t, d, p, c, o)
}

// lets changes the device's row and status as a verdict demands, before credit
// moves: a device that joins has nowhere to keep it yet. It returns the part of
// the issue the device gets.
func (b *book) lets(t *hardware.Task, d *hardware.Device, p *Params, c *seats, o committee.Outcome) (percent uint8, err error) {
	if o.Verdict != committee.Pass {
		return t.Percent, nil
	}
	status, err := b.status(d)
	if err != nil {
		return 0, err
	}
	// Trust may have been taken back while the committee sat.
	if err := b.trusted(d); err != nil {
		if wire.CodeOf(err) == wire.ErrInternal {
			return 0, err
		}
		return 0, nil
	}
	switch {
	case status == hardware.Pending:
		err = b.welcome(t.Device, d, p, d.Keys, false)
		if wire.CodeOf(err) == wire.ErrRegistryFull {
			return 0, nil
		}
	case status == hardware.Stale:
		err = b.must(d.Ordinal, hardware.Active, passed)
	case status == hardware.Suspended && t.Kind == hardware.KindReinstate:
		err = b.must(d.Ordinal, hardware.Active, reinstated)
	case status != hardware.Active: // suspended or revoked meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if status != hardware.Pending {
		if err := b.proven(t.Device, d, p); err != nil {
			return 0, err
		}
	}
	if err := b.relied(t, d, o.MajorityDigest); err != nil {
		return 0, err
	}
	// What was approved at the anchor passes; if it was revoked since, the
	// revocation has already been acted on for all others.
	good, err := b.inForce(d)
	if err == nil && !good {
		_, err = b.move(d.Ordinal, hardware.Stale, outdated)
	}
	return t.Percent, err
}

// relied notes the measurements behind a PASS. The digest that won was revealed
// with them.
func (b *book) relied(t *hardware.Task, d *hardware.Device, digest wire.Hash) error {
	open, err := row[hardware.OpenTask](b, hardware.OpenKey(t.Device))
	if err != nil || open == nil {
		return missing(err, "open task of device %s", t.Device)
	}
	f, err := row[found](b, hardware.MeasuredKey(open.Task, digest))
	if err != nil || f == nil {
		return missing(err, "measurements of digest %s", digest)
	}
	return b.showed(d, f.List)
}

// forget drops what only an open attempt needs.
func (b *book) forget(id wire.Hash, t *hardware.Task, c *seats) error {
	if err := b.drop(hardware.EvidenceKey(id)); err != nil {
		return err
	}
	for i := range c.List {
		if t.Kind == hardware.KindJoin {
			if err := b.drop(hardware.ChallengeKey(id, uint16(i))); err != nil {
				return err
			}
		}
		if s := &c.List[i]; s.Revealed && s.Verdict == hardware.Pass {
			if err := b.drop(hardware.MeasuredKey(id, s.Digest)); err != nil {
				return err
			}
		}
	}
	return nil
}

// again begins the next attempt, with nothing left of the last one but its age.
func (b *book) again(id wire.Hash, t *hardware.Task) error {
	if err := b.drop(hardware.CommitteeKey(id)); err != nil {
		return err
	}
	t.Attempt++
	t.Nonce, t.Anchor, t.EvidenceDigest, t.EvidenceTx, t.EvidenceAt = wire.Hash{}, 0, wire.Hash{}, wire.Hash{}, 0
	t.Seats, t.Claims, t.CommitFrom, t.RevealFrom = 0, 0, 0, 0
	if t.Kind == hardware.KindJoin {
		return b.awaitBeacon(id, t)
	}
	return b.anchor(id, t)
}

// close ends a task: the device's status, its log, and the time for disputes.
func (b *book) close(id wire.Hash, t *hardware.Task, d *hardware.Device, p *Params, c *seats, o committee.Outcome) error {
	if err := b.unlist(t.Device); err != nil {
		return err
	}
	status, err := b.status(d)
	if err != nil {
		return err
	}
	dropped := status == hardware.Pending
	if !dropped {
		if err := b.log(id, t, d, o); err != nil {
			return err
		}
	}
	switch {
	case dropped:
		err = b.dropPending(t.Device, d, p, o.Verdict == committee.Fail)
	case o.Verdict == committee.Fail:
		err = b.suspend(d, p)
	case o.Verdict == committee.Inconclusive:
		_, err = b.move(d.Ordinal, hardware.Stale, overdue)
	}
	if err != nil {
		return err
	}
	if !dropped {
		if err := b.saveDevice(t.Device, d); err != nil {
			return err
		}
	}
	if err := saveSeats(b, id, c); err != nil {
		return err
	}
	t.Phase, t.Deadline = hardware.PhaseClosed, b.height+p.Schedule.DisputeWindow
	if err := b.schedule(t.Deadline+1, due{Duty: dutyPrune, ID: id}); err != nil {
		return err
	}
	return save(b, hardware.TaskKey(id), t)
}

// suspend takes a device out for longer each time.
func (b *book) suspend(d *hardware.Device, p *Params) error {
	d.Cooldown = b.height + cooldown(p, d.Fails)
	if d.Fails < maxFails {
		d.Fails++
	}
	_, err := b.move(d.Ordinal, hardware.Suspended, failed)
	return err
}

// log appends to the device's results.
func (b *book) log(id wire.Hash, t *hardware.Task, d *hardware.Device, o committee.Outcome) error {
	t.Logged, t.ResultSeq = true, d.Results
	d.Results++
	d.LastTask, d.LastEnd = id, b.height
	line := &hardware.Outcome{
		Task: id, Kind: t.Kind, Attempt: t.Attempt, Height: b.height, Verdict: o.Verdict, Reason: o.Reason,
		Pass: o.Pass, Fail: o.Fail, Missing: o.Missing, Total: o.Total, Evidence: t.EvidenceDigest,
	}
	if o.Verdict == committee.Pass {
		line.Measurements = d.Measurements
	}
	return save(b, hardware.ResultKey(t.Device, t.ResultSeq), line)
}

// prune forgets a task whose dispute window is over.
func (b *book) prune(id wire.Hash) error {
	t, err := row[hardware.Task](b, hardware.TaskKey(id))
	if err != nil || t == nil {
		return err
	}
	d, err := row[hardware.Device](b, hardware.DeviceKey(t.Device))
	if err != nil {
		return err
	}
	if d != nil && t.Logged {
		if err := b.drop(hardware.ResultKey(t.Device, t.ResultSeq)); err != nil {
			return err
		}
		d.Pruned = max(d.Pruned, t.ResultSeq+1)
		if err := b.saveDevice(t.Device, d); err != nil {
			return err
		}
	}
	if err := b.drop(hardware.CommitteeKey(id)); err != nil {
		return err
	}
	return b.drop(hardware.TaskKey(id))
}
