package registry

import (
	"bytes"
	"fmt"
	"slices"

	"cloister/wire"
	"cloister/wire/hardware"
)

// Task is a task with its id.
type Task struct {
	ID wire.Hash
	hardware.Task
}

// Task is a task by id, nil if there is none, or no more.
func (v *View) Task(id wire.Hash) (*Task, error) {
	t, err := load[hardware.Task](v, "task", hardware.TaskKey(id))
	if err != nil || t == nil {
		return nil, err
	}
	return &Task{ID: id, Task: *t}, nil
}

// OpenTask is a device's open task, nil if it has none.
func (v *View) OpenTask(device wire.Hash) (*Task, error) {
	o, err := load[hardware.OpenTask](v, "open task", hardware.OpenKey(device))
	if err != nil || o == nil {
		return nil, err
	}
	return v.Task(o.Task)
}

// OpenTasks lists up to limit open tasks, of all devices.
func (v *View) OpenTasks(limit int) ([]*Task, error) {
	totals, err := v.Totals()
	if err != nil {
		return nil, err
	}
	var list []*Task
	var page []byte
	for slot := uint32(0); slot < totals.Open && len(list) < limit; slot++ {
		at := 32 * int(slot%hardware.PageOpen)
		if at == 0 {
			if page, err = v.Read(hardware.OpenPageKey(slot / hardware.PageOpen)); err != nil {
				return nil, fmt.Errorf("registry: open tasks: %w", err)
			}
		}
		if at+32 > len(page) {
			break // the list became shorter meanwhile
		}
		t, err := v.OpenTask(wire.Hash(page[at:]))
		if err != nil {
			return nil, err
		}
		if t != nil {
			list = append(list, t)
		}
	}
	return list, nil
}

// seats is how a committee is stored.
type seats struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Seat
}

// Committee lists the seats of a task, ascending by device; none before it is
// drawn.
func (v *View) Committee(task wire.Hash) ([]hardware.Seat, error) {
	s, err := load[seats](v, "committee", hardware.CommitteeKey(task))
	if err != nil || s == nil {
		return nil, err
	}
	return s.List, nil
}

// Seat is a device's place in a committee.
func Seat(list []hardware.Seat, device wire.Hash) (place int, ok bool) {
	return slices.BinarySearchFunc(list, device, func(s hardware.Seat, id wire.Hash) int { return bytes.Compare(s.Device[:], id[:]) })
}

// bucket is how claims are stored.
type bucket struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Claimed
}

// Claimed reports whether a device has claimed a seat in the open attempt.
func (v *View) Claimed(task, device wire.Hash) (bool, error) {
	b, err := load[bucket](v, "claims", hardware.ClaimKey(task, device[0]%hardware.ClaimBuckets))
	if err != nil || b == nil {
		return false, err
	}
	return slices.ContainsFunc(b.List, func(c hardware.Claimed) bool { return c.Device == device }), nil
}

// Challenge is what the verifier at a place of the committee posted, nil if
// nothing yet.
func (v *View) Challenge(task wire.Hash, place int) (*hardware.Posted, error) {
	return load[hardware.Posted](v, "challenge", hardware.ChallengeKey(task, uint16(place)))
}

// Evidence is that of an open task, nil before there is any.
func (v *View) Evidence(task wire.Hash) (*hardware.Evidence, error) {
	return load[hardware.Evidence](v, "evidence", hardware.EvidenceKey(task))
}

// Outcome is a line of a device's log, nil if it was pruned or is not there yet.
func (v *View) Outcome(device wire.Hash, n uint32) (*hardware.Outcome, error) {
	return load[hardware.Outcome](v, "result", hardware.ResultKey(device, n))
}
