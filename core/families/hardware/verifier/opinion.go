package verifier

import (
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// opinion appraises the evidence of the attempt. ready is false while entries
// are missing that hold its logs, unless this is the last call: then it is a FAIL
// for lack of evidence, as it is if what the entries hold is not the logs.
func (a *attempt) opinion(last bool) (r appraise.Result, ready bool, err error) {
	e, err := row[hardware.Evidence](a.get, hardware.EvidenceKey(a.id))
	if err != nil || e == nil {
		return r, false, missing(err, "evidence of task %s", a.id)
	}
	boot, app, found, err := a.logs(e)
	switch {
	case err != nil || !found && last:
		return appraise.Missing(a.EvidenceDigest), true, nil
	case !found:
		return r, false, nil
	}
	src := &source{get: a.get, height: a.Anchor}
	in, err := a.input(e, boot, app, src)
	if err != nil {
		return r, false, err
	}
	r = appraise.Judge(in)
	return r, src.err == nil, src.err // Judge cannot tell a missing row from one it could not read
}

// input is what every validator appraises in a dispute, as the tables were at the
// anchor: roots and keys revoked since are trusted as they were then. Collateral and
// policy are those in force, older ones are not kept.
func (a *attempt) input(e *hardware.Evidence, boot, app []byte, src *source) (*appraise.Input, error) {
	s := &a.params.Schedule
	in := &appraise.Input{
		Evidence: *e, Boot: boot, App: app, Chain: a.Chain, Device: a.Task.Device, Kind: a.Kind,
		Nonce: a.Nonce, Height: a.Anchor, TimeMs: a.at.TimeMs, NodeKey: a.NodeKey, VRFKey: a.VRFKey, AK: a.AK,
		Before:   appraise.Age{Counter: a.PrevCounter, Reset: a.PrevReset, Restart: a.PrevRestart, Clock: a.PrevClock},
		BootPCRs: s.PCRs(), AppPCR: s.AppPCR, Source: src,
	}
	summary, err := row[trust.Summary](a.get, trust.SummaryKey)
	if err != nil || summary == nil {
		return nil, missing(err, "summary of the tables")
	}
	in.Mandatory = summary.Mandatory
	if in.Policy, err = row[policy.Policy](a.get, trust.PolicyKey(policy.Audit)); err != nil || in.Policy == nil {
		return nil, missing(err, "policy of devices")
	}
	if e.Kind != hardware.TPM {
		keys, err := verify.Keys(appraise.CPUEvidence(e))
		if err != nil {
			keys = nil // no certificates that can be read: appraisal says so
		}
		for _, k := range keys {
			if src.revoked(k) {
				in.RevokedKeys = append(in.RevokedKeys, k)
			}
		}
	}
	for _, w := range appraise.Digests(in) {
		list, err := withDigest(a.get, w)
		if err != nil {
			return nil, err
		}
		in.Measurements = append(in.Measurements, list...)
	}
	return in, nil
}

// withDigest lists the measurements with a digest, whatever their state.
func withDigest(get Reader, w appraise.Wanted) (out []trust.Measurement, err error) {
	list, err := row[trust.IDs](get, trust.DigestKey(w.Component, trust.SHA256, w.Digest))
	if err != nil || list == nil {
		return nil, err
	}
	for _, id := range list.List {
		m, err := row[trust.Measurement](get, trust.MeasurementKey(id))
		if err != nil || m == nil {
			return nil, missing(err, "measurement %s", id)
		}
		out = append(out, *m)
	}
	return out, nil
}

// logs are the evidence's logs. found is false while entries are missing, which
// are then asked for; an error says that the entries hold something else.
func (a *attempt) logs(e *hardware.Evidence) (boot, app []byte, found bool, err error) {
	if e.Kind != hardware.TPM {
		return nil, nil, true, nil
	}
	boot, hasBoot, err := a.log(&e.Boot)
	if err != nil {
		return nil, nil, false, err
	}
	app, hasApp, err := a.log(&e.App)
	return boot, app, hasBoot && hasApp, err
}

func (a *attempt) need(entry wire.Hash) {
	if len(a.needs) < maxNeeds {
		a.needs = append(a.needs, entry)
	}
}
