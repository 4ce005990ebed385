package anchor

import "cloister/wire"

// Defaults of Fees.
const (
	DefaultFloor   = 1   // satoshi per virtual byte: what nodes relay
	DefaultCeiling = 200 // more than an anchor was worth in most weeks
	DefaultTarget  = 6   // blocks
	DefaultAfter   = 6   // blocks
	DefaultRaise   = 50  // per cent
)

// maxCeiling bounds a configured ceiling: above it is a mistake in units.
const maxCeiling = 100_000

// relayRate is what nodes want a replacement to pay for its own way, in satoshi
// per virtual byte, on top of all that it replaces (BIP 125).
const relayRate = 1

// Fees is what anchors may cost, in satoshi per virtual byte. Zero values are the
// defaults.
type Fees struct {
	Fixed   uint64 `toml:"fixed,omitempty"` // pay this; 0: the node's estimate between Floor and Ceiling
	Floor   uint64 `toml:"floor,omitempty"`
	Ceiling uint64 `toml:"ceiling,omitempty"`
	Target  uint32 `toml:"target,omitempty"` // blocks within which an anchor should be mined
	After   uint32 `toml:"after,omitempty"`  // blocks after which an unmined one is replaced
	Raise   uint64 `toml:"raise,omitempty"`  // per cent that a replacement pays more
}

func (f *Fees) complete() error {
	for _, d := range []struct {
		to *uint64
		is uint64
	}{{&f.Floor, DefaultFloor}, {&f.Ceiling, DefaultCeiling}, {&f.Raise, DefaultRaise}} {
		if *d.to == 0 {
			*d.to = d.is
		}
	}
	if f.Target == 0 {
		f.Target = DefaultTarget
	}
	if f.After == 0 {
		f.After = DefaultAfter
	}
	if f.Floor > f.Ceiling || f.Fixed > f.Ceiling || f.Ceiling > maxCeiling || f.Raise > 1000 {
		return wire.Faultf(wire.ErrBadRequest, "anchor: fees: floor and fixed fee must not exceed the ceiling, the ceiling not %d satoshi per byte, a raise not 1000 per cent", maxCeiling)
	}
	return nil
}

// first is the rate before any estimate.
func (f *Fees) first() uint64 { return f.clamp(f.Floor) }

// clamp makes an estimate a rate that may be paid.
func (f *Fees) clamp(estimate uint64) uint64 {
	if f.Fixed > 0 {
		return f.Fixed
	}
	return min(max(estimate, f.Floor), f.Ceiling)
}
