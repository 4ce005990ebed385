package hardware_test

import (
	"crypto/sha256"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// rotation registers new keys of a chip's node by a quote over a block's hash.
func (c *chip) rotation(w *world, node, vrf wire.PrivateKey, spoil func(*public.Rotate)) *public.Rotate {
	tip := w.Ledger.Tip()
	p := &public.Rotate{Device: c.id, NodeKey: node.Public(), VRFKey: vrf.Public(), Height: tip.Header.Height}
	statement := public.RotateStatement(w.chainID(), c.id, p.NodeKey, p.VRFKey, tip.Hash)
	quote := c.statement(statement)
	p.Quote.PCRs = c.pcrs(demanded())
	digest := sha256.Sum256(p.Quote.PCRs)
	quote.Quote = &tpm.Quote{Selection: demanded(), Digest: digest[:]}
	p.Quote.Attest = quote.Bytes()
	p.Quote.Signature = c.sign(p.Quote.Attest)
	p.NodeProof, p.VRFProof = node.Sign(statement), prove(vrf, statement)
	spoil(p)
	return p
}

func TestNewKeysAreRegisteredByTheTPMItself(t *testing.T) {
	w, c := withChip(t)
	node, vrf := ledgertest.Key(8001), ledgertest.Key(8002)
	honest := func(*public.Rotate) {}
	w.refused(ledgertest.Carol, c.rotation(w, node, vrf, honest), wire.ErrNotOwner)
	w.refused(c.owner, c.rotation(w, node, node, honest), wire.ErrKeyReuse)
	w.refused(c.owner, c.rotation(w, w.verifiers[0].node, vrf, honest), wire.ErrKeyReuse)
	for name, x := range map[string]struct {
		spoil func(*public.Rotate)
		want  wire.Code
	}{
		"another key than quoted": {func(p *public.Rotate) { p.NodeKey = ledgertest.Key(8003).Public() }, wire.ErrNonce},
		"another block":           {func(p *public.Rotate) { p.Height-- }, wire.ErrNonce},
		"a block to come":         {func(p *public.Rotate) { p.Height += 9 }, wire.ErrRotationStale},
		"an old block":            {func(p *public.Rotate) { p.Height = 2 }, wire.ErrRotationStale},
		"a bit of the quote":      {func(p *public.Rotate) { p.Quote.Attest[60] ^= 1 }, wire.ErrQuoteSig},
		"a PCR":                   {func(p *public.Rotate) { p.Quote.PCRs[5] ^= 1 }, wire.ErrPCRDigest},
		"no PCRs":                 {func(p *public.Rotate) { p.Quote.PCRs = nil }, wire.ErrPCRDigest},
		"the old node key signs":  {func(p *public.Rotate) { p.NodeProof[3] ^= 1 }, wire.ErrKeyPoP},
		"another VRF key proves":  {func(p *public.Rotate) { p.VRFProof[3] ^= 1 }, wire.ErrKeyPoP},
	} {
		p := c.rotation(w, node, vrf, x.spoil)
		if got := w.One(w.send(c.owner, p)).Code; got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	old := w.device(c.id)
	w.until(old.VRFActive)
	w.OK(w.send(c.owner, c.rotation(w, node, vrf, honest)))
	d := w.device(c.id)
	if d.NodeKey != node.Public() || d.VRFKey != vrf.Public() || d.PrevVRFKey != old.VRFKey {
		t.Fatalf("%+v", d)
	}
	if got := d.VRFActive; got != w.height()+w.params.Schedule.VRFDelay*w.params.Schedule.Epoch {
		t.Errorf("the new VRF key counts from height %d, now is %d", got, w.height())
	}
	// Evidence answers with the keys in force when it is made.
	c.node, c.vrf = node, vrf
	w.until(d.LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.attested(c, task, all(good()))
	if got := w.task(task).Verdict; got != public.Pass {
		t.Errorf("verdict %d", got)
	}
	w.settled()
}

// A second rotation before the first key counts keeps the one that does: at any
// height one key, and never one chosen for a draw.
func TestAnImpatientRotationNeverLeavesADeviceWithoutItsOldKey(t *testing.T) {
	w, c := withChip(t)
	old := w.device(c.id)
	w.until(old.VRFActive)
	w.OK(w.send(c.owner, c.rotation(w, ledgertest.Key(8001), ledgertest.Key(8002), func(*public.Rotate) {})))
	w.OK(w.send(c.owner, c.rotation(w, ledgertest.Key(8003), ledgertest.Key(8004), func(*public.Rotate) {})))
	d := w.device(c.id)
	if d.PrevVRFKey != old.VRFKey || d.VRFKey != ledgertest.Key(8004).Public() || d.VRFActive <= w.height() {
		t.Errorf("%+v", d)
	}
}

func TestACPUsNewKeysComeWithFreshEvidence(t *testing.T) {
	w, c := newWorld(t, 4), newCPU(0)
	w.collateral()
	w.OK(w.send(c.owner, &public.JoinPlatform{Evidence: c.show(c.claims(w, evidence.Register))}))
	other := newCPU(1)
	w.OK(w.send(other.owner, &public.JoinPlatform{Evidence: other.show(other.claims(w, evidence.Register))}))
	c.node, c.vrf = ledgertest.Key(8001), ledgertest.Key(8002)
	w.refused(c.owner, &public.Rotate{Device: other.id(), Evidence: c.show(c.claims(w, evidence.Register))}, wire.ErrEvidenceKind)
	w.refused(c.owner, &public.Rotate{Device: c.id(), VRFProof: make([]byte, public.ProofSize)}, wire.ErrEvidenceKind)
	w.OK(w.send(c.owner, &public.Rotate{Device: c.id(), Evidence: c.show(c.claims(w, evidence.Register))}))
	if d := w.device(c.id()); d.NodeKey != c.node.Public() || d.VRFKey != c.vrf.Public() {
		t.Errorf("%+v", d)
	}
}

func TestARetiredDeviceNeverComesBack(t *testing.T) {
	w, c := withChip(t)
	w.refused(ledgertest.Carol, &public.Retire{Device: c.id}, wire.ErrNotOwner)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	w.OK(w.send(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}))
	w.refused(c.owner, &public.Retire{Device: c.id}, wire.ErrTaskOpen)
	task := w.open(c.id)
	w.reach(task, public.PhaseEvidence)
	w.attested(c, task, all(good()))
	credit := w.totals().Credit
	w.OK(w.send(c.owner, &public.Retire{Device: c.id}))
	if got := w.status(c.id); got != public.Revoked || w.totals().Credit != credit {
		t.Errorf("the device is %s", got)
	}
	w.refused(c.owner, &public.Retire{Device: c.id}, wire.ErrDeviceStatus)
	w.refused(c.owner, c.join(w.chainID()), wire.ErrDeviceExists)
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}, wire.ErrDeviceStatus)
	w.refused(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}, wire.ErrDeviceStatus)
	w.settled()
}
