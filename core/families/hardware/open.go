package hardware

import (
	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/tables"
	"cloister/wire"
	"cloister/wire/hardware"
)

// payment is who pays for a task.
type payment struct {
	from    wire.Account
	price   uint64
	prepaid bool // from the account's prepaid gas
	issue   uint8
}

// idle checks that a device has no open task. It carries ErrTaskOpen.
func (b *book) idle(device wire.Hash) error {
	o, err := row[hardware.OpenTask](b, hardware.OpenKey(device))
	if err == nil && o != nil {
		err = wire.Faultf(wire.ErrTaskOpen, "task %s", o.Task)
	}
	return err
}

// openTask opens a task and takes the gas for it: RAGas for the committee, what
// is above it for the treasury. It carries ErrTaskOpen and ErrGas.
func (b *book) openTask(device wire.Hash, kind uint8, tx wire.Hash, pay payment) (wire.Hash, error) {
	none := wire.Hash{}
	if err := b.idle(device); err != nil {
		return none, err
	}
	p, err := b.current()
	if err != nil {
		return none, err
	}
	if err := b.charge(pay); err != nil {
		return none, err
	}
	escrow := min(pay.price, p.Committee.RAGas)
	b.totals.Held += escrow
	b.totals.Treasury += pay.price - escrow
	t := &hardware.Task{
		Device: device, Kind: kind, Attempt: 1, Opened: b.height, OpenTx: tx, Payer: pay.from, Prepaid: pay.prepaid,
		Escrow: escrow, Price: pay.price, Params: b.totals.Params, Percent: pay.issue,
	}
	id := committee.TaskID(b.chain, device, kind, b.height, tx)
	if err := b.list(device, id); err != nil {
		return none, err
	}
	if kind == hardware.KindJoin { // evidence comes after the committee
		return id, b.awaitBeacon(id, t)
	}
	if b.ending {
		return id, b.anchor(id, t)
	}
	return id, b.phase(id, t, hardware.PhaseAnchor, b.height)
}

func (b *book) charge(pay payment) error {
	if !pay.prepaid {
		return b.take(pay.from, pay.price, wire.ErrGas)
	}
	has, err := b.prepaid(pay.from)
	if err != nil {
		return err
	}
	if has < pay.price {
		return wire.Faultf(wire.ErrGas, "%d factoshis of prepaid gas are needed, there are %d", pay.price, has)
	}
	return b.setPrepaid(pay.from, has-pay.price)
}

// phase puts a task into a phase that ends at the end of the block of a height.
func (b *book) phase(id wire.Hash, t *hardware.Task, to hardware.Phase, until uint64) error {
	switch {
	case t.Phase == to: // it ends early
	case to == hardware.PhaseCommit:
		t.CommitFrom = b.height
	case to == hardware.PhaseReveal:
		t.RevealFrom = b.height
	}
	t.Phase, t.Deadline = to, until
	if err := b.schedule(until, due{Duty: dutyTask, ID: id, Mark: mark(t)}); err != nil {
		return err
	}
	return save(b, hardware.TaskKey(id), t)
}

// mark tells the phases of a task's attempts apart.
func mark(t *hardware.Task) uint64 { return uint64(t.Attempt)<<8 | uint64(t.Phase) }

// endPhase has a phase end with this block: nothing more is expected in it.
func (x *handling) endPhase(id wire.Hash, t *hardware.Task) error {
	return x.phase(id, t, t.Phase, x.height)
}

// early is endPhase once every seated device has done its part.
func (x *handling) early(id wire.Hash, t *hardware.Task, c *seats, done func(*hardware.Seat) bool) error {
	for i := range c.List {
		if !done(&c.List[i]) {
			return nil
		}
	}
	return x.endPhase(id, t)
}

// awaitBeacon has a task wait for a beacon value that becomes final above this
// height: nobody knows it while the evidence can still be chosen.
func (b *book) awaitBeacon(id wire.Hash, t *hardware.Task) error {
	t.Phase, t.Deadline, t.WaitFrom = hardware.PhaseBeacon, 0, b.height
	at := hardware.BeaconKey(b.totals.WaitHead + uint64(b.totals.Waiting))
	raw, err := b.page(at, len(id))
	if err != nil {
		return err
	}
	copy(raw, id[:])
	b.totals.Waiting++
	return save(b, hardware.TaskKey(id), t)
}

// list puts a device on the list of those with an open task.
func (b *book) list(device, task wire.Hash) error {
	slot := b.totals.Open
	page, at := slot/hardware.PageOpen, slot%hardware.PageOpen
	raw, err := b.page(hardware.OpenPageKey(page), int(32*at+32))
	if err != nil {
		return err
	}
	copy(raw[32*at:], device[:])
	b.totals.Open++
	return save(b, hardware.OpenKey(device), &hardware.OpenTask{Task: task, Slot: slot})
}

// unlist takes a device off it; the last one moves into its place.
func (b *book) unlist(device wire.Hash) error {
	o, err := row[hardware.OpenTask](b, hardware.OpenKey(device))
	if err != nil || o == nil {
		return missing(err, "open task of device %s", device)
	}
	last := b.totals.Open - 1
	lastKey := hardware.OpenPageKey(last / hardware.PageOpen)
	raw, err := b.page(lastKey, int(32*(last%hardware.PageOpen)+32))
	if err != nil {
		return err
	}
	moved := wire.Hash(raw[32*(last%hardware.PageOpen):])
	clear(raw[32*(last%hardware.PageOpen) : 32*(last%hardware.PageOpen)+32])
	if moved != device {
		m, err := row[hardware.OpenTask](b, hardware.OpenKey(moved))
		if err != nil || m == nil {
			return missing(err, "open task of listed device %s", moved)
		}
		m.Slot = o.Slot
		if err := save(b, hardware.OpenKey(moved), m); err != nil {
			return err
		}
		raw, err := b.page(hardware.OpenPageKey(o.Slot/hardware.PageOpen), hardware.PageOpen)
		if err != nil {
			return err
		}
		copy(raw[32*(o.Slot%hardware.PageOpen):], moved[:])
	}
	b.totals.Open = last
	if last%hardware.PageOpen == 0 {
		if err := b.drop(lastKey); err != nil {
			return err
		}
	}
	return b.drop(hardware.OpenKey(device))
}

// open opens a task somebody asks for.
func (x *handling) open(p *hardware.Open) (wire.Hash, error) {
	none := wire.Hash{}
	d, err := x.registered(p.Device)
	if err != nil {
		return none, err
	}
	status, err := x.status(d)
	if err != nil {
		return none, err
	}
	params, err := x.current()
	if err != nil {
		return none, err
	}
	root, err := x.rootByID(d.Root)
	if err != nil {
		return none, err
	}
	pay := payment{from: x.Payer, price: params.Committee.RAGas, issue: root.IssuePercent}
	switch p.Kind {
	case hardware.KindChallenge:
		pay.price, err = x.challengePrice(d, status, params)
	case hardware.KindPeriodic:
		if err = x.ownedBy(d); err == nil && status != hardware.Stale {
			err = wire.Faultf(wire.ErrDeviceStatus, "the device is %s; a renewal of an active one opens by itself", status)
		}
	case hardware.KindReinstate:
		err = x.reinstatable(d, status)
	}
	if err != nil {
		return none, err
	}
	if err := x.saveDevice(p.Device, d); err != nil {
		return none, err
	}
	return x.openTask(p.Device, p.Kind, x.ID, pay)
}

// maxDoublings bounds the price of challenges within an epoch.
const maxDoublings = 20

// challengePrice doubles with every challenge of a device in an epoch.
func (x *handling) challengePrice(d *hardware.Device, status hardware.Status, p *Params) (uint64, error) {
	if status != hardware.Active && status != hardware.Stale {
		return 0, wire.Faultf(wire.ErrDeviceStatus, "the device is %s", status)
	}
	if d.LastEnd > 0 && x.height < d.LastEnd+p.Schedule.Spacing {
		return 0, wire.Faultf(wire.ErrTooSoon, "its last task ended at height %d, the next may begin at %d", d.LastEnd, d.LastEnd+p.Schedule.Spacing)
	}
	if d.ChallengedIn != x.totals.Epoch {
		d.ChallengedIn, d.Challenges = x.totals.Epoch, 0
	}
	n := d.Challenges
	if n >= maxDoublings {
		return 0, wire.Faultf(wire.ErrTooSoon, "challenged %d times in this epoch", n)
	}
	d.Challenges++
	if price := p.Committee.RAGas; price <= hardware.MaxAmount>>n {
		return price << n, nil
	}
	return 0, wire.Faultf(wire.ErrGas, "no account can hold the price")
}

// reinstatable: nobody is let in again under a root or key that lost trust.
func (x *handling) reinstatable(d *hardware.Device, status hardware.Status) error {
	if err := x.ownedBy(d); err != nil {
		return err
	}
	if status != hardware.Suspended {
		return wire.Faultf(wire.ErrDeviceStatus, "the device is %s, not suspended", status)
	}
	if x.height < d.Cooldown {
		return wire.Faultf(wire.ErrCooldown, "until height %d", d.Cooldown)
	}
	return x.trusted(d)
}

// trusted checks that a device's root and certificates are. It carries ErrCertRevoked.
func (b *book) trusted(d *hardware.Device) error {
	gone, err := b.distrusted(d)
	if err != nil {
		return err
	}
	if gone {
		return wire.Faultf(wire.ErrCertRevoked, "its maker's root %s", d.Root)
	}
	return b.unrevoked(d.Keys)
}

func (b *book) unrevoked(keys []wire.Hash) error {
	k, revoked, err := tables.FirstRevoked(b.own, keys)
	if err == nil && revoked {
		err = wire.Faultf(wire.ErrCertRevoked, "key %s", k)
	}
	return err
}

// periodic opens a device's renewal when it is due, or schedules it again: how
// early it comes changes with the epoch.
func (b *book) periodic(id wire.Hash, lastPass uint64) error {
	d, err := row[hardware.Device](b, hardware.DeviceKey(id))
	if err != nil || d == nil || d.LastPass != lastPass {
		return err
	}
	status, err := b.status(d)
	if err != nil || status != hardware.Active {
		return err
	}
	p, err := b.current()
	if err != nil {
		return err
	}
	s := &p.Schedule
	at := lastPass + s.RAPeriod - committee.Jitter(id, b.totals.Epoch, s.RAGrace)
	open := b.idle(id)
	if open != nil && wire.CodeOf(open) != wire.ErrTaskOpen {
		return open
	}
	switch {
	case b.height < at:
		return b.schedule(max(b.floor, min(at, b.totals.EpochStart+s.Epoch+1)), due{Duty: dutyPeriodic, ID: id, Mark: lastPass})
	case open != nil:
		return b.schedule(b.height+s.WEvid, due{Duty: dutyPeriodic, ID: id, Mark: lastPass})
	}
	root, err := b.rootByID(d.Root)
	if err != nil {
		return err
	}
	_, err = b.openTask(id, hardware.KindPeriodic, wire.Hash{}, payment{from: d.Owner, price: p.Committee.RAGas, prepaid: true, issue: root.IssuePercent})
	if wire.CodeOf(err) == wire.ErrGas {
		_, err = b.move(d.Ordinal, hardware.Stale, overdue)
	}
	return err
}

// lapse makes a device stale that has not proven itself in time.
func (b *book) lapse(id wire.Hash, lastPass uint64) error {
	d, err := row[hardware.Device](b, hardware.DeviceKey(id))
	if err != nil || d == nil || d.LastPass != lastPass || d.Ordinal == 0 {
		return err
	}
	_, err = b.move(d.Ordinal, hardware.Stale, overdue)
	return err
}
