package committee

import (
	"slices"

	"cloister/wire"
)

// Verdicts. Verifiers vote PASS or FAIL; only a tally is INCONCLUSIVE.
const (
	Pass         = 1
	Fail         = 2
	Inconclusive = 3
)

// Reasons that no validator can recompute, so a verdict by them cannot be
// disputed; the other reasons are the appraisal's. Specification §7.
const (
	ReasonActivation = 9
	ReasonNoEvidence = 10
)

// Ballot is what a seated device did by the end of the reveal phase.
type Ballot struct {
	Device    wire.Hash
	Seats     uint16
	Committed bool
	// Revealed says that the commitment was opened as committed. An opening
	// that is neither PASS nor FAIL is a bad one and counts as none.
	Revealed bool
	// Unanswered says of a JOIN that this verifier's activation challenge was a
	// good one and the testee did not answer it. Its seats count as FAIL with
	// ReasonActivation whatever it voted; it is paid by what it revealed, else a
	// testee could have honest verifiers punished by not answering them.
	Unanswered bool
	Verdict    uint8 // as revealed
	Reason     uint16
	Digest     wire.Hash // as revealed: ResultDigest of the voter's appraisal
}

func (b Ballot) opened() bool {
	return b.Committed && b.Revealed && (b.Verdict == Pass || b.Verdict == Fail)
}

// Outcome is the result of an attempt. The zero MajorityDigest, of an
// inconclusive one, is nobody's.
type Outcome struct {
	Verdict                    uint8  // Pass, Fail or Inconclusive
	Reason                     uint16 // of a FAIL; 0 otherwise
	Pass, Fail, Missing, Total uint32 // seats; Pass+Fail+Missing = Total
	// MajorityDigest is the result digest with most seats among those who
	// revealed the winning verdict; of several, the smallest.
	MajorityDigest wire.Hash
	// Excused is the family's to set: the windows were so much in one leader's
	// hands that it could have kept ballots out. PayOut then takes nothing from
	// those whose ballots are missing, if the outcome is inconclusive for them.
	Excused bool
}

// Tally counts the ballots of a committee: PASS or FAIL with strictly more than
// two thirds of all its seats, missing ones included, otherwise INCONCLUSIVE.
// The order of ballots does not matter.
func Tally(ballots []Ballot) (o Outcome) {
	said := [...]uint32{Pass: 0, Fail: 0} // seats by what was revealed
	for _, b := range ballots {
		n := uint32(b.Seats)
		o.Total += n
		switch {
		case !b.opened():
			o.Missing += n
			continue
		case b.Verdict == Fail || b.Unanswered:
			o.Fail += n
		default:
			o.Pass += n
		}
		said[b.Verdict] += n
	}
	switch {
	case carries(o.Pass, o.Total):
		o.Verdict = Pass
	case carries(o.Fail, o.Total):
		o.Verdict = Fail
	default:
		o.Verdict = Inconclusive
		return o
	}
	o.MajorityDigest = heaviest(ballots, func(b Ballot) (wire.Hash, bool) {
		return b.Digest, b.opened() && b.Verdict == o.Verdict
	}, compare)
	switch {
	case o.Verdict == Pass:
	case !carries(said[Fail], o.Total): // without the unanswered it would be none
		o.Reason = ReasonActivation
	default:
		o.Reason = heaviest(ballots, func(b Ballot) (uint16, bool) {
			return b.Reason, o.majority(b)
		}, func(a, b uint16) int { return int(a) - int(b) })
	}
	return o
}

// carries reports a strict two-thirds majority.
func carries(seats, total uint32) bool { return 3*uint64(seats) > 2*uint64(total) }

// heaviest is the value that most seats stand behind, of several the smallest;
// of says which value a ballot stands for, if any.
func heaviest[T comparable](ballots []Ballot, of func(Ballot) (T, bool), compare func(a, b T) int) (best T) {
	seats := map[T]uint32{}
	var values []T
	for _, b := range ballots {
		if v, ok := of(b); ok {
			if _, seen := seats[v]; !seen {
				values = append(values, v)
			}
			seats[v] += uint32(b.Seats)
		}
	}
	slices.SortFunc(values, compare)
	most := uint32(0)
	for _, v := range values {
		if seats[v] > most {
			best, most = v, seats[v]
		}
	}
	return best
}

// majority reports whether a ballot revealed both the winning verdict and the
// winning digest. The same verdict with another digest is a copied guess: it
// counts for the verdict and is paid as minority.
func (o Outcome) majority(b Ballot) bool {
	return b.opened() && b.Verdict == o.Verdict && b.Digest == o.MajorityDigest
}

// ForMissing reports whether an inconclusive outcome might have been another
// with the missing seats.
func (o Outcome) ForMissing() bool {
	return o.Verdict == Inconclusive && (carries(o.Pass+o.Missing, o.Total) || carries(o.Fail+o.Missing, o.Total))
}

// Disputable reports whether every validator can recompute the verdict from the
// evidence.
func (o Outcome) Disputable() bool {
	return o.Verdict == Pass || o.Verdict == Fail && o.Reason != ReasonActivation && o.Reason != ReasonNoEvidence
}
