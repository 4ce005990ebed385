package hardware

import (
	"bytes"
	"slices"

	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// claims is a bucket of claims.
type claims struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Claimed
}

// maxBucket bounds the claims of a bucket. About Over×K tickets count, over all
// ClaimBuckets; ids are hashes, so nobody fills one bucket.
const maxBucket = 128

// claim takes a verifier's claim to a seat.
func (x *handling) claim(p *hardware.Claim) error {
	t, err := x.inPhase(p.Vote.Task, p.Vote.Attempt, hardware.PhaseClaim)
	if err != nil {
		return err
	}
	v, err := x.registered(p.Vote.Device)
	if err != nil {
		return err
	}
	bucket := hardware.ClaimKey(p.Vote.Task, p.Vote.Device[0]%hardware.ClaimBuckets)
	list, err := row[claims](x.book, bucket)
	if err != nil {
		return err
	}
	if list == nil {
		list = new(claims)
	}
	for i := range list.List {
		if list.List[i].Device == p.Vote.Device {
			return wire.Faultf(wire.ErrDuplicateClaim, "device %s", p.Vote.Device)
		}
	}
	if len(list.List) >= maxBucket {
		return wire.Faultf(wire.ErrBusy, "%d claims", len(list.List))
	}
	params, err := x.params(t.Params)
	if err != nil {
		return err
	}
	e, err := x.eligible(t, p.Vote.Device, v, params)
	if err != nil {
		return err
	}
	if err := x.signedBy(p.Vote.Device, hardware.ClaimStatement(x.chain, p.Vote, p.Proof), p.Signature, wire.ErrVerifierSig); err != nil {
		return err
	}
	beta, ok := committee.VerifyClaim(e.vrf, t.Alpha, p.Proof)
	if !ok {
		return wire.Faultf(wire.ErrVRFProof, "device %s, task %s", p.Vote.Device, p.Vote.Task)
	}
	if len(committee.Counting(params.Committee, t.Tickets, beta, e.tickets)) == 0 {
		return wire.Faultf(wire.ErrNoTicket, "none of %d tickets of %d in all", e.tickets, t.Tickets)
	}
	if err := x.take(x.Payer, params.Committee.ClaimBond, wire.ErrBond); err != nil {
		return err
	}
	x.totals.Held += params.Committee.ClaimBond
	list.List = append(list.List, hardware.Claimed{
		Device: p.Vote.Device, Owner: v.Owner, Root: v.Root, Beta: beta, Tickets: uint16(e.tickets), Payer: x.Payer,
	})
	t.Claims++
	if err := save(x.book, hardware.TaskKey(p.Vote.Task), t); err != nil {
		return err
	}
	return save(x.book, bucket, list)
}

// voter is what a device that may judge brings along.
type voter struct {
	vrf     wire.PublicKey
	tickets uint64
}

// eligible judges whether a device may judge another (specification §6). It
// carries ErrNotEligible.
func (x *handling) eligible(t *hardware.Task, id wire.Hash, v *hardware.Device, p *Params) (e voter, err error) {
	no := func(why string) (voter, error) {
		return voter{}, wire.Faultf(wire.ErrNotEligible, "device %s: %s", id, why)
	}
	testee, err := x.device(t.Device)
	if err != nil {
		return e, err
	}
	if id == t.Device || v.Owner == testee.Owner {
		return no("it is the device, or has its owner")
	}
	if ok, err := x.mayJudge(v); err != nil || !ok {
		if err != nil {
			return e, err
		}
		return no("it is not active, or what it runs is not approved any more")
	}
	var ok bool
	if e.vrf, ok = vrfAt(v, t.Selected); !ok {
		return no("its VRF key does not count yet")
	}
	if t.Selected > v.LastPass+p.Schedule.RAPeriod+p.Schedule.RAGrace {
		return no("it has not been proven for too long")
	}
	if e.tickets, err = x.tickets(t.Epoch, v.Ordinal); err != nil {
		return e, err
	}
	if e.tickets == 0 {
		return no("it had too little credit when the epoch began")
	}
	return e, nil
}

// mayJudge reports whether a device is in good standing now, trust that was
// taken back in this very block included.
func (b *book) mayJudge(v *hardware.Device) (bool, error) {
	status, err := b.status(v)
	if err != nil || status != hardware.Active {
		return false, err
	}
	gone, err := b.distrusted(v)
	if err != nil || gone {
		return false, err
	}
	return b.inForce(v)
}

// signedBy checks a verifier's signature by the node key registered now.
func (b *book) signedBy(device, statement wire.Hash, sig wire.Signature, code wire.Code) error {
	v, err := b.device(device)
	if err == nil && !v.NodeKey.Verify(statement, sig) {
		err = wire.Faultf(code, "not by the node key of device %s", device)
	}
	return err
}

// electorate is T for a device: the tickets of the snapshot without its own
// and those of its owner's other devices.
func (b *book) electorate(d *hardware.Device) (uint64, error) {
	owned, err := b.owned(d.Owner)
	if err != nil {
		return 0, err
	}
	total := b.totals.Tickets
	for _, ordinal := range owned {
		own, err := b.tickets(b.totals.Epoch, ordinal)
		if err != nil {
			return 0, err
		}
		total -= own
	}
	return total, nil
}

// draw fixes who may claim: the beacon value gives alpha, the snapshot T.
func (b *book) draw(id wire.Hash, t *hardware.Task, value wire.Hash) error {
	d, err := b.device(t.Device)
	if err != nil {
		return err
	}
	p, err := b.params(t.Params)
	if err != nil {
		return err
	}
	if t.Tickets, err = b.electorate(d); err != nil {
		return err
	}
	t.Beacon, t.Selected, t.Epoch, t.Snapshot, t.Claims = value, b.height, b.totals.Epoch, b.totals.Snapshot, 0
	t.Alpha = committee.Alpha(b.chain, id, t.Attempt, value)
	return b.phase(id, t, hardware.PhaseClaim, b.height+p.Schedule.WClaim)
}

// seats is a committee.
type seats struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Seat
}

func (b *book) committeeOf(task wire.Hash) (*seats, error) {
	c, err := row[seats](b, hardware.CommitteeKey(task))
	if err == nil && c == nil {
		err = wire.Faultf(wire.ErrPhase, "task %s has no committee", task)
	}
	return c, err
}

func saveSeats(b *book, task wire.Hash, c *seats) error {
	return save(b, hardware.CommitteeKey(task), c)
}

// collect takes all claims of a task out of state, ascending by device.
func (b *book) collect(task wire.Hash) ([]hardware.Claimed, error) {
	var all []hardware.Claimed
	for bucket := range byte(hardware.ClaimBuckets) {
		key := hardware.ClaimKey(task, bucket)
		list, err := row[claims](b, key)
		if err != nil {
			return nil, err
		}
		if list == nil {
			continue
		}
		all = append(all, list.List...)
		if err := b.drop(key); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b hardware.Claimed) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return all, nil
}

// seat draws the committee when the claims are in. Without enough of them the
// attempt is inconclusive.
func (b *book) seat(id wire.Hash, t *hardware.Task, p *Params) error {
	all, err := b.collect(id)
	if err != nil {
		return err
	}
	drawn := make([]committee.Claim, len(all))
	caps := map[wire.Hash]uint16{}
	for i, c := range all {
		limit, known := caps[c.Root]
		if !known {
			r, err := b.rootByID(c.Root)
			if err != nil {
				return err
			}
			limit = r.SeatCap
			caps[c.Root] = limit
		}
		drawn[i] = committee.Claim{
			Device: c.Device, Owner: wire.Hash(c.Owner), Root: c.Root, RootSeatCap: limit, Beta: c.Beta, Tickets: uint64(c.Tickets),
		}
	}
	given, ok := committee.Seats(p.Committee, t.Tickets, drawn)
	c := new(seats)
	t.Seats = 0
	for i := range all {
		at := slices.IndexFunc(given, func(s committee.Seat) bool { return s.Device == all[i].Device })
		if at < 0 { // no seat: the bond goes back at once
			b.totals.Held -= p.Committee.ClaimBond
			b.give(all[i].Payer, p.Committee.ClaimBond)
			continue
		}
		c.List = append(c.List, hardware.Seat{Device: all[i].Device, Seats: given[at].Seats, Payer: all[i].Payer})
		t.Seats += uint32(given[at].Seats)
	}
	if !ok {
		return b.conclude(id, t, p, c)
	}
	if err := saveSeats(b, id, c); err != nil {
		return err
	}
	if t.Kind == hardware.KindJoin {
		return b.phase(id, t, hardware.PhaseChallenge, b.height+p.Schedule.WChal)
	}
	return b.phase(id, t, hardware.PhaseCommit, b.height+p.Schedule.WCommit)
}
