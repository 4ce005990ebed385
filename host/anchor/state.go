package anchor

import (
	"slices"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Bounds of the state.
const (
	trailLength      = 288  // newest blocks that can be undone
	maxCoins         = 4096 // the largest are kept
	maxVersions      = 16   // of one height
	coinbaseMaturity = 100  // blocks
	maxState         = 64 << 20

	// patience is for how many blocks a payment to the key that fell out of the
	// chain is expected back. Until then what spends it is not made anew: both
	// could be mined.
	patience = 12
)

// stateVersion is the first field of the file.
const stateVersion = 1

// state is what survives: all that the machine knows.
type state struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Network string
	Script  []byte // of the key; another key's state is not ours

	Next uint32 // height that is taken from the ledger next
	// Tip is the newest block followed and Trail the hashes up to it, oldest first.
	// Both are zero before the wallet has begun.
	Begun   bool
	Tip     Place
	Trail   []bitcoin.Hash
	Coins   []Coin   // in the order they were found
	Anchors []anchor // by height
}

// anchor is a directory block on its way.
type anchor struct {
	_        struct{} `cbor:",toarray"`
	Height   uint32
	KeyMR    wire.Hash
	Due      bool      // this host has to anchor it
	Versions []version // oldest first, but the mined one is last
	Mined    *mined    // where the last version is
	Recorded *Place    // block of the record that the ledger has
}

// version is a transaction made for an anchor.
type version struct {
	_      struct{} `cbor:",toarray"`
	Raw    []byte
	Values []uint64 // of its inputs, in satoshi
	Fee    uint64   // satoshi
	Since  uint32   // height of Bitcoin when it was made

	tx *bitcoin.Tx
}

type mined struct {
	_      struct{} `cbor:",toarray"`
	At     Place
	Offset uint32 // in the block
}

// funds is money for an input.
type funds struct {
	out   bitcoin.Outpoint
	value uint64
}

// encode is the file's content.
func (s *state) encode() []byte { return wire.Marshal(s) }

// decodeState reads it strictly. Errors carry ErrMalformed.
func decodeState(b []byte) (*state, error) {
	s := new(state)
	if err := wire.Unmarshal(b, s, maxState); err != nil {
		return nil, err
	}
	bad := func(what string) (*state, error) {
		return nil, wire.Faultf(wire.ErrMalformed, "anchor: state: %s", what)
	}
	switch {
	case s.Version != stateVersion:
		return bad("written by another version of this program")
	case len(s.Trail) > trailLength || uint64(len(s.Trail)) > uint64(s.Tip.Height)+1 || len(s.Coins) > maxCoins:
		return bad("more blocks or coins than there can be")
	case len(s.Trail) > 0 && s.Trail[len(s.Trail)-1] != s.Tip.Hash:
		return bad("the trail does not end at the tip")
	}
	for i := range s.Anchors {
		a := &s.Anchors[i]
		switch {
		case a.Height >= s.Next || (i > 0 && a.Height <= s.Anchors[i-1].Height):
			return bad("heights out of order")
		case len(a.Versions) > maxVersions || (a.Mined != nil && len(a.Versions) == 0):
			return bad("a height with more or fewer transactions than there can be")
		}
		for j := range a.Versions {
			v := &a.Versions[j]
			tx, err := bitcoin.ParseTx(v.Raw)
			if err != nil {
				return nil, err
			}
			if len(v.Values) != len(tx.Inputs) {
				return bad("a transaction with more or fewer inputs than there can be")
			}
			v.tx = tx
		}
	}
	return s, nil
}

// find returns the anchor of a height, nil if it is not on its way.
func (s *state) find(height uint32) *anchor {
	i, ok := slices.BinarySearchFunc(s.Anchors, height, func(a anchor, h uint32) int {
		return int(int64(a.Height) - int64(h))
	})
	if !ok {
		return nil
	}
	return &s.Anchors[i]
}

// last is the version that is mined, or was made last.
func (a *anchor) last() *version { return &a.Versions[len(a.Versions)-1] }

// settled reports whether nothing is left to do for a height but to forget it.
func (s *state) settled(a *anchor, depth uint32) bool {
	if a.Recorded == nil || s.depth(a.Recorded.Height) < depth {
		return false
	}
	return len(a.Versions) == 0 || (a.Mined != nil && s.depth(a.Mined.At.Height) >= depth)
}

// depth counts the followed blocks from a height on, its own among them.
func (s *state) depth(height uint32) uint32 {
	if height > s.Tip.Height {
		return 0
	}
	return s.Tip.Height - height + 1
}

// onTrail returns the followed block of a height; ok is false if it is too old or
// too new to be known.
func (s *state) onTrail(height uint32) (hash bitcoin.Hash, ok bool) {
	d := s.depth(height)
	if d == 0 || uint64(d) > uint64(len(s.Trail)) {
		return hash, false
	}
	return s.Trail[uint32(len(s.Trail))-d], true
}
