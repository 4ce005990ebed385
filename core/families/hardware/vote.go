package hardware

import (
	"bytes"
	"slices"

	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// seated finds the seat of a verifier in a task that waits for it. Trust taken
// back in the meantime costs the vote. It carries ErrPhase, ErrNotSeated and
// ErrNotEligible.
func (x *handling) seated(v *hardware.Vote, phase hardware.Phase) (*hardware.Task, *seats, int, error) {
	t, err := x.inPhase(v.Task, v.Attempt, phase)
	if err != nil {
		return nil, nil, 0, err
	}
	c, err := x.committeeOf(v.Task)
	if err != nil {
		return nil, nil, 0, err
	}
	i, ok := slices.BinarySearchFunc(c.List, v.Device, func(s hardware.Seat, id wire.Hash) int { return bytes.Compare(s.Device[:], id[:]) })
	if !ok {
		return nil, nil, 0, wire.Faultf(wire.ErrNotSeated, "device %s", v.Device)
	}
	d, err := x.registered(v.Device)
	if err != nil {
		return nil, nil, 0, err
	}
	if ok, err := x.mayJudge(d); err != nil || !ok {
		if err == nil {
			err = wire.Faultf(wire.ErrNotEligible, "device %s is not in good standing any more", v.Device)
		}
		return nil, nil, 0, err
	}
	return t, c, i, nil
}

// commit takes a hidden vote. Who posted no challenge in a joining could not open
// it, so has no vote.
func (x *handling) commit(p *hardware.Commit) error {
	t, c, i, err := x.seated(&p.Vote, hardware.PhaseCommit)
	if err != nil {
		return err
	}
	s := &c.List[i]
	switch {
	case !s.Commitment.IsZero():
		return wire.Faultf(wire.ErrDuplicate, "the commitment of device %s", p.Vote.Device)
	case t.Kind == hardware.KindJoin && !s.Challenged:
		return wire.Faultf(wire.ErrPhase, "device %s has not challenged", p.Vote.Device)
	case p.Commitment.IsZero():
		return wire.Faultf(wire.ErrMalformed, "a commitment is a hash")
	}
	if err := x.signedBy(p.Vote.Device, hardware.CommitStatement(x.chain, p.Vote, p.Commitment), p.Signature, wire.ErrVerifierSig); err != nil {
		return err
	}
	s.Commitment = p.Commitment
	if err := saveSeats(x.book, p.Vote.Task, c); err != nil {
		return err
	}
	return x.early(p.Vote.Task, t, c, func(s *hardware.Seat) bool { return !s.Commitment.IsZero() })
}

// reveal opens a vote.
func (x *handling) reveal(p *hardware.Reveal) error {
	t, c, i, err := x.seated(&p.Vote, hardware.PhaseReveal)
	if err != nil {
		return err
	}
	s := &c.List[i]
	if s.Revealed {
		return wire.Faultf(wire.ErrDuplicate, "the vote of device %s", p.Vote.Device)
	}
	if committee.Commit(p.Vote.Task, p.Vote.Attempt, p.Vote.Device, p.Verdict, p.Reason, p.Digest, p.Salt) != s.Commitment {
		return wire.Faultf(wire.ErrCommitMismatch, "device %s", p.Vote.Device)
	}
	statement := committee.ResultStatement(x.chain, p.Vote.Task, p.Vote.Attempt, p.Vote.Device, p.Verdict, p.Reason, p.Digest)
	if err := x.signedBy(p.Vote.Device, statement, p.Signature, wire.ErrResultSig); err != nil {
		return err
	}
	if t.Kind == hardware.KindJoin {
		if err := x.reopened(t, s, p); err != nil {
			return err
		}
	}
	if err := x.measured(t, p); err != nil {
		return err
	}
	s.Revealed, s.Verdict, s.Reason, s.Digest = true, p.Verdict, p.Reason, p.Digest
	if err := saveSeats(x.book, p.Vote.Task, c); err != nil {
		return err
	}
	return x.early(p.Vote.Task, t, c, func(s *hardware.Seat) bool { return s.Revealed })
}

// found are the measurements behind the digest of a PASS.
type found struct {
	_    struct{} `cbor:",toarray"`
	List []wire.Hash
}

// measured keeps the measurements a PASS was found with: the first who reveals
// a digest shows what is in it. It carries ErrCommitMismatch.
func (x *handling) measured(t *hardware.Task, p *hardware.Reveal) error {
	if p.Verdict != hardware.Pass {
		return nil
	}
	key := hardware.MeasuredKey(p.Vote.Task, p.Digest)
	known, err := row[found](x.book, key)
	if err != nil || known != nil {
		return err
	}
	if committee.ResultDigest(t.EvidenceDigest, p.Verdict, p.Reason, p.Measurements) != p.Digest {
		return wire.Faultf(wire.ErrCommitMismatch, "%d measurements are not those in the digest", len(p.Measurements))
	}
	return save(x.book, key, &found{List: p.Measurements})
}

// ballots is what the committee did, for the tally.
func ballots(t *hardware.Task, c *seats) []committee.Ballot {
	out := make([]committee.Ballot, len(c.List))
	for i := range c.List {
		s := &c.List[i]
		out[i] = committee.Ballot{
			Device: s.Device, Seats: s.Seats, Committed: !s.Commitment.IsZero(), Revealed: s.Revealed,
			Unanswered: t.Kind == hardware.KindJoin && s.Revealed && !s.Answered,
			Verdict:    s.Verdict, Reason: s.Reason, Digest: s.Digest,
		}
	}
	return out
}
