package directory

import (
	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

// entries builds the entry blocks, one chain at a time, and with them the
// directory block, which names them in the same order.
func (p *period) entries() error {
	d := p.decided
	l := &list{period: p, out: p.tree(wirefactom.DirectoryChain, pairSize)}
	for _, pair := range []wirefactom.Pair{
		{ChainID: wirefactom.AdminChain, Key: d.Admin},
		{ChainID: wirefactom.EntryCreditChain, Key: d.Credit},
		{ChainID: wirefactom.FactoidChain, Key: d.Factoid},
	} {
		if err := l.add(pair); err != nil {
			return err
		}
	}
	var b *entryBlock
	err := p.walk(datedMember, func(key, value []byte) error {
		chain := wire.Hash(key[1+4:])
		m, err := decodeMember(value)
		if err != nil {
			return err
		}
		if b != nil && b.chain != chain {
			if err := b.end(l); err != nil {
				return err
			}
			b = nil
		}
		if b == nil {
			b = &entryBlock{body: p.tree(chain, hashSize)}
		}
		objects, err := b.state.Append(p.minute(m.timeMs), m.entry)
		if err != nil {
			return corrupt("chain %s: %v", chain, err)
		}
		return b.add(objects)
	})
	if err == nil && b != nil {
		err = b.end(l)
	}
	if err != nil {
		return err
	}
	return l.end()
}

// entryBlock is the block of the chain in hand.
type entryBlock struct {
	*body
	state wirefactom.EntryBody
}

func (b *entryBlock) add(objects []wire.Hash) error {
	for i := range objects {
		if err := b.write(objects[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// end closes the block, links it to the chain's newest one and lists it.
func (b *entryBlock) end(l *list) error {
	if err := b.add(b.state.Close()); err != nil {
		return err
	}
	h, err := b.newHead(l.x.store)
	if err != nil {
		return err
	}
	header := wirefactom.EntryBlockHeader{
		ChainID: b.chain, BodyMR: b.state.Root(), PrevKeyMR: h.prevKey, PrevFullHash: h.prevFull,
		Sequence: h.sequence, Height: b.period, Count: uint32(b.state.Count()),
	}
	h.key = header.KeyMR()
	if h.full, err = b.fullHash(header.Bytes()); err != nil {
		return err
	}
	if err := b.body.end(factom.EntryBlock, h.key, header.Bytes()); err != nil {
		return err
	}
	if err := b.out.set(hashKey(tableHead, b.chain), h.append(nil)); err != nil {
		return err
	}
	if err := b.out.set(linkKey(b.chain, b.period), h.key[:]); err != nil {
		return err
	}
	return l.add(wirefactom.Pair{ChainID: b.chain, Key: h.key})
}

// newHead follows the chain's head, but for one that an earlier try wrote for
// this period: then its predecessors are the right ones.
func (b *entryBlock) newHead(s *store) (head, error) {
	old, found, err := row(s, hashKey(tableHead, b.chain), decodeHead)
	switch {
	case err != nil:
		return old, err
	case !found:
		return head{period: b.period}, nil
	case old.period == b.period:
		return head{period: b.period, sequence: old.sequence, prevKey: old.prevKey, prevFull: old.prevFull}, nil
	case old.period > b.period:
		return old, corrupt("chain %s has a block in period %d already", b.chain, old.period)
	}
	return head{period: b.period, sequence: old.sequence + 1, prevKey: old.key, prevFull: old.full}, nil
}

// list is the directory block.
type list struct {
	*period
	out   *body
	state wirefactom.DirectoryBody
}

func (l *list) add(pair wirefactom.Pair) error {
	if err := l.state.Append(pair); err != nil {
		return corrupt("%v", err)
	}
	return l.out.write(pair.Bytes())
}

func (l *list) end() error {
	h := wirefactom.DirectoryBlockHeader{
		NetworkID: l.x.network, BodyMR: l.state.Root(), PrevKeyMR: l.before.Directory.KeyMR, PrevFullHash: l.before.Directory.FullHash,
		Minutes: uint32(l.decided.OpenedMs / 60_000), Height: l.height(), Count: uint32(l.state.Count()),
	}
	if err := l.is("directory", h.KeyMR(), l.decided.KeyMR); err != nil {
		return err
	}
	full, err := l.out.fullHash(h.Bytes())
	if err != nil {
		return err
	}
	if full != l.decided.FullHash {
		return corrupt("the directory block has full hash %s, in the ledger's state it is %s", full, l.decided.FullHash)
	}
	return l.out.end(factom.DirectoryBlock, l.decided.KeyMR, h.Bytes())
}
