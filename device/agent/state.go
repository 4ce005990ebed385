package agent

import (
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/verifier"
	"cloister/wire"
	"cloister/wire/hardware"
)

// View is the state of family hardware after one block.
type View struct {
	Get verifier.Reader
	verifier.At
}

// maxValue bounds a value of public state, as the ledger does.
const maxValue = 64 << 10

// row reads a value; nil if there is none.
func row[T any](v *View, key []byte) (*T, error) {
	b, err := v.Get(key)
	if err != nil || b == nil {
		return nil, err
	}
	out := new(T)
	if err := wire.Unmarshal(b, out, maxValue); err != nil {
		return nil, fmt.Errorf("state under %x: %w", key, err)
	}
	return out, nil
}

// params are all parameters of the registry, as stored.
type params struct {
	_         struct{} `cbor:",toarray"`
	Committee committee.Params
	Schedule  hardware.Schedule
}

func (v *View) params(version uint32) (*params, error) {
	p, err := row[params](v, hardware.ParamsKey(version))
	if err == nil && p == nil {
		err = fmt.Errorf("the state holds no parameters of version %d", version)
	}
	return p, err
}

// seats is how a committee is stored.
type seats struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Seat
}

// committee lists the seats of a task, ascending by device.
func (v *View) committee(task wire.Hash) ([]hardware.Seat, error) {
	s, err := row[seats](v, hardware.CommitteeKey(task))
	if err != nil || s == nil {
		return nil, err
	}
	return s.List, nil
}

// revoked reports whether a device was revoked for ever.
func (v *View) revoked(d *hardware.Device) (bool, error) {
	page, err := v.Get(hardware.StatusKey(d.Ordinal / hardware.PageDevices))
	if at := int(d.Ordinal % hardware.PageDevices); err == nil && d.Ordinal > 0 && at < len(page) {
		return hardware.Status(page[at]&7) == hardware.Revoked, nil
	}
	return false, err
}
