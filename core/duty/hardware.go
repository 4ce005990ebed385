package duty

import (
	"crypto/ed25519"

	"cloister/core/families/hardware/verifier"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/hardware"
)

// attend lists what the core owes the hardware registry as the one program on a
// device: that it joins, answers for itself, judges others, and stays. What its
// account cannot pay for is left out.
func attend(v *ledger.View, s *Self, device wire.Hash, entry func(wire.Hash) ([]byte, bool)) (jobs []Job, needs []wire.Hash, err error) {
	if device.IsZero() { // its evidence names none
		return nil, nil, nil
	}
	get := func(key []byte) ([]byte, error) { return v.Get(hardware.Name, key) }
	purse, err := purseOf(v, s.Account())
	if err != nil {
		return nil, nil, err
	}
	d, err := verifier.DeviceOf(get, device)
	switch {
	case err != nil:
		return nil, nil, err
	case d == nil:
		return join(v, s, get, device, purse)
	case d.NodeKey != s.Key.Public() || d.VRFKey != wire.PublicKey(s.VRF()):
		return nil, nil, nil // another identity's: its owner rotates the keys
	}
	own, err := verifier.OwnTask(get, device)
	if err != nil {
		return nil, nil, err
	}
	if own != nil && own.WantsEvidence(v.Height()) { // for nothing: the task demands it
		c := own.Claims(*claims(v, s, evidence.Challenge, s.Account()))
		jobs = append(jobs, shown(c, own.Submit))
	}
	at := verifier.At{Height: v.Height(), TimeMs: v.Tip().Header.TimeMs}
	seat := &verifier.Verifier{Chain: s.Chain, Device: device, Key: s.Key, VRF: ed25519.PrivateKey(s.vrf)}
	votes, needs, err := verifier.Due(get, seat, at, entry)
	if err != nil {
		return nil, nil, err
	}
	upkeep, err := verifier.Upkeep(get, device, s.Account(), at)
	if err != nil {
		return nil, nil, err
	}
	for _, j := range append(votes, upkeep...) {
		if purse.pay(price(j.Payload), j.Gas) {
			jobs = append(jobs, Job{Family: hardware.Name, Payload: j.Payload})
		}
	}
	return jobs, needs, nil
}

// join registers the device, its account as owner, unless the ledger would refuse
// it now: it is banned, or the epoch has no room and it is no founder's.
func join(v *ledger.View, s *Self, get verifier.Reader, device wire.Hash, purse *purse) ([]Job, []wire.Hash, error) {
	ok, err := verifier.MayJoin(get, device, s.Account(), v.Height())
	if err != nil || !ok || !purse.pay(evidencePrice, 0) {
		return nil, nil, err
	}
	return []Job{shown(claims(v, s, evidence.Register, s.Account()), verifier.JoinPlatform)}, nil, nil
}

// shown is a job that payload completes once there is evidence for the claims.
func shown(c *evidence.Claims, payload func(*evidence.Claims, *evidence.Evidence) ([]byte, error)) Job {
	return Job{Family: hardware.Name, Claims: c, finish: func(made []byte) []byte {
		e, err := evidence.Decode(made)
		if err != nil {
			return nil
		}
		b, err := payload(c, e)
		if err != nil {
			return nil
		}
		return b
	}}
}
