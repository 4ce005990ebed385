package verifier

import (
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/device/registry"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Labels of what is derived from the node key.
const (
	saltLabel   = "cloister/ra/own-salt/v1"
	seedLabel   = "cloister/ra/own-seed/v1"
	secretLabel = "cloister/ra/own-secret/v1"
)

// derive is for one task and attempt; a task's id names its chain.
func (s *Self) derive(label string, d *Duty) ([32]byte, error) {
	return s.Keys.Derive(label, s.Device[:], d.Task[:], wire.U32(d.Attempt))
}

func (s *Self) vote(d *Duty) hardware.Vote {
	return hardware.Vote{Task: d.Task, Attempt: d.Attempt, Device: s.Device}
}

// Payload makes the message of a duty that Due found in the same view, or an
// earlier one of the same phase. Logs finds event logs that evidence names.
// Errors: ErrNotYet.
func (s *Self) Payload(v *registry.View, d *Duty, logs Logs) (hardware.Payload, error) {
	p, err := s.payload(v, d, logs)
	if err != nil {
		return nil, fmt.Errorf("verifier: task %s: %w", d.Task, err)
	}
	return p, nil
}

func (s *Self) payload(v *registry.View, d *Duty, logs Logs) (hardware.Payload, error) {
	switch d.Op {
	case hardware.OpClaim:
		return s.claim(d)
	case hardware.OpChallenge:
		return s.challenge(v, d)
	case hardware.OpCommit:
		return s.commit(v, d, logs)
	case hardware.OpReveal:
		return s.reveal(v, d, logs)
	}
	return nil, fmt.Errorf("operation %d is no verifier's", d.Op)
}

func (s *Self) claim(d *Duty) (hardware.Payload, error) {
	p := &hardware.Claim{Vote: s.vote(d)}
	var err error
	if p.Proof, err = s.Keys.Prove(d.task.Alpha); err != nil {
		return nil, err
	}
	p.Signature, err = s.Keys.Sign(hardware.ClaimStatement(s.Chain, p.Vote, p.Proof))
	return p, err
}

// hidden are the secret and the seed of the device's challenge.
func (s *Self) hidden(d *Duty) (secret, seed [32]byte, err error) {
	if secret, err = s.derive(secretLabel, d); err == nil {
		seed, err = s.derive(seedLabel, d)
	}
	return secret, seed, err
}

func (s *Self) challenge(v *registry.View, d *Duty) (hardware.Payload, error) {
	testee, err := v.Device(d.task.Device)
	if err != nil {
		return nil, err
	}
	if testee == nil {
		return nil, wire.Faultf(wire.ErrDeviceUnknown, "device %s was dropped", d.task.Device)
	}
	secret, seed, err := s.hidden(d)
	if err != nil {
		return nil, err
	}
	p := &hardware.Challenge{Vote: s.vote(d)}
	if p.Blob, p.EncSecret, err = tpm.MakeCredential(testee.EKPub, testee.AKName, secret, seed); err != nil {
		return nil, err
	}
	p.SecretCommit = committee.ActivationSecret(d.Task, d.Attempt, s.Device, d.task.Device, testee.AKName, secret)
	p.Signature, err = s.Keys.Sign(hardware.ChallengeStatement(s.Chain, p.Vote, p.Blob, p.EncSecret, p.SecretCommit))
	return p, err
}

func (s *Self) commitment(d *Duty, r *appraise.Result, salt [32]byte) wire.Hash {
	return committee.Commit(d.Task, d.Attempt, s.Device, r.Verdict, r.Reason, r.Digest, salt)
}

func (s *Self) commit(v *registry.View, d *Duty, logs Logs) (hardware.Payload, error) {
	r, err := s.appraise(v, d, logs)
	if err != nil {
		return nil, err
	}
	salt, err := s.derive(saltLabel, d)
	if err != nil {
		return nil, err
	}
	p := &hardware.Commit{Vote: s.vote(d), Commitment: s.commitment(d, r, salt)}
	p.Signature, err = s.Keys.Sign(hardware.CommitStatement(s.Chain, p.Vote, p.Commitment))
	return p, err
}

func (s *Self) reveal(v *registry.View, d *Duty, logs Logs) (hardware.Payload, error) {
	salt, err := s.derive(saltLabel, d)
	if err != nil {
		return nil, err
	}
	r, err := s.recall(v, d, logs, salt)
	if err != nil {
		return nil, err
	}
	p := &hardware.Reveal{
		Vote: s.vote(d), Verdict: r.Verdict, Reason: r.Reason, Digest: r.Digest, Salt: salt, Measurements: r.Measurements,
	}
	if d.task.Kind == hardware.KindJoin {
		if p.Secret, p.Seed, err = s.hidden(d); err != nil {
			return nil, err
		}
	}
	p.Signature, err = s.Keys.Sign(committee.ResultStatement(s.Chain, d.Task, d.Attempt, s.Device, p.Verdict, p.Reason, p.Digest))
	return p, err
}

// maxReason is the highest reason of a FAIL there is.
const maxReason = appraise.MissingParts

// recall finds what was committed to. It is appraised again; if that comes out
// differently, because collateral or logs are not what they were, the commitment
// was to a FAIL for another reason, which nothing but the reason is in.
func (s *Self) recall(v *registry.View, d *Duty, logs Logs, salt [32]byte) (*appraise.Result, error) {
	r, err := s.appraise(v, d, logs)
	if err == nil && s.commitment(d, r, salt) == d.seat.Commitment {
		return r, nil
	}
	for reason := uint16(1); reason <= maxReason; reason++ {
		fail := &appraise.Result{
			Verdict: hardware.Fail, Reason: reason,
			Digest: appraise.ResultDigest(d.task.EvidenceDigest, hardware.Fail, reason, nil),
		}
		if s.commitment(d, fail, salt) == d.seat.Commitment {
			return fail, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, wire.Faultf(wire.ErrCommitMismatch, "what was committed to cannot be found again")
}
