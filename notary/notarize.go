package notary

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
)

// How much is under way at a time: so many batches of so many entries. A batch
// leaves with what there is as soon as it may, so that nothing waits for a batch
// to be full.
const (
	MaxBatch = 256
	Flights  = 4
)

// Options of Notarize and Verify.
type Options struct {
	// Progress is told of each path that is done, from one goroutine at a time.
	// May be nil.
	Progress func(Step)
	// Now gives Unix milliseconds; nil means the clock.
	Now func() uint64
	// Journal makes an interrupted run of Notarize one that can be resumed
	// without paying twice. May be nil.
	Journal *Journal
}

// Step is one path that is done.
type Step struct {
	Path  string
	Bytes uint64
}

// Problem is a path that was left out, and why.
type Problem struct {
	Path string
	Err  error
}

// Summary says what Notarize did.
type Summary struct {
	Chain     wire.Hash
	Created   bool // the chain is new
	Files     int  // files and links in the tree
	Bytes     uint64
	Recorded  int    // new entries, all final
	Resumed   int    // entries that an interrupted run had sent, and that are final now
	Unchanged int    // the newest record already matches
	First     uint64 // lowest and highest height of the new entries
	Last      uint64
	Skipped   []Problem // sockets, pipes and devices
	Failed    []Problem // could not be read or recorded
}

// ChainName gives the external ids of the chain that a name stands for.
func ChainName(name string) [][]byte { return [][]byte{[]byte(name)} }

// Notarize records every file under root that the newest record of the chain,
// signed by key, does not already match. The chain is created when there is
// none; name must then be what its id is made of (ChainName).
//
// An error means that the whole run could not go on (the ledger is gone, the
// root cannot be read); what was recorded until then stays, and running again
// with the same journal goes on from there, also after the process was killed. Problems of single files are in the summary.
func Notarize(ctx context.Context, l Ledger, chain wire.Hash, name [][]byte, key wire.PrivateKey, root string, opt Options) (*Summary, error) {
	s := &Summary{Chain: chain}
	history, err := ReadHistory(ctx, l, chain, wire.AccountOf(key.Public()))
	if errors.Is(err, wire.ErrUnknownChain) {
		history, err = newHistory(), s.create(ctx, l, chain, name)
	}
	if err != nil {
		return s, err
	}
	out := newSubmitter(ctx, l, s, opt)
	if err := out.resume(history, key.Public()); err != nil {
		return s, errors.Join(err, out.wait())
	}
	now := opt.now()
	err = scan(out.ctx, root, func(f found) error {
		switch {
		case f.special != 0:
			s.Skipped = append(s.Skipped, Problem{f.path, fmt.Errorf("not a file: %s", kindOf(f.special))})
			return nil
		case f.err != nil:
			out.fail(f.path, f.err)
			return nil
		}
		s.Files++
		s.Bytes += f.print.Size
		old, known := history.Newest[f.path]
		if known && old.Fingerprint == f.print {
			s.Unchanged++
			out.progress(f)
			return nil
		}
		r := Record{Path: f.path, Fingerprint: f.print, AtMs: max(now(), old.AtMs+1)}
		entry, err := r.Entry(chain, key)
		if err != nil {
			out.fail(f.path, err)
			return nil
		}
		tx, err := l.Prepare(out.ctx, entry, out.after)
		if err != nil {
			return fmt.Errorf("record %q: %w", f.path, err)
		}
		return out.submit(&writing{found: f, record: r, entry: factom.EntryHash(entry), tx: tx})
	})
	if waitErr := out.wait(); waitErr != nil {
		err = waitErr
	}
	if err == nil {
		err = s.confirm(ctx, l, out.written)
	}
	if err == nil {
		err = opt.Journal.done()
	}
	for _, list := range [][]Problem{s.Skipped, s.Failed} {
		sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	}
	return s, err
}

func (s *Summary) create(ctx context.Context, l Ledger, chain wire.Hash, name [][]byte) error {
	if factom.ChainID(name) != chain {
		return wire.Faultf(wire.ErrUnknownChain, "chain %s does not exist", chain)
	}
	first, err := (&factom.Entry{ChainID: chain, ExtIDs: name}).Marshal()
	if err != nil {
		return err
	}
	// Whoever creates it first does; both go on to add to the same chain.
	_, err = l.Create(ctx, first)
	s.Created = err == nil
	if errors.Is(err, wire.ErrChainExists) {
		return nil
	}
	return err
}

// confirm checks that a verified state of the chain holds every new entry: until
// then it is only the word of a host.
func (s *Summary) confirm(ctx context.Context, l Ledger, written []wire.Hash) error {
	if len(written) == 0 {
		return nil
	}
	list, err := l.Hashes(ctx, s.Chain)
	if err != nil {
		return fmt.Errorf("confirm what was recorded: %w", err)
	}
	there := make(map[wire.Hash]bool, len(list))
	for _, h := range list {
		there[h] = true
	}
	for _, h := range written {
		if !there[h] {
			return wire.Faultf(wire.ErrProof, "a host said that entry %s is recorded, and the chain does not hold it", h)
		}
	}
	return nil
}

func (o Options) now() func() uint64 {
	if o.Now != nil {
		return o.Now
	}
	return func() uint64 { return uint64(time.Now().UnixMilli()) }
}
