package tables

import (
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

// PutItem takes an item of collateral from anybody, at a block time in
// milliseconds, and says under which key it is in force now. Errors: those of
// Examine, and ErrTrustFull.
func PutItem(st ledger.State, item *evidence.Item, timeMs uint64) (evidence.Key, error) {
	key, next, err := Examine(st, item, timeMs)
	if err != nil {
		return key, err
	}
	return key, change(st, func(s *trust.Summary) error {
		switch _, known, err := Collateral(st, key); {
		case err != nil:
			return err
		case !known:
			if err := list(st, s, key); err != nil {
				return err
			}
		}
		return put(st, trust.ItemKey(key), next)
	})
}

// Examine only reads: it judges an item as PutItem does. It has to verify, to be
// in force, and to be newer than the item under its key. Errors:
// ErrCollateralXxx, ErrUnknownAnchor (TEE specification §2.7).
func Examine(st ledger.State, item *evidence.Item, timeMs uint64) (evidence.Key, trust.InForce, error) {
	if err := trust.CheckItem(item); err != nil {
		return evidence.Key{}, trust.InForce{}, err
	}
	src := Source(st)
	key, fresh, err := verify.CheckItem(item, src, seconds(timeMs))
	if err := src.Err(); err != nil {
		return key, trust.InForce{}, err
	}
	if err != nil {
		return key, trust.InForce{}, err
	}
	spkis, err := verify.ItemKeys(item)
	if err != nil {
		return key, trust.InForce{}, err
	}
	switch spki, revoked, err := FirstRevoked(st, spkis); {
	case err != nil:
		return key, trust.InForce{}, err
	case revoked:
		return key, trust.InForce{}, wire.Faultf(wire.ErrCollateralSignature, "%s is signed under key %s, which is revoked", key, spki)
	}
	next := trust.InForce{Item: *item, Freshness: fresh, PutMs: timeMs, Keys: spkis}
	return key, next, newer(st, key, &next)
}

// newer demands that an item may replace what is in force under its key.
func newer(st ledger.State, key evidence.Key, next *trust.InForce) error {
	old, ok, err := Collateral(st, key)
	if err != nil || !ok || next.Freshness.Newer(old.Freshness) {
		return err
	}
	switch relied, err := reliable(st, &old, next.PutMs); {
	case err != nil:
		return err
	case relied:
		return wire.Faultf(wire.ErrCollateralOlder, "%s: issued %d as number %d, in force is one issued %d as number %d",
			key, next.Freshness.Issued, next.Freshness.Number, old.Freshness.Issued, old.Freshness.Number)
	}
	return nil
}

// reliable reports whether anybody can still rely on an item, be it expired:
// one whose root or signer lost all trust must not keep others out by its
// number.
func reliable(st ledger.State, old *trust.InForce, timeMs uint64) (bool, error) {
	if _, revoked, err := FirstRevoked(st, old.Keys); revoked || err != nil {
		return false, err
	}
	src := Source(st)
	_, _, err := verify.CheckItem(&old.Item, src, seconds(timeMs))
	if err := src.Err(); err != nil {
		return false, err
	}
	code := wire.CodeOf(err)
	return code != wire.ErrUnknownAnchor && code != wire.ErrCollateralSignature, nil
}

// list adds a new key to the list of collateral.
func list(st ledger.State, s *trust.Summary, key evidence.Key) error {
	page := s.Items / trust.ItemsPerPage
	if page >= trust.MaxItemPages {
		return wire.Faultf(wire.ErrTrustFull, "%d keys of collateral", s.Items)
	}
	keys, _, err := ledger.Load[trust.ItemKeys](st, trust.ItemsKey(page))
	if err != nil {
		return err
	}
	s.Items++
	return put(st, trust.ItemsKey(page), trust.ItemKeys{List: append(slices.Clone(keys.List), key)})
}

// Collateral finds the item in force under a key, whether or not anybody can
// rely on it; ok is false if there is none.
func Collateral(st ledger.State, key evidence.Key) (i trust.InForce, ok bool, err error) {
	return ledger.Load[trust.InForce](st, trust.ItemKey(key))
}

// CollateralKeys is page n, from 0, of the list of collateral; empty behind the last.
func CollateralKeys(st ledger.State, n uint32) ([]evidence.Key, error) {
	keys, _, err := ledger.Load[trust.ItemKeys](st, trust.ItemsKey(n))
	return keys.List, err
}

// Src is the tables as verifiers read them, during one call of the ledger.
type Src struct {
	st      ledger.State
	anchors map[evidence.Vendor][]evidence.Anchor
	err     error
}

var _ evidence.Source = (*Src)(nil)

// Source reads the tables for verifiers. They cannot tell a missing item from a
// state that cannot be read: ask Err before believing their answer.
func Source(st ledger.State) *Src {
	return &Src{st: st, anchors: map[evidence.Vendor][]evidence.Anchor{}}
}

// Err is the first error met while reading.
func (s *Src) Err() error {
	if s.err != nil {
		return fmt.Errorf("hardware: reading what is trusted: %w", s.err)
	}
	return nil
}

// Anchors implements evidence.Source: the roots of a vendor that are not revoked.
func (s *Src) Anchors(v evidence.Vendor) []evidence.Anchor {
	if list, ok := s.anchors[v]; ok || s.err != nil {
		return list
	}
	roots, err := Roots(s.st, v)
	s.err = err
	var list []evidence.Anchor
	for i := range roots {
		if roots[i].Revoked == 0 {
			list = append(list, roots[i].Anchor())
		}
	}
	slices.SortFunc(list, func(a, b evidence.Anchor) int { return compare(a.ID(), b.ID()) })
	s.anchors[v] = list
	return list
}

// Item implements evidence.Source: the item in force, unless a key under which
// it is signed is revoked.
func (s *Src) Item(k evidence.Key) (evidence.Item, bool) {
	if s.err != nil {
		return evidence.Item{}, false
	}
	i, ok, err := Collateral(s.st, k)
	if err == nil && ok {
		var revoked bool
		_, revoked, err = FirstRevoked(s.st, i.Keys)
		ok = !revoked
	}
	if err != nil {
		s.err = err
		return evidence.Item{}, false
	}
	return i.Item, ok
}

func seconds(timeMs uint64) int64 { return int64(timeMs / 1000) }
