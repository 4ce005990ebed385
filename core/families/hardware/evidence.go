package hardware

import (
	"cloister/core/families/hardware/tables"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// inPhase loads an attempt of a task that waits for something now. It carries
// ErrTaskUnknown and ErrPhase. The deadline counts, even if the end of a block
// was too full to act on it.
func (b *book) inPhase(id wire.Hash, attempt uint32, phase hardware.Phase) (*hardware.Task, error) {
	t, err := b.task(id)
	switch {
	case err != nil:
		return nil, err
	case t.Attempt != attempt:
		return nil, wire.Faultf(wire.ErrPhase, "the task is in attempt %d", t.Attempt)
	case t.Phase != phase || t.Deadline < b.height:
		return nil, wire.Faultf(wire.ErrPhase, "the task is in phase %d until height %d", t.Phase, t.Deadline)
	}
	return t, nil
}

func (b *book) task(id wire.Hash) (*hardware.Task, error) {
	t, err := row[hardware.Task](b, hardware.TaskKey(id))
	if err == nil && t == nil {
		err = wire.Faultf(wire.ErrTaskUnknown, "%s", id)
	}
	return t, err
}

// submit takes the evidence of a task that is no joining. The committee is drawn
// afterwards, so that evidence cannot be shaped to it.
func (x *handling) submit(p *hardware.EvidenceSubmit) error {
	t, err := x.inPhase(p.Task, p.Attempt, hardware.PhaseEvidence)
	if err != nil {
		return err
	}
	d, err := x.device(t.Device)
	if err != nil {
		return err
	}
	if err := x.accept(t, d, p.Task, &p.Evidence); err != nil {
		return err
	}
	return x.awaitBeacon(p.Task, t)
}

// accept checks what is cheap and certain about evidence, and files it. What
// logs and measurements say is the committee's to find.
func (x *handling) accept(t *hardware.Task, d *hardware.Device, id wire.Hash, e *hardware.Evidence) error {
	// No signature covers where logs are: who may say it could make a good device
	// fail by naming places where there is nothing.
	if x.Payer != d.Owner && x.Payer != wire.AccountOf(d.NodeKey) {
		return wire.Faultf(wire.ErrNotOwner, "evidence is sent by the device's owner %s, or by its node", d.Owner)
	}
	if (e.Kind == hardware.TPM) != (d.Kind == hardware.TPM) {
		return wire.Faultf(wire.ErrEvidenceKind, "the device is of kind %d, the evidence of %d", d.Kind, e.Kind)
	}
	t.PrevReset, t.PrevRestart, t.PrevClock, t.PrevCounter = d.Reset, d.Restart, d.Clock, d.Counter
	check := x.acceptCPU
	if e.Kind == hardware.TPM {
		check = x.acceptTPM
	}
	if err := check(t, d, e); err != nil {
		return err
	}
	d.Shown = x.height
	t.EvidenceDigest, t.EvidenceTx, t.EvidenceAt = e.Digest(), x.ID, x.height
	t.NodeKey, t.VRFKey, t.AK = d.NodeKey, d.VRFKey, d.AKPub
	if err := x.saveDevice(t.Device, d); err != nil {
		return err
	}
	if err := save(x.book, hardware.EvidenceKey(id), e); err != nil {
		return err
	}
	return save(x.book, hardware.TaskKey(id), t)
}

func (x *handling) acceptTPM(t *hardware.Task, d *hardware.Device, e *hardware.Evidence) error {
	p, err := x.params(t.Params)
	if err != nil {
		return err
	}
	boot, app, whole := appraise.Inline(e)
	if !whole { // what is elsewhere is the committee's to fetch
		boot, app = nil, tpm.AppLog{}.Bytes()
	}
	parts, err := appraise.TPMParts(e, d.AKPub, boot, app)
	if err != nil {
		return refused(err)
	}
	if whole && parts.Digest() != e.Rest {
		return wire.Faultf(wire.ErrNonce, "the quote vouches for other logs than these")
	}
	ak, err := tpm.ParseAK(d.AKPub)
	if err != nil {
		return err // it was checked when it was registered
	}
	qualifying := tpm.Qualify(t.Nonce, d.NodeKey, d.VRFKey, e.Rest)
	clock, err := tpm.VerifyQuote(parts, ak, qualifying, appraise.Selection(p.Schedule.PCRs(), p.Schedule.AppPCR))
	if err != nil {
		return refused(err)
	}
	counter, err := tpm.VerifyNV(parts, ak, qualifying, tpm.CounterName())
	if err != nil {
		return refused(err)
	}
	return advance(d, counter, clock)
}

// advance moves what is recorded of a chip's age: the second line against
// clones and rollback.
func advance(d *hardware.Device, counter uint64, c tpm.Clock) error {
	if counter <= d.Counter {
		return wire.Faultf(wire.ErrCounterRegress, "the counter is %d, it was %d", counter, d.Counter)
	}
	before := appraise.Age{Reset: d.Reset, Restart: d.Restart, Clock: d.Clock}
	if before.Exceeds(c) {
		return wire.Faultf(wire.ErrResetRegress, "(%d, %d) at %d ms, it was (%d, %d) at %d ms",
			c.ResetCount, c.RestartCount, c.Clock, d.Reset, d.Restart, d.Clock)
	}
	d.Counter, d.Reset, d.Restart, d.Clock = counter, c.ResetCount, c.RestartCount, c.Clock
	return nil
}

func (x *handling) acceptCPU(t *hardware.Task, d *hardware.Device, e *hardware.Evidence) error {
	claims, err := appraise.DecodeClaims(e.Claims)
	if err != nil {
		return err
	}
	if err := appraise.Answers(claims, x.chain, t.Nonce, d.NodeKey, d.VRFKey); err != nil {
		return err
	}
	res, err := tables.Verify(x.own, appraise.CPUEvidence(e), x.TimeMs)
	switch {
	case err != nil:
		return err
	case res.Device != t.Device:
		return wire.Faultf(wire.ErrEvidenceKind, "the evidence is of device %s", res.Device)
	case res.ReportData != claims.ReportData():
		return wire.Faultf(wire.ErrNonce, "the evidence carries other claims")
	}
	return nil
}
