package tree

import (
	"cloister/wire"
	"cloister/wire/smt"
)

// Prove answers for the key with this hash under a root: with the value's hash
// and a proof that smt.VerifyInclusion accepts, or with zero and one that
// smt.VerifyAbsence accepts. It reads one page for each four siblings and
// checks what it reads, so a proof it returns holds.
//
// Errors: ErrUnknownRoot if the root was pruned, ErrPage for a damaged store,
// and those of the Reader.
func Prove(r Reader, root Root, key wire.Hash) (smt.Proof, wire.Hash, error) {
	t := travellers.Get().(*traveller)
	t.reader = r
	defer func() {
		t.reader = nil
		travellers.Put(t)
	}()

	proof := smt.Proof{Siblings: []wire.Hash{}}
	end := rootSlot(root)
	for depth := 0; end.kind == several; depth++ {
		at := place{end.version, depth, &key}
		p := t.page(0) // one page suffices: the walk does not come back
		if err := t.load(p, at, end.hash); err != nil {
			return smt.Proof{}, wire.Hash{}, err
		}
		if err := p.check(nibble(&key, depth) / inQuarter); err != nil {
			return smt.Proof{}, wire.Hash{}, at.explain(err)
		}
		end = p.descend(&key, depth, &proof)
	}
	if end.kind == empty {
		return proof, wire.Hash{}, nil
	}
	proof.Leaf = &end.leaf
	if end.leaf.Key != key {
		return proof, wire.Hash{}, nil
	}
	return proof, end.leaf.Value, nil
}

// descend walks down the page towards a key, whose quarter was checked, and
// adds the siblings it passes. It returns the slot by which the walk leaves the
// page, or what it ends in.
func (p *page) descend(key *wire.Hash, depth int, proof *smt.Proof) slot {
	i := nibble(key, depth)
	for height := 4; height > 0; height-- {
		above := (slotCount + i) >> height // the node the walk has come to
		switch p.node(above).kind {
		case empty:
			return slot{}
		case leaf:
			_, only := p.census(above<<height-slotCount, 1<<height)
			return p.slots[only]
		}
		sibling := (slotCount+i)>>(height-1) ^ 1
		proof.Siblings = append(proof.Siblings, p.node(sibling).hash)
	}
	return p.slots[i]
}
