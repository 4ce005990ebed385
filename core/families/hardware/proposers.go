package hardware

import (
	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Who proposes a block decides what is in it, so one proposer of many blocks in
// a row can keep a verifier's ballots out until it is too late. Whoever is
// missing in such a time is excused (specification §12, last row).

// runs are the newest stretches of blocks of one proposer. Where one node leads
// for long, that is one row that does not change.
type runs struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Run
}

// propose notes whose block this is.
func (b *book) propose(proposer wire.NodeID) error {
	r, err := row[runs](b, hardware.RunsKey)
	if err != nil {
		return err
	}
	if r == nil {
		r = new(runs)
	}
	n := len(r.List)
	if n > 0 && r.List[n-1].Proposer == proposer {
		return nil
	}
	r.List = append(r.List, hardware.Run{From: b.height, Proposer: proposer})
	if n == hardware.MaxRuns {
		r.List = r.List[1:]
	}
	return save(b, hardware.RunsKey, r)
}

// excused reports whether one node proposed more than a third of the blocks of a
// time in which ballots are missing: that to commit for those who did not, that
// to reveal for those who did only that.
func (b *book) excused(t *hardware.Task, p *Params, votes []committee.Ballot) (bool, error) {
	r, err := row[runs](b, hardware.RunsKey)
	if err != nil || r == nil {
		return false, missing(err, "who proposed the blocks")
	}
	uncommitted, unrevealed := false, false
	for i := range votes {
		uncommitted = uncommitted || !votes[i].Committed
		unrevealed = unrevealed || votes[i].Committed && !votes[i].Revealed
	}
	// The end of a block may come to a phase late, but messages were refused from
	// its deadline on.
	s := &p.Schedule
	return uncommitted && dominated(r.List, t.CommitFrom+1, min(t.RevealFrom, t.CommitFrom+s.WCommit)) ||
		unrevealed && dominated(r.List, t.RevealFrom+1, min(b.height, t.RevealFrom+s.WReveal)), nil
}

// dominated reports whether one node proposed more than a third of the blocks
// from first to last. Blocks before the oldest run that is remembered count as
// one more node's: in doubt nobody pays.
func dominated(list []hardware.Run, first, last uint64) bool {
	if first > last {
		return false
	}
	blocks := map[wire.NodeID]uint64{}
	forgotten := uint64(0)
	if oldest := list[0].From; first < oldest {
		forgotten = min(oldest, last+1) - first
	}
	most := forgotten
	for i, run := range list {
		end := last + 1
		if i+1 < len(list) {
			end = min(end, list[i+1].From)
		}
		if from := max(first, run.From); from < end {
			blocks[run.Proposer] += end - from
			most = max(most, blocks[run.Proposer])
		}
	}
	return 3*most > last+1-first
}
