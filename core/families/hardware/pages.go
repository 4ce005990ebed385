package hardware

import (
	"encoding/binary"
	"fmt"

	"cloister/wire"
	"cloister/wire/hardware"
)

// maxDevices bounds the registry: all pages of credit and of tickets can then be
// written at the end of one block (ledger.MaxEndWrites).
const maxDevices = 100 * hardware.PageDevices

// maxOwned bounds the devices of one account.
const maxOwned = 4096

// place is where an ordinal is in pages of PageDevices.
func place(ordinal uint32) (page, at uint32) {
	return ordinal / hardware.PageDevices, ordinal % hardware.PageDevices
}

func (b *book) credit(ordinal uint32) (uint64, error) {
	page, at := place(ordinal)
	raw, err := b.bytesAt(hardware.CreditKey(page))
	if err != nil || raw == nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(raw[8*at:]), nil
}

func (b *book) setCredit(ordinal uint32, credit uint64) error {
	page, at := place(ordinal)
	raw, err := b.page(hardware.CreditKey(page), 8*hardware.PageDevices)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint64(raw[8*at:], credit)
	return nil
}

// tickets are a device's in the snapshot an epoch began with, this one or the last.
func (b *book) tickets(epoch uint64, ordinal uint32) (uint64, error) {
	page, at := place(ordinal)
	raw, err := b.bytesAt(hardware.TicketKey(epoch, page))
	if err != nil || int(2*at+2) > len(raw) {
		return 0, err
	}
	return uint64(binary.BigEndian.Uint16(raw[2*at:])), nil
}

// idAt is the device with an ordinal.
func (b *book) idAt(ordinal uint32) (id wire.Hash, err error) {
	page, at := place(ordinal)
	raw, err := b.bytesAt(hardware.IDKey(page))
	if err != nil {
		return id, err
	}
	if int(32*at+32) > len(raw) {
		return id, fmt.Errorf("hardware: no device has ordinal %d", ordinal)
	}
	return wire.Hash(raw[32*at:]), nil
}

// enrol gives a device the next ordinal.
func (b *book) enrol(id wire.Hash, d *hardware.Device) error {
	n := b.totals.Devices + 1
	if n >= maxDevices {
		return wire.Faultf(wire.ErrRegistryFull, "%d devices", b.totals.Devices)
	}
	owned, err := b.owned(d.Owner)
	if err != nil {
		return err
	}
	if len(owned) >= maxOwned {
		return wire.Faultf(wire.ErrRegistryFull, "account %s has %d devices", d.Owner, len(owned))
	}
	b.totals.Devices, d.Ordinal = n, n
	page, at := place(n)
	raw, err := b.page(hardware.IDKey(page), int(32*at+32))
	if err != nil {
		return err
	}
	copy(raw[32*at:], id[:])
	list, err := b.page(hardware.OwnerKey(d.Owner), 4*(len(owned)+1))
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(list[4*len(owned):], n)
	return b.setBit(hardware.SetRoot, d.Root, n, true)
}

// owned lists the ordinals of an account's devices.
func (b *book) owned(a wire.Account) ([]uint32, error) {
	raw, err := b.bytesAt(hardware.OwnerKey(a))
	list := make([]uint32, len(raw)/4)
	for i := range list {
		list[i] = binary.BigEndian.Uint32(raw[4*i:])
	}
	return list, err
}

// setBit puts a device into a set, or takes it out.
func (b *book) setBit(set byte, id wire.Hash, ordinal uint32, in bool) error {
	page, at := ordinal/hardware.PageBits, ordinal%hardware.PageBits
	key, mask := hardware.SetKeyOf(set, id, page), byte(1)<<(at%8)
	raw, err := b.bytesAt(key)
	if err != nil {
		return err
	}
	if has := int(at/8) < len(raw) && raw[at/8]&mask != 0; has == in {
		return nil
	}
	p, err := b.page(key, int(at/8)+1)
	if err != nil {
		return err
	}
	p[at/8] ^= mask
	return nil
}

// members lists the ordinals in a set, ascending.
func (b *book) members(set byte, id wire.Hash) (list []uint32, err error) {
	for page := uint32(0); page <= b.totals.Devices/hardware.PageBits; page++ {
		raw, err := b.bytesAt(hardware.SetKeyOf(set, id, page))
		if err != nil {
			return nil, err
		}
		for i, bits := range raw {
			for at := uint32(0); bits != 0; at, bits = at+1, bits>>1 {
				if bits&1 != 0 {
					list = append(list, page*hardware.PageBits+uint32(i)*8+at)
				}
			}
		}
	}
	return list, nil
}
