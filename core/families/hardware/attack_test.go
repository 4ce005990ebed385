package hardware_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// The tests called TestAttack are the attacks of hardware registry specification
// §12: most are here; those on boot logs and resettable PCRs are in bootlog_test.go,
// on colluding verifiers in collusion_test.go (who buys a majority, in
// dispute_test.go), by a leader in censor_test.go, and on draws in limits_test.go.
// What an opener gains by asking again is in renew_test.go, what a verifier by
// withholding its claim in package committee.

// pendingUntilAnswer brings a joining to where the device has to answer.
func pendingUntilAnswer(w *world, c *chip) wire.Hash {
	w.Helper()
	w.OK(w.send(c.owner, c.join(w.chainID())))
	task := w.open(c.id)
	w.drawn(task)
	w.challenged(task)
	return task
}

func TestAttackCertificateOfSomeoneElsesTPM(t *testing.T) {
	w, victim, thief := newWorld(t, 6), newChip(0), newChip(1)
	real := thief.ek
	thief.ek, thief.spki, thief.id = victim.ek, victim.spki, victim.id // the certificate is public
	task := pendingUntilAnswer(w, thief)
	before := w.Balance(thief.owner).Factoshis
	thief.ek = real // the chip is not
	answer := thief.answer(w, task)
	if len(answer.Secrets) != 0 {
		t.Fatalf("%d challenges were unwrapped", len(answer.Secrets))
	}
	w.refused(thief.owner, answer, wire.ErrActivationQuorum)
	for i, s := range w.committeeOf(task) { // guessing is no better
		answer.Secrets = append(answer.Secrets, public.Secret{Verifier: s.Device, Secret: [32]byte{byte(i)}})
	}
	w.refused(thief.owner, answer, wire.ErrActivationAnswer)
	w.until(w.task(task).Deadline + 1)
	if got := w.status(victim.id); got != public.NoStatus {
		t.Errorf("the device is %s", got)
	}
	w.refused(victim.owner, victim.join(w.chainID()), wire.ErrCooldown)
	if got := w.Balance(thief.owner).Factoshis; got != before || w.totals().Treasury != w.params.Committee.RAGas {
		t.Errorf("the escrow was not lost")
	}
	w.settled()
}

func TestAttackAttestationKeyInSoftware(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	inside := c.ak
	c.akKey, c.ak = newAK() // registered; the TPM has another one loaded
	task := pendingUntilAnswer(w, c)
	c.ak = inside
	if answer := c.answer(w, task); len(answer.Secrets) != 0 {
		t.Errorf("the TPM unwrapped %d secrets for a key it has not", len(answer.Secrets))
	}
}

func TestAttackClonedTPMHasOneIdentity(t *testing.T) {
	w, c := withChip(t)
	w.refused(c.owner, c.join(w.chainID()), wire.ErrDeviceExists)
}

// fork is what a second copy of a chip's state does: it counts for itself.
func fork(c *chip) *chip {
	twin := *c
	return &twin
}

func TestAttackClonedTPMForksItsCounter(t *testing.T) {
	w, c := withChip(t)
	twin := fork(c)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.attested(c, task, all(good()))
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task = w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	late := twin.submit(w, task) // the twin's counter is one behind
	w.refused(c.owner, late, wire.ErrCounterRegress)

	proof := func(spoil func(*public.CloneProof)) *public.CloneProof {
		p := &public.CloneProof{
			Device: c.id, Task: task, Rest: late.Evidence.Rest, NodeKey: c.node.Public(), VRFKey: c.vrf.Public(),
			First: public.Statement{Attest: late.Evidence.NV, Signature: late.Evidence.NVSignature},
		}
		spoil(p)
		return p
	}
	w.refused(ledgertest.Carol, proof(func(p *public.CloneProof) { p.Rest[0] ^= 1 }), wire.ErrNotAProof)
	w.refused(ledgertest.Carol, proof(func(p *public.CloneProof) { p.First.Signature = late.Evidence.Signature }), wire.ErrNotAProof)
	w.refused(ledgertest.Carol, proof(func(p *public.CloneProof) {
		p.First = public.Statement{Attest: late.Evidence.Quote, Signature: late.Evidence.Signature, PCRs: late.Evidence.PCRs}
	}), wire.ErrNotAProof) // its resets are as they were
	w.OK(w.send(ledgertest.Carol, proof(func(*public.CloneProof) {})))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
	w.refused(ledgertest.Carol, proof(func(*public.CloneProof) {}), wire.ErrDeviceStatus)
	w.commonsense()
}

func TestAttackCloneThatWasResetLess(t *testing.T) {
	w, c := withChip(t)
	twin := fork(c)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	c.clock.ResetCount += 2
	w.attested(c, task, all(good()))
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task = w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	twin.counter += 7 // its owner keeps the counters apart, and forgets the resets
	late := twin.submit(w, task)
	w.refused(c.owner, late, wire.ErrResetRegress)
	w.OK(w.send(ledgertest.Carol, &public.CloneProof{
		Device: c.id, Task: task, Rest: late.Evidence.Rest, NodeKey: c.node.Public(), VRFKey: c.vrf.Public(),
		First: public.Statement{Attest: late.Evidence.Quote, Signature: late.Evidence.Signature, PCRs: late.Evidence.PCRs},
	}))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
}

func TestAttackTwoCopiesCertifyOneCount(t *testing.T) {
	w, c := withChip(t)
	a, sigA := c.certify([32]byte{1})
	b, sigB := c.certify([32]byte{2})
	same, sigSame := c.certify([32]byte{1})
	c.counter++
	next, sigNext := c.certify([32]byte{2})
	first := public.Statement{Attest: a, Signature: sigA}
	proof := func(attest, sig []byte) *public.CloneProof {
		return &public.CloneProof{Device: c.id, First: first, Second: public.Statement{Attest: attest, Signature: sig}}
	}
	w.refused(ledgertest.Carol, proof(same, sigSame), wire.ErrNotAProof)
	w.refused(ledgertest.Carol, proof(next, sigNext), wire.ErrNotAProof)
	w.refused(ledgertest.Carol, proof(b, sigA), wire.ErrNotAProof)
	w.OK(w.send(ledgertest.Carol, proof(b, sigB)))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
}

// A message of one attempt that merely comes late is no proof of anything.
func TestAttackLateDuplicateIsNoProofOfAClone(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	early, later := c.submit(w, task), c.submit(w, task)
	w.OK(w.send(c.owner, later))
	w.refused(ledgertest.Carol, &public.CloneProof{
		Device: c.id, Task: task, Rest: early.Evidence.Rest, NodeKey: c.node.Public(), VRFKey: c.vrf.Public(),
		First: public.Statement{Attest: early.Evidence.NV, Signature: early.Evidence.NVSignature},
	}, wire.ErrNotAProof)
}

func TestAttackOneChipWithSeveralEndorsementKeys(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	// Another key of the chip, made by another template.
	p := c.join(w.chainID())
	statement := public.JoinStatement(w.chainID(), c.id, c.ak.Name(), p.NodeKey, p.VRFKey, ledgertest.Account(c.owner))
	st := c.statement(statement)
	st.Creation = &tpm.Creation{Name: append([]byte{0, 0x0B}, make([]byte, 32)...), Hash: make([]byte, 32)}
	p.Creation = st.Bytes()
	p.CreationSignature = c.sign(p.Creation)
	w.refused(c.owner, p, wire.ErrEKTemplate)
	// The chip's second certificate, for an elliptic key.
	ec := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p = c.join(w.chainID())
	leaf := must(x509.ParseCertificate(p.Chain[0]))
	p.Chain[0] = must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(4), NotBefore: issued, NotAfter: expiry, KeyUsage: x509.KeyUsageKeyAgreement,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}}, BasicConstraintsValid: true, ExtraExtensions: []pkix.Extension{san(leaf)},
	}, c.maker.issuing, &ec.PublicKey, c.maker.key))
	w.refused(c.owner, p, wire.ErrEKClass)
}

func san(c *x509.Certificate) pkix.Extension {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			return e
		}
	}
	panic("no alternative name")
}

func TestJoiningIsRefusedForWhatIsWrongWithIt(t *testing.T) {
	w := newWorld(t, 6)
	stranger := newMaker()
	for name, x := range map[string]struct {
		spoil func(c *chip, p *public.JoinRequest)
		want  wire.Code
	}{
		"another maker's chain": {func(c *chip, p *public.JoinRequest) { p.Chain[0] = stranger.endorse(&c.ek.PublicKey) }, wire.ErrChainInvalid},
		"no certificate":        {func(c *chip, p *public.JoinRequest) { p.Chain = [][]byte{{1, 2, 3}} }, wire.ErrCertParse},
		"no chain":              {func(c *chip, p *public.JoinRequest) { p.Chain = nil }, wire.ErrChainTooLong},
		"an authority's":        {func(c *chip, p *public.JoinRequest) { p.Chain = [][]byte{c.maker.root} }, wire.ErrChainInvalid},
		"an AK of another kind": {func(c *chip, p *public.JoinRequest) { p.AK[7] ^= 1 }, wire.ErrAKTemplate},
		"one key for two uses":  {func(c *chip, p *public.JoinRequest) { p.VRFKey = p.NodeKey }, wire.ErrKeyReuse},
		"a verifier's key":      {func(c *chip, p *public.JoinRequest) { p.NodeKey = w.verifiers[0].node.Public() }, wire.ErrKeyReuse},
		"a key nobody has":      {func(c *chip, p *public.JoinRequest) { p.VRFKey = wire.PublicKey{1} }, wire.ErrKeyReuse},
		"the node key's proof":  {func(c *chip, p *public.JoinRequest) { p.NodeSignature[1] ^= 1 }, wire.ErrKeyPoP},
		"the VRF key's proof":   {func(c *chip, p *public.JoinRequest) { p.VRFProof[1] ^= 1 }, wire.ErrKeyPoP},
		"a proof cut short":     {func(c *chip, p *public.JoinRequest) { p.VRFProof = p.VRFProof[1:] }, wire.ErrKeyPoP},
		"the TPM's signature":   {func(c *chip, p *public.JoinRequest) { p.CreationSignature[20] ^= 1 }, wire.ErrQuoteSig},
	} {
		c := newChip(0)
		p := c.join(w.chainID())
		x.spoil(c, p)
		tx := w.send(c.owner, p)
		got := w.Check(tx).Code
		if got == wire.OK {
			got = w.One(tx).Code
		}
		if got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	owner := newChip(0)
	owner.hierarchy = false
	w.refused(owner.owner, owner.join(w.chainID()), wire.ErrAKHierarchy)
	replayed := newChip(0)
	p := replayed.join(wire.Hash{9})
	w.refused(replayed.owner, p, wire.ErrKeyPoP) // made for another chain
	p = replayed.join(w.chainID())
	w.refused(ledgertest.Carol, p, wire.ErrKeyPoP) // made for another owner
	pauper := newChip(0)
	pauper.owner = ledgertest.Key(99)
	w.OK(w.Buy(ledgertest.Alice, 1<<30, pauper.owner.Public()))
	w.refused(pauper.owner, pauper.join(w.chainID()), wire.ErrGas)
	w.settled()
}

func TestAttackTwoDevicesWithOneAttestationKey(t *testing.T) {
	w, c := withChip(t)
	twin := newChip(1)
	twin.akKey, twin.ak = c.akKey, c.ak
	w.refused(twin.owner, twin.join(w.chainID()), wire.ErrAKReuse)
}

func TestAttackReplayedAndRelayedQuotes(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	honest := c.submit(w, task)
	edit := func(spoil func(p *public.EvidenceSubmit)) *public.EvidenceSubmit {
		p := *honest
		p.Evidence.Quote, p.Evidence.PCRs = append([]byte{}, p.Evidence.Quote...), append([]byte{}, p.Evidence.PCRs...)
		p.Evidence.Signature = append([]byte{}, p.Evidence.Signature...)
		spoil(&p)
		return &p
	}
	old := *c
	other := *c
	other.node = ledgertest.Key(8001) // a clean machine answers for the one that holds the keys
	narrow := *c
	for name, x := range map[string]struct {
		p    *public.EvidenceSubmit
		want wire.Code
	}{
		"for another nonce":   {edit(func(p *public.EvidenceSubmit) { p.Evidence = old.showAgain(wire.Hash{1}) }), wire.ErrNonce},
		"for other keys":      {edit(func(p *public.EvidenceSubmit) { p.Evidence = other.showAgain(w.task(task).Nonce) }), wire.ErrNonce},
		"for another attempt": {edit(func(p *public.EvidenceSubmit) { p.Attempt = 2 }), wire.ErrPhase},
		"a bit of the quote":  {edit(func(p *public.EvidenceSubmit) { p.Evidence.Quote[70] ^= 1 }), wire.ErrQuoteSig},
		"a bit of a PCR":      {edit(func(p *public.EvidenceSubmit) { p.Evidence.PCRs[70] ^= 1 }), wire.ErrNonce},
		"another magic":       {edit(func(p *public.EvidenceSubmit) { p.Evidence.Quote[0] ^= 1 }), wire.ErrQuoteMagic},
		"a PCR less":          {edit(func(p *public.EvidenceSubmit) { p.Evidence.PCRs = p.Evidence.PCRs[32:] }), wire.ErrEvidenceParts},
		"other logs":          {edit(func(p *public.EvidenceSubmit) { p.Evidence.App = public.LogOf(tpm.AppLog{}.Bytes()) }), wire.ErrNonce},
		"no counter":          {edit(func(p *public.EvidenceSubmit) { p.Evidence.NV, p.Evidence.NVSignature = nil, nil }), wire.ErrNVName},
		"a CPU's evidence":    {edit(func(p *public.EvidenceSubmit) { p.Evidence = public.Evidence{Kind: public.SGX, Quote: []byte{1}} }), wire.ErrEvidenceKind},
		"resettable PCRs": {edit(func(p *public.EvidenceSubmit) {
			p.Evidence = narrow.showOver(w.task(task).Nonce, demanded()|tpm.Select(16))
		}), wire.ErrPCRSelection},
		"fewer PCRs":           {edit(func(p *public.EvidenceSubmit) { p.Evidence = narrow.showOver(w.task(task).Nonce, tpm.Select(7, 13)) }), wire.ErrPCRSelection},
		"a counter of its own": {edit(func(p *public.EvidenceSubmit) { p.Evidence = narrow.showCounter(w.task(task).Nonce) }), wire.ErrNVName},
	} {
		tx := w.send(c.owner, x.p)
		got := w.Check(tx).Code
		if got == wire.OK {
			got = w.Admit(tx)
		}
		if got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	// Whoever sees it on its way cannot send it with other places for its logs.
	w.refused(ledgertest.Carol, honest, wire.ErrNotOwner)
	w.OK(w.send(c.owner, honest))
	w.commonsense()
}

// showOver quotes another selection of PCRs.
func (c *chip) showOver(nonce wire.Hash, s tpm.Selection) public.Evidence {
	e := c.showAgain(nonce)
	e.PCRs = c.pcrs(s)
	e.Rest = c.rest(e.PCRs)
	q := tpm.Qualify(nonce, c.node.Public(), c.vrf.Public(), e.Rest)
	quote := c.statement(q)
	digest := sha256.Sum256(e.PCRs)
	quote.Quote = &tpm.Quote{Selection: s, Digest: digest[:]}
	e.Quote = quote.Bytes()
	e.Signature = c.sign(e.Quote)
	return e
}

// showCounter certifies an index that can be set to any value.
func (c *chip) showCounter(nonce wire.Hash) public.Evidence {
	e := c.showAgain(nonce)
	st := c.statement(tpm.Qualify(nonce, c.node.Public(), c.vrf.Public(), e.Rest))
	name := append([]byte{}, tpm.CounterName()...)
	name[9] ^= 1
	st.NV = &tpm.NV{Name: name, Contents: make([]byte, 8)}
	e.NV = st.Bytes()
	e.NVSignature = c.sign(e.NV)
	return e
}

func TestAttackLogWithLyingText(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	// It ran something else and shows the log of the approved program.
	honest := c.app
	c.app, _, _ = c.app.Append(tpm.AppEntry{Component: tpm.SystemWasm, Version: "evil", Digest: wire.Hash{66}})
	e := c.show(w.task(task).Nonce)
	e.App = public.LogOf(honest.Bytes())
	w.refused(c.owner, &public.EvidenceSubmit{Task: task, Attempt: 1, Evidence: e}, wire.ErrNonce)
}

func TestAttackLazyVerifierCopiesAVote(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.drawn(task)
	seats := w.committeeOf(task)
	lazy, diligent := w.verifierOf(seats[0].Device), w.verifierOf(seats[1].Device)
	w.OK(w.commit(diligent, task, good()))
	copied := w.committeeOf(task)[1].Commitment
	vote := public.Vote{Task: task, Attempt: 1, Device: lazy.id}
	w.OK(w.send(ledgertest.Alice, &public.Commit{Vote: vote, Commitment: copied, Signature: lazy.node.Sign(public.CommitStatement(w.chainID(), vote, copied))}))
	again := &public.Commit{Vote: vote, Commitment: wire.Hash{1}, Signature: lazy.node.Sign(public.CommitStatement(w.chainID(), vote, wire.Hash{1}))}
	w.refused(ledgertest.Alice, again, wire.ErrDuplicate)
	var txs []*wire.Tx
	for _, s := range seats[2:] {
		txs = append(txs, w.commit(w.verifierOf(s.Device), task, good()))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseReveal)
	w.OK(w.reveal(diligent, task, good()))
	w.refused(ledgertest.Alice, w.revealing(lazy, task, good()), wire.ErrCommitMismatch)
	forged := w.revealing(w.verifierOf(seats[2].Device), task, good())
	forged.Signature[5] ^= 1
	w.refused(ledgertest.Alice, forged, wire.ErrResultSig)
	w.refused(ledgertest.Alice, w.revealing(diligent, task, good()), wire.ErrDuplicate)
	credit := w.credit(lazy.id)
	txs = nil
	for _, s := range seats[2:] {
		txs = append(txs, w.reveal(w.verifierOf(s.Device), task, good()))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseClosed)
	if got, want := w.credit(lazy.id), credit-uint64(seats[0].Seats)*w.params.Committee.PenNoReveal; got != want {
		t.Errorf("the lazy verifier has %d credit, want %d", got, want)
	}
	w.settled()
}

func TestAttackSameVerdictWithAnotherDigestIsPaidAsMinority(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.drawn(task)
	seats := w.committeeOf(task)
	guess := w.verifierOf(seats[0].Device)
	credit := w.credit(guess.id)
	w.vote(task, func(v *verifier) say {
		if v == guess {
			return say{verdict: public.Pass} // without having looked
		}
		return good()
	})
	if got := w.task(task); got.Verdict != public.Pass {
		t.Fatalf("%+v", got)
	}
	if got, want := w.credit(guess.id), credit-uint64(seats[0].Seats)*w.params.Committee.PenMinor; got != want {
		t.Errorf("it has %d credit, want %d", got, want)
	}
}

func TestAttackBadActivationBlobs(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	w.OK(w.send(c.owner, c.join(w.chainID())))
	task := w.open(c.id)
	w.drawn(task)
	w.reach(task, public.PhaseChallenge)
	seats := w.committeeOf(task)
	bad := w.verifierOf(seats[0].Device)
	var txs []*wire.Tx
	for _, s := range seats {
		v := w.verifierOf(s.Device)
		if v == bad { // nobody can unwrap this
			txs = append(txs, w.challengeWith(v, task, make([]byte, public.BlobSize), make([]byte, public.SecretSize), secretOf(v, w.task(task))))
			continue
		}
		txs = append(txs, w.challenge(v, task))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseAnswer)
	w.OK(w.send(c.owner, c.answer(w, task)))
	w.reach(task, public.PhaseCommit)
	txs = nil
	for _, s := range seats {
		txs = append(txs, w.commit(w.verifierOf(s.Device), task, good()))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseReveal)
	credit := w.credit(bad.id)
	w.refused(ledgertest.Alice, w.revealing(bad, task, good()), wire.ErrActivationOpening)
	txs = nil
	for _, s := range seats[1:] {
		txs = append(txs, w.reveal(w.verifierOf(s.Device), task, good()))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseClosed)
	if got := w.status(c.id); got != public.Active {
		t.Errorf("garbage kept a real device out: %s", got)
	}
	if got, want := w.credit(bad.id), credit-uint64(seats[0].Seats)*w.params.Committee.PenNoReveal; got != want {
		t.Errorf("the verifier has %d credit, want %d", got, want)
	}
	w.settled()
}

func TestAttackStolenMakersKey(t *testing.T) {
	w, c := withChip(t)
	maker := trust.Root{Vendor: 3, DER: w.maker.root}
	w.OK(w.order(&trust.RootRevoke{Root: maker.ID(), Mode: trust.NoNewcomers}, false))
	w.refused(c.owner, newChip(1).join(w.chainID()), wire.ErrChainInvalid)
	if got := w.status(c.id); got != public.Active {
		t.Errorf("the device is %s", got)
	}
	w.OK(w.order(&trust.RootRevoke{Root: maker.ID(), Mode: trust.SuspendAll}, false))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s at the end of the block", got)
	}
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}, wire.ErrCertRevoked)
	w.commonsense()
}

func TestAttackRevokedEndorsementKey(t *testing.T) {
	w, c := withChip(t)
	maker := trust.Root{Vendor: 3, DER: w.maker.root}
	spki := wire.Hash(sha256.Sum256(c.spki))
	w.OK(w.order(&trust.CertRevoke{Root: maker.ID(), SPKIs: []wire.Hash{spki}}, false))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}, wire.ErrCertRevoked)
	w.OK(w.send(ledgertest.Bob, newChip(1).join(w.chainID()))) // others go on
}

// An issuing authority whose key was stolen takes all that is under it along, and
// nothing else of its maker.
func TestAttackStolenIssuingKey(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	c.maker = theMaker().subsidiary()
	w.joined(c, all(good()))
	if got := w.status(c.id); got != public.Active {
		t.Fatalf("the device is %s", got)
	}
	other := newChip(1)
	w.joined(other, all(good()))
	maker := trust.Root{Vendor: 3, DER: w.maker.root}
	spki := wire.Hash(sha256.Sum256(c.maker.issuing.RawSubjectPublicKeyInfo))
	w.OK(w.order(&trust.CertRevoke{Root: maker.ID(), SPKIs: []wire.Hash{spki}}, false))
	if a, b := w.status(c.id), w.status(other.id); a != public.Suspended || b != public.Active {
		t.Errorf("the device is %s, the maker's other one %s", a, b)
	}
	late := newChip(2)
	late.maker = c.maker
	w.refused(late.owner, late.join(w.chainID()), wire.ErrCertRevoked)
}

func TestAttackSybilSwarm(t *testing.T) {
	w := newWorld(t, 6, func(g *hardware.Genesis) { g.Params.Schedule.JoinRateMin = 1 })
	w.OK(w.send(ledgertest.Bob, newChip(0).join(w.chainID())))
	w.refused(ledgertest.Bob, newChip(1).join(w.chainID()), wire.ErrJoinRate)
	w.until(w.totals().EpochStart + w.params.Schedule.Epoch)
	w.OK(w.send(ledgertest.Bob, newChip(1).join(w.chainID())))
}

func TestAttackRevokedFirmwareStillVoting(t *testing.T) {
	a := newAgents(t, 6)
	a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
	c := newChip(0)
	a.OK(a.send(c.owner, c.join(a.chainID())))
	task := a.open(c.id)
	a.drawn(task)
	image := trust.Measurement{Component: trust.Image, Version: "1", Alg: trust.SHA256, Digest: theAMD().code()}
	v := a.verifierOf(a.committeeOf(task)[0].Device)
	challenge := a.challenge(v, task)
	a.OK(a.order(&trust.MeasurementRevoke{ID: image.ID(), Height: a.height() + 1, Reason: "broken", Force: true}, true))
	for _, v := range a.verifiers {
		if got := a.status(v.id); got != public.Stale {
			t.Errorf("verifier is %s", got)
		}
	}
	if got := a.One(challenge).Code; got != wire.ErrNotEligible {
		t.Errorf("it still takes part: %s", got)
	}
	a.commonsense()
}

// order is one of the authorities'.
func (w *world) order(o trust.Order, unanimous bool) *wire.Tx {
	return w.ruled(o.Bytes(), unanimous)
}

func (w *world) ruled(order []byte, unanimous bool) *wire.Tx {
	b := byte(0)
	if unanimous {
		b = 1
	}
	return w.Tx(ledgertest.Alice, "ruling", append([]byte{b}, order...))
}

func TestAttackTaskSpam(t *testing.T) {
	w, c := withChip(t)
	w.refused(ledgertest.Carol, &public.Open{Device: wire.Hash{1}, Kind: public.KindChallenge}, wire.ErrDeviceUnknown)
	w.refused(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}, wire.ErrTooSoon)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	w.OK(w.send(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}))
	w.refused(ledgertest.Alice, &public.Open{Device: c.id, Kind: public.KindChallenge}, wire.ErrTaskOpen)
}

func TestAttackClaimsOfWhoMayNot(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	early := w.claim(w.verifiers[0], task)
	if got := w.Admit(early); got != wire.ErrPhase {
		t.Errorf("before the draw: %s", got)
	}
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.reach(task, public.PhaseClaim)
	own := &verifier{id: c.id, node: c.node, vrf: c.vrf}
	if got := w.Admit(w.claim(own, task)); got != wire.ErrNotEligible {
		t.Errorf("of the device itself: %s", got)
	}
	v := *w.verifiers[0]
	v.vrf = w.verifiers[1].vrf
	if got := w.Admit(w.claim(&v, task)); got != wire.ErrVRFProof {
		t.Errorf("with another's proof: %s", got)
	}
	v = *w.verifiers[0]
	v.node = w.verifiers[1].node
	if got := w.Admit(w.claim(&v, task)); got != wire.ErrVerifierSig {
		t.Errorf("signed by another: %s", got)
	}
	newcomer := newVerifier(60) // joined after the snapshot
	w.OK(w.enrol(newcomer))
	if got := w.Admit(w.claim(newcomer, task)); got != wire.ErrNotEligible {
		t.Errorf("of a newcomer: %s", got)
	}
	w.OK(w.claim(w.verifiers[0], task))
	if got := w.One(w.claim(w.verifiers[0], task)).Code; got != wire.ErrDuplicateClaim {
		t.Errorf("twice: %s", got)
	}
	w.reach(task, public.PhaseEvidence) // one claim seats nobody
	if got := w.Admit(w.commit(w.verifiers[0], task, say{verdict: public.Fail, reason: appraise.Replay})); got != wire.ErrPhase {
		t.Errorf("a vote without a seat: %s", got)
	}
}
