package committee

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"cloister/wire"
)

// Claim is a device's claim to sit in a committee, its proof verified.
type Claim struct {
	Device, Owner, Root wire.Hash
	RootSeatCap         uint16 // 0: none; the same in all claims under one root
	Beta                []byte // VRF output
	Tickets             uint64 // in the snapshot
}

// Seat is a device's part of a committee: so many of its tickets were drawn.
type Seat struct {
	_      struct{} `cbor:",toarray"`
	Device wire.Hash
	Seats  uint16 // at least 1
}

// Seats draws a committee: the lowest counting tickets of all claims, at most K,
// passing over tickets of owners and roots that have all the seats they may
// have. T is the tickets of all eligible devices, claimed or not. The result is
// sorted by device and does not depend on the order of claims.
//
// ok is false if fewer than SMin seats or DMin devices came out. The attempt is
// then inconclusive and nobody is seated: seats is nil, every claim's bond goes
// back. Claims must be of different devices.
func Seats(p Params, T uint64, claims []Claim) (seats []Seat, ok bool) {
	type ticket struct {
		draw
		claim *Claim
	}
	var tickets []ticket
	for i := range claims {
		c := &claims[i]
		for _, d := range drawn(p, T, c.Beta, c.Tickets) {
			tickets = append(tickets, ticket{d, c})
		}
	}
	slices.SortFunc(tickets, func(a, b ticket) int {
		return cmp.Or(compare(a.x, b.x), compare(a.claim.Device, b.claim.Device), cmp.Compare(a.k, b.k))
	})

	given := uint32(0)
	owner, root, device := map[wire.Hash]uint32{}, map[wire.Hash]uint32{}, map[wire.Hash]uint16{}
	for _, t := range tickets {
		c := t.claim
		if given == p.K {
			break
		}
		if owner[c.Owner] >= p.OwnerSeatCap || c.RootSeatCap > 0 && root[c.Root] >= uint32(c.RootSeatCap) {
			continue
		}
		given++
		owner[c.Owner]++
		root[c.Root]++
		device[c.Device]++
	}
	if given < p.SMin || len(device) < int(p.DMin) {
		return nil, false
	}
	for _, c := range claims {
		if n := device[c.Device]; n > 0 {
			seats = append(seats, Seat{Device: c.Device, Seats: n})
		}
	}
	slices.SortFunc(seats, func(a, b Seat) int { return compare(a.Device, b.Device) })
	for i := 1; i < len(seats); i++ {
		if seats[i].Device == seats[i-1].Device {
			panic(fmt.Sprintf("committee: device %s claims twice", seats[i].Device))
		}
	}
	return seats, true
}

func compare(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) }
