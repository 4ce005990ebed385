package duty

import (
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/beacon"
	"cloister/wire/node"
)

// Job is one thing to submit: a payload that is ready, or claims that evidence
// has to be made for first.
type Job struct {
	Family  string
	Payload []byte // nil: Claims are set
	Claims  *evidence.Claims
	finish  func(claims, evidence []byte) []byte
}

// Finish makes the payload of a job with claims; made is the encoded evidence
// whose report data is Claims.ReportData.
func (j *Job) Finish(made []byte) []byte { return j.finish(wire.Marshal(j.Claims), made) }

// Look lists what the core owes in the state of a view, for a block of this
// time. caughtUp says of which learners this core, as the leader, knows that
// they have. It carries ErrBootReplayed if a later run of this core is
// registered, and ErrNodeRevoked or ErrNodeRetired if nothing is to be done.
func Look(v *ledger.View, s *Self, timeMs uint64, caughtUp func(wire.NodeID) bool) ([]Job, error) {
	enabled := v.Families()
	if !slices.Contains(enabled, node.Name) {
		return nil, nil
	}
	nodes := func(key []byte) ([]byte, error) { return v.Get(node.Name, key) }
	due, err := node.Due(nodes, node.Self{Identity: s.Key.Public(), Boots: s.Boots, BootID: s.BootID}, timeMs)
	if err != nil {
		return nil, err
	}
	var jobs []Job
	for _, d := range due {
		switch d.Kind {
		case node.KindPromote:
			if caughtUp(d.Node) {
				jobs = append(jobs, Job{Family: node.Name, Payload: (&node.Promote{Node: d.Node}).Bytes()})
			}
		default:
			n, err := node.Of(nodes, s.ID())
			if err != nil {
				return nil, err
			}
			if n == nil {
				continue // no founder: its operator registers it (Registration)
			}
			j, err := attestation(v, s, d.Kind, n)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
	}
	if !slices.Contains(enabled, beacon.Name) {
		return jobs, nil
	}
	proof, err := prove(v, s, nodes, timeMs)
	if proof != nil {
		jobs = append(jobs, *proof)
	}
	return jobs, err
}

// prove makes the core's proof for the open round of the beacon, if it owes one.
func prove(v *ledger.View, s *Self, nodes node.Reader, timeMs uint64) (*Job, error) {
	r, err := node.RosterOf(nodes)
	if err != nil || r == nil || !node.MayVote(r, s.ID()) {
		return nil, err
	}
	n, err := node.Of(nodes, s.ID())
	if err != nil || n == nil || n.VRF != s.VRF() {
		return nil, err // not registered yet
	}
	d, err := beacon.Due(func(key []byte) ([]byte, error) { return v.Get(beacon.Name, key) }, s.Chain, s.ID(), timeMs)
	if err != nil || d == nil {
		return nil, err
	}
	p := beacon.Prove{Round: d.Round, Proof: ecvrf.Prove(s.vrf, d.Alpha[:])}
	return &Job{Family: beacon.Name, Payload: p.Bytes()}, nil
}

// attestation is a registration, renewal or new run of a node the ledger knows.
func attestation(v *ledger.View, s *Self, kind byte, n *node.Node) (Job, error) {
	operator := n.Operator
	if operator == (wire.Account{}) {
		operator = s.Account()
	}
	purpose := evidence.Renew
	if kind == node.KindRegister {
		purpose = evidence.Register
	}
	c, err := claims(v, s, purpose, operator)
	if err != nil {
		return Job{}, err
	}
	shown := func(claims, made []byte) node.Attestation {
		return node.Attestation{Claims: claims, Evidence: made, Boots: s.Boots, Endpoint: n.Endpoint}
	}
	return Job{Family: node.Name, Claims: c, finish: func(claims, made []byte) []byte {
		a := shown(claims, made)
		switch kind {
		case node.KindRegister:
			r := &node.Register{Shown: a, Roles: node.VoterRole, Name: n.Name}
			r.Shown.Signature = s.Key.Sign(r.Digest(s.Chain))
			return r.Bytes()
		case node.KindBoot:
			b := &node.Boot{Shown: a}
			b.Shown.Signature = s.Key.Sign(b.Digest(s.Chain))
			return b.Bytes()
		}
		r := &node.Renew{Shown: a}
		r.Shown.Signature = s.Key.Sign(r.Digest(s.Chain))
		return r.Bytes()
	}}, nil
}

// Registration is the job of registering this core for an operator, who signs
// the transaction: the core cannot pay before it is a member.
func Registration(v *ledger.View, s *Self, a *node.Application) (Job, error) {
	c, err := claims(v, s, evidence.Register, a.Operator)
	if err != nil {
		return Job{}, err
	}
	return Job{Family: node.Name, Claims: c, finish: func(claims, made []byte) []byte {
		r := &node.Register{
			Shown: node.Attestation{Claims: claims, Evidence: made, Boots: s.Boots, Endpoint: a.Endpoint}, Roles: a.Roles, Name: a.Name,
		}
		r.Shown.Signature = s.Key.Sign(r.Digest(s.Chain))
		return r.Bytes()
	}}, nil
}

// claims name the view's newest block, so that the evidence is as fresh as it can be.
func claims(v *ledger.View, s *Self, purpose evidence.Purpose, operator wire.Account) (*evidence.Claims, error) {
	tip := v.Tip()
	return &evidence.Claims{
		Purpose: purpose, ChainID: s.Chain, Height: tip.Height(), BlockHash: tip.Hash, Identity: s.Key.Public(),
		Box: s.box, VRF: s.VRF(), Operator: wire.Hash(operator), BootID: s.BootID, CodeVersion: s.CodeVersion,
	}, nil
}
