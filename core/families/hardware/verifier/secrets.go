package verifier

import (
	"cloister/core/families/hardware/committee"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Labels of what is derived from the node key. Each is secret until it is revealed.
const (
	saltLabel   = "cloister/verifier-salt/v1"   // of the commitment to a vote
	secretLabel = "cloister/verifier-secret/v1" // that a joining TPM has to unwrap
	seedLabel   = "cloister/verifier-seed/v1"   // of the randomness it is wrapped with
)

// derive makes a secret of this attempt. One that is revealed tells nothing of
// another: the node key's seed goes in first.
func (a *attempt) derive(label string) [32]byte {
	seed := a.Key.Seed()
	return wire.TH(label, seed[:], a.Chain[:], a.id[:], wire.U32(a.Attempt), a.look.Device[:])
}

// challenge hides a secret from everybody but the TPM that joins.
func (a *attempt) challenge() error {
	d, err := DeviceOf(a.get, a.Task.Device)
	if err != nil || d == nil {
		return missing(err, "device %s", a.Task.Device)
	}
	secret := a.derive(secretLabel)
	blob, enc, err := tpm.MakeCredential(d.EKPub, d.AKName, secret, a.derive(seedLabel))
	if err != nil {
		return err // the keys were checked when they were registered
	}
	p := &hardware.Challenge{
		Vote: a.as(), Blob: blob, EncSecret: enc,
		SecretCommit: committee.ActivationSecret(a.id, a.Attempt, a.look.Device, a.Task.Device, d.AKName, secret),
	}
	p.Signature = a.Key.Sign(hardware.ChallengeStatement(a.Chain, p.Vote, blob, enc, p.SecretCommit))
	a.submit(p, 0)
	return nil
}
