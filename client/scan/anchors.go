package scan

import (
	"context"
	"fmt"

	"cloister/wire/factom"
)

// AnchorCounts is what became of the anchors found in Bitcoin.
type AnchorCounts struct {
	Deep    uint64 `json:"deep"`    // count
	Shallow uint64 `json:"shallow"` // would, and are not deep enough yet
	Foreign uint64 `json:"foreign"` // spent from a key that was not allowed
	Unknown uint64 `json:"unknown"` // for a block that is not judged, or does not exist
	Odd     uint64 `json:"odd"`     // not of an anchor's form
}

// anchors judges Bitcoin's anchors for one candidate. Their order does not matter:
// a height is told by the payload, and whether a key was allowed for it by the
// block before it (specification §12).
type anchors struct {
	state   *State
	network *Network
	options *Options

	counts  AnchorCounts
	spender map[uint32]Spender // of a good anchor, by height
	bad     map[uint32]Anchor  // by an allowed key, of another block; the first of a height
	next    uint32             // Bitcoin's blocks below are done with
	top     int64              // height up to which blocks are anchored
}

// maxBad bounds how many heights with a conflict are kept.
const maxBad = 256

func newAnchors(s *State, n *Network, o *Options) *anchors {
	return &anchors{state: s, network: n, options: o, spender: map[uint32]Spender{}, bad: map[uint32]Anchor{}, next: ^uint32(0)}
}

func (a *anchors) allowed(k Spender, height uint32) bool {
	for _, x := range a.network.Anchors {
		if x == k {
			return true
		}
	}
	return a.state.authority.allows(k, height)
}

// found takes one anchor.
func (a *anchors) found(x *Anchor) {
	height, key, err := factom.ParseAnchorScript(x.Script)
	switch {
	case err != nil:
		a.counts.Odd++
		return
	case !a.allowed(x.SpentFrom, height):
		a.counts.Foreign++
		return
	case height >= a.state.blocks():
		// The block may be judged by the next scan, which then needs this anchor.
		a.counts.Unknown++
		a.next = min(a.next, x.BlockHeight)
		return
	case key != a.state.keys[height]:
		if _, ok := a.bad[height]; !ok && len(a.bad) < maxBad {
			a.bad[height] = *x
		}
		return
	}
	a.spender[height] = x.SpentFrom
	if x.Depth < a.options.Depth {
		a.counts.Shallow++
		a.next = min(a.next, x.BlockHeight)
		return
	}
	a.counts.Deep++
	a.state.setAnchored(height)
}

// verdict is the fault of the lowest height with an anchor of another block by an
// allowed key, nil if there is none.
func (a *anchors) verdict() *Finding {
	var worst *Finding
	for height, x := range a.bad { //deterministic: the lowest height wins
		if worst != nil && height >= worst.Height {
			continue
		}
		_, key, _ := factom.ParseAnchorScript(x.Script)
		worst = &Finding{Code: ForgedAnchor, Height: height, Count: uint64(len(a.bad)), Text: fmt.Sprintf(
			"key %s, which may anchor this height, anchored block %s in transaction %s, and not %s", x.SpentFrom, key, x.TXID, a.state.keys[height])}
		good, ok := a.spender[height]
		if ok && good != x.SpentFrom || !ok && a.state.isAnchored(height) {
			worst.Code = Fork
			worst.Text += ", which another key anchored"
		}
	}
	return worst
}

// reach is the height up to which blocks are anchored, with gaps of at most MaxGap
// between; it notes the first gap that is longer.
func (a *anchors) reach(found *notes) int64 {
	top := None
	for h := int64(0); h < int64(a.state.blocks()); h++ {
		if !a.state.isAnchored(uint32(h)) {
			continue
		}
		if h-top-1 > int64(a.options.MaxGap) {
			found.add(AnchorGap, uint32(top+1), "blocks %d to %d have no anchor that is deep enough", top+1, h-1)
			return top
		}
		top = h
	}
	if waiting := int64(a.state.blocks()) - 1 - top; top != None && waiting > int64(a.options.MaxGap) && a.options.MaxGap > 0 {
		found.add(AnchorGap, uint32(top+1), "the last %d blocks have no anchor that is deep enough yet", waiting)
	}
	return top
}

// anchors reads Bitcoin once for all candidates.
func (s *scan) anchors(ctx context.Context, list []*judged) error {
	if s.bitcoin == nil || len(list) == 0 {
		return nil
	}
	var branches []*branch
	from := ^uint32(0)
	for _, j := range list {
		if b := j.branch; b.seen == nil {
			b.seen = newAnchors(b.state, s.network, &s.options)
			branches = append(branches, b)
			from = min(from, max(b.state.bitcoin, s.options.BitcoinFrom))
		}
	}
	tip, err := s.bitcoin.Anchors(ctx, from, func(x Anchor) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, b := range branches {
			b.seen.found(&x)
		}
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, b := range branches {
		b.settle(from, tip, err)
	}
	for _, j := range list {
		j.anchored()
	}
	return nil
}

// settle ends a reading of Bitcoin up to a tip, or one that failed.
func (b *branch) settle(from, tip uint32, failed error) {
	if failed != nil {
		b.notes.add(NoBitcoin, 0, "anchors could not be read: %v", failed)
	} else {
		// Blocks that a reorganisation may still replace are read again.
		deep := uint32(0)
		if tip+2 > b.options.Depth {
			deep = tip + 2 - b.options.Depth
		}
		b.state.bitcoin = max(from, min(deep, b.seen.next))
	}
	b.seen.top = b.seen.reach(&b.notes)
}

// anchored grades a candidate by what Bitcoin says of its branch.
func (j *judged) anchored() {
	if f := j.branch.seen.verdict(); f != nil && int64(f.Height) < int64(len(j.keys)) {
		if j.fault == nil || f.Height <= j.fault.Height {
			j.fault = f
		}
		below := int64(f.Height) - 1
		j.grades.Signed, j.grades.Valid = min(below, j.grades.Signed), min(below, j.grades.Valid)
	}
	j.grades.Anchored = min(j.branch.seen.top, max(j.grades.Valid, j.grades.Signed))
}

// anchoredFrom reports whether an anchor that is deep enough speaks for a height or
// one above.
func (s *State) anchoredFrom(height uint32) bool {
	for h := height; h < s.blocks(); h++ {
		if s.isAnchored(h) {
			return true
		}
	}
	return false
}
