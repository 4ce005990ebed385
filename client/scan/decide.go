package scan

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cloister/wire"
)

// None is the height of a grade that no block has.
const None int64 = -1

// Grades are heights up to which a chain is good, None for no block at all.
type Grades struct {
	Headers  int64 `json:"headers"`
	Signed   int64 `json:"signed"`
	Valid    int64 `json:"valid"`
	Anchored int64 `json:"anchored"`
}

// Result is what a scan found. It is made to be shown, and rendered as JSON.
type Result struct {
	// Chosen is the index of the candidate that is the ledger, -1 if there is a
	// fork, or no block that is good.
	Chosen int `json:"chosen"`
	// Head is the newest block with the highest grade asked for; zero for none.
	Head wire.Hash `json:"head"`
	// Grades are the chosen candidate's, as far as nothing contradicts it.
	Grades     Grades      `json:"grades"`
	Candidates []Candidate `json:"candidates"`
	Findings   []Finding   `json:"findings"` // between candidates
	Peers      []Conduct   `json:"peers"`
}

// Candidate is a chain that peers proposed.
type Candidate struct {
	Head    wire.Hash    `json:"head"`
	Peers   []string     `json:"peers"` // who proposed it, which speaks neither for nor against it
	Grades  Grades       `json:"grades"`
	Fault   *Finding     `json:"fault"` // what ended it, null for nothing
	Notes   []Finding    `json:"notes"`
	Anchors AnchorCounts `json:"anchors"`
}

// decide chooses between candidates by what signatures, rules and anchors say of
// the blocks in which they differ.
func (s *scan) decide(candidates []*candidate, list []*judged) (*Result, *judged) {
	r := &Result{Chosen: -1, Grades: Grades{None, None, None, None}, Findings: []Finding{}, Peers: s.fetch.report()}
	for _, c := range candidates {
		shown := Candidate{Head: c.head, Peers: c.peers, Grades: Grades{None, None, None, None}, Fault: c.fault, Notes: []Finding{}}
		if i := slices.IndexFunc(list, func(j *judged) bool { return j.candidate == c }); i >= 0 {
			j := list[i]
			shown.Grades, shown.Fault, shown.Notes = j.grades, j.fault, j.notes()
			if j.branch.seen != nil {
				shown.Anchors = j.branch.seen.counts
			}
		}
		r.Candidates = append(r.Candidates, shown)
	}
	if len(list) == 0 {
		r.Findings = append(r.Findings, Finding{Code: NoHead, Count: 1, Text: "no peer proposed a head whose headers lead to the genesis block"})
		return r, nil
	}
	best, sure, forked := s.best(list, r)
	r.Grades = best.grades
	for _, g := range []*int64{&r.Grades.Headers, &r.Grades.Signed, &r.Grades.Valid, &r.Grades.Anchored} {
		*g = min(*g, sure)
	}
	if top := r.top(s.state.bodies); top != None {
		r.Head = best.keys[top]
	}
	if forked || best.reach == None {
		return r, nil
	}
	r.Chosen = slices.Index(candidates, best.candidate)
	return r, best
}

func (r *Result) top(bodies bool) int64 {
	if bodies {
		return r.Grades.Valid
	}
	return r.Grades.Signed
}

// notes are those of the blocks that are good, and of the one that is not.
func (j *judged) notes() []Finding {
	list := append([]Finding{}, j.branch.notes.list...) // never null as JSON
	return slices.DeleteFunc(list, func(n Finding) bool { return j.fault == nil && int64(n.Height) > max(j.reach, 0) })
}

// best finds the candidate that all others yield to, up to which height that is
// sure, and whether there is a fork.
func (s *scan) best(list []*judged, r *Result) (best *judged, sure int64, forked bool) {
	order := slices.Clone(list)
	slices.SortStableFunc(order, func(x, y *judged) int {
		return cmp.Or(cmp.Compare(y.reach, x.reach), cmp.Compare(y.grades.Signed, x.grades.Signed),
			faults(x)-faults(y), cmp.Compare(y.grades.Headers, x.grades.Headers))
	})
	best, sure = order[0], math.MaxInt64
	for _, j := range order[1:] {
		p, differ := parted(best, j)
		if !differ {
			continue
		}
		found := func(code FindingCode, format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			r.Findings = append(r.Findings, Finding{Code: code, Height: uint32(p), Count: 1, Text: fmt.Sprintf("blocks %s and %s: %s", best.keys[p], j.keys[p], text)})
		}
		switch {
		case best.reach < p:
			// Nor does j reach it, by the order.
			sure = min(sure, p-1)
			found(Undecided, "neither is signed by a majority, or known to be valid: ask again later")
		case j.branch.signed < p:
		case j.reach < p && j.fault != nil && j.fault.Code != Missing:
			found(Conflict, "a majority signed both, the second breaks the rules")
		default:
			mine, its := best.branch.state.anchoredFrom(uint32(p)), j.branch.state.anchoredFrom(uint32(p))
			if mine == its {
				sure, forked = min(sure, p-1), true
				found(Fork, "a majority signed both, and anchors do not decide: trust neither, and ask the servers' operators")
				continue
			}
			found(Conflict, "a majority signed both, and one of them is anchored")
			if its {
				best = j
			}
		}
	}
	return best, sure, forked
}

func faults(j *judged) int {
	if j.fault != nil {
		return 1
	}
	return 0
}

// parted is the first height at which two candidates have different blocks; they
// do not differ if one continues the other.
func parted(x, y *judged) (height int64, differ bool) {
	for h := range min(len(x.keys), len(y.keys)) {
		if x.keys[h] != y.keys[h] {
			return int64(h), true
		}
	}
	return 0, false
}
