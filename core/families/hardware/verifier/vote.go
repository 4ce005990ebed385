package verifier

import (
	"cloister/core/families/hardware/committee"
	"cloister/evidence/appraise"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// commit hides what the appraisal found.
func (a *attempt) commit() error {
	// Logs may be slow to come. In the last third of the window those that did not
	// come are not to be had.
	last := a.Deadline - min(a.Deadline, a.params.Schedule.WCommit/3)
	r, ready, err := a.opinion(a.at.Height >= last)
	if err != nil || !ready {
		return err
	}
	p := &hardware.Commit{Vote: a.as(), Commitment: a.commitment(&r)}
	p.Signature = a.Key.Sign(hardware.CommitStatement(a.Chain, p.Vote, p.Commitment))
	a.submit(p, 0)
	return nil
}

func (a *attempt) commitment(r *appraise.Result) wire.Hash {
	return committee.Commit(a.id, a.Attempt, a.look.Device, r.Verdict, r.Reason, r.Digest, a.derive(saltLabel))
}

// reveal opens the commitment of a seat.
func (a *attempt) reveal(s *hardware.Seat) error {
	r, ok, err := a.recall(s.Commitment)
	if err != nil || !ok {
		return err
	}
	p := &hardware.Reveal{
		Vote: a.as(), Verdict: r.Verdict, Reason: r.Reason, Digest: r.Digest, Salt: a.derive(saltLabel), Measurements: r.Measurements,
	}
	p.Signature = a.Key.Sign(committee.ResultStatement(a.Chain, a.id, a.Attempt, a.look.Device, r.Verdict, r.Reason, r.Digest))
	if a.Kind == hardware.KindJoin {
		p.Secret, p.Seed = a.derive(secretLabel), a.derive(seedLabel)
	}
	a.submit(p, 0)
	return nil
}

// recall finds the result that was committed to. What is found now may be
// another: time went on, and collateral is replaced. ok is false while it takes
// entries that are not there, or for good if another key committed.
func (a *attempt) recall(commitment wire.Hash) (r appraise.Result, ok bool, err error) {
	try := func(verdict uint8, reason uint16, ids ...wire.Hash) bool {
		r = appraise.Result{
			Verdict: verdict, Reason: reason, Measurements: ids,
			Digest: appraise.ResultDigest(a.EvidenceDigest, verdict, reason, ids),
		}
		return a.commitment(&r) == commitment
	}
	for reason := appraise.Signature; reason <= appraise.MissingParts; reason++ {
		if try(appraise.Fail, reason) {
			return r, true, nil
		}
	}
	if len(a.AK) == 0 { // a CPU passes by one image, or by a policy that asks for none
		if try(appraise.Pass, 0) {
			return r, true, nil
		}
		images, err := row[trust.IDs](a.get, trust.MeasurementsKey(trust.Image))
		if err != nil || images == nil {
			return r, false, err
		}
		for _, id := range images.List {
			if try(appraise.Pass, 0, id) {
				return r, true, nil
			}
		}
		return r, false, nil
	}
	// Nothing of a TPM's appraisal changes after the anchor.
	r, ready, err := a.opinion(false)
	return r, ready && a.commitment(&r) == commitment, err
}
