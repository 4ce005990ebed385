package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence/appraise"
	"cloister/wire"
	"cloister/wire/hardware"
)

// shownTask is one attestation of a device.
type shownTask struct {
	Task     wire.Hash   `json:"task"`
	Device   wire.Hash   `json:"device"`
	Kind     string      `json:"kind"`
	Attempt  uint32      `json:"attempt"`
	Phase    string      `json:"phase"`
	Waits    string      `json:"waits_for"`
	Deadline uint64      `json:"deadline"` // last height of the phase; 0: it does not end by itself
	Opened   uint64      `json:"opened"`   // height
	Payer    string      `json:"payer"`
	Price    uint64      `json:"price"` // factoshis
	Evidence *wire.Hash  `json:"evidence,omitempty"`
	Claims   uint32      `json:"claims"`
	Seats    uint32      `json:"seats"`
	Seated   []shownSeat `json:"committee"`
	Verdict  string      `json:"verdict,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Final    uint64      `json:"final,omitempty"` // height of the verdict
	Disputed bool        `json:"disputed"`
	Height   uint64      `json:"height"`
}

// shownSeat is a member of a committee.
type shownSeat struct {
	Device    wire.Hash `json:"device"`
	Seats     uint16    `json:"seats"`
	Committed bool      `json:"committed"`
	Revealed  bool      `json:"revealed"`
	Verdict   string    `json:"verdict,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

var taskKinds = map[uint8]string{
	hardware.KindJoin: "join", hardware.KindPeriodic: "renew", hardware.KindChallenge: "challenge", hardware.KindReinstate: "reinstate",
}

var verdicts = map[uint8]string{hardware.Pass: "pass", hardware.Fail: "fail", hardware.Inconclusive: "inconclusive"}

// phases with what the ledger waits for (wire/hardware).
var phases = map[hardware.Phase][2]string{
	hardware.PhaseAnchor:    {"anchor", "the end of a block, which sets the nonce"},
	hardware.PhaseEvidence:  {"evidence", "the device's evidence"},
	hardware.PhaseBeacon:    {"beacon", "the next beacon value, which draws the committee"},
	hardware.PhaseClaim:     {"claim", "devices with a drawn ticket, to claim their seats"},
	hardware.PhaseChallenge: {"challenge", "the committee's challenges to the joining device"},
	hardware.PhaseAnswer:    {"answer", "the joining device's answer"},
	hardware.PhaseCommit:    {"commit", "the committee's hidden votes"},
	hardware.PhaseReveal:    {"reveal", "the committee's open votes"},
	hardware.PhaseClosed:    {"closed", "nobody; it can still be disputed"},
}

// reasons of a FAIL (specification §7).
var reasons = map[uint16]string{
	appraise.Signature: "its signature or certificates do not hold", appraise.Nonce: "it answers another nonce or with other keys",
	appraise.PCRDigest: "the quoted PCRs do not match", appraise.Replay: "the logs do not lead to the quoted PCRs",
	appraise.NotApproved: "something it measured is not approved", appraise.Revoked: "something it measured is revoked",
	appraise.Counter: "its counter did not rise", appraise.Reset: "its clock went back", appraise.Activation: "it did not answer the challenges",
	appraise.NoEvidence: "there was no evidence", appraise.Collateral: "no collateral judges it", appraise.MissingParts: "a part of the machine was not measured",
}

func reasonText(r uint16) string {
	switch text, known := reasons[r]; {
	case r == 0:
		return ""
	case known:
		return text
	}
	return fmt.Sprintf("reason-%d", r)
}

func showTask(id wire.Hash, t *hardware.Task, height uint64) *shownTask {
	phase, known := phases[t.Phase]
	if !known {
		phase = [2]string{fmt.Sprintf("phase-%d", uint8(t.Phase)), "what this program does not know"}
	}
	s := &shownTask{
		Task: id, Device: t.Device, Kind: or(taskKinds[t.Kind], fmt.Sprintf("kind-%d", t.Kind)), Attempt: t.Attempt, Phase: phase[0], Waits: phase[1],
		Deadline: t.Deadline, Opened: t.Opened, Payer: wire.FactoidAddress(t.Payer), Price: t.Price, Claims: t.Claims, Seats: t.Seats, Seated: []shownSeat{},
		Verdict: verdicts[t.Verdict], Reason: reasonText(t.Reason), Final: t.Final, Disputed: t.Disputed, Height: height,
	}
	if !t.EvidenceDigest.IsZero() {
		s.Evidence = &t.EvidenceDigest
	}
	return s
}

func (s *shownTask) text(w io.Writer) {
	deadline, found, verdict := "", "none yet", ""
	if s.Deadline != 0 {
		deadline = fmt.Sprintf("block %d", s.Deadline)
	}
	if s.Evidence != nil {
		found = s.Evidence.String()
	}
	if s.Verdict != "" {
		verdict = fmt.Sprintf("%s in block %d%s", s.Verdict, s.Final, marked(s.Reason != "", ": "+s.Reason))
	}
	fields(w, "task", s.Task.String(), "device", s.Device.String(), "kind", fmt.Sprintf("%s, attempt %d", s.Kind, s.Attempt),
		"phase", fmt.Sprintf("%s, waits for %s", s.Phase, s.Waits), "until", deadline, "opened", fmt.Sprintf("block %d", s.Opened),
		"paid", fmt.Sprintf("%s factoids by %s", amount(s.Price), s.Payer), "evidence", found, "committee", fmt.Sprintf("%d seats, %d claims", s.Seats, s.Claims),
		"verdict", verdict, "disputed", marked(s.Disputed, "yes"), "as of", fmt.Sprintf("block %d, proved", s.Height))
	if len(s.Seated) == 0 {
		return
	}
	rows := make([][]string, len(s.Seated))
	for i, m := range s.Seated {
		vote := "waits"
		switch {
		case m.Revealed:
			vote = m.Verdict + marked(m.Reason != "", ": "+m.Reason)
		case m.Committed:
			vote = "committed"
		}
		rows[i] = []string{m.Device.String(), decimal(uint64(m.Seats)), vote}
	}
	table(w, []string{"VERIFIER", "SEATS", "VOTE"}, rows)
}

// shownTasks lists the open ones.
type shownTasks struct {
	Tasks  []*shownTask `json:"tasks"`
	Open   uint32       `json:"open"` // tasks there are
	Height uint64       `json:"height"`
}

func (s *shownTasks) text(w io.Writer) {
	rows := make([][]string, len(s.Tasks))
	for i, t := range s.Tasks {
		deadline := "-"
		if t.Deadline != 0 {
			deadline = decimal(t.Deadline)
		}
		rows[i] = []string{t.Task.String(), t.Kind, t.Phase, deadline, t.Device.String()}
	}
	table(w, []string{"TASK", "KIND", "PHASE", "UNTIL BLOCK", "DEVICE"}, rows)
	fmt.Fprintf(w, "%d of %d open tasks; as of block %d, proved\n", len(s.Tasks), s.Open, s.Height)
}

// seats is how a committee is stored, in at most maxSeats bytes.
type seats struct {
	_    struct{} `cbor:",toarray"`
	List []hardware.Seat
}

const maxSeats = 64 << 10

// task reads a task, nil if there is none.
func (r registry) task(id wire.Hash) (*shownTask, error) {
	t, err := row[hardware.Task](r.proved, hardware.TaskKey(id), 4<<10)
	if err != nil || t == nil {
		return nil, err
	}
	s := showTask(id, t, r.height)
	c, err := row[seats](r.proved, hardware.CommitteeKey(id), maxSeats)
	if err != nil || c == nil {
		return s, err
	}
	for i := range c.List {
		m := &c.List[i]
		s.Seated = append(s.Seated, shownSeat{
			Device: m.Device, Seats: m.Seats, Committed: !m.Commitment.IsZero(), Revealed: m.Revealed, Verdict: verdicts[m.Verdict], Reason: reasonText(m.Reason),
		})
	}
	return s, nil
}

// openTasks lists the tasks of devices on the list of open ones.
func (r registry) openTasks(limit uint32) (ids []wire.Hash, open uint32, err error) {
	t, err := r.totals()
	if err != nil {
		return nil, 0, err
	}
	for slot := uint32(0); slot < t.Open && uint32(len(ids)) < limit; slot += hardware.PageOpen {
		page, err := r.get(hardware.OpenPageKey(slot / hardware.PageOpen))
		if err != nil {
			return nil, 0, err
		}
		for at := 0; at+32 <= len(page) && uint32(len(ids)) < limit; at += 32 {
			device := wire.Hash(page[at : at+32])
			if device.IsZero() {
				continue
			}
			o, err := row[hardware.OpenTask](r.proved, hardware.OpenKey(device), 128)
			if err != nil {
				return nil, 0, err
			}
			if o != nil { // else it ended since the list was read
				ids = append(ids, o.Task)
			}
		}
	}
	return ids, t.Open, nil
}

func hardwareTasks(a *app) *cobra.Command {
	return listing("tasks", func() *cobra.Command {
		var most uint32
		var quiet bool
		c := &cobra.Command{
			Short: "List the open attestations and what each waits for",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				r := readRegistry(ctx, c)
				ids, open, err := r.openTasks(most)
				if err != nil {
					return err
				}
				if quiet {
					return a.idLines(ids)
				}
				s := &shownTasks{Tasks: []*shownTask{}, Open: open}
				for _, id := range ids {
					t, err := r.task(id)
					if err != nil {
						return err
					}
					if t != nil {
						s.Tasks = append(s.Tasks, t)
					}
				}
				s.Height = r.height
				return a.print(s)
			}),
		}
		c.Flags().Uint32Var(&most, "limit", 100, "how many to show at most")
		c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the tasks' ids and nothing else")
		return c
	}, tasksShow(a))
}

func tasksShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show TASK",
		Short:   "Show an attestation: phase, committee, votes, verdict",
		Example: `  cloister hardware tasks show $(cloister hardware attest -q $(cloister hardware join -q --endpoint-of-core 3))`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a task's id", args[0])
			if err != nil {
				return err
			}
			t, err := readRegistry(ctx, c).task(id)
			switch {
			case err != nil:
				return err
			case t == nil:
				return wire.Faultf(wire.ErrTaskUnknown, "%s", id)
			}
			return a.print(t)
		}),
	}
}

// shownOpened is the outcome of attest.
type shownOpened struct {
	Task   wire.Hash `json:"task"`
	Device wire.Hash `json:"device"`
	Kind   string    `json:"kind"`
	TxID   wire.Hash `json:"tx_id"`
	Height uint64    `json:"height"`
}

func (s *shownOpened) text(w io.Writer) {
	fields(w, "task", s.Task.String(), "device", s.Device.String(), "kind", s.Kind, "transaction", s.TxID.String(), "block", decimal(s.Height))
	fmt.Fprintf(w, "Follow it: cloister hardware tasks show %s\n", s.Task)
}

func hardwareAttest(a *app) *cobra.Command {
	var kind string
	var quiet bool
	c := &cobra.Command{
		Use:   "attest DEVICE",
		Short: "Open an attestation of a device, and pay for its committee",
		Long: `Open an attestation of a device, and pay for its committee. Anybody may challenge a
device that is active or stale; each further challenge in an epoch costs twice as
much. Its owner may renew a stale one and reinstate a suspended one.`,
		Example: `  cloister hardware attest $(cloister hardware join -q --endpoint-of-core 2)`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			d, err := readRegistry(ctx, c).known(args[0])
			if err != nil {
				return err
			}
			p := &hardware.Open{Device: d.Device}
			for n, name := range taskKinds { //deterministic: names are distinct
				if name == kind && n != hardware.KindJoin {
					p.Kind = n
				}
			}
			if p.Kind == 0 {
				return bad("--kind is challenge, renew or reinstate, not %q", clip(kind))
			}
			v, err := a.submit(ctx, c, hardware.Name, hardware.Encode(p))
			if err != nil {
				return err
			}
			s := &shownOpened{Device: d.Device, Kind: kind, TxID: v.TxID, Height: v.Height}
			if copy(s.Task[:], v.Result.Output) != len(s.Task) {
				return wire.Faultf(wire.ErrProof, "the ledger named no task")
			}
			if quiet {
				return a.idLines([]wire.Hash{s.Task})
			}
			return a.print(s)
		}),
	}
	c.Flags().StringVar(&kind, "kind", "challenge", "why: challenge, renew or reinstate")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the task's id and nothing else")
	return c
}
