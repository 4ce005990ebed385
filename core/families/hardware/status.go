package hardware

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/hardware"
)

// cause is why a status changes.
type cause uint8

const (
	passed     cause = 1 // a task
	reinstated cause = 2 // a REINSTATE task passed
	overdue    cause = 3 // no PASS in time, no gas for one, or no verdict
	outdated   cause = 4 // a measurement it relied on was revoked
	failed     cause = 5 // a task, a proof of a clone, or a dispute
	barred     cause = 6 // the authorities took trust from its maker or keys
	ended      cause = 7 // by the authorities or its owner, for ever
)

// edges are all changes of status there are (specification §3.2). A device is
// Pending until it has an ordinal; rows that are dropped leave no status.
var edges = []struct {
	from, to hardware.Status
	causes   []cause
}{
	{hardware.Pending, hardware.Active, []cause{passed}},
	{hardware.Pending, hardware.Revoked, []cause{ended}},
	{hardware.Active, hardware.Stale, []cause{overdue, outdated}},
	{hardware.Stale, hardware.Active, []cause{passed}},
	{hardware.Active, hardware.Suspended, []cause{failed, barred}},
	{hardware.Stale, hardware.Suspended, []cause{failed, barred}},
	{hardware.Suspended, hardware.Active, []cause{reinstated}},
	{hardware.Active, hardware.Revoked, []cause{ended}},
	{hardware.Stale, hardware.Revoked, []cause{ended}},
	{hardware.Suspended, hardware.Revoked, []cause{ended}},
}

// leads reports whether a cause changes one status into another.
func leads(from, to hardware.Status, why cause) bool {
	for _, e := range edges {
		if e.from == from && e.to == to {
			for _, c := range e.causes {
				if c == why {
					return true
				}
			}
		}
	}
	return false
}

// Marks in a status byte.
const (
	statusBits = 0x07
	mayVote    = 0x80 // its VRF key counts
)

func (b *book) statusByte(ordinal uint32) (byte, error) {
	page, at := place(ordinal)
	raw, err := b.bytesAt(hardware.StatusKey(page))
	if err != nil || raw == nil {
		return 0, err
	}
	return raw[at], nil
}

func (b *book) setStatusByte(ordinal uint32, v byte) error {
	page, at := place(ordinal)
	raw, err := b.page(hardware.StatusKey(page), hardware.PageDevices)
	if err != nil {
		return err
	}
	raw[at] = v
	return nil
}

// status is a device's.
func (b *book) status(d *hardware.Device) (hardware.Status, error) {
	if d.Ordinal == 0 {
		return hardware.Pending, nil
	}
	v, err := b.statusByte(d.Ordinal)
	return hardware.Status(v & statusBits), err
}

// move is the only place that changes a status. ordinal is the device's after
// the change; from is Pending for one that was just given it. It reports whether
// the cause leads there; if not, nothing changes.
func (b *book) move(ordinal uint32, to hardware.Status, why cause) (bool, error) {
	v, err := b.statusByte(ordinal)
	if err != nil {
		return false, err
	}
	from := hardware.Status(v & statusBits)
	if from == hardware.NoStatus {
		from = hardware.Pending
	}
	if !leads(from, to, why) {
		return false, nil
	}
	if from == hardware.Active {
		b.totals.Active--
	}
	if to == hardware.Active {
		b.totals.Active++
	}
	if from.Barred() != to.Barred() {
		b.totals.Barrings++
	}
	return true, b.setStatusByte(ordinal, v&^statusBits|byte(to))
}

// moveAll moves every device of a set as far as the cause leads.
func (b *book) moveAll(set byte, id wire.Hash, to hardware.Status, why cause) error {
	list, err := b.members(set, id)
	if err != nil {
		return err
	}
	for _, ordinal := range list {
		if _, err := b.move(ordinal, to, why); err != nil {
			return err
		}
	}
	return nil
}

// must is move where the rules leave no doubt.
func (b *book) must(ordinal uint32, to hardware.Status, why cause) error {
	ok, err := b.move(ordinal, to, why)
	if err == nil && !ok {
		err = fmt.Errorf("hardware: cause %d does not make device %d %s", why, ordinal, to)
	}
	return err
}
