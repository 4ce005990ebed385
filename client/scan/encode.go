package scan

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"cloister/wire"
)

// MaxState bounds an encoded State in bytes.
const MaxState = 1 << 30

// stateVersion is that of the encoding. It changes with what the fields mean.
const stateVersion = 1

// chunk is how many rows stand in one array: decoders bound arrays.
const chunk = 32_768

// stored is a State in writing. Rows are sorted by their keys.
type stored struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16
	Bodies    bool
	Keys      []byte // 32 bytes per height
	Tail      tail
	Authority authority
	Chains    [][]chainRow
	Factoids  [][]amountRow
	Credits   [][]amountRow
	Unused    [][]unusedRow
	Seen      [][]amountRow
	Anchored  []byte
	Bitcoin   uint32
}

type chainRow struct {
	_    struct{} `cbor:",toarray"`
	Key  wire.Hash
	Link link
}

type amountRow struct {
	_      struct{} `cbor:",toarray"`
	Key    wire.Hash
	Amount uint64
}

// unusedRow is one commit: an entry may have more of them than an array holds.
type unusedRow struct {
	_      struct{} `cbor:",toarray"`
	Key    wire.Hash
	Commit commit
}

// Bytes encodes the state, at most MaxState bytes of it if it is to be read again.
func (s *State) Bytes() []byte {
	x := stored{
		Version: stateVersion, Bodies: s.bodies, Tail: s.tail, Authority: *s.authority,
		Chains:   chunks(s.chains.rows, func(k wire.Hash, v link) chainRow { return chainRow{Key: k, Link: v} }),
		Factoids: chunks(s.factoids.rows, func(k wire.Hash, v uint64) amountRow { return amountRow{Key: k, Amount: v} }),
		Credits:  chunks(s.credits.rows, func(k wire.PublicKey, v uint64) amountRow { return amountRow{Key: wire.Hash(k), Amount: v} }),
		Unused:   unusedChunks(s.unused.rows),
		Seen:     chunks(s.seen.rows, func(k wire.Hash, v uint64) amountRow { return amountRow{Key: k, Amount: v} }),
		Anchored: s.anchored, Bitcoin: s.bitcoin,
	}
	x.Keys = make([]byte, 0, 32*len(s.keys))
	for i := range s.keys {
		x.Keys = append(x.Keys, s.keys[i][:]...)
	}
	return wire.Marshal(x)
}

// chunks writes a table down in the order of its keys.
func chunks[K ~[32]byte, V, R any](rows map[K]V, row func(K, V) R) [][]R {
	list := make([]R, 0, len(rows))
	for _, k := range inOrderOfKeys(rows) {
		list = append(list, row(k, rows[k]))
	}
	return chunked(list)
}

func unusedChunks(rows map[wire.Hash][]commit) [][]unusedRow {
	var list []unusedRow
	for _, k := range inOrderOfKeys(rows) {
		for _, c := range rows[k] {
			list = append(list, unusedRow{Key: k, Commit: c})
		}
	}
	return chunked(list)
}

func inOrderOfKeys[K ~[32]byte, V any](rows map[K]V) []K {
	return slices.SortedFunc(maps.Keys(rows), compareKeys)
}

func compareKeys[K ~[32]byte](a, b K) int {
	x, y := [32]byte(a), [32]byte(b)
	return bytes.Compare(x[:], y[:])
}

func chunked[R any](list []R) [][]R {
	parts := [][]R{}
	for part := range slices.Chunk(list, chunk) {
		parts = append(parts, part)
	}
	return parts
}

// DecodeState reads what Bytes wrote, strictly: bytes have one meaning and a state
// one form. A state is the user's own file; that its contents are what a scan
// found is not checked again. Errors carry ErrMalformed.
func DecodeState(b []byte) (*State, error) {
	bad := func(what string) (*State, error) {
		return nil, wire.Faultf(wire.ErrMalformed, "state of a scan: %s", what)
	}
	x := new(stored)
	if err := wire.Unmarshal(b, x, MaxState); err != nil {
		return bad(err.Error())
	}
	n := len(x.Keys) / 32
	switch {
	case x.Version != stateVersion:
		return bad("written by another version of this program: scan from the beginning")
	case len(x.Keys)%32 != 0:
		return bad("keys are cut short")
	case len(x.Anchored) > (n+7)/8 || len(x.Anchored) > 0 && x.Anchored[len(x.Anchored)-1] == 0:
		return bad("anchors of blocks that are not there")
	case len(x.Anchored) == (n+7)/8 && n%8 != 0 && len(x.Anchored) > 0 && x.Anchored[len(x.Anchored)-1]>>(n%8) != 0:
		return bad("anchors of blocks that are not there")
	}
	if err := x.Authority.check(); err != nil {
		return bad(err.Error())
	}
	s := &State{bodies: x.Bodies, tail: x.Tail, authority: &x.Authority, anchored: x.Anchored, bitcoin: x.Bitcoin}
	for i := range n {
		s.keys = append(s.keys, wire.Hash(x.Keys[32*i:]))
	}
	var ok [5]bool
	s.chains, ok[0] = read(x.Chains, func(r chainRow) (wire.Hash, link) { return r.Key, r.Link })
	s.factoids, ok[1] = read(x.Factoids, func(r amountRow) (wire.Hash, uint64) { return r.Key, r.Amount })
	s.credits, ok[2] = read(x.Credits, func(r amountRow) (wire.PublicKey, uint64) { return wire.PublicKey(r.Key), r.Amount })
	s.unused, ok[3] = readUnused(x.Unused)
	s.seen, ok[4] = read(x.Seen, func(r amountRow) (wire.Hash, uint64) { return r.Key, r.Amount })
	if slices.Contains(ok[:], false) {
		return bad("rows out of order")
	}
	return s, nil
}

// full refuses chunks that chunked does not make.
func full[R any](list [][]R) bool {
	for i, part := range list {
		if len(part) == 0 || len(part) > chunk || i < len(list)-1 && len(part) < chunk {
			return false
		}
	}
	return true
}

// read makes a table of chunks with ascending keys.
func read[K ~[32]byte, V, R any](list [][]R, row func(R) (K, V)) (table[K, V], bool) {
	t := newTable[K, V]()
	var last K
	for _, part := range list {
		for _, r := range part {
			k, v := row(r)
			if len(t.rows) > 0 && compareKeys(last, k) >= 0 {
				return t, false
			}
			t.rows[k], last = v, k
		}
	}
	return t, full(list)
}

// readUnused does so where a key may have more commits, oldest first.
func readUnused(list [][]unusedRow) (table[wire.Hash, []commit], bool) {
	t := newTable[wire.Hash, []commit]()
	var last unusedRow
	for _, part := range list {
		for _, r := range part {
			order := cmp.Or(compareKeys(last.Key, r.Key), cmp.Compare(last.Commit.OpenedMs, r.Commit.OpenedMs))
			if len(t.rows) > 0 && order > 0 {
				return t, false
			}
			t.rows[r.Key], last = append(t.rows[r.Key], r.Commit), r
		}
	}
	return t, full(list)
}
