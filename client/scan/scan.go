package scan

import (
	"context"
	"slices"
	"time"

	"cloister/wire"
)

// Defaults of Options.
const (
	DefaultDepth     = 6
	DefaultMaxBlocks = 2 << 20 // 40 years of ten minutes
	DefaultWorkers   = 8
	DefaultTimeout   = 30 * time.Second
	// DefaultSaveEvery is in blocks: a day and a half of ten minutes.
	DefaultSaveEvery = 250
)

// maxUnsigned bounds how far ahead directory and admin blocks are fetched and kept.
const maxUnsigned = 1024

// Options fit a scan to its use. The zero value judges everything.
type Options struct {
	// SignedOnly leaves bodies out: no grade above signed, a small part of the data.
	SignedOnly bool
	// Depth is how many Bitcoin blocks, its own included, make an anchor count.
	// Zero: DefaultDepth.
	Depth uint32
	// MaxGap is how many blocks in a row may be without an anchor of their own: a
	// later one covers them, too.
	MaxGap uint32
	// MaxUnsigned is how many blocks in a row may be without a majority of
	// signatures, if one of the same servers signed the block that follows: it vouches
	// for what it was built on. At most 1024.
	MaxUnsigned uint32
	// BitcoinFrom is the height in Bitcoin before which there are no anchors.
	BitcoinFrom uint32
	// MaxBlocks bounds the chains that are followed. Zero: DefaultMaxBlocks.
	MaxBlocks uint32
	// Workers is how many objects are fetched at a time. Zero: DefaultWorkers.
	Workers int
	// Timeout bounds one request to a peer. Zero: DefaultTimeout.
	Timeout time.Duration
	// Progress, if set, is told where the scan is; it must not block.
	Progress func(Progress)
	// Save, if set, is given the encoded state every SaveEvery blocks (zero:
	// DefaultSaveEvery) while there is one candidate. Its error ends the scan.
	Save      func(state []byte) error
	SaveEvery uint32
}

// Progress is where a scan is.
type Progress struct {
	Stage  string // "backward" or "forward"
	Height uint32 // of the block that is done
	Blocks uint32 // of the candidate; 0 as long as it is not known to have a beginning
}

func (o *Options) progress(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

func (o *Options) fill() {
	set := func(n *uint32, to uint32) {
		if *n == 0 {
			*n = to
		}
	}
	set(&o.Depth, DefaultDepth)
	set(&o.MaxBlocks, DefaultMaxBlocks)
	set(&o.SaveEvery, DefaultSaveEvery)
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
}

// scan is one run.
type scan struct {
	network *Network
	fetch   *fetcher
	bitcoin Bitcoin
	options Options
	state   *State // what was known before; nil: nothing
	several bool   // candidates have parted
}

// judged is a candidate after the forward stage. Candidates of which one continues
// the other share a branch.
type judged struct {
	*candidate
	branch *branch
	grades Grades
	fault  *Finding
	reach  int64 // height up to which it is good apart from anchors
}

// Run scans. bitcoin may be nil: nothing is anchored then. state continues an
// earlier scan of the same network, nil begins one; it must not be used again.
//
// The result says what was found, whatever it was. The state returned is that of
// the chosen chain, to be saved; nil if none is chosen, or an anchor speaks against
// what the state holds. Errors are of the call and
// not of a chain: the context's, ErrBadRequest for what was asked, Save's.
func Run(ctx context.Context, network *Network, peers []Peer, bitcoin Bitcoin, options Options, state *State) (*Result, *State, error) {
	options.fill()
	s := &scan{network: network, fetch: newFetcher(peers, options.Timeout), bitcoin: bitcoin, options: options, state: state}
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	candidates, err := s.heads(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i, c := range candidates {
		if err := s.backward(ctx, c, candidates[:i]); err != nil {
			return nil, nil, err
		}
		if c.keys != nil {
			s.options.progress(Progress{Stage: "backward", Blocks: uint32(len(c.keys))})
		}
	}
	list, err := s.judge(ctx, candidates)
	if err != nil {
		return nil, nil, err
	}
	if err := s.anchors(ctx, list); err != nil {
		return nil, nil, err
	}
	result, chosen := s.decide(candidates, list)
	if chosen == nil || chosen.grades.Signed < chosen.reach {
		return result, nil, nil
	}
	return result, chosen.branch.state, nil
}

func (s *scan) check() error {
	if err := s.network.check(); err != nil {
		return err
	}
	switch {
	case len(s.fetch.peers) == 0 || len(s.fetch.peers) > MaxPeers:
		return wire.Faultf(wire.ErrBadRequest, "scan: %d peers to ask, 1 to %d", len(s.fetch.peers), MaxPeers)
	case s.options.MaxUnsigned > maxUnsigned:
		return wire.Faultf(wire.ErrBadRequest, "scan: %d blocks may be unsigned, at most %d", s.options.MaxUnsigned, maxUnsigned)
	case s.state != nil && s.state.bodies == s.options.SignedOnly:
		return wire.Faultf(wire.ErrBadRequest, "scan: the state is of a scan that judged signatures alone, or everything, and this one is not: scan from the beginning")
	case s.state.blocks() > 0 && (!s.network.KeyMR.IsZero() && s.state.keys[0] != s.network.KeyMR ||
		s.network.ID != 0 && s.state.tail.NetworkID != s.network.ID):
		return wire.Faultf(wire.ErrBadRequest, "scan: the state is of another network: scan from the beginning")
	case s.state.blocks() > s.options.MaxBlocks:
		return wire.Faultf(wire.ErrBadRequest, "scan: the state has %d blocks, at most %d are followed", s.state.blocks(), s.options.MaxBlocks)
	}
	if s.state == nil {
		s.state = newState(!s.options.SignedOnly, s.network)
	}
	return nil
}

// judge runs the forward stage over all candidates. What they share is judged once.
func (s *scan) judge(ctx context.Context, candidates []*candidate) (list []*judged, err error) {
	var live []*candidate
	for _, c := range candidates {
		if c.keys != nil {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		return nil, nil
	}
	first := &branch{scan: s, state: s.state, signed: s.state.Height(), near: map[uint32]set{}}
	return s.together(ctx, first, live)
}

// together judges candidates up to where they part, and each group by itself from
// there.
func (s *scan) together(ctx context.Context, b *branch, group []*candidate) ([]*judged, error) {
	longest := slices.MaxFunc(group, func(x, y *candidate) int { return len(x.keys) - len(y.keys) })
	b.keys = longest.keys
	part := parting(group, longest)
	if part < uint32(len(longest.keys)) {
		// The last of those they share have their signatures in blocks that differ:
		// they are left to each.
		fault, err := b.forward(ctx, part-min(part, signedLater+s.options.MaxUnsigned))
		if err != nil {
			return nil, err
		}
		if fault != nil {
			return s.ended(b, group, fault), nil
		}
		s.several = true
		var all []*judged
		for _, g := range split(group, part) {
			own := &branch{scan: s, state: b.state.clone(), signed: b.signed, near: map[uint32]set{}, notes: notes{slices.Clone(b.notes.list)}}
			list, err := s.together(ctx, own, g)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
		}
		return all, nil
	}
	fault, err := b.forward(ctx, uint32(len(longest.keys)))
	if err != nil {
		return nil, err
	}
	return s.ended(b, group, fault), nil
}

// parting is the first height at which two of the group have different blocks, the
// length of the longest if they only differ in length.
func parting(group []*candidate, longest *candidate) uint32 {
	part := len(longest.keys)
	for _, c := range group {
		n := min(len(c.keys), part)
		for h := range n {
			if c.keys[h] != longest.keys[h] {
				part = h
				break
			}
		}
	}
	return uint32(part)
}

// split groups candidates by their block at a height. Those that end before it go
// with the first: they part from nobody.
func split(group []*candidate, height uint32) (groups [][]*candidate) {
	var short []*candidate
	for _, c := range group {
		if uint32(len(c.keys)) <= height {
			short = append(short, c)
			continue
		}
		at := slices.IndexFunc(groups, func(g []*candidate) bool { return g[0].keys[height] == c.keys[height] })
		if at < 0 {
			at, groups = len(groups), append(groups, nil)
		}
		groups[at] = append(groups[at], c)
	}
	groups[0] = append(groups[0], short...)
	return groups
}

// ended grades the candidates of a branch at its end.
func (s *scan) ended(b *branch, group []*candidate, fault *Finding) (list []*judged) {
	for _, c := range group {
		top := int64(len(c.keys)) - 1
		j := &judged{candidate: c, branch: b, fault: fault, grades: Grades{
			Headers: top, Signed: min(top, b.signed), Valid: None, Anchored: None,
		}}
		if b.state.bodies {
			j.grades.Valid = min(top, b.state.Height())
		}
		if fault != nil && (int64(fault.Height) > top || fault.Code == Unsigned && int64(fault.Height)+signedLater > top) {
			// Beyond its end, or known only by what another candidate puts there.
			j.fault = nil
		}
		if j.reach = j.grades.Signed; b.state.bodies {
			j.reach = j.grades.Valid
		}
		list = append(list, j)
	}
	return list
}

// save hands the state out now and then.
func (b *branch) save() error {
	if b.options.Save == nil || b.several || b.state.blocks()%b.options.SaveEvery != 0 {
		return nil
	}
	return b.options.Save(b.state.Bytes())
}
