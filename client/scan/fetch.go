package scan

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
)

// Conduct is how a peer behaved.
type Conduct struct {
	Peer     string    `json:"peer"`
	Proposed wire.Hash `json:"proposed"`       // zero: no head
	Failed   uint64    `json:"failed"`         // requests without an answer
	Lied     uint64    `json:"lied"`           // answers that do not hash to what was asked for
	Last     string    `json:"last,omitempty"` // the last of either
}

// fetcher asks peers in turn until one gives what was asked for.
type fetcher struct {
	peers   []Peer
	timeout time.Duration // of one request
	best    atomic.Int32  // who is asked first: the one that answered last

	mu      sync.Mutex
	conduct []Conduct // of each peer
}

func newFetcher(peers []Peer, timeout time.Duration) *fetcher {
	f := &fetcher{peers: peers, timeout: timeout, conduct: make([]Conduct, len(peers))}
	for i, p := range peers {
		f.conduct[i].Peer = p.Name()
	}
	return f
}

// maxBlame bounds what is kept of an error's text.
const maxBlame = 200

func (f *fetcher) blame(peer int, lied bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.conduct[peer]
	if lied {
		c.Lied++
	} else {
		c.Failed++
	}
	c.Last = strings.ToValidUTF8(err.Error(), "?")
	if len(c.Last) > maxBlame {
		c.Last = strings.ToValidUTF8(c.Last[:maxBlame], "") + "…"
	}
}

// report is the conduct of all so far.
func (f *fetcher) report() []Conduct {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Conduct{}, f.conduct...)
}

// ask bounds one request in time, so that a peer that holds it costs no more.
func ask[T any](ctx context.Context, f *fetcher, request func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return request(bounded)
}

// fetch gets an object that read accepts: its parser, which also holds the result
// against the key. Errors are the context's, or a fault Missing.
func fetch[T any](ctx context.Context, f *fetcher, kind Kind, key wire.Hash, read func([]byte) (T, error)) (T, error) {
	var none T
	first, why := int(f.best.Load()), error(nil)
	for i := range f.peers {
		peer := (first + i) % len(f.peers)
		b, err := ask(ctx, f, func(ctx context.Context) ([]byte, error) { return f.peers[peer].Object(ctx, kind, key) })
		if ctx.Err() != nil {
			return none, context.Cause(ctx)
		}
		lied := false
		if err == nil {
			var object T
			if object, err = read(b); err == nil {
				f.best.Store(int32(peer))
				return object, nil
			}
			lied = true
		}
		f.blame(peer, lied, fmt.Errorf("%s %s: %w", kind, key, err))
		if why == nil || lied {
			why = err
		}
	}
	return none, broken(Missing, "no peer gives %s %s: %v", kind, key, why)
}

// keyed makes a reader of a parser: what is parsed must have the key.
func keyed[T any](parse func([]byte) (T, error), keyOf func(T) wire.Hash, key wire.Hash) func([]byte) (T, error) {
	return func(b []byte) (T, error) {
		x, err := parse(b)
		if err == nil && keyOf(x) != key {
			err = fmt.Errorf("the answer has key %s", keyOf(x))
		}
		return x, err
	}
}

func (f *fetcher) directory(ctx context.Context, key wire.Hash) (*factom.DirectoryBlock, error) {
	return fetch(ctx, f, Directory, key, keyed(factom.ParseDirectoryBlock, (*factom.DirectoryBlock).KeyMR, key))
}

func (f *fetcher) admin(ctx context.Context, key wire.Hash) (*factom.AdminBlock, error) {
	return fetch(ctx, f, Admin, key, keyed(factom.ParseAdminBlock, (*factom.AdminBlock).LookupHash, key))
}

func (f *fetcher) credits(ctx context.Context, key wire.Hash) (*factom.ECBlock, error) {
	return fetch(ctx, f, EntryCredits, key, keyed(factom.ParseECBlock, (*factom.ECBlock).HeaderHash, key))
}

func (f *fetcher) factoids(ctx context.Context, key wire.Hash) (*factom.FactoidBlock, error) {
	return fetch(ctx, f, Factoids, key, keyed(factom.ParseFactoidBlock, (*factom.FactoidBlock).KeyMR, key))
}

func (f *fetcher) entryBlock(ctx context.Context, key wire.Hash) (*factom.EntryBlock, error) {
	return fetch(ctx, f, EntryBlock, key, keyed(factom.ParseEntryBlock, (*factom.EntryBlock).KeyMR, key))
}

// entry gets an entry's bytes. Whether they are well formed is a rule for the
// caller: the hash binds them all.
func (f *fetcher) entry(ctx context.Context, hash wire.Hash) ([]byte, error) {
	return fetch(ctx, f, Entry, hash, func(b []byte) ([]byte, error) {
		switch {
		case len(b) > factom.MaxEntry:
			return nil, fmt.Errorf("the answer has %d bytes", len(b))
		case factom.EntryHash(b) != hash:
			return nil, fmt.Errorf("the answer has hash %s", factom.EntryHash(b))
		}
		return b, nil
	})
}

// batch is how many objects are under way or waiting to be used at once.
const batch = 64

// inOrder gets n objects with a number of workers and uses them in order. It
// returns the first error by that order; every worker has ended by then.
func inOrder[T any](n, workers int, get func(i int) (T, error), use func(i int, object T) error) error {
	for start := 0; start < n; start += batch {
		size := min(batch, n-start)
		got, failed := make([]T, size), make([]error, size)
		var next atomic.Int32
		var group sync.WaitGroup
		for range min(workers, size) {
			group.Go(func() {
				for i := int(next.Add(1)) - 1; i < size; i = int(next.Add(1)) - 1 {
					got[i], failed[i] = get(start + i)
				}
			})
		}
		group.Wait()
		for i := range size {
			if failed[i] != nil {
				return failed[i]
			}
			if err := use(start+i, got[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
