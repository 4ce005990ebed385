package verifier

import (
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// claim asks for a seat if the device may have one and a ticket of it counts.
func (a *attempt) claim() error {
	device := a.look.Device
	list, err := row[claims](a.get, hardware.ClaimKey(a.id, device[0]%hardware.ClaimBuckets))
	if err != nil {
		return err
	}
	if list != nil {
		for i := range list.List {
			if list.List[i].Device == device {
				return nil
			}
		}
	}
	tickets, err := a.tickets()
	if err != nil || tickets == 0 {
		return err
	}
	proof := ecvrf.Prove(ed25519.PrivateKey(a.VRF), a.Alpha[:])
	beta, err := ecvrf.ProofToHash(proof)
	if err != nil {
		return err
	}
	if len(committee.Counting(a.params.Committee, a.Tickets, beta, tickets)) == 0 {
		return nil
	}
	p := &hardware.Claim{Vote: a.as(), Proof: proof}
	p.Signature = a.Key.Sign(hardware.ClaimStatement(a.Chain, p.Vote, proof))
	a.submit(p, a.params.Committee.ClaimBond)
	return nil
}

// tickets are those the device may claim with, 0 if it is not eligible
// (specification §6).
func (a *attempt) tickets() (uint64, error) {
	testee, err := DeviceOf(a.get, a.Task.Device)
	if err != nil || testee == nil {
		return 0, missing(err, "device %s", a.Task.Device)
	}
	own := wire.PublicKey(a.VRF[32:])
	s := &a.params.Schedule
	switch {
	case a.self.Owner == testee.Owner,
		a.Selected >= a.self.VRFActive && own != a.self.VRFKey,
		a.Selected < a.self.VRFActive && own != a.self.PrevVRFKey,
		a.Selected > a.self.LastPass+s.RAPeriod+s.RAGrace:
		return 0, nil
	}
	return ticketsOf(a.get, a.Epoch, a.self)
}
