package verifier

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// source is what was trusted at a height, as far as state tells: roots and
// revocations say since when they hold, collateral is what is in force now.
type source struct {
	get    Reader
	height uint64
	err    error // the first met while reading
}

var _ evidence.Source = (*source)(nil)

func read[T any](s *source, key []byte) *T {
	v, err := row[T](s.get, key)
	if err != nil && s.err == nil {
		s.err = err
	}
	return v
}

// Anchors implements evidence.Source.
func (s *source) Anchors(v evidence.Vendor) (list []evidence.Anchor) {
	ids := read[trust.IDs](s, trust.RootsKey(v))
	if ids == nil {
		return nil
	}
	for _, id := range ids.List {
		r := read[trust.Root](s, trust.RootKey(id))
		if r != nil && r.Added <= s.height && (r.Revoked == 0 || r.Revoked > s.height) {
			list = append(list, r.Anchor())
		}
	}
	slices.SortFunc(list, func(a, b evidence.Anchor) int {
		x, y := a.ID(), b.ID()
		return bytes.Compare(x[:], y[:])
	})
	return list
}

// Item implements evidence.Source.
func (s *source) Item(k evidence.Key) (evidence.Item, bool) {
	i := read[trust.InForce](s, trust.ItemKey(k))
	if i == nil || slices.ContainsFunc(i.Keys, s.revoked) {
		return evidence.Item{}, false
	}
	return i.Item, true
}

// revoked reports whether a key was revoked.
func (s *source) revoked(spki wire.Hash) bool {
	number, err := s.get(trust.RevokedKey(spki))
	if err != nil && s.err == nil {
		s.err = err
	}
	if len(number) != 8 {
		return false
	}
	r := read[trust.Revocation](s, trust.RevocationKey(binary.BigEndian.Uint64(number)))
	return r != nil && r.Height <= s.height
}
