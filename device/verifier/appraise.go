package verifier

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"cloister/device/registry"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Logs finds the content of an entry of the data layer, nil if nobody has it. An
// error means that it could not be asked for.
type Logs func(entry wire.Hash) ([]byte, error)

// ErrNotYet says that a duty can wait: an event log is not to be had, and there
// is time to ask again.
var ErrNotYet = errors.New("an event log is not to be had yet")

// patience is how many blocks before the deadline a verifier stops waiting for a
// log and votes that it is missing.
const patience = 3

// appraise finds what the device has to vote.
func (s *Self) appraise(v *registry.View, d *Duty, logs Logs) (*appraise.Result, error) {
	e, err := v.Evidence(d.Task)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Digest() != d.task.EvidenceDigest {
		return nil, fmt.Errorf("the evidence is not in the state: the task moved on")
	}
	in, err := input(v, s.Chain, d.task, e)
	if err != nil {
		return nil, err
	}
	for _, l := range []struct {
		log *hardware.Log
		to  *[]byte
	}{{&e.Boot, &in.Boot}, {&e.App, &in.App}} {
		b, found, err := fetch(l.log, logs)
		switch {
		case err != nil:
			return nil, err
		case !found && v.Height+patience < d.Deadline:
			return nil, ErrNotYet
		case !found:
			r := appraise.Missing(d.task.EvidenceDigest)
			return &r, nil
		}
		*l.to = b
	}
	return judge(v, in)
}

// fetch gets a log together. What is found under the references and is not the
// log counts as not found: everybody sees the same there.
func fetch(l *hardware.Log, logs Logs) (b []byte, found bool, err error) {
	if len(l.Refs) == 0 {
		return l.Inline, true, nil
	}
	for _, ref := range l.Refs {
		part, err := logs(ref)
		if err != nil {
			return nil, false, fmt.Errorf("entry %s: %w", ref, err)
		}
		if part == nil || len(b)+len(part) > hardware.MaxLog {
			return nil, false, nil
		}
		b = append(b, part...)
	}
	return b, uint32(len(b)) == l.Size && sha256.Sum256(b) == l.Digest, nil
}

// input is what a committee has before it, but for logs and measurements.
func input(v *registry.View, chain wire.Hash, t *registry.Task, e *hardware.Evidence) (*appraise.Input, error) {
	p, err := v.Params(t.Params)
	if err != nil {
		return nil, err
	}
	in := &appraise.Input{
		Evidence: *e, Chain: chain, Device: t.Device, Kind: t.Kind, Nonce: t.Nonce, Height: t.Anchor, TimeMs: v.TimeMs,
		NodeKey: t.NodeKey, VRFKey: t.VRFKey, AK: t.AK,
		Before:   appraise.Age{Counter: t.PrevCounter, Reset: t.PrevReset, Restart: t.PrevRestart, Clock: t.PrevClock},
		BootPCRs: p.Schedule.PCRs(), AppPCR: p.Schedule.AppPCR,
	}
	if in.Mandatory, err = v.Mandatory(); err != nil {
		return nil, err
	}
	in.Policy, err = v.Policy(policy.Audit)
	return in, err
}

// judge adds what the tables say and decides.
func judge(v *registry.View, in *appraise.Input) (*appraise.Result, error) {
	src := v.Source()
	in.Source = src
	if in.Evidence.Kind != hardware.TPM {
		keys, err := verify.Keys(appraise.CPUEvidence(&in.Evidence))
		if err == nil { // evidence without certificates is judged as it is
			k, revoked, err := v.FirstRevoked(keys)
			if err != nil {
				return nil, err
			}
			if revoked {
				in.RevokedKeys = []wire.Hash{k}
			}
		}
	}
	for _, w := range appraise.Digests(in) {
		list, err := v.WithDigest(w)
		if err != nil {
			return nil, err
		}
		in.Measurements = append(in.Measurements, list...)
	}
	r := appraise.Judge(in)
	if err := src.Err(); err != nil { // it may have failed for want of state
		return nil, err
	}
	return &r, nil
}
