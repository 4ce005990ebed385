package hardware

import (
	"encoding/binary"

	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Trust is what relying parties ask of a device.
type Trust struct {
	Status       hardware.Status
	LastPass     uint64 // height; 0: never passed
	Class        trust.Class
	Owner        wire.Account
	Measurements []wire.Hash
}

// TrustOf reads what the registry says of a device; st is the state of family
// hardware. ok is false if it does not know it.
func TrustOf(st ledger.State, device wire.Hash) (t Trust, ok bool, err error) {
	d, ok, err := ledger.Load[hardware.Device](st, hardware.DeviceKey(device))
	if err != nil || !ok {
		return t, false, err
	}
	t = Trust{Status: hardware.Pending, LastPass: d.LastPass, Class: trust.Class(d.Class), Owner: d.Owner, Measurements: d.Measurements}
	if d.Ordinal == 0 {
		return t, true, nil
	}
	page, at := place(d.Ordinal)
	raw, err := st.Get(hardware.StatusKey(page))
	if err == nil && int(at) < len(raw) {
		t.Status = hardware.Status(raw[at] & statusBits)
	}
	return t, true, err
}

// CreditOf is a device's credit; 0 for one that is not registered.
func CreditOf(st ledger.State, device wire.Hash) (uint64, error) {
	d, ok, err := ledger.Load[hardware.Device](st, hardware.DeviceKey(device))
	if err != nil || !ok || d.Ordinal == 0 {
		return 0, err
	}
	page, at := place(d.Ordinal)
	raw, err := st.Get(hardware.CreditKey(page))
	if err != nil || int(8*at+8) > len(raw) {
		return 0, err
	}
	return binary.BigEndian.Uint64(raw[8*at:]), nil
}
