package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cloister/core/families/hardware/verifier"
	"cloister/wire"
	"cloister/wire/hardware"
)

// After how many blocks what was submitted and is still owed is submitted again.
const (
	Repeat = 6
	// Rejoin is for a request to join that was accepted: each costs gas, and if
	// there were not enough verifiers there may be none for a while.
	Rejoin = 256
)

// Config says which device an agent cares for, and how.
type Config struct {
	Chain     wire.Hash
	Network   Network
	Node, VRF wire.PrivateKey // the device's; they must differ

	// Chip is the device's TPM. Without one, Device names it and Attester answers
	// for it; a nil Attester answers nothing.
	Chip     Chip
	Device   wire.Hash
	Attester Attester

	Join   bool // register the TPM if it is not
	Upkeep bool // deposit gas for renewals, renew, and ask for reinstatement, as the device's owner
	Verify bool // do a verifier's work

	Poll time.Duration // between looks; 0: DefaultPoll
	Log  *slog.Logger  // nil: silence
}

// What ends an agent's work.
var (
	ErrOtherKeys = wire.Faultf(wire.ErrKeyReuse, "the device is registered with other node or VRF keys than this machine has: bring those back, or rotate them")
	ErrRevoked   = wire.Faultf(wire.ErrDeviceStatus, "the device is revoked: nothing is owed for it any more")
)

// Agent cares for one device. It is for one goroutine at a time.
type Agent struct {
	c      Config
	net    Network
	device wire.Hash
	voter  verifier.Verifier

	height  uint64               // of the last look
	sent    map[string]uint64    // what was submitted, by name: the height from which it is owed again
	entries map[wire.Hash][]byte // fetched for verdicts
}

// New makes an agent. It does nothing before Round.
func New(c Config) *Agent {
	a := &Agent{c: c, net: c.Network, device: c.Device, sent: map[string]uint64{}, entries: map[wire.Hash][]byte{}}
	if c.Chip != nil {
		a.device = c.Chip.Device()
	}
	if c.Log == nil {
		a.c.Log = slog.New(slog.DiscardHandler)
	}
	a.voter = verifier.Verifier{Chain: c.Chain, Device: a.device, Key: c.Node, VRF: c.VRF.Crypto()}
	return a
}

// Device is the device's id.
func (a *Agent) Device() wire.Hash { return a.device }

// job is a payload to submit. Two with one name are the same duty.
type job struct {
	name    string
	payload []byte
	shown   *shown // of an answer: to prove a clone by it
}

// Round looks once and does what is owed: for the device itself, then for others.
// What one duty needs and cannot have does not keep others waiting; the errors
// come back joined. Errors: ErrMoved, after which the rest is to be done at once;
// ErrOtherKeys, ErrRevoked; others may pass.
func (a *Agent) Round(ctx context.Context) error {
	v, err := a.net.View(ctx)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if v.Height == a.height {
		return nil
	}
	a.forget(v.Height)
	for _, owed := range []func(context.Context, *View) ([]job, error){a.errands, a.votes} {
		jobs, failed := owed(ctx, v)
		if len(jobs) > 0 {
			failed = errors.Join(failed, a.submit(ctx, v.Height, jobs))
		}
		err = errors.Join(err, failed)
	}
	if errors.Is(err, ErrMoved) {
		return err
	}
	a.height = v.Height
	if err != nil {
		return fmt.Errorf("agent: at height %d: %w", v.Height, err)
	}
	return nil
}

// forget drops what was submitted so long ago that it is over, or owed again.
func (a *Agent) forget(height uint64) {
	for name, until := range a.sent { // any order leaves the same
		if height >= until {
			delete(a.sent, name)
		}
	}
}

// owed reports whether something has to be submitted now.
func (a *Agent) owed(name string) bool {
	_, was := a.sent[name]
	return !was
}

// upkeep lists what the owner owes. Its payloads are functions of the state, so
// they are their own names.
func (a *Agent) upkeep(v *View) ([]job, error) {
	if !a.c.Upkeep {
		return nil, nil
	}
	list, err := verifier.Upkeep(v.Get, a.device, a.net.Payer(), v.At)
	return a.named(list), err
}

func (a *Agent) named(list []verifier.Job) (jobs []job) {
	for _, j := range list {
		if a.owed(string(j.Payload)) {
			jobs = append(jobs, job{name: string(j.Payload), payload: j.Payload})
		}
	}
	return jobs
}

// maxEntries bounds the entries kept from one round to the next.
const maxEntries = 128

// votes lists what is owed to others, having fetched what verdicts wait for.
func (a *Agent) votes(ctx context.Context, v *View) ([]job, error) {
	if !a.c.Verify {
		return nil, nil
	}
	have := func(hash wire.Hash) ([]byte, bool) {
		b, ok := a.entries[hash]
		return b, ok
	}
	list, needs, err := verifier.Due(v.Get, &a.voter, v.At, have)
	if err != nil || len(needs) == 0 {
		return a.named(list), err
	}
	if len(a.entries)+len(needs) > maxEntries {
		clear(a.entries)
	}
	for _, hash := range needs {
		b, failed := a.net.Entry(ctx, hash)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("entry %s: %w", hash, failed))
		}
		if b != nil {
			a.entries[hash] = b
		}
	}
	list, _, failed := verifier.Due(v.Get, &a.voter, v.At, have)
	return a.named(list), errors.Join(err, failed)
}

// passing are refusals after which nothing is left to do: the task went on, or
// the state the agent saw was a block old.
var passing = map[wire.Code]bool{
	wire.ErrPhase: true, wire.ErrTaskOpen: true, wire.ErrDuplicate: true, wire.ErrDuplicateClaim: true, wire.ErrTaskUnknown: true,
	wire.ErrNotEligible: true, wire.ErrNoTicket: true, wire.ErrDeviceExists: true,
}

// busy reports whether the same is worth a try in the next round.
func busy(code wire.Code) bool { return code.Info().Exit == wire.ExitBusy }

// submit submits, and deals with what is refused.
func (a *Agent) submit(ctx context.Context, height uint64, jobs []job) (err error) {
	payloads := make([][]byte, len(jobs))
	for i := range jobs {
		payloads[i] = jobs[i].payload
	}
	for i, refused := range a.net.Submit(ctx, payloads) {
		j, code := &jobs[i], wire.CodeOf(refused)
		pause := uint64(Repeat)
		if refused == nil && j.name == joinName {
			pause = Rejoin
		}
		if !busy(code) {
			a.sent[j.name] = height + pause
		}
		switch {
		case refused == nil:
			a.c.Log.Info("device.submitted", "what", j.what(), "device", a.device, "height", height)
		case passing[code]:
			a.c.Log.Debug("device.overtaken", "what", j.what(), "device", a.device, "code", code)
		default:
			err = errors.Join(err, fmt.Errorf("%s: %w", j.what(), refused), a.incriminate(ctx, j, code))
		}
	}
	return err
}

// what names a payload for people: the structure it is.
func (j *job) what() string {
	p, err := hardware.Decode(j.payload)
	if err != nil {
		return fmt.Sprintf("operation %d", j.payload[0])
	}
	_, name, _ := strings.Cut(fmt.Sprintf("%T", p), ".")
	return name
}

// incriminate proves by refused evidence that the TPM is behind what the ledger
// knows of it.
func (a *Agent) incriminate(ctx context.Context, j *job, refused wire.Code) error {
	if j.shown == nil {
		return nil
	}
	p := behind(j.shown.own, &j.shown.evidence, refused)
	if p == nil {
		return nil
	}
	a.c.Log.Error("device.cloned", "device", a.device, "why", "the TPM is behind what the ledger knows of it: it exists twice, or was rolled back")
	if err := a.net.Submit(ctx, [][]byte{hardware.Encode(p)})[0]; err != nil {
		return fmt.Errorf("proof of a clone: %w", err)
	}
	return nil
}
