package hardware

import (
	"cloister/wire"
	"cloister/wire/beacon"
)

// beacon is the newest beacon value and the height at which it became final; ok
// is false before the first.
func (b *book) beacon() (value wire.Hash, final uint64, ok bool, err error) {
	v, err := beacon.Newest(b.state(beacon.Name).Get)
	if err != nil || v == nil {
		return value, 0, false, err
	}
	return v.R, v.Height, true, nil
}
