package tree

import (
	"encoding/binary"
	"fmt"

	"cloister/wire"
)

const (
	layout   = 1
	hashSize = len(wire.Hash{})
	headSize = 1 + 4
	leafSize = 2 * hashSize
	refSize  = 8 + hashSize
	maxPage  = headSize + slotCount*leafSize + quarters*hashSize
)

// slotSize is the number of bytes a slot of each kind takes.
var slotSize = [...]int{empty: 0, leaf: leafSize, several: refSize}

// size is the number of bytes appendTo appends.
func (p *page) size() int {
	n := headSize
	for i := range p.slots {
		n += slotSize[p.slots[i].kind]
	}
	for q := range quarters {
		if p.inner[quarters+q].kind == several {
			n += hashSize
		}
	}
	return n
}

// appendTo appends the page's bytes (package comment). No node may be outdated.
func (p *page) appendTo(b []byte) []byte {
	var kinds uint32
	for i := range p.slots {
		kinds = kinds<<2 | uint32(p.slots[i].kind)
	}
	b = append(b, layout)
	b = binary.BigEndian.AppendUint32(b, kinds)
	for i := range p.slots {
		switch s := &p.slots[i]; s.kind {
		case leaf:
			b = append(b, s.leaf.Key[:]...)
			b = append(b, s.leaf.Value[:]...)
		case several:
			b = binary.BigEndian.AppendUint64(b, s.version)
			b = append(b, s.hash[:]...)
		}
	}
	for q := range quarters {
		if n := &p.inner[quarters+q]; n.kind == several {
			b = append(b, n.hash[:]...)
		}
	}
	return b
}

// decode reads the bytes of the page at a place and computes the nodes above
// the quarters. It copies what it keeps. That the hashes are right is for load
// and check to find out.
func (p *page) decode(b []byte, at place) error {
	if len(b) < headSize || len(b) > maxPage || b[0] != layout {
		return fmt.Errorf("%w: %d bytes are no page of layout %d", ErrPage, len(b), layout)
	}
	kinds, rest := binary.BigEndian.Uint32(b[1:]), b[headSize:]
	p.clear()
	for i := range p.slots {
		s := &p.slots[i]
		s.kind = kind(kinds >> (2 * (slotCount - 1 - i)) & 3)
		if s.kind > several || len(rest) < slotSize[s.kind] {
			return fmt.Errorf("%w: slot %d of kind %d cannot be read", ErrPage, i, s.kind)
		}
		if err := s.decode(rest, at, i); err != nil {
			return err
		}
		rest = rest[slotSize[s.kind]:]
	}
	for q := range quarters {
		n := &p.inner[quarters+q]
		k, only := p.census(q*inQuarter, inQuarter)
		switch n.kind = k; {
		case k == leaf:
			p.slots[only].hash = p.slots[only].leaf.Hash()
			*n = p.slots[only].node
			p.join((only + slotCount) / 2)
		case k == several && len(rest) < hashSize:
			return fmt.Errorf("%w: quarter %d is cut off", ErrPage, q)
		case k == several:
			n.hash, p.unchecked[q] = wire.Hash(rest), true
			rest = rest[hashSize:]
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrPage, len(rest))
	}
	for n := quarters - 1; n > 0; n-- {
		p.join(n)
	}
	return nil
}

// decode reads slot i of the page at a place from the front of b, which is long
// enough for the slot's kind.
func (s *slot) decode(b []byte, at place, i int) error {
	switch s.kind {
	case leaf:
		s.leaf.Key, s.leaf.Value = wire.Hash(b), wire.Hash(b[hashSize:])
		if !at.contains(&s.leaf.Key) || nibble(&s.leaf.Key, at.depth) != i {
			return fmt.Errorf("%w: the leaf in slot %d belongs elsewhere", ErrPage, i)
		}
	case several:
		s.version, s.hash = binary.BigEndian.Uint64(b), wire.Hash(b[8:])
		if s.version > at.version || at.depth == maxNibbles-1 {
			return fmt.Errorf("%w: slot %d refers to an impossible page", ErrPage, i)
		}
	}
	return nil
}
