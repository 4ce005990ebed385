package verifier

import (
	"encoding/binary"
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Reader returns the value of a key of the hardware family's state, nil if there
// is none. All reads of one call must be of one state.
type Reader func(key []byte) ([]byte, error)

// maxValue bounds a value in state, as the ledger does.
const maxValue = 64 << 10

// row reads a row, nil if there is none.
func row[T any](get Reader, key []byte) (*T, error) {
	raw, err := get(key)
	if err != nil || raw == nil {
		return nil, err
	}
	v := new(T)
	if err := wire.Unmarshal(raw, v, maxValue); err != nil {
		return nil, fmt.Errorf("verifier: state under %x: %w", key, err)
	}
	return v, nil
}

// missing is what a state without a row that must be there makes impossible,
// unless reading it failed with err.
func missing(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("verifier: not in state: "+format, args...)
}

// params are the family's, as far as they are decoded here.
type params struct {
	_         struct{} `cbor:",toarray"`
	Committee committee.Params
	Schedule  hardware.Schedule
}

func (l *look) params(version uint32) (*params, error) {
	if p := l.versions[version]; p != nil {
		return p, nil
	}
	p, err := paramsOf(l.get, version)
	if err == nil {
		l.versions[version] = p
	}
	return p, err
}

func paramsOf(get Reader, version uint32) (*params, error) {
	p, err := row[params](get, hardware.ParamsKey(version))
	if err != nil || p == nil {
		return nil, missing(err, "parameters of version %d", version)
	}
	return p, nil
}

// seats is a committee.
type seats struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Seat
}

// claims is a bucket of them.
type claims struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Claimed
}

// DeviceOf reads a device, nil if it is not registered.
func DeviceOf(get Reader, id wire.Hash) (*hardware.Device, error) {
	return row[hardware.Device](get, hardware.DeviceKey(id))
}

func statusOf(get Reader, d *hardware.Device) (hardware.Status, error) {
	if d.Ordinal == 0 {
		return hardware.Pending, nil
	}
	page, at := d.Ordinal/hardware.PageDevices, int(d.Ordinal%hardware.PageDevices)
	raw, err := get(hardware.StatusKey(page))
	if err != nil || at >= len(raw) {
		return hardware.NoStatus, err
	}
	return hardware.Status(raw[at] & 7), nil
}

// ticketsOf are a device's in the snapshot an epoch began with.
func ticketsOf(get Reader, epoch uint64, d *hardware.Device) (uint64, error) {
	page, at := d.Ordinal/hardware.PageDevices, int(2*(d.Ordinal%hardware.PageDevices))
	raw, err := get(hardware.TicketKey(epoch, page))
	if err != nil || at+2 > len(raw) {
		return 0, err
	}
	return uint64(binary.BigEndian.Uint16(raw[at:])), nil
}

// mayJudge loads the device and reports whether it is one whose messages the next
// block takes.
func (l *look) mayJudge() (bool, error) {
	if len(l.VRF) != 64 {
		return false, fmt.Errorf("verifier: a VRF key of %d bytes", len(l.VRF))
	}
	var err error
	if l.self, err = DeviceOf(l.get, l.Device); err != nil || l.self == nil {
		return false, err
	}
	if l.self.NodeKey != l.Key.Public() {
		return false, nil
	}
	status, err := statusOf(l.get, l.self)
	if err != nil || status != hardware.Active {
		return false, err
	}
	ok, err := rooted(l.get, l.self)
	if err != nil || !ok {
		return false, err
	}
	for _, id := range l.self.Measurements {
		m, err := row[trust.Measurement](l.get, trust.MeasurementKey(id))
		if err != nil || m == nil || !m.ValidAt(l.at.Height+1) {
			return false, err
		}
	}
	return true, nil
}

// rooted reports whether a device's maker is still trusted.
func rooted(get Reader, d *hardware.Device) (bool, error) {
	r, err := row[trust.Root](get, trust.RootKey(d.Root))
	if err != nil || r == nil {
		return false, missing(err, "root %s", d.Root)
	}
	return r.Revoked == 0, nil
}
