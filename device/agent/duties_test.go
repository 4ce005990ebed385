package agent_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/verifier"
	"cloister/core/ledger/ledgertest"
	"cloister/device/agent"
	"cloister/device/tpm"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// scene is a state by hand, and what an agent submits in it.
type scene struct {
	*testing.T
	state  map[string][]byte
	height uint64
	moved  bool // reads fail,
	reads  int  // after so many
	refuse error
	sent   []public.Payload
	chip   *actor
	agent  *agent.Agent
}

var sceneChain, sceneDevice = wire.Hash{1}, wire.Hash{2}

func newScene(t *testing.T, edit ...func(*agent.Config)) *scene {
	key := newForger(liar{}) // for a well-formed attestation key
	s := &scene{T: t, state: map[string][]byte{}, height: 10, chip: &actor{ak: key.ak}}
	p := hardware.DefaultParams()
	s.set(public.TotalsKey, &public.Totals{Params: 1, NextDue: 1})
	s.set(public.ParamsKey(1), &p)
	c := agent.Config{Chain: sceneChain, Network: s, Node: ledgertest.Key(1), VRF: ledgertest.Key(2), Chip: s.chip, Join: true, Upkeep: true}
	for _, e := range edit {
		e(&c)
	}
	s.agent = agent.New(c)
	return s
}

func (s *scene) set(key []byte, v any) { s.state[string(key)] = wire.Marshal(v) }

func (s *scene) Payer() wire.Account { return wire.Account{9} }

func (s *scene) View(context.Context) (*agent.View, error) {
	return &agent.View{At: verifier.At{Height: s.height, TimeMs: 1000}, Get: func(key []byte) ([]byte, error) {
		if s.reads--; s.moved && s.reads < 0 {
			return nil, agent.ErrMoved
		}
		return s.state[string(key)], nil
	}}, nil
}

func (s *scene) Submit(_ context.Context, payloads [][]byte) []error {
	errs := make([]error, len(payloads))
	for i, b := range payloads {
		p, err := public.Decode(b)
		if err != nil {
			s.Fatalf("the agent sends what nobody can read: %v", err)
		}
		s.sent = append(s.sent, p)
		errs[i] = s.refuse
	}
	return errs
}

func (s *scene) Entry(context.Context, wire.Hash) ([]byte, error) { return nil, nil }
func (s *scene) Record(context.Context, [][]byte) error           { return nil }

func (s *scene) register(status public.Status, edit ...func(*public.Device)) *public.Device {
	d := &public.Device{
		Ordinal: 1, Kind: public.TPM, Owner: s.Payer(), NodeKey: ledgertest.Key(1).Public(), VRFKey: ledgertest.Key(2).Public(), AKName: s.chip.ak.Name(),
	}
	for _, e := range edit {
		e(d)
	}
	s.set(public.DeviceKey(sceneDevice), d)
	s.state[string(public.StatusKey(0))] = []byte{0, byte(status)}
	return d
}

// round looks at a height and tells what was submitted.
func (s *scene) round(height uint64) (sent []public.Payload, err error) {
	s.height, s.sent = height, nil
	err = s.agent.Round(context.Background())
	return s.sent, err
}

// submits demands a number of payloads of one kind at each height.
func submits[P public.Payload](s *scene, from uint64, want ...int) {
	s.Helper()
	for i, n := range want {
		sent, err := s.round(from + uint64(i))
		if len(sent) != n || err != nil {
			s.Errorf("height %d: %d submitted, want %d, %v", s.height, len(sent), n, err)
		}
		for _, p := range sent {
			if _, ok := p.(P); !ok {
				s.Errorf("height %d: a %T", s.height, p)
			}
		}
	}
}

// actor plays a TPM.
type actor struct {
	ak     evidencetpm.AK
	says   []tpm.Activated
	shown  int
	failed error
}

func (a *actor) Device() wire.Hash  { return sceneDevice }
func (a *actor) Chain() [][]byte    { return [][]byte{{1}} }
func (a *actor) AK() evidencetpm.AK { return a.ak }

func (a *actor) CertifyEK([32]byte) (attest, sig []byte, err error) {
	return []byte{1}, []byte{2}, a.failed
}
func (a *actor) Activate([]tpm.Credential) ([]tpm.Activated, error) { return a.says, a.failed }

func (a *actor) Show(_ evidencetpm.Selection, qualify func([32]byte) [32]byte) (*evidencetpm.Parts, error) {
	a.shown++
	q := qualify([32]byte{})
	return &evidencetpm.Parts{Quoted: q[:], Signature: []byte{1}, AppLog: evidencetpm.AppLog{}}, a.failed
}

func TestWhatIsOwedIsRepeatedAfterSomeBlocksOnly(t *testing.T) {
	s := newScene(t)
	s.register(public.Active)
	submits[*public.Deposit](s, 10, 1, 0, 0, 0, 0, 0, 1, 0)
	if sent, err := s.round(17); len(sent) != 0 || err != nil { // the same look twice
		t.Errorf("%d submitted, %v", len(sent), err)
	}
}

// Each request that is accepted costs gas.
func TestJoiningIsNotTriedOverAndOver(t *testing.T) {
	s := newScene(t)
	submits[*public.JoinRequest](s, 10, 1, 0, 0, 0, 0, 0, 0)
	submits[*public.JoinRequest](s, 10+agent.Rejoin-1, 0, 1)
}

func TestABusyNetworkIsAskedAgainAtOnce(t *testing.T) {
	s := newScene(t)
	s.refuse = wire.ErrBusy
	for height := uint64(10); height < 13; height++ {
		if sent, err := s.round(height); len(sent) != 1 || !errors.Is(err, wire.ErrBusy) {
			t.Errorf("%d submitted, %v", len(sent), err)
		}
	}
	s.refuse = nil
	submits[*public.JoinRequest](s, 13, 1, 0)
}

func TestARefusalIsReportedUnlessTheDutyHasPassed(t *testing.T) {
	s := newScene(t)
	s.refuse = wire.ErrGas
	if _, err := s.round(10); !errors.Is(err, wire.ErrGas) {
		t.Errorf("%v", err)
	}
	if sent, err := s.round(11); len(sent) != 0 || err != nil {
		t.Errorf("%d submitted, %v", len(sent), err)
	}
	s.refuse = wire.ErrDeviceExists
	if sent, err := s.round(16); len(sent) != 1 || err != nil {
		t.Errorf("%d submitted, %v", len(sent), err)
	}
}

func TestNobodyJoinsUnaskedOrWhileBanned(t *testing.T) {
	submits[*public.JoinRequest](newScene(t, func(c *agent.Config) { c.Join = false }), 10, 0, 0)
	s := newScene(t)
	s.set(public.BanKey(sceneDevice), &public.Banned{Until: 13, Fails: 1})
	submits[*public.JoinRequest](s, 10, 0, 0, 1, 0)
}

func TestADeviceWithOtherKeysOrRevokedIsLeftAlone(t *testing.T) {
	for rule, row := range map[string]struct {
		status public.Status
		edit   func(*public.Device)
		want   error
	}{
		"another node key": {public.Stale, func(d *public.Device) { d.NodeKey = wire.PublicKey{7} }, agent.ErrOtherKeys},
		"another VRF key":  {public.Stale, func(d *public.Device) { d.VRFKey = wire.PublicKey{7} }, agent.ErrOtherKeys},
		"revoked":          {public.Revoked, func(*public.Device) {}, agent.ErrRevoked},
	} {
		s := newScene(t)
		s.register(row.status, row.edit)
		if sent, err := s.round(10); len(sent) != 0 || !errors.Is(err, row.want) {
			t.Errorf("%s: %d submitted, %v", rule, len(sent), err)
		}
	}
}

func TestUpkeepIsTheOwnersAndOnlyIfWanted(t *testing.T) {
	s := newScene(t)
	s.register(public.Active)
	submits[*public.Deposit](s, 10, 1, 0)
	s = newScene(t, func(c *agent.Config) { c.Upkeep = false })
	s.register(public.Active)
	submits[*public.Deposit](s, 10, 0)
	s = newScene(t)
	s.register(public.Active, func(d *public.Device) { d.Owner = wire.Account{8} })
	submits[*public.Deposit](s, 10, 0)
}

// opened gives the device an open task.
func (s *scene) opened(task public.Task) wire.Hash {
	id := wire.Hash{5}
	task.Device, task.Params = sceneDevice, 1
	if task.Attempt == 0 {
		task.Attempt = 1
	}
	s.set(public.OpenKey(sceneDevice), &public.OpenTask{Task: id})
	s.set(public.TaskKey(id), &task)
	return id
}

func TestEvidenceIsMadeForEachQuestionAndNeverTooLate(t *testing.T) {
	s := newScene(t, func(c *agent.Config) { c.Upkeep = false })
	s.register(public.Active)
	submits[*public.EvidenceSubmit](s, 10, 0)
	question := public.Task{Kind: public.KindPeriodic, Phase: public.PhaseEvidence, Deadline: 30, Nonce: wire.Hash{3}}
	s.opened(question)
	submits[*public.EvidenceSubmit](s, 11, 1, 0)
	question.Attempt, question.Nonce = 2, wire.Hash{4}
	s.opened(question)
	submits[*public.EvidenceSubmit](s, 13, 1, 0)
	if s.chip.shown != 2 {
		t.Errorf("the TPM made %d evidences", s.chip.shown)
	}
	question.Attempt = 3
	s.opened(question)
	submits[*public.EvidenceSubmit](s, 30, 0)
	question.Deadline, question.Phase = 99, public.PhaseClaim
	s.opened(question)
	submits[*public.EvidenceSubmit](s, 31, 0)
	if s.chip.shown != 2 {
		t.Errorf("the TPM made %d evidences", s.chip.shown)
	}
}

func TestATPMThatFailsIsAskedAgain(t *testing.T) {
	s := newScene(t, func(c *agent.Config) { c.Upkeep = false })
	s.register(public.Active)
	s.opened(public.Task{Kind: public.KindPeriodic, Phase: public.PhaseEvidence, Deadline: 30})
	s.chip.failed = errors.New("no answer")
	if sent, err := s.round(10); len(sent) != 0 || !errors.Is(err, s.chip.failed) {
		t.Errorf("%d submitted, %v", len(sent), err)
	}
	s.chip.failed = nil
	submits[*public.EvidenceSubmit](s, 11, 1)
}

// A verifier that committed to one secret and wrapped another, or garbage, must
// not spoil the answers to the others.
func TestOnlySecretsThatWereCommittedToAreAnswered(t *testing.T) {
	s := newScene(t, func(c *agent.Config) { c.Upkeep = false })
	s.register(public.NoStatus, func(d *public.Device) { d.Ordinal = 0 })
	id := s.opened(public.Task{Kind: public.KindJoin, Phase: public.PhaseAnswer, Deadline: 30})
	var list []public.Seat
	for i := range byte(4) {
		of := wire.Hash{i + 1}
		s.chip.says = append(s.chip.says, tpm.Activated{Secret: [32]byte{i}})
		list = append(list, public.Seat{
			Device: of, Seats: 1, Challenged: true, SecretSum: committee.ActivationSecret(id, 1, of, sceneDevice, s.chip.ak.Name(), [32]byte{i}),
		})
		s.set(public.ChallengeKey(id, uint16(i)), &public.Posted{Verifier: of})
	}
	s.chip.says[1].Secret = [32]byte{99}
	s.chip.says[2].Err = tpm.ErrNotActivated
	list = append(list, public.Seat{Device: wire.Hash{9}, Seats: 1}) // has not challenged
	s.set(public.CommitteeKey(id), []any{list})
	sent, err := s.round(10)
	if err != nil || len(sent) != 1 {
		t.Fatalf("%d submitted, %v", len(sent), err)
	}
	answer, ok := sent[0].(*public.Answer)
	want := []public.Secret{{Verifier: wire.Hash{1}, Secret: [32]byte{0}}, {Verifier: wire.Hash{4}, Secret: [32]byte{3}}}
	if !ok || !slices.Equal(answer.Secrets, want) {
		t.Errorf("%+v", sent[0])
	}
	submits[*public.Answer](s, 11, 0)
}

// What was decided on a state that is gone is decided anew, and what was not
// looked at is not forgotten.
func TestALookThatTheLedgerOvertookIsRepeated(t *testing.T) {
	s := newScene(t)
	s.moved = true
	if sent, err := s.round(10); len(sent) != 0 || !errors.Is(err, agent.ErrMoved) {
		t.Errorf("%d submitted, %v", len(sent), err)
	}
	s.moved = false
	submits[*public.JoinRequest](s, 10, 1)

	// Wherever it happens, nothing is taken for a fact that was not read.
	s = newScene(t, func(c *agent.Config) { c.Verify = true })
	s.register(public.Active)
	s.opened(public.Task{Kind: public.KindPeriodic, Phase: public.PhaseEvidence, Deadline: 90})
	s.moved = true
	for whole := range 50 {
		s.reads = whole
		sent, err := s.round(10)
		if err == nil {
			if whole < 5 || len(sent) > 2 {
				t.Errorf("done after %d reads, %d submitted", whole, len(sent))
			}
			return
		}
		if !errors.Is(err, agent.ErrMoved) || errors.Is(err, agent.ErrRevoked) || errors.Is(err, agent.ErrOtherKeys) {
			t.Errorf("after %d reads: %v", whole, err)
		}
	}
	t.Error("never done")
}

func TestRefusedEvidenceProvesACloneOnlyIfTheChipIsBehind(t *testing.T) {
	for _, row := range []struct {
		refused wire.Code
		proof   bool
	}{{wire.ErrCounterRegress, true}, {wire.ErrResetRegress, true}, {wire.ErrNonce, false}, {wire.ErrPhase, false}} {
		s := newScene(t, func(c *agent.Config) { c.Upkeep = false })
		s.register(public.Active)
		s.opened(public.Task{Kind: public.KindPeriodic, Phase: public.PhaseEvidence, Deadline: 30})
		s.refuse = row.refused
		sent, _ := s.round(10)
		if proof := len(sent) == 2; proof != row.proof {
			t.Errorf("%s: %d submitted", row.refused, len(sent))
		} else if proof {
			if p, ok := sent[1].(*public.CloneProof); !ok || p.Device != sceneDevice || p.Task.IsZero() {
				t.Errorf("%+v", sent[1])
			}
		}
	}
}

func TestRunEndsWithItsContextOrWhenNothingIsLeft(t *testing.T) {
	s := newScene(t)
	s.register(public.Revoked)
	c := agent.Config{Chain: sceneChain, Network: s, Node: ledgertest.Key(1), VRF: ledgertest.Key(2), Chip: s.chip}
	if err := agent.Run(context.Background(), c); !errors.Is(err, agent.ErrRevoked) {
		t.Errorf("%v", err)
	}
	s.register(public.Active)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := agent.Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
