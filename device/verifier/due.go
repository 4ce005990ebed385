package verifier

import (
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/device/registry"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Self is the device that verifies.
type Self struct {
	Chain  wire.Hash
	Device wire.Hash
	Keys   Keys
}

// Duty is one message the device owes. The same is due at each look until the
// state shows it: who submits must not repeat it at each block.
type Duty struct {
	Op       hardware.Op // OpClaim, OpChallenge, OpCommit or OpReveal
	Task     wire.Hash
	Attempt  uint32
	Deadline uint64         // last height at which it may be recorded
	task     *registry.Task // as it was looked at
	seat     hardware.Seat  // but for claims
}

// MaxTasks bounds the open tasks one look considers.
const MaxTasks = 8192

// Due lists what the device owes as a verifier, in the order of the list of open
// tasks. A device that is not in good standing owes nothing.
func Due(v *registry.View, s *Self) ([]Duty, error) {
	me, err := v.Device(s.Device)
	if err != nil || me == nil || me.NodeKey != s.Keys.Node() {
		return nil, err
	}
	status, err := v.Status(me)
	if err != nil || status != hardware.Active {
		return nil, err
	}
	tasks, err := v.OpenTasks(MaxTasks)
	if err != nil {
		return nil, err
	}
	var list []Duty
	for _, t := range tasks {
		if t.Device == s.Device || t.Deadline <= v.Height { // the next block is too late
			continue
		}
		d, err := s.look(v, me, t)
		if err != nil {
			return nil, fmt.Errorf("verifier: task %s: %w", t.ID, err)
		}
		if d != nil {
			list = append(list, *d)
		}
	}
	return list, nil
}

// look says what the device owes in one task, nil if nothing.
func (s *Self) look(v *registry.View, me *hardware.Device, t *registry.Task) (*Duty, error) {
	d := &Duty{Task: t.ID, Attempt: t.Attempt, Deadline: t.Deadline, task: t}
	switch t.Phase {
	case hardware.PhaseClaim:
		d.Op = hardware.OpClaim
		ok, err := s.drawn(v, me, t)
		if err != nil || !ok {
			return nil, err
		}
		return d, nil
	case hardware.PhaseChallenge:
		d.Op = hardware.OpChallenge
	case hardware.PhaseCommit:
		d.Op = hardware.OpCommit
	case hardware.PhaseReveal:
		d.Op = hardware.OpReveal
	default:
		return nil, nil
	}
	seats, err := v.Committee(t.ID)
	if err != nil {
		return nil, err
	}
	place, seated := registry.Seat(seats, s.Device)
	if !seated || !owes(d.Op, t, &seats[place]) {
		return nil, nil
	}
	d.seat = seats[place]
	return d, nil
}

// owes says whether a seated device has yet to do its part.
func owes(op hardware.Op, t *registry.Task, seat *hardware.Seat) bool {
	switch op {
	case hardware.OpChallenge:
		return !seat.Challenged
	case hardware.OpCommit: // who has not challenged has nothing to open, so no vote
		return seat.Commitment.IsZero() && (t.Kind != hardware.KindJoin || seat.Challenged)
	}
	return !seat.Commitment.IsZero() && !seat.Revealed
}

// drawn reports whether the device may claim a seat and has not yet: it is
// eligible, and one of its tickets counts (specification §6).
func (s *Self) drawn(v *registry.View, me *hardware.Device, t *registry.Task) (bool, error) {
	if done, err := v.Claimed(t.ID, s.Device); err != nil || done {
		return false, err
	}
	if ok, err := s.eligible(v, me, t); err != nil || !ok {
		return false, err
	}
	tickets, err := v.Tickets(t.Epoch, me)
	if err != nil || tickets == 0 {
		return false, err
	}
	p, err := v.Params(t.Params)
	if err != nil {
		return false, err
	}
	proof, err := s.Keys.Prove(t.Alpha)
	if err != nil {
		return false, err
	}
	beta, ok := committee.VerifyClaim(s.Keys.VRF(), t.Alpha, proof)
	if !ok {
		return false, fmt.Errorf("the VRF key's own proof does not verify")
	}
	return len(committee.Counting(p.Committee, t.Tickets, beta, tickets)) > 0, nil
}

// eligible: of another owner, proven lately, with a VRF key that counted when
// the draw was made, and it is the one this device has.
func (s *Self) eligible(v *registry.View, me *hardware.Device, t *registry.Task) (bool, error) {
	testee, err := v.Device(t.Device)
	if err != nil || testee == nil || testee.Owner == me.Owner {
		return false, err
	}
	key := me.VRFKey
	if t.Selected < me.VRFActive {
		key = me.PrevVRFKey
	}
	p, err := v.Params(t.Params)
	if err != nil {
		return false, err
	}
	fresh := t.Selected <= me.LastPass+p.Schedule.RAPeriod+p.Schedule.RAGrace
	return key == s.Keys.VRF() && fresh, nil
}
