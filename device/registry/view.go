package registry

import (
	"encoding/binary"
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// maxValue bounds a value of public state, in bytes.
const maxValue = 64 << 10

// Reader returns the value under a key of family hardware, nil if there is none.
// Errors are the caller's own and come back as they are, wrapped.
type Reader func(key []byte) ([]byte, error)

// View is the registry as of one block. Keys that are read one after another may
// be of slightly different blocks: what follows from them is at worst refused.
type View struct {
	Read   Reader
	Height uint64 // of the block the state is after
	TimeMs uint64 // its time
}

// Params are all parameters of the registry, as stored.
type Params struct {
	_         struct{} `cbor:",toarray"`
	Committee committee.Params
	Schedule  hardware.Schedule
}

// load reads and decodes a value; nil if there is none.
func load[T any](v *View, what string, key []byte) (*T, error) {
	b, err := v.Read(key)
	if err != nil {
		return nil, fmt.Errorf("registry: %s: %w", what, err)
	}
	if b == nil {
		return nil, nil
	}
	out := new(T)
	if err := wire.Unmarshal(b, out, maxValue); err != nil {
		return nil, fmt.Errorf("registry: %s: %w", what, err)
	}
	return out, nil
}

// must is load for what is always there.
func must[T any](v *View, what string, key []byte) (*T, error) {
	out, err := load[T](v, what, key)
	if err == nil && out == nil {
		err = fmt.Errorf("registry: the state holds no %s: this ledger has no hardware registry", what)
	}
	return out, err
}

// Totals are what the registry counts.
func (v *View) Totals() (*hardware.Totals, error) {
	return must[hardware.Totals](v, "totals", hardware.TotalsKey)
}

// Params are the parameters of a version: Totals.Params is the newest, Task.Params
// the one a task is held by.
func (v *View) Params(version uint32) (*Params, error) {
	return must[Params](v, "parameters", hardware.ParamsKey(version))
}

// Device is a device's row, nil if it is not registered.
func (v *View) Device(id wire.Hash) (*hardware.Device, error) {
	return load[hardware.Device](v, "device", hardware.DeviceKey(id))
}

// Banned says why a device that was dropped cannot join yet; nil if nothing does.
func (v *View) Banned(id wire.Hash) (*hardware.Banned, error) {
	return load[hardware.Banned](v, "ban", hardware.BanKey(id))
}

// Status is that of a registered device.
func (v *View) Status(d *hardware.Device) (hardware.Status, error) {
	if d.Ordinal == 0 {
		return hardware.Pending, nil
	}
	b, err := v.cell(hardware.StatusKey(d.Ordinal/hardware.PageDevices), d.Ordinal, 1)
	if err != nil || b == nil {
		return hardware.NoStatus, err
	}
	return hardware.Status(b[0] & 7), nil
}

// Credit is that of a registered device.
func (v *View) Credit(d *hardware.Device) (uint64, error) {
	b, err := v.cell(hardware.CreditKey(d.Ordinal/hardware.PageDevices), d.Ordinal, 8)
	if err != nil || b == nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}

// Tickets are a device's in the snapshot that a draw goes by (Task.Epoch).
func (v *View) Tickets(epoch uint64, d *hardware.Device) (uint64, error) {
	b, err := v.cell(hardware.TicketKey(epoch, d.Ordinal/hardware.PageDevices), d.Ordinal, 2)
	if err != nil || b == nil {
		return 0, err
	}
	return uint64(binary.BigEndian.Uint16(b)), nil
}

// cell is a device's part of a page, size bytes; nil if the page is not so long.
func (v *View) cell(key []byte, ordinal uint32, size int) ([]byte, error) {
	page, err := v.Read(key)
	if err != nil {
		return nil, fmt.Errorf("registry: page %x: %w", key, err)
	}
	at := int(ordinal%hardware.PageDevices) * size
	if at+size > len(page) || ordinal == 0 {
		return nil, nil
	}
	return page[at : at+size], nil
}

// Prepaid is an account's prepaid gas.
func (v *View) Prepaid(a wire.Account) (uint64, error) {
	b, err := v.Read(hardware.PrepaidKey(a))
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("registry: prepaid gas of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
