package duty

import (
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/beacon"
	"cloister/wire/hardware"
	"cloister/wire/node"
	"cloister/wire/record"
)

// Job is one thing to submit: a payload that is ready, or claims that evidence
// has to be made for first.
type Job struct {
	Family  string
	Payload []byte // nil: Claims are set
	Claims  *evidence.Claims
	finish  func(made []byte) []byte
}

// Finish makes the payload of a job with claims; made is the encoded evidence
// whose report data is Claims.ReportData. It is nil if that is no evidence.
func (j *Job) Finish(made []byte) []byte { return j.finish(made) }

// Occasion names what a job with claims is for: another try to show evidence on the
// same occasion can wait, one on another cannot.
func (j *Job) Occasion() wire.Hash {
	return wire.TH("cloister/duty/occasion/v1", []byte(j.Family), []byte{byte(j.Claims.Purpose)}, j.Claims.Challenge[:])
}

// Now is what the node knows besides state.
type Now struct {
	TimeMs uint64 // of a block that would be built now
	// CaughtUp says of which learners this core, as the leader, knows that they have.
	CaughtUp func(wire.NodeID) bool
	// Hardware asks for duties to the hardware registry too: they change with
	// blocks only.
	Hardware bool
	// Entry returns the bytes of an entry, unchecked, and false while it is not there.
	Entry func(wire.Hash) ([]byte, bool)
}

// Found is what a core owes.
type Found struct {
	Height uint64 // of the state that was looked at
	Jobs   []Job
	Needs  []wire.Hash // entries without which it cannot do all of it
}

// Look lists what the core owes in the state of a view. It carries
// ErrBootReplayed if a later run of this core is registered, and ErrNodeRevoked or
// ErrNodeRetired if nothing is to be done.
func Look(v *ledger.View, s *Self, now Now) (Found, error) {
	found := Found{Height: v.Height()}
	enabled := v.Families()
	if slices.Contains(enabled, record.Name) {
		signature, err := vouch(v, s)
		if err != nil {
			return found, err
		}
		found.Jobs = signature
	}
	if !s.Hardware || !slices.Contains(enabled, node.Name) {
		return found, nil
	}
	nodes := func(key []byte) ([]byte, error) { return v.Get(node.Name, key) }
	due, err := node.Due(nodes, node.Self{Identity: s.Key.Public(), Boots: s.Boots, BootID: s.BootID}, now.TimeMs)
	if err != nil {
		return found, err
	}
	n, err := node.Of(nodes, s.ID())
	if err != nil {
		return found, err
	}
	for _, d := range due {
		switch {
		case d.Kind != node.KindPromote && n != nil: // who is no founder is registered by its operator (Registration)
			found.Jobs = append(found.Jobs, attestation(v, s, d.Kind, n))
		case d.Kind == node.KindPromote && now.CaughtUp(d.Node):
			found.Jobs = append(found.Jobs, Job{Family: node.Name, Payload: (&node.Promote{Node: d.Node}).Bytes()})
		}
	}
	if slices.Contains(enabled, beacon.Name) {
		proof, err := prove(v, s, nodes, n, now.TimeMs)
		if err != nil {
			return found, err
		}
		found.Jobs = append(found.Jobs, proof...)
	}
	if now.Hardware && n != nil && sound(n, now.TimeMs) && slices.Contains(enabled, hardware.Name) {
		jobs, needs, err := attend(v, s, n.Platform.Device, now.Entry)
		if err != nil {
			return found, err
		}
		found.Jobs, found.Needs = append(found.Jobs, jobs...), needs
	}
	return found, nil
}

// sound reports whether the core would pass for what it runs: a device that shows
// what is not approved any more only pays for it. One that is out for another
// reason has to prove itself again.
func sound(n *node.Node, timeMs uint64) bool {
	code := n.Standing(timeMs)
	return code == wire.OK || code == wire.ErrNodeSuspended && n.Suspended == wire.ErrDeviceStatus
}

// prove makes the core's proof for the open round of the beacon, if it owes one.
func prove(v *ledger.View, s *Self, nodes node.Reader, n *node.Node, timeMs uint64) ([]Job, error) {
	r, err := node.RosterOf(nodes)
	if err != nil || r == nil || !node.MayVote(r, s.ID()) || n == nil || n.VRF != s.VRF() {
		return nil, err // not registered yet
	}
	d, err := beacon.Due(func(key []byte) ([]byte, error) { return v.Get(beacon.Name, key) }, s.Chain, s.ID(), timeMs)
	if err != nil || d == nil {
		return nil, err
	}
	p := beacon.Prove{Round: d.Round, Proof: ecvrf.Prove(s.vrf, d.Alpha[:])}
	return []Job{{Family: beacon.Name, Payload: p.Bytes()}}, nil
}

// attestation is a registration, renewal or new run of a node the ledger knows.
func attestation(v *ledger.View, s *Self, kind byte, n *node.Node) Job {
	operator := n.Operator
	if operator == (wire.Account{}) {
		operator = s.Account()
	}
	purpose := evidence.Renew
	if kind == node.KindRegister {
		purpose = evidence.Register
	}
	c := claims(v, s, purpose, operator)
	return Job{Family: node.Name, Claims: c, finish: func(made []byte) []byte {
		a := node.Attestation{Claims: wire.Marshal(c), Evidence: made, Boots: s.Boots, Endpoint: n.Endpoint}
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
	}}
}

// Registration is the job of registering this core for an operator, who signs
// the transaction: the core cannot pay before it is a member.
func Registration(v *ledger.View, s *Self, a *node.Application) (Job, error) {
	c := claims(v, s, evidence.Register, a.Operator)
	return Job{Family: node.Name, Claims: c, finish: func(made []byte) []byte {
		r := &node.Register{
			Shown: node.Attestation{Claims: wire.Marshal(c), Evidence: made, Boots: s.Boots, Endpoint: a.Endpoint}, Roles: a.Roles, Name: a.Name,
		}
		r.Shown.Signature = s.Key.Sign(r.Digest(s.Chain))
		return r.Bytes()
	}}, nil
}

// claims name the view's newest block, so that the evidence is as fresh as it can be.
func claims(v *ledger.View, s *Self, purpose evidence.Purpose, operator wire.Account) *evidence.Claims {
	tip := v.Tip()
	return &evidence.Claims{
		Purpose: purpose, ChainID: s.Chain, Height: tip.Height(), BlockHash: tip.Hash, Identity: s.Key.Public(),
		Box: s.box, VRF: s.VRF(), Operator: wire.Hash(operator), BootID: s.BootID, CodeVersion: s.CodeVersion,
	}
}
