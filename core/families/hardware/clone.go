package hardware

import (
	"bytes"
	"encoding/binary"

	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// cloneProof suspends a device whose TPM went back, or exists twice
// (specification §7). There are two sound forms; a message that is merely late
// is none.
func (x *handling) cloneProof(p *hardware.CloneProof) error {
	d, err := x.registered(p.Device)
	if err != nil {
		return err
	}
	if d.Kind != hardware.TPM {
		return notAProof("the device has no TPM")
	}
	ak, err := tpm.ParseAK(d.AKPub)
	if err != nil {
		return err
	}
	if len(p.Second.Attest) > 0 {
		err = forked(p, ak)
	} else {
		err = x.wentBack(p, d, ak)
	}
	if err != nil {
		return err
	}
	status, err := x.status(d)
	if err != nil {
		return err
	}
	if !leads(status, hardware.Suspended, failed) {
		return wire.Faultf(wire.ErrDeviceStatus, "the device is %s", status)
	}
	params, err := x.current()
	if err != nil {
		return err
	}
	if err := x.suspend(d, params); err != nil {
		return err
	}
	return x.saveDevice(p.Device, d)
}

func notAProof(format string, args ...any) error {
	return wire.Faultf(wire.ErrNotAProof, format, args...)
}

// signed reads a quote, or a certification of the counter, of the TPM with this
// key, over whatever it qualifies. Errors are package tpm's.
func signed(s hardware.Statement, ak tpm.AK) (*tpm.Attest, error) {
	a, err := tpm.ParseAttest(s.Attest)
	if err != nil {
		return nil, err
	}
	if len(a.Extra) != 32 {
		return nil, wire.Faultf(wire.ErrNonce, "qualifying data of %d bytes", len(a.Extra))
	}
	p := &tpm.Parts{Quoted: s.Attest, Signature: s.Signature, AK: ak, NV: s.Attest, NVSignature: s.Signature, Statement: a, Counter: a}
	if a.Quote == nil {
		_, err = tpm.VerifyNV(p, ak, [32]byte(a.Extra), tpm.CounterName())
		return a, err
	}
	for values := s.PCRs; len(values) >= 32; values = values[32:] {
		p.PCRs = append(p.PCRs, wire.Hash(values))
	}
	if len(s.PCRs) != 32*len(a.Quote.Selection.PCRs()) {
		return nil, wire.Faultf(wire.ErrPCRDigest, "%d bytes of values for %d PCRs", len(s.PCRs), len(a.Quote.Selection.PCRs()))
	}
	_, err = tpm.VerifyQuote(p, ak, [32]byte(a.Extra), a.Quote.Selection)
	return a, err
}

// counterOf is the value of the counter in a statement that signed accepted.
func counterOf(a *tpm.Attest) (uint64, bool) {
	if a.NV == nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(a.NV.Contents), true
}

// forked is form (b): one counter value certified for two purposes. A correct
// node increments before every evidence.
func forked(p *hardware.CloneProof, ak tpm.AK) error {
	first, err := signed(p.First, ak)
	if err != nil {
		return notAProof("%v", err)
	}
	second, err := signed(p.Second, ak)
	if err != nil {
		return notAProof("%v", err)
	}
	a, ok := counterOf(first)
	b, ok2 := counterOf(second)
	switch {
	case !ok || !ok2:
		return notAProof("two certifications of the counter are needed")
	case a != b:
		return notAProof("the counter is %d, then %d", a, b)
	case bytes.Equal(first.Extra, second.Extra):
		return notAProof("both are about the same evidence")
	}
	return nil
}

// wentBack is form (a): a statement over a nonce that came after evidence which
// was ahead of it. The device's row holds the newest evidence.
func (x *handling) wentBack(p *hardware.CloneProof, d *hardware.Device, ak tpm.AK) error {
	t, err := x.task(p.Task)
	if err != nil {
		return err
	}
	a, err := signed(p.First, ak)
	if err != nil {
		return notAProof("%v", err)
	}
	want := tpm.Qualify(t.Nonce, p.NodeKey, p.VRFKey, p.Rest)
	before := recorded(t, d)
	switch {
	case t.Device != p.Device || t.Nonce.IsZero() || !bytes.Equal(a.Extra, want[:]):
		return notAProof("it does not answer the nonce of task %s", p.Task)
	case before == nil:
		return notAProof("no evidence was accepted before the nonce was known")
	}
	if counter, ok := counterOf(a); ok && counter <= before.Counter {
		return nil
	}
	if a.ResetCount < before.Reset || a.ResetCount == before.Reset && a.RestartCount < before.Restart {
		return nil
	}
	return notAProof("it is ahead of what was recorded")
}

// recorded is the chip's age in evidence accepted below the task's anchor: that
// of the device, or, once the task has evidence of its own, what was before it.
func recorded(t *hardware.Task, d *hardware.Device) *appraise.Age {
	switch {
	case d.Shown > 0 && d.Shown < t.Anchor:
		return &appraise.Age{Counter: d.Counter, Reset: d.Reset, Restart: d.Restart}
	case t.EvidenceAt > 0 && t.PrevCounter > 0:
		return &appraise.Age{Counter: t.PrevCounter, Reset: t.PrevReset, Restart: t.PrevRestart}
	}
	return nil
}
