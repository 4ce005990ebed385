package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/verifier"
	devicetpm "cloister/device/tpm"
	"cloister/wire/hardware"
)

// errands lists what is owed for the device itself.
func (a *Agent) errands(ctx context.Context, v *View) ([]job, error) {
	d, err := row[hardware.Device](v, hardware.DeviceKey(a.device))
	if err != nil {
		return nil, err
	}
	if d == nil {
		return a.joining(v)
	}
	if d.NodeKey != a.c.Node.Public() || d.VRFKey != a.c.VRF.Public() {
		return nil, ErrOtherKeys
	}
	switch gone, err := v.revoked(d); {
	case err != nil:
		return nil, err
	case gone:
		return nil, ErrRevoked
	}
	jobs, err := a.upkeep(v)
	answers, failed := a.answers(ctx, v)
	return append(jobs, answers...), errors.Join(err, failed)
}

// joinName names the request to join. Its proofs and signatures differ each time.
const joinName = "join"

// joining asks for registration, unless the device was dropped not long ago.
func (a *Agent) joining(v *View) ([]job, error) {
	if !a.c.Join || !a.owed(joinName) {
		return nil, nil
	}
	banned, err := row[hardware.Banned](v, hardware.BanKey(a.device))
	if err != nil || banned != nil && v.Height+1 < banned.Until {
		return nil, err
	}
	p, err := a.request()
	if err != nil {
		return nil, err
	}
	return []job{{name: joinName, payload: hardware.Encode(p)}}, nil
}

// request is the request to register the TPM.
func (a *Agent) request() (*hardware.JoinRequest, error) {
	if a.c.Chip == nil {
		return nil, errors.New("a device without a TPM is registered with the node that runs on it")
	}
	ak := a.c.Chip.AK()
	p := &hardware.JoinRequest{Chain: a.c.Chip.Chain(), AK: ak.Public, NodeKey: a.c.Node.Public(), VRFKey: a.c.VRF.Public()}
	statement := hardware.JoinStatement(a.c.Chain, a.device, ak.Name(), p.NodeKey, p.VRFKey, a.net.Payer())
	var err error
	if p.Creation, p.CreationSignature, err = a.c.Chip.CertifyEK(statement); err != nil {
		return nil, err
	}
	p.NodeSignature = a.c.Node.Sign(statement)
	p.VRFProof = ecvrf.Prove(ed25519.PrivateKey(a.c.VRF.Crypto()), statement[:])
	return p, nil
}

// answers answers the device's open task, if it waits for that.
func (a *Agent) answers(ctx context.Context, v *View) ([]job, error) {
	own, err := verifier.OwnTask(v.Get, a.device)
	if err != nil || own == nil {
		return nil, err
	}
	name := fmt.Sprintf("answer %s %d", own.ID, own.Task.Attempt)
	joining := own.Task.Phase == hardware.PhaseAnswer && v.Height < own.Task.Deadline && own.Task.EvidenceDigest.IsZero()
	if !joining && !own.WantsEvidence(v.Height) || !a.owed(name) {
		return nil, nil
	}
	var secrets []hardware.Secret
	if joining { // first of all: evidence grows old
		if secrets, err = a.secrets(v, own); err != nil {
			return nil, err
		}
	}
	s, err := a.show(v, own)
	if err != nil {
		return nil, err
	}
	for _, log := range s.logs {
		if err := a.record(ctx, log); err != nil {
			return nil, err
		}
	}
	j := job{name: name, shown: s}
	if joining {
		j.payload = hardware.Encode(&hardware.Answer{Task: own.ID, Attempt: own.Task.Attempt, Secrets: secrets, Evidence: s.evidence})
	} else {
		j.payload = hardware.Encode(&hardware.EvidenceSubmit{Task: own.ID, Attempt: own.Task.Attempt, Evidence: s.evidence})
	}
	return []job{j}, nil
}

// secrets unwraps the challenges of a joining, ascending by verifier. One that
// holds another secret than its verifier committed to is left out: it would
// spoil the whole answer.
func (a *Agent) secrets(v *View, own *verifier.Own) ([]hardware.Secret, error) {
	seats, err := v.committee(own.ID)
	if err != nil {
		return nil, err
	}
	var list []devicetpm.Credential
	var of []hardware.Seat
	for place, s := range seats {
		c, err := row[hardware.Posted](v, hardware.ChallengeKey(own.ID, uint16(place)))
		if err != nil {
			return nil, err
		}
		if s.Challenged && c != nil && c.Verifier == s.Device {
			list, of = append(list, devicetpm.Credential{Blob: c.Blob, EncSecret: c.EncSecret}), append(of, s)
		}
	}
	got, err := a.c.Chip.Activate(list)
	if err != nil {
		return nil, err
	}
	var out []hardware.Secret
	for i, s := range of {
		want := committee.ActivationSecret(own.ID, own.Task.Attempt, s.Device, a.device, a.c.Chip.AK().Name(), got[i].Secret)
		if got[i].Err != nil || want != s.SecretSum {
			a.c.Log.Warn("device.challenge_unanswerable", "verifier", s.Device, "error", got[i].Err)
			continue
		}
		out = append(out, hardware.Secret{Verifier: s.Device, Secret: got[i].Secret})
	}
	return out, nil
}
