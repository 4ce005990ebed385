package tree

import (
	"errors"
	"fmt"
	"sync"

	"cloister/wire"
	"cloister/wire/smt"
)

var (
	// ErrUnknownRoot means there is no page for the root itself: it was pruned,
	// or never existed.
	ErrUnknownRoot = errors.New("state root is not kept")
	// ErrPage means a page below an existing root is missing, malformed, or
	// does not hash to what refers to it: the store is damaged. Start again
	// from a snapshot; nothing was changed.
	ErrPage = errors.New("state tree page missing or damaged")
	// ErrMisuse means a caller broke a rule of Update.
	ErrMisuse = errors.New("state tree misused")
)

// Reader reads stored pages. Get returns nil without error for a key that does
// not exist. It must not keep key, and what it returns must stay unchanged until
// the next call. Its answers are checked, not believed.
type Reader interface {
	Get(key []byte) ([]byte, error)
}

// Root names one state of the tree. The zero Root is the tree before the first
// Update. Hash goes into headers; Version, which finds the root page and is a
// node's own affair, does not.
type Root struct {
	_       struct{}  `cbor:",toarray"`
	Version uint64    // of the Update that made this state
	Hash    wire.Hash // smt.Empty if the tree is empty
}

// Change sets the value of a key, or deletes the key if Value is zero.
type Change struct {
	Key   wire.Hash // smt.KeyHash of the application key
	Value wire.Hash // smt.ValueHash of the stored bytes, or zero
}

// KV is one page to be stored.
type KV struct {
	Key, Value []byte
}

// traveller reads pages for one call of Update or Prove. It has one page of
// memory for each depth, reused from call to call.
type traveller struct {
	reader Reader
	pages  [maxNibbles]*page
	key    [maxKey]byte
}

var travellers = sync.Pool{New: func() any { return new(traveller) }}

// page is the memory for a page at this depth.
func (t *traveller) page(depth int) *page {
	if t.pages[depth] == nil {
		t.pages[depth] = new(page)
	}
	return t.pages[depth]
}

// load reads the page a reference leads to and checks that its quarters hash
// to what the reference says.
func (t *traveller) load(p *page, at place, hash wire.Hash) error {
	b, err := t.reader.Get(at.appendKey(t.key[:0]))
	switch {
	case err != nil:
		return fmt.Errorf("state tree: reading a page of version %d: %w", at.version, err)
	case b == nil && at.depth == 0:
		return fmt.Errorf("%w: version %d, %s", ErrUnknownRoot, at.version, hash)
	case b == nil:
		return at.explain(fmt.Errorf("%w: not there", ErrPage))
	}
	if err := p.decode(b, at); err != nil {
		return at.explain(err)
	}
	top := &p.inner[1]
	if top.hash != hash {
		return at.explain(fmt.Errorf("%w: hash is %s instead of %s", ErrPage, top.hash, hash))
	}
	if top.kind == empty || top.kind == leaf && at.depth > 0 {
		return at.explain(fmt.Errorf("%w: it has no reason to exist", ErrPage))
	}
	return nil
}

// explain says of an error about a page which page it is about.
func (at place) explain(err error) error {
	return fmt.Errorf("version %d, path %x of %d nibbles: %w",
		at.version, at.appendKey(nil)[9:], at.depth, err)
}

// rootSlot views a root as the reference to its page.
func rootSlot(r Root) slot {
	if r.Hash == smt.Empty {
		return slot{}
	}
	return slot{node: node{several, r.Hash}, version: r.Version}
}
