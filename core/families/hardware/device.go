package hardware

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"cloister/wire"
	"cloister/wire/hardware"
)

// device loads a device. It carries ErrDeviceUnknown.
func (b *book) device(id wire.Hash) (*hardware.Device, error) {
	d, err := row[hardware.Device](b, hardware.DeviceKey(id))
	if err == nil && d == nil {
		err = wire.Faultf(wire.ErrDeviceUnknown, "%s", id)
	}
	return d, err
}

func (b *book) saveDevice(id wire.Hash, d *hardware.Device) error {
	return save(b, hardware.DeviceKey(id), d)
}

// use says that a key belongs to a device. It refuses with code a key that
// belongs to another.
func (b *book) use(sort byte, key []byte, device wire.Hash, code wire.Code) error {
	at := hardware.UseKey(sort, sha256.Sum256(key))
	holder, err := b.bytesAt(at)
	if err != nil {
		return err
	}
	if holder != nil && !bytes.Equal(holder, device[:]) {
		return wire.Faultf(code, "the key belongs to device %x", holder)
	}
	raw, err := b.page(at, len(device))
	if err != nil {
		return err
	}
	copy(raw, device[:])
	return nil
}

// useKeys takes node and VRF key for a device. They must be real keys, and two.
func (b *book) useKeys(node, vrf wire.PublicKey, device wire.Hash) error {
	if node == vrf || !node.Valid() || !vrf.Valid() {
		return wire.Faultf(wire.ErrKeyReuse, "node key %s and VRF key %s must be valid and different", node, vrf)
	}
	if err := b.use(hardware.UseNode, node[:], device, wire.ErrKeyReuse); err != nil {
		return err
	}
	return b.use(hardware.UseVRF, vrf[:], device, wire.ErrKeyReuse)
}

// newcomer checks that an id may join: not there, not banned, and that the
// epoch has room. A founder does not wait for room.
func (b *book) newcomer(id wire.Hash, founder bool) error {
	d, err := row[hardware.Device](b, hardware.DeviceKey(id))
	if err != nil {
		return err
	}
	if d != nil {
		return wire.Faultf(wire.ErrDeviceExists, "%s", id)
	}
	ban, err := row[hardware.Banned](b, hardware.BanKey(id))
	if err != nil {
		return err
	}
	if ban != nil && b.height < ban.Until {
		return wire.Faultf(wire.ErrCooldown, "device %s may join from height %d", id, ban.Until)
	}
	if founder {
		return nil
	}
	if b.totals.Joins >= b.totals.JoinLimit {
		return wire.Faultf(wire.ErrJoinRate, "%d devices joined in epoch %d", b.totals.Joins, b.totals.Epoch)
	}
	b.totals.Joins++
	return nil
}

// dropPending forgets a device that did not make it, and keeps its id out for a
// while; longer each time it failed, not only was unlucky.
func (b *book) dropPending(id wire.Hash, d *hardware.Device, p *Params, fault bool) error {
	for _, k := range []struct {
		sort byte
		key  []byte
	}{{hardware.UseAK, d.AKPub}, {hardware.UseNode, d.NodeKey[:]}, {hardware.UseVRF, d.VRFKey[:]}} {
		if err := b.drop(hardware.UseKey(k.sort, sha256.Sum256(k.key))); err != nil {
			return err
		}
	}
	ban, err := row[hardware.Banned](b, hardware.BanKey(id))
	if err != nil {
		return err
	}
	if ban == nil {
		ban = new(hardware.Banned)
	}
	ban.Until = b.height + cooldown(p, ban.Fails)
	if fault && ban.Fails < maxFails {
		ban.Fails++
	}
	if err := save(b, hardware.BanKey(id), ban); err != nil {
		return err
	}
	return b.drop(hardware.DeviceKey(id))
}

const maxFails = 1<<16 - 1

// cooldown is how long a device waits after its failure number fails, from 0.
func cooldown(p *Params, fails uint16) uint64 { return p.Schedule.Cooldown << min(fails, 6) }

// showed notes what a device's last PASS relied on.
func (b *book) showed(d *hardware.Device, ids []wire.Hash) error {
	for _, id := range d.Measurements {
		if !slices.Contains(ids, id) {
			if err := b.setBit(hardware.SetMeasurement, id, d.Ordinal, false); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		if err := b.setBit(hardware.SetMeasurement, id, d.Ordinal, true); err != nil {
			return err
		}
	}
	d.Measurements = ids
	return nil
}

// proven notes a PASS and schedules the next one.
func (b *book) proven(id wire.Hash, d *hardware.Device, p *Params) error {
	d.LastPass = b.height
	s := &p.Schedule
	if err := b.schedule(b.height+s.RAPeriod-s.RAGrace, due{Duty: dutyPeriodic, ID: id, Mark: d.LastPass}); err != nil {
		return err
	}
	return b.schedule(b.height+s.RAPeriod+s.RAGrace+1, due{Duty: dutyStale, ID: id, Mark: d.LastPass})
}

// newVRF makes a VRF key count from a height on.
func (b *book) newVRF(id wire.Hash, d *hardware.Device, from uint64) error {
	d.VRFActive = from
	if from <= b.height {
		return b.votes(d)
	}
	return b.schedule(from, due{Duty: dutyVRF, ID: id, Mark: from})
}

// votes marks a device as one whose tickets count from the next epoch on.
func (b *book) votes(d *hardware.Device) error {
	v, err := b.statusByte(d.Ordinal)
	if err != nil {
		return err
	}
	return b.setStatusByte(d.Ordinal, v|mayVote)
}

// vrfAt is the one VRF key of a device that counts at a height.
func vrfAt(d *hardware.Device, height uint64) (key wire.PublicKey, ok bool) {
	if height >= d.VRFActive {
		return d.VRFKey, true
	}
	return d.PrevVRFKey, d.PrevVRFKey != wire.PublicKey{}
}

// ownedBy checks that the payer owns a device.
func (x *handling) ownedBy(d *hardware.Device) error {
	if d.Owner != x.Payer {
		return wire.Faultf(wire.ErrNotOwner, "the device belongs to account %s", d.Owner)
	}
	return nil
}

// retire ends a device at its owner's wish. While it is being attested it
// cannot, so that nobody escapes a verdict.
func (x *handling) retire(p *hardware.Retire) error {
	d, err := x.device(p.Device)
	if err != nil {
		return err
	}
	if err := x.ownedBy(d); err != nil {
		return err
	}
	if err := x.idle(p.Device); err != nil {
		return err
	}
	return x.end(p.Device, d)
}

// end revokes a device for ever. It carries ErrDeviceStatus.
func (b *book) end(id wire.Hash, d *hardware.Device) error {
	if d.Ordinal == 0 {
		if err := b.enrol(id, d); err != nil {
			return err
		}
		if err := b.saveDevice(id, d); err != nil {
			return err
		}
	}
	ok, err := b.move(d.Ordinal, hardware.Revoked, ended)
	if err == nil && !ok {
		err = wire.Faultf(wire.ErrDeviceStatus, "device %s is revoked", id)
	}
	return err
}
