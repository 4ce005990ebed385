package tree

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/smt"
)

const (
	slotCount = 16
	quarters  = 4
	inQuarter = slotCount / quarters
	// maxNibbles is the length of a whole position; pages are above it.
	maxNibbles = 2 * len(wire.Hash{})
)

// kind says how many leaves a subtree holds: none, one, or several. For a
// slot, several means a page of its own.
type kind uint8

const (
	empty kind = iota
	leaf
	several
)

// node is a subtree as its parent's hash sees it. The hash of an empty one is
// smt.Empty.
type node struct {
	kind kind
	hash wire.Hash
}

// join makes n the subtree with these halves. Halves that together hold one
// leaf are that leaf.
func (n *node) join(left, right *node) {
	switch {
	case left.kind == empty && right.kind != several:
		*n = *right
	case right.kind == empty && left.kind != several:
		*n = *left
	default:
		n.kind, n.hash = several, smt.NodeHash(left.hash, right.hash)
	}
}

// slot is one of the 16 subtrees of a page. Its hash is set except that of a
// leaf in an unchecked quarter.
type slot struct {
	node
	version uint64   // of the page, if several
	leaf    smt.Leaf // if leaf
}

// set makes the slot hold what one change says of its key, and reports
// whether it held anything else.
func (s *slot) set(c *Change) (changed bool) {
	if c.Value.IsZero() {
		changed = s.kind != empty
		*s = slot{}
		return changed
	}
	l := smt.Leaf{Key: c.Key, Value: c.Value}
	if s.kind == leaf && s.leaf == l {
		return false
	}
	*s = slot{node: node{leaf, l.Hash()}, leaf: l}
	return true
}

// page is one page while it is being read or changed. Its nodes are numbered
// like a heap: 1 is the whole page, 2i and 2i+1 are the halves of i, 4 to 7 are
// the quarters, 8 to 15 the pairs and 16 to 31 the slots.
type page struct {
	slots [slotCount]slot
	inner [slotCount]node // nodes 1 to 15
	// unchecked quarters are as they were stored: their slots and pairs were
	// not yet hashed and compared with them.
	unchecked [quarters]bool
	// outdated has bit i set if something below node i was replaced since its
	// hash was computed.
	outdated uint32
}

// node is node i of the page.
func (p *page) node(i int) *node {
	if i < slotCount {
		return &p.inner[i]
	}
	return &p.slots[i-slotCount].node
}

// join computes inner node i from its halves.
func (p *page) join(i int) { p.inner[i].join(p.node(2*i), p.node(2*i+1)) }

// clear makes p a page that holds nothing.
func (p *page) clear() { *p = page{} }

// touch notes that slot i of a checked quarter was replaced.
func (p *page) touch(i int) {
	for n := (i + slotCount) / 2; n > 0; n /= 2 {
		p.outdated |= 1 << n
	}
}

// refresh computes the nodes above replaced slots, lowest first.
func (p *page) refresh() {
	for n := slotCount - 1; n > 0; n-- {
		if p.outdated>>n&1 == 1 {
			p.join(n)
		}
	}
	p.outdated = 0
}

// check hashes the slots of a quarter and compares with what was stored, once,
// before any of them is used.
func (p *page) check(q int) error {
	if !p.unchecked[q] {
		return nil
	}
	for i := q * inQuarter; i < (q+1)*inQuarter; i++ {
		if s := &p.slots[i]; s.kind == leaf {
			s.hash = s.leaf.Hash()
		}
	}
	n := quarters + q
	stored := p.inner[n]
	p.join(2 * n)
	p.join(2*n + 1)
	p.join(n)
	if p.inner[n] != stored {
		return fmt.Errorf("%w: quarter %d does not hash to what is stored", ErrPage, q)
	}
	p.unchecked[q] = false
	return nil
}

// census says, without hashing, how many leaves n slots from first on hold, and
// which slot has the leaf if there is one.
func (p *page) census(first, n int) (k kind, only int) {
	for i := first; i < first+n; i++ {
		switch {
		case p.slots[i].kind == empty:
		case k == empty:
			k, only = p.slots[i].kind, i
		default:
			return several, 0
		}
	}
	return k, only
}
