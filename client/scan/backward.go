package scan

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"cloister/wire"
	"cloister/wire/factom"
)

// candidate is a chain of directory blocks that peers proposed.
type candidate struct {
	head  wire.Hash
	peers []string
	keys  []wire.Hash // KeyMR by height, the whole chain; nil if it was dropped
	fault *Finding    // why it was dropped, or where the forward stage stopped it
}

// MaxPeers bounds the peers of a scan. Every head they propose is followed: where
// heads could be left out, many false ones would push out the true one.
const MaxPeers = 32

// heads asks every peer for its head. Peers that propose the same one are one
// candidate, in the order of the peers.
func (s *scan) heads(ctx context.Context) ([]*candidate, error) {
	type proposal struct {
		head wire.Hash
		err  error
	}
	proposals := make([]proposal, len(s.fetch.peers))
	var group sync.WaitGroup
	for i, p := range s.fetch.peers {
		group.Go(func() { proposals[i].head, proposals[i].err = ask(ctx, s.fetch, p.Head) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var list []*candidate
	for i, p := range proposals {
		if p.err != nil {
			s.fetch.blame(i, false, fmt.Errorf("head: %w", p.err))
			continue
		}
		s.fetch.conduct[i].Proposed = p.head
		at := slices.IndexFunc(list, func(c *candidate) bool { return c.head == p.head })
		if at < 0 {
			at, list = len(list), append(list, &candidate{head: p.head})
		}
		list[at].peers = append(list[at].peers, s.fetch.peers[i].Name())
	}
	return list, nil
}

// backward follows a head's headers to the genesis, to what the state has
// validated, or into a candidate that did. It leaves the chain in c.keys, or the
// reason in c.fault. Errors are the context's.
func (s *scan) backward(ctx context.Context, c *candidate, others []*candidate) error {
	w := &walk{scan: s, near: map[wire.Hash]*factom.DirectoryBlockHeader{}}
	err := w.walk(ctx, c, others)
	if f, ok := err.(*Finding); ok {
		c.fault, c.keys = f, nil
		return nil
	}
	return err
}

// walk is one walk back.
type walk struct {
	*scan
	near map[wire.Hash]*factom.DirectoryBlockHeader // fetched by height, by their KeyMR
	low  uint32                                     // lowest height fetched so
}

func (w *walk) walk(ctx context.Context, c *candidate, others []*candidate) error {
	var own []wire.Hash // from the head down
	key, above := c.head, (*factom.DirectoryBlockHeader)(nil)
	for {
		h, err := w.header(ctx, key, above)
		if err != nil {
			return err
		}
		if err := w.follows(h, above); err != nil {
			return at(h.Height, err)
		}
		if known, ok := w.known(h.Height, key, others); ok {
			c.keys = join(known, own)
			return nil
		}
		if n := w.state.blocks(); h.Height < n {
			return at(h.Height, broken(Rewritten, "block %s, and %s was validated before", key, w.state.keys[h.Height]))
		}
		own = append(own, key)
		if h.Height == 0 {
			if !h.PrevKeyMR.IsZero() || !h.PrevFullHash.IsZero() || !w.network.KeyMR.IsZero() && key != w.network.KeyMR {
				return broken(NotGenesis, "its headers end in block %s, which is not the genesis block", key)
			}
			c.keys = join(nil, own)
			return nil
		}
		if h.PrevKeyMR.IsZero() {
			return at(h.Height, broken(NotGenesis, "its headers end in block %s, which has no block before it", key))
		}
		key, above = h.PrevKeyMR, h
	}
}

// join puts keys found from above onto those below.
func join(below, above []wire.Hash) []wire.Hash {
	keys := slices.Concat(below, above)
	slices.Reverse(keys[len(below):])
	return keys
}

// known finds the chain up to a block, itself included, in what is known already.
func (w *walk) known(height uint32, key wire.Hash, others []*candidate) ([]wire.Hash, bool) {
	if height < w.state.blocks() && w.state.keys[height] == key {
		return w.state.keys[:height+1], true
	}
	for _, o := range others {
		if int(height) < len(o.keys) && o.keys[height] == key {
			return o.keys[:height+1], true
		}
	}
	return nil, false
}

// follows judges a header by the one above it, nil for the head.
func (w *walk) follows(h, above *factom.DirectoryBlockHeader) error {
	switch {
	case above == nil && h.Height >= w.options.MaxBlocks:
		return broken(TooMuch, "its head has height %d, at most %d blocks are followed", h.Height, w.options.MaxBlocks)
	case above != nil && h.Height != above.Height-1:
		return broken(BadHeader, "height %d stands below height %d", h.Height, above.Height)
	case above != nil && h.Minutes > above.Minutes:
		return broken(BadHeader, "it opened in minute %d, the block above in minute %d", h.Minutes, above.Minutes)
	case above != nil && h.NetworkID != above.NetworkID, w.network.ID != 0 && h.NetworkID != w.network.ID:
		return broken(BadHeader, "it is of network %08x", h.NetworkID)
	}
	return nil
}

// header gets the header of a block. Peers give many by height at once; each is
// used only if it is the one that the block above names.
func (w *walk) header(ctx context.Context, key wire.Hash, above *factom.DirectoryBlockHeader) (*factom.DirectoryBlockHeader, error) {
	if above != nil && above.Height <= w.low && above.Height > w.state.blocks() {
		w.ahead(ctx, above.Height)
	}
	if h, ok := w.near[key]; ok {
		delete(w.near, key)
		return h, nil
	}
	h, err := fetch(ctx, w.fetch, Directory, key, keyed(headerOf, (*factom.DirectoryBlockHeader).KeyMR, key))
	if err != nil {
		if above != nil {
			return nil, at(above.Height-1, err)
		}
		return nil, err
	}
	if above == nil {
		w.low = h.Height
	}
	return h, nil
}

func headerOf(b []byte) (*factom.DirectoryBlockHeader, error) {
	return factom.ParseDirectoryBlockHeader(b[:min(len(b), factom.DirectoryBlockHeaderSize)])
}

// ahead fetches a batch of headers below a height from the peer that answers.
func (w *walk) ahead(ctx context.Context, height uint32) {
	clear(w.near)
	peer := w.fetch.peers[w.fetch.best.Load()]
	n := min(height, batch)
	w.low = height - n
	w.options.progress(Progress{Stage: "backward", Height: height})
	_ = inOrder(int(n), w.options.Workers, func(i int) (*factom.DirectoryBlockHeader, error) {
		b, err := ask(ctx, w.fetch, func(ctx context.Context) ([]byte, error) { return peer.DirectoryAt(ctx, w.low+uint32(i)) })
		if err != nil {
			return nil, nil // it is fetched by its key
		}
		h, _ := headerOf(b)
		return h, nil
	}, func(_ int, h *factom.DirectoryBlockHeader) error {
		if h != nil {
			w.near[h.KeyMR()] = h
		}
		return nil
	})
}
