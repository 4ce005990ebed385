package directory

import (
	"bytes"
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
)

// entries finishes the entry blocks of the period's chains, in the order of their
// ids. Work is a block begun: its chain and state; Apart a block whose body was
// too large to keep, walked a second time for its full hash.
func (w *walk) entries() error {
	if len(w.Apart) > 0 {
		return w.entriesFull()
	}
	b := &entryBlock{walk: w}
	if err := b.resume(); err != nil {
		return err
	}
	over, err := w.scan(rowEntry, b.take)
	if err != nil {
		return err
	}
	if !over { // for want of room, or because a second pass comes first
		b.suspend()
		return nil
	}
	if b.open {
		if err := b.finish(); err != nil || b.large != nil {
			return err
		}
	}
	w.next()
	w.blocks = w.most.blocks // the pairs of this block can be scanned from the next on
	return nil
}

// entryBlock is the block of the chain in hand.
type entryBlock struct {
	*walk
	open  bool
	chain wire.Hash
	body  *factom.EntryBody
	whole []byte // the body's bytes so far, while they are all here and not too many
	all   bool   // they are
	large *factom.EntryBlockHeader
}

func (b *entryBlock) resume() (err error) {
	if len(b.Work) == 0 {
		return nil
	}
	if len(b.Work) < 32 {
		return fmt.Errorf("an unfinished entry block of %d bytes", len(b.Work))
	}
	b.open, b.chain = true, wire.Hash(b.Work[:32])
	b.body, err = factom.ParseEntryBody(b.Work[32:])
	return err
}

func (b *entryBlock) suspend() {
	b.Work = nil
	if b.open {
		b.Work = b.body.AppendBinary(bytes.Clone(b.chain[:]))
	}
}

// take adds one row, after finishing the block of the chain before.
func (b *entryBlock) take(r row) (bool, error) {
	chain := wire.Hash(r.key[:32])
	if b.open && chain != b.chain {
		if err := b.finish(); err != nil || b.large != nil {
			return false, err
		}
		if b.blocks >= b.most.blocks {
			return false, nil
		}
	}
	if !b.open {
		b.open, b.chain, b.body, b.whole, b.all = true, chain, new(factom.EntryBody), nil, true
	}
	objects, err := b.body.Append(r.value[0], wire.Hash(r.value[1:]))
	b.keep(objects)
	return true, err
}

func (b *entryBlock) keep(objects []wire.Hash) {
	if !b.all {
		return
	}
	for i := range objects {
		b.whole = append(b.whole, objects[i][:]...)
	}
	if len(b.whole) > b.most.body {
		b.whole, b.all = nil, false
	}
}

// finish closes the block in hand, if its whole body is at hand; else it
// arranges for the second pass.
func (b *entryBlock) finish() error {
	b.keep(b.body.Close())
	link, _, err := ledger.Load[link](b.aside, linkKey(b.chain))
	if err != nil {
		return err
	}
	h := &factom.EntryBlockHeader{
		ChainID: b.chain, BodyMR: b.body.Root(), PrevKeyMR: link.KeyMR, PrevFullHash: link.FullHash,
		Sequence: link.Next, Height: b.Height, Count: uint32(b.body.Count()),
	}
	b.open = false
	if b.all {
		return b.closed(h, factom.NewDigest(h.Bytes(), b.whole).Sum())
	}
	b.large, b.Work = h, nil
	b.Apart = h.Bytes()
	return nil
}

// closed records a finished entry block.
func (w *walk) closed(h *factom.EntryBlockHeader, full wire.Hash) error {
	key := h.KeyMR()
	w.blocks++
	next := link{Next: h.Sequence + 1, KeyMR: key, FullHash: full}
	if err := ledger.Save(w.aside, linkKey(h.ChainID), next); err != nil {
		return err
	}
	return w.aside.Set(append(periodKey(rowPair, w.Height), h.ChainID[:]...), key[:])
}

// entriesFull is the second pass over one large entry block.
func (w *walk) entriesFull() error {
	h, err := factom.ParseEntryBlockHeader(w.Apart)
	if err != nil {
		return err
	}
	// From, meanwhile, is the first row of this chain or where the pass stopped;
	// it ends with the chain.
	whole, again, err := w.resumeFull()
	if err != nil {
		return err
	}
	body := new(factom.EntryBody)
	if len(again) > 0 {
		if body, err = factom.ParseEntryBody(again); err != nil {
			return err
		}
	} else {
		w.From = append(periodKey(rowEntry, w.Height), h.ChainID[:]...)
	}
	write := func(objects []wire.Hash) {
		for i := range objects {
			whole.Write(objects[i][:])
		}
	}
	ended := false
	over, err := w.scan(rowEntry, func(r row) (bool, error) {
		if ended = wire.Hash(r.key[:32]) != h.ChainID; ended {
			return false, nil
		}
		objects, err := body.Append(r.value[0], wire.Hash(r.value[1:]))
		write(objects)
		return true, err
	})
	if err != nil {
		return err
	}
	if !over && !ended {
		w.saveFull(whole, body.AppendBinary(nil))
		return nil
	}
	write(body.Close())
	if over {
		w.From = after(periodKey(rowEntry, w.Height))
	}
	w.Apart, w.Work = nil, nil
	return w.closed(h, whole.Sum())
}
