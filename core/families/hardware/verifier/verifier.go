package verifier

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"

	"cloister/wire"
	"cloister/wire/hardware"
)

// Verifier is a registered device that judges others.
type Verifier struct {
	Chain  wire.Hash
	Device wire.Hash
	Key    wire.PrivateKey // the node key
	// VRF is the key that counts when a committee is drawn; with another one nothing
	// is claimed.
	VRF ed25519.PrivateKey
}

// At is the block whose state is read.
type At struct {
	Height uint64
	TimeMs uint64 // its block time: collateral is judged at it
}

// Job is a payload of the hardware family to submit.
type Job struct {
	Payload []byte
	Gas     uint64 // factoshis its payer has to have, besides the fee
	Until   uint64 // last height at which it is of use; 0: any
}

// Op says what the job does.
func (j *Job) Op() hardware.Op { return hardware.Op(j.Payload[0]) }

// Bounds of one look.
const (
	maxTasks = 1024 // open tasks looked at; of more, another part with every height
	maxJobs  = 64
	maxNeeds = 2 * hardware.MaxRefs // entries asked for: both logs of one task
)

// Due lists what a verifier has to submit in the state after block at, the most
// urgent first: nothing if the device may not judge. needs are entries without
// which it cannot vote yet; entries returns the bytes of one, unchecked, and false
// while it is not there. get reads the hardware family's state.
//
// Errors are those of get, or say that the state is not one of this family.
func Due(get Reader, v *Verifier, at At, entries func(wire.Hash) ([]byte, bool)) (jobs []Job, needs []wire.Hash, err error) {
	totals, err := row[hardware.Totals](get, hardware.TotalsKey)
	if err != nil || totals == nil || totals.Open == 0 {
		return nil, nil, err
	}
	l := &look{get: get, Verifier: v, at: at, entries: entries, versions: map[uint32]*params{}}
	ok, err := l.mayJudge()
	if err != nil || !ok {
		return nil, nil, err
	}
	if err := l.walk(totals.Open); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(l.jobs, func(a, b Job) int { return cmp.Compare(urgency[a.Op()], urgency[b.Op()]) })
	return l.jobs, l.needs, nil
}

// urgency orders jobs by what it costs to miss them.
var urgency = map[hardware.Op]int{hardware.OpReveal: 1, hardware.OpCommit: 2, hardware.OpChallenge: 3, hardware.OpClaim: 4}

// look is one call of Due.
type look struct {
	get Reader
	*Verifier
	at       At
	entries  func(wire.Hash) ([]byte, bool)
	versions map[uint32]*params

	self  *hardware.Device
	jobs  []Job
	needs []wire.Hash
}

// walk goes through the list of open tasks, or the part of it that is this
// height's turn.
func (l *look) walk(open uint32) error {
	first, n := uint32(0), open
	if open > maxTasks {
		first, n = uint32(l.at.Height*maxTasks%uint64(open)), maxTasks
	}
	var page []byte
	loaded := int64(-1)
	for i := range n {
		slot := (first + i) % open
		number, at := slot/hardware.PageOpen, int(32*(slot%hardware.PageOpen))
		if int64(number) != loaded {
			var err error
			if page, err = l.get(hardware.OpenPageKey(number)); err != nil {
				return err
			}
			loaded = int64(number)
		}
		if len(page) < at+32 {
			return fmt.Errorf("verifier: %d devices have an open task, slot %d is not there", open, slot)
		}
		if err := l.attend(wire.Hash(page[at : at+32])); err != nil {
			return err
		}
		if len(l.jobs) >= maxJobs {
			return nil
		}
	}
	return nil
}

// attend does what a device's open task wants of this verifier.
func (l *look) attend(device wire.Hash) error {
	if device == l.Device {
		return nil
	}
	open, err := row[hardware.OpenTask](l.get, hardware.OpenKey(device))
	if err != nil || open == nil {
		return missing(err, "open task of device %s", device)
	}
	t, err := row[hardware.Task](l.get, hardware.TaskKey(open.Task))
	if err != nil || t == nil {
		return missing(err, "task %s", open.Task)
	}
	if t.Phase < hardware.PhaseClaim || t.Phase > hardware.PhaseReveal || t.Phase == hardware.PhaseAnswer || l.at.Height >= t.Deadline {
		return nil
	}
	p, err := l.params(t.Params)
	if err != nil {
		return err
	}
	a := &attempt{look: l, id: open.Task, Task: t, params: p}
	if t.Phase == hardware.PhaseClaim {
		return a.claim()
	}
	return a.vote()
}

// attempt is the attempt of a task that a verifier may take part in.
type attempt struct {
	*look
	id wire.Hash
	*hardware.Task
	params *params
}

func (a *attempt) as() hardware.Vote {
	return hardware.Vote{Task: a.id, Attempt: a.Attempt, Device: a.look.Device}
}

func (a *attempt) submit(p hardware.Payload, gas uint64) {
	a.jobs = append(a.jobs, Job{Payload: hardware.Encode(p), Gas: gas, Until: a.Deadline})
}

// vote does what is left to do for the verifier's seat, if it has one.
func (a *attempt) vote() error {
	c, err := row[seats](a.get, hardware.CommitteeKey(a.id))
	if err != nil || c == nil {
		return missing(err, "committee of task %s", a.id)
	}
	i, ok := slices.BinarySearchFunc(c.List, a.look.Device, func(s hardware.Seat, id wire.Hash) int { return bytes.Compare(s.Device[:], id[:]) })
	if !ok {
		return nil
	}
	s := &c.List[i]
	switch {
	case a.Phase == hardware.PhaseChallenge && !s.Challenged:
		return a.challenge()
	case a.Phase == hardware.PhaseCommit && s.Commitment.IsZero() && (a.Kind != hardware.KindJoin || s.Challenged):
		return a.commit()
	case a.Phase == hardware.PhaseReveal && !s.Commitment.IsZero() && !s.Revealed:
		return a.reveal(s)
	}
	return nil
}
