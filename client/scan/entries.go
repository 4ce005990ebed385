package scan

import (
	"context"
	"slices"

	"cloister/wire"
	"cloister/wire/factom"
)

// entries judges the entry blocks of a height: each follows its chain's last one,
// and each entry uses up a commit that covers it.
func (b *branch) entries(ctx context.Context, h uint32, pairs []factom.Pair, openedMs uint64) error {
	const few = 8 // entry blocks may be large
	for part := range slices.Chunk(pairs, few) {
		err := inOrder(len(part), b.options.Workers, func(i int) (*factom.EntryBlock, error) {
			return b.fetch.entryBlock(ctx, part[i].Key)
		}, func(i int, e *factom.EntryBlock) error {
			return b.entryBlock(ctx, h, part[i].ChainID, e, openedMs)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *branch) entryBlock(ctx context.Context, h uint32, chain wire.Hash, e *factom.EntryBlock, openedMs uint64) error {
	last, exists := b.state.chains.get(chain)
	next := link{KeyMR: e.KeyMR(), FullHash: e.FullHash(), Sequence: e.Header.Sequence}
	switch {
	case e.Header.ChainID != chain || e.Header.Height != h:
		return broken(WrongPlace, "the entry block at chain %s says chain %s and height %d", chain, e.Header.ChainID, e.Header.Height)
	case exists && (e.Header.PrevKeyMR != last.KeyMR || e.Header.PrevFullHash != last.FullHash || e.Header.Sequence != last.Sequence+1),
		!exists && e.Header.Sequence != 0:
		return broken(BrokenLink, "the entry block of chain %s, number %d of it, does not follow the one before", chain, e.Header.Sequence)
	}
	b.state.chains.set(chain, next)
	list := e.Entries()
	return inOrder(len(list), b.options.Workers, func(i int) ([]byte, error) {
		return b.fetch.entry(ctx, list[i].Hash)
	}, func(i int, entry []byte) error {
		return b.entry(chain, list[i].Hash, entry, !exists && i == 0, openedMs)
	})
}

// entry judges one entry, the first of its chain or a further one.
func (b *branch) entry(chain, hash wire.Hash, entry []byte, first bool, openedMs uint64) error {
	parsed, err := factom.ParseEntry(entry)
	switch {
	case err != nil:
		return broken(NotPaid, "entry %s is none: %v", hash, err)
	case parsed.ChainID != chain:
		return broken(WrongChain, "entry %s is of chain %s and stands in chain %s", hash, parsed.ChainID, chain)
	case first && parsed.ChainID != factom.ChainID(parsed.ExtIDs):
		return broken(ForgedChain, "chain %s is not what its first entry's external ids hash to", chain)
	}
	waiting, _ := b.state.unused.get(hash)
	why := error(nil)
	for i, c := range waiting {
		if c.Chain != first || !c.usable(openedMs, b.network.periodMs()) {
			continue
		}
		paid := factom.Commit{EntryHash: hash, Credits: c.Credits, Chain: c.Chain, ChainIDHash: c.ChainIDHash, Weld: c.Weld}
		if why = paid.Covers(entry); why == nil {
			// The oldest that covers it: the others last longer.
			b.use(hash, waiting, i)
			return nil
		}
	}
	switch {
	case why != nil && (wire.CodeOf(why) == wire.ErrVoidReveal || wire.CodeOf(why) == wire.ErrWrongChainID):
		return broken(ForgedChain, "entry %s: %v", hash, why)
	case why != nil:
		return broken(NotPaid, "entry %s: %v", hash, why)
	case first:
		return broken(NotPaid, "no unused chain commit of the last 24 hours pays for chain %s and its first entry %s", chain, hash)
	}
	return broken(NotPaid, "no unused commit of the last 24 hours pays for entry %s", hash)
}

func (b *branch) use(hash wire.Hash, waiting []commit, i int) {
	switch {
	case len(waiting) == 1:
		b.state.unused.delete(hash)
	case i == 0:
		b.state.unused.set(hash, waiting[1:])
	default:
		b.state.unused.set(hash, slices.Delete(slices.Clone(waiting), i, i+1))
	}
}
