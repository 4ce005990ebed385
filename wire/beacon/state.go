package beacon

import (
	"fmt"
	"sort"

	"cloister/wire"
)

// Kept is how many of the newest values state holds.
const Kept = 256

// Round is the round in hand, stored under RoundKey.
type Round struct {
	_          struct{} `cbor:",toarray"`
	Number     uint64
	Last       wire.Hash // value of the round before
	OpensMs    uint64    // block time from which proofs are taken
	IntervalMs uint64
	Outputs    []Output // in the order they came
}

// Value is what a round gave, stored under ValueKey.
type Value struct {
	_      struct{} `cbor:",toarray"`
	Round  uint64
	R      wire.Hash
	Height uint64 // of the block that made it known
	TimeMs uint64 // of that block
}

// RoundKey is the state key of Round.
var RoundKey = []byte("r")

// ValueKey is the state key of a round's value, and of every Kept-th round's
// before and after it.
func ValueKey(round uint64) []byte { return []byte{'v', byte(round % Kept)} }

// Reader returns the value of a key of the family's state, nil if there is none.
type Reader func(key []byte) ([]byte, error)

func read[T any](get Reader, key []byte, limit int) (v *T, err error) {
	b, err := get(key)
	if err != nil || b == nil {
		return nil, err
	}
	v = new(T)
	if err := wire.Unmarshal(b, v, limit); err != nil {
		return nil, fmt.Errorf("state of the beacon under %q: %w", key, err)
	}
	return v, nil
}

// Current returns the round in hand, nil if the chain has no beacon.
func Current(get Reader) (*Round, error) {
	return read[Round](get, RoundKey, 128+wire.MaxGenesisMembers*(BetaSize+48))
}

// At returns the value of a round, nil if it is not one of the last Kept.
func At(get Reader, round uint64) (*Value, error) {
	v, err := read[Value](get, ValueKey(round), 128)
	if err != nil || v == nil || v.Round != round {
		return nil, err
	}
	return v, nil
}

// Newest returns the newest value, nil before the first.
func Newest(get Reader) (*Value, error) {
	r, err := Current(get)
	if err != nil || r == nil {
		return nil, err
	}
	return At(get, r.Number-1)
}

// FinalAt returns the newest value that was known after the block of a height,
// nil if there was none or it is not kept any more.
func FinalAt(get Reader, height uint64) (*Value, error) {
	r, err := Current(get)
	if err != nil || r == nil {
		return nil, err
	}
	oldest := uint64(1)
	if r.Number > Kept {
		oldest = r.Number - Kept
	}
	// The first kept round that came after the height; the one before it is it.
	var failed error
	n := sort.Search(int(r.Number-oldest), func(i int) bool {
		v, err := At(get, oldest+uint64(i))
		if err != nil || v == nil {
			failed = err
			return true
		}
		return v.Height > height
	})
	if failed != nil || n == 0 {
		return nil, failed
	}
	return At(get, oldest+uint64(n)-1)
}

// Duty is a proof that a voter owes.
type Duty struct {
	Round uint64
	Alpha wire.Hash // to be proved with the registered VRF key
}

// Due says whether a voter should prove the round in hand, in a block of this
// time; nil if not. Only voters in good standing with a registered VRF key are
// asked, which the caller knows (wire/node.MayVote).
func Due(get Reader, chain wire.Hash, voter wire.NodeID, timeMs uint64) (*Duty, error) {
	r, err := Current(get)
	if err != nil || r == nil || timeMs < r.OpensMs || r.Has(voter) {
		return nil, err
	}
	return &Duty{Round: r.Number, Alpha: Alpha(chain, r.Number, r.Last)}, nil
}

// Has reports whether a node's proof is in.
func (r *Round) Has(id wire.NodeID) bool {
	for i := range r.Outputs {
		if r.Outputs[i].Node == id {
			return true
		}
	}
	return false
}
