package hardware

import (
	"encoding/binary"

	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Reader returns the value of a key of the family's state, nil if there is none:
// ledger.State.Get, or a view.
type Reader func(key []byte) ([]byte, error)

// Trust is what relying parties ask of a device.
type Trust struct {
	Status       hardware.Status
	LastPass     uint64 // height; 0: never passed
	Class        trust.Class
	Owner        wire.Account
	Measurements []wire.Hash // of the last PASS
}

// TrustOf reads what the registry says of a device; ok is false if it does not
// know it.
func TrustOf(get Reader, device wire.Hash) (t Trust, ok bool, err error) {
	d, err := readDevice(get, device)
	if err != nil || d == nil {
		return t, false, err
	}
	t = Trust{Status: hardware.Pending, LastPass: d.LastPass, Class: trust.Class(d.Class), Owner: d.Owner, Measurements: d.Measurements}
	if d.Ordinal == 0 {
		return t, true, nil
	}
	page, at := place(d.Ordinal)
	raw, err := get(hardware.StatusKey(page))
	if err == nil && int(at) < len(raw) {
		t.Status = hardware.Status(raw[at] & statusBits)
	}
	return t, true, err
}

// Barrings is another number after every suspension, revocation and
// reinstatement of a device: TrustOf may answer differently then.
func Barrings(get Reader) (uint64, error) {
	raw, err := get(hardware.TotalsKey)
	if err != nil || raw == nil {
		return 0, err
	}
	t := new(hardware.Totals)
	err = wire.Unmarshal(raw, t, ledger.MaxValue)
	return t.Barrings, err
}

// CreditOf is a device's credit; 0 for one that is not registered.
func CreditOf(get Reader, device wire.Hash) (uint64, error) {
	d, err := readDevice(get, device)
	if err != nil || d == nil || d.Ordinal == 0 {
		return 0, err
	}
	page, at := place(d.Ordinal)
	raw, err := get(hardware.CreditKey(page))
	if err != nil || int(8*at+8) > len(raw) {
		return 0, err
	}
	return binary.BigEndian.Uint64(raw[8*at:]), nil
}

func readDevice(get Reader, id wire.Hash) (*hardware.Device, error) {
	raw, err := get(hardware.DeviceKey(id))
	if err != nil || raw == nil {
		return nil, err
	}
	d := new(hardware.Device)
	return d, wire.Unmarshal(raw, d, ledger.MaxValue)
}
