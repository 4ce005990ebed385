package scan

import (
	"context"

	"cloister/wire"
	"cloister/wire/factom"
)

// set is the blocks of a height that say who the servers are and what they signed.
type set struct {
	directory *factom.DirectoryBlock
	admin     *factom.AdminBlock
}

// branch is the forward stage over one chain, from a state on.
type branch struct {
	*scan
	keys   []wire.Hash // the whole chain
	state  *State
	signed int64          // height up to which majorities signed
	near   map[uint32]set // of heights at and above the one in hand, checked by key
	notes  notes
	seen   *anchors // what Bitcoin says of it
}

// forward judges block after block up to a height, excluded. It returns the fault
// it stopped at, if any; a block whose signatures are still to come is none. Errors
// are the context's.
func (b *branch) forward(ctx context.Context, end uint32) (*Finding, error) {
	for h := b.state.blocks(); h < end; h++ {
		settled, err := b.height(ctx, h)
		if err != nil {
			b.state.rollback()
			if f, ok := at(h, err).(*Finding); ok {
				return f, nil
			}
			return nil, err
		}
		if !settled {
			return nil, nil
		}
		b.options.progress(Progress{Stage: "forward", Height: h, Blocks: uint32(len(b.keys))})
		if err := b.save(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// height judges one block; it is settled unless its signatures are still to come.
func (b *branch) height(ctx context.Context, h uint32) (settled bool, err error) {
	blocks, err := b.set(ctx, h)
	if err != nil {
		return false, err
	}
	t, err := b.linked(h, blocks)
	if err != nil {
		return false, err
	}
	a := b.state.authority.clone()
	due := a.payout(h, b.network.Coinbase)
	// A copy: a block that is not settled is judged again, with what is to note.
	found := notes{append([]Finding{}, b.notes.list...)}
	if err := a.apply(h, blocks.admin, b.network, &found); err != nil {
		return false, err
	}
	if h == 0 && b.network.KeyMR.IsZero() && !sameServers(a, newAuthority(b.network)) {
		return false, broken(NotGenesis, "its servers are not those of the genesis")
	}
	// Before anything large is fetched: making up blocks is cheap where nobody has
	// to sign them.
	if settled, err = b.majority(ctx, h, a, &found); err == nil && settled {
		b.signed = int64(h)
		if b.state.bodies {
			err = b.bodies(ctx, h, blocks, due, &t, &found)
		}
	}
	if err != nil || settled {
		b.notes = found
	}
	if err != nil || !settled {
		return false, err
	}
	b.state.commit(b.keys[h], t, a)
	delete(b.near, h)
	return true, nil
}

// set gets the directory and admin block of a height.
func (b *branch) set(ctx context.Context, h uint32) (set, error) {
	if s, ok := b.near[h]; ok {
		return s, nil
	}
	d, err := b.fetch.directory(ctx, b.keys[h])
	if err != nil {
		return set{}, err
	}
	a, err := b.fetch.admin(ctx, d.Body[0].Key)
	if err != nil {
		return set{}, err
	}
	b.near[h] = set{d, a}
	return set{d, a}, nil
}

// linked holds directory and admin block against the ones before, and returns the
// tail with what they give.
func (b *branch) linked(h uint32, s set) (tail, error) {
	before, d := b.state.tail, &s.directory.Header
	previous := wire.Hash{}
	if h > 0 {
		previous = b.keys[h-1]
	}
	switch {
	case d.Height != h || s.admin.Header.Height != h:
		return tail{}, broken(WrongPlace, "its directory block says height %d, its admin block %d", d.Height, s.admin.Header.Height)
	case d.PrevKeyMR != previous || d.PrevFullHash != before.DirectoryFull:
		return tail{}, broken(BrokenLink, "its directory block does not name the block before by both hashes")
	case s.admin.Header.PrevBackRefHash != before.AdminRef:
		return tail{}, broken(BrokenLink, "its admin block does not name the one before")
	case d.Minutes < before.Minutes || h > 0 && d.NetworkID != before.NetworkID || b.network.ID != 0 && d.NetworkID != b.network.ID:
		return tail{}, broken(BadHeader, "it opened in minute %d on network %08x", d.Minutes, d.NetworkID)
	}
	t := before
	t.Header, t.Minutes, t.NetworkID = d.Bytes(), d.Minutes, d.NetworkID
	t.DirectoryFull, t.AdminRef = s.directory.FullHash(), s.admin.BackRefHash()
	return t, nil
}

func sameServers(a, b *authority) bool {
	x, y := a.federated(), b.federated()
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}
