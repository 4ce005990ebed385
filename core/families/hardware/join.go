package hardware

import (
	"cloister/core/families/hardware/committee"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// joinRequest opens the JOIN task of a TPM (specification §5). Everything that
// needs no secret is checked at once, in the specification's order.
func (x *handling) joinRequest(p *hardware.JoinRequest) (wire.Hash, error) {
	none := wire.Hash{}
	anchors, err := x.anchors()
	if err != nil {
		return none, err
	}
	ek, err := tpm.VerifyEK(p.Chain, anchors, int64(x.TimeMs/1000))
	if err != nil {
		return none, refused(err)
	}
	if err := x.unrevoked(ek.Keys); err != nil {
		return none, err
	}
	if err := x.newcomer(ek.Device, false); err != nil {
		return none, err
	}
	root, err := x.root(evidence.TPMMaker, ek.Anchor)
	if err != nil {
		return none, err
	}
	ak, err := tpm.ParseAK(p.AK)
	if err != nil {
		return none, refused(err)
	}
	if err := x.use(hardware.UseAK, ak.Public, ek.Device, wire.ErrAKReuse); err != nil {
		return none, err
	}
	if err := x.useKeys(p.NodeKey, p.VRFKey, ek.Device); err != nil {
		return none, err
	}
	statement := hardware.JoinStatement(x.chain, ek.Device, ak.Name(), p.NodeKey, p.VRFKey, x.Payer)
	if err := possessed(statement, p.NodeKey, p.VRFKey, p.NodeSignature, p.VRFProof); err != nil {
		return none, err
	}
	name, err := tpm.EKName(ek.SPKI)
	if err != nil {
		return none, refused(err)
	}
	if err := tpm.VerifyCreation(p.Creation, p.CreationSignature, ak, name, statement); err != nil {
		return none, refused(err)
	}
	d := &hardware.Device{
		Kind: hardware.TPM, Class: uint8(root.Class), Root: root.ID(), Owner: x.Payer,
		NodeKey: p.NodeKey, VRFKey: p.VRFKey, Joined: x.height,
		Certificate: ek.Certificate, Keys: ek.Keys, EKPub: ek.SPKI, AKPub: ak.Public, AKName: ak.Name(),
	}
	if err := x.saveDevice(ek.Device, d); err != nil {
		return none, err
	}
	params, err := x.current()
	if err != nil {
		return none, err
	}
	return x.openTask(ek.Device, hardware.KindJoin, x.ID, payment{from: x.Payer, price: params.Committee.RAGas, issue: root.IssuePercent})
}

// possessed checks that whoever registers keys has them. It carries ErrKeyPoP.
func possessed(statement wire.Hash, node, vrf wire.PublicKey, sig wire.Signature, proof []byte) error {
	if !node.Verify(statement, sig) {
		return wire.Faultf(wire.ErrKeyPoP, "the node key did not sign")
	}
	if _, ok := committee.VerifyClaim(vrf, statement, proof); !ok {
		return wire.Faultf(wire.ErrKeyPoP, "the VRF key did not prove")
	}
	return nil
}

// challenge takes a verifier's wrapped secret.
func (x *handling) challenge(p *hardware.Challenge) error {
	t, c, i, err := x.seated(&p.Vote, hardware.PhaseChallenge)
	if err != nil {
		return err
	}
	s := &c.List[i]
	if s.Challenged {
		return wire.Faultf(wire.ErrDuplicate, "the challenge of device %s", p.Vote.Device)
	}
	if err := x.signedBy(p.Vote.Device, hardware.ChallengeStatement(x.chain, p.Vote, p.Blob, p.EncSecret, p.SecretCommit), p.Signature, wire.ErrVerifierSig); err != nil {
		return err
	}
	s.Challenged, s.SecretSum = true, p.SecretCommit
	s.Challenge = hardware.ChallengeDigest(p.Blob, p.EncSecret)
	posted := &hardware.Posted{Verifier: p.Vote.Device, Blob: p.Blob, EncSecret: p.EncSecret}
	if err := save(x.book, hardware.ChallengeKey(p.Vote.Task, uint16(i)), posted); err != nil {
		return err
	}
	if err := saveSeats(x.book, p.Vote.Task, c); err != nil {
		return err
	}
	return x.early(p.Vote.Task, t, c, func(s *hardware.Seat) bool { return s.Challenged })
}

// answer takes the secrets a joining TPM unwrapped, and its evidence.
func (x *handling) answer(p *hardware.Answer) error {
	t, err := x.inPhase(p.Task, p.Attempt, hardware.PhaseAnswer)
	if err != nil {
		return err
	}
	d, err := x.device(t.Device)
	if err != nil {
		return err
	}
	c, err := x.committeeOf(p.Task)
	if err != nil {
		return err
	}
	answered, total := uint64(0), uint64(0)
	for i, j := 0, 0; i < len(c.List); i++ {
		s := &c.List[i]
		total += uint64(s.Seats)
		if j == len(p.Secrets) || p.Secrets[j].Verifier != s.Device {
			continue
		}
		want := committee.ActivationSecret(p.Task, p.Attempt, s.Device, t.Device, d.AKName, p.Secrets[j].Secret)
		if !s.Challenged || s.SecretSum != want {
			return wire.Faultf(wire.ErrActivationAnswer, "not the secret of device %s", s.Device)
		}
		s.Answered = true
		answered += uint64(s.Seats)
		j++
	}
	if n := countAnswered(c); n != len(p.Secrets) {
		return wire.Faultf(wire.ErrActivationAnswer, "%d answers, %d of them to seated devices", len(p.Secrets), n)
	}
	if 3*answered <= 2*total {
		return wire.Faultf(wire.ErrActivationQuorum, "%d of %d seats are answered", answered, total)
	}
	if err := x.accept(t, d, p.Task, &p.Evidence); err != nil {
		return err
	}
	if err := saveSeats(x.book, p.Task, c); err != nil {
		return err
	}
	return x.endPhase(p.Task, t)
}

func countAnswered(c *seats) (n int) {
	for i := range c.List {
		if c.List[i].Answered {
			n++
		}
	}
	return n
}

// reopened checks that a revealed seed and secret make the challenge that was
// posted: a challenge that cannot be answered would otherwise cost nothing.
func (x *handling) reopened(t *hardware.Task, s *hardware.Seat, p *hardware.Reveal) error {
	d, err := x.device(t.Device)
	if err != nil {
		return err
	}
	if committee.ActivationSecret(p.Vote.Task, t.Attempt, s.Device, t.Device, d.AKName, p.Secret) != s.SecretSum {
		return wire.Faultf(wire.ErrActivationOpening, "another secret was committed to")
	}
	blob, enc, err := tpm.MakeCredential(d.EKPub, d.AKName, p.Secret, p.Seed)
	if err != nil {
		return refused(err)
	}
	if hardware.ChallengeDigest(blob, enc) != s.Challenge {
		return wire.Faultf(wire.ErrActivationOpening, "seed and secret make another challenge")
	}
	return nil
}
