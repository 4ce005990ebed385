package hardware

import (
	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// dispute has every validator appraise what a committee judged. If the committee
// was right the bond is lost; if not, the verdict is replaced and those who gave
// it pay (specification §7).
func (x *handling) dispute(p *hardware.Dispute) error {
	t, err := x.disputable(p)
	if err != nil {
		return err
	}
	d, err := x.disputed(t)
	if err != nil {
		return err
	}
	params, err := x.params(t.Params)
	if err != nil {
		return err
	}
	if err := x.take(x.Payer, params.Schedule.DisputeBond, wire.ErrBond); err != nil {
		return err
	}
	in, err := x.input(t, params, &p.Evidence)
	if err != nil {
		return err
	}
	right := appraise.Judge(in)
	t.Disputed = true
	if right.Verdict == t.Verdict {
		x.totals.Treasury += params.Schedule.DisputeBond
		return save(x.book, hardware.TaskKey(p.Task), t)
	}
	x.give(x.Payer, params.Schedule.DisputeBond)
	if err := x.overturn(p, t, d, params, &right); err != nil {
		return err
	}
	return save(x.book, hardware.TaskKey(p.Task), t)
}

// dropped reports whether a task ended with its device forgotten.
func dropped(t *hardware.Task) bool { return !t.Logged }

// disputed is the device a verdict was about. One that was dropped may have
// joined again since: the old verdict has nothing to do with its new row.
func (b *book) disputed(t *hardware.Task) (*hardware.Device, error) {
	if dropped(t) {
		return &hardware.Device{Kind: hardware.TPM}, nil
	}
	return b.device(t.Device)
}

// disputable checks that a dispute can be decided here and now.
func (x *handling) disputable(p *hardware.Dispute) (*hardware.Task, error) {
	t, err := x.task(p.Task)
	if err != nil {
		return nil, err
	}
	o := committee.Outcome{Verdict: t.Verdict, Reason: t.Reason}
	switch {
	case t.Phase != hardware.PhaseClosed || t.Disputed || x.height > t.Deadline:
		return nil, wire.Faultf(wire.ErrDisputeClosed, "the task is in phase %d until height %d", t.Phase, t.Deadline)
	case !o.Disputable():
		return nil, wire.Faultf(wire.ErrNotDisputable, "verdict %d for reason %d", t.Verdict, t.Reason)
	case p.Evidence.Digest() != t.EvidenceDigest:
		return nil, wire.Faultf(wire.ErrEvidenceDigest, "the verdict was about %s", t.EvidenceDigest)
	}
	if _, _, whole := appraise.Inline(&p.Evidence); !whole {
		return nil, wire.Faultf(wire.ErrEvidenceSize, "a dispute carries its logs; these have %d and %d bytes", p.Evidence.Boot.Size, p.Evidence.App.Size)
	}
	d, err := x.disputed(t)
	if err != nil {
		return nil, err
	}
	// Old collateral is not kept: what is in force now would judge an honest
	// committee by what it could not know.
	revision, err := tables.Revision(x.own)
	if err == nil && d.Kind != hardware.TPM && revision != t.Revision {
		err = wire.Faultf(wire.ErrNotDisputable, "what is trusted has changed since height %d", t.Anchor)
	}
	return t, err
}

// input is what the committee had before it.
func (x *handling) input(t *hardware.Task, p *Params, e *hardware.Evidence) (*appraise.Input, error) {
	boot, app, _ := appraise.Inline(e)
	in := &appraise.Input{
		Evidence: *e, Boot: boot, App: app, Chain: x.chain, Device: t.Device, Kind: t.Kind,
		Nonce: t.Nonce, Height: t.Anchor, TimeMs: x.TimeMs, NodeKey: t.NodeKey, VRFKey: t.VRFKey,
		AK:       t.AK,
		Before:   appraise.Age{Counter: t.PrevCounter, Reset: t.PrevReset, Restart: t.PrevRestart, Clock: t.PrevClock},
		BootPCRs: p.Schedule.PCRs(), AppPCR: p.Schedule.AppPCR,
	}
	var err error
	if in.Mandatory, err = tables.Mandatory(x.own); err != nil {
		return nil, err
	}
	src := tables.Source(x.own)
	in.Source = src
	if in.Policy, err = tables.Policy(x.own, policy.Audit); err != nil {
		return nil, err
	}
	if e.Kind != hardware.TPM {
		keys, err := verify.Keys(appraise.CPUEvidence(e))
		if err != nil {
			return nil, err
		}
		k, revoked, err := tables.FirstRevoked(x.own, keys)
		if err != nil {
			return nil, err
		}
		if revoked {
			in.RevokedKeys = []wire.Hash{k}
		}
	}
	for _, w := range appraise.Digests(in) {
		list, err := x.withDigest(w)
		if err != nil {
			return nil, err
		}
		in.Measurements = append(in.Measurements, list...)
	}
	return in, src.Err()
}

// withDigest lists the measurements with a digest, whatever their state.
func (b *book) withDigest(w appraise.Wanted) (out []trust.Measurement, err error) {
	list, _, err := ledger.Load[trust.IDs](b.own, trust.DigestKey(w.Component, trust.SHA256, w.Digest))
	if err != nil {
		return nil, err
	}
	for _, id := range list.List {
		m, ok, err := tables.Measurement(b.own, id)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	return out, nil
}

// overturn replaces a verdict.
func (x *handling) overturn(p *hardware.Dispute, t *hardware.Task, d *hardware.Device, params *Params, right *appraise.Result) error {
	c, err := x.committeeOf(p.Task)
	if err != nil {
		return err
	}
	o := committee.Outcome{Verdict: t.Verdict, Reason: t.Reason, MajorityDigest: t.Digest}
	q := committee.Dispute{
		Params: params.Committee, Kind: t.Kind, Outcome: o,
		Right: committee.Finding{Verdict: right.Verdict, Digest: right.Digest}, TesteeTaken: t.Taken, IssuePercent: t.Percent,
	}
	teller := &teller{book: x.book, task: t, testee: d, seats: c}
	if d.Ordinal != 0 {
		if q.TesteeCredit, err = x.credit(d.Ordinal); err != nil {
			return err
		}
	}
	for i, vote := range ballots(t, c) {
		v, err := x.device(vote.Device)
		if err != nil {
			return err
		}
		credit, err := x.credit(v.Ordinal)
		if err != nil {
			return err
		}
		q.Seated = append(q.Seated, committee.Settled{Ballot: vote, Credit: credit, Taken: c.List[i].Taken})
	}
	if !p.Device.IsZero() {
		if teller.disputer, err = x.registered(p.Device); err != nil {
			return err
		}
		if err := x.ownedBy(teller.disputer); err != nil {
			return err
		}
		q.DisputerDevice = true
	}
	if _, err := committee.Apply(q.Overturn(), teller); err != nil {
		return err
	}
	t.Verdict, t.Reason, t.Digest = right.Verdict, right.Reason, right.Digest
	if dropped(t) { // it may join again at once
		return x.drop(hardware.BanKey(t.Device))
	}
	line, err := row[hardware.Outcome](x.book, hardware.ResultKey(t.Device, t.ResultSeq))
	if err != nil || line == nil {
		return missing(err, "result of task %s", p.Task)
	}
	line.Verdict, line.Reason, line.Measurements, line.Overturned = right.Verdict, right.Reason, right.Measurements, true
	if err := save(x.book, hardware.ResultKey(t.Device, t.ResultSeq), line); err != nil {
		return err
	}
	if right.Verdict == hardware.Fail {
		err = x.suspend(d, params)
	} else {
		x.acquit(d)
	}
	if err != nil {
		return err
	}
	return x.saveDevice(t.Device, d)
}

// acquit undoes a FAIL as far as the rules let it: the device has its credit back
// and may be reinstated at once. Only a new PASS makes it active: the evidence
// that was right may be long past.
func (x *handling) acquit(d *hardware.Device) {
	if d.Fails > 0 {
		d.Fails--
	}
	d.Cooldown = x.height
}
