package hardware

import (
	"bytes"

	"cloister/core/families/hardware/tables"
	"cloister/evidence/policy"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// rotate registers new keys for a device. The node key counts at once; the VRF
// key after the delay, the old one until then: a key chosen for one draw would
// win it.
func (x *handling) rotate(p *hardware.Rotate) error {
	d, err := x.registered(p.Device)
	if err != nil {
		return err
	}
	status, err := x.status(d)
	if err != nil {
		return err
	}
	if status == hardware.Revoked {
		return wire.Faultf(wire.ErrDeviceStatus, "the device is revoked")
	}
	if err := x.ownedBy(d); err != nil {
		return err
	}
	params, err := x.current()
	if err != nil {
		return err
	}
	node, vrf := p.NodeKey, p.VRFKey
	if d.Kind == hardware.TPM {
		err = x.quoted(p, d, params)
	} else {
		node, vrf, err = x.restarted(p)
	}
	if err != nil {
		return err
	}
	if err := x.useKeys(node, vrf, p.Device); err != nil {
		return err
	}
	if vrf != d.VRFKey {
		if x.height >= d.VRFActive { // one that never counted is not kept
			d.PrevVRFKey = d.VRFKey
		}
		d.VRFKey = vrf
		if err := x.newVRF(p.Device, d, x.height+params.Schedule.VRFDelay*params.Schedule.Epoch); err != nil {
			return err
		}
	}
	d.NodeKey = node
	return x.saveDevice(p.Device, d)
}

// quoted: the TPM itself says the new keys, over a block that is not old.
func (x *handling) quoted(p *hardware.Rotate, d *hardware.Device, params *Params) error {
	hash, ok, err := x.hashOf(p.Height)
	if err != nil {
		return err
	}
	if !ok || x.height-p.Height > params.Schedule.NonceAge {
		return wire.Faultf(wire.ErrRotationStale, "block %d, now is %d", p.Height, x.height)
	}
	statement := hardware.RotateStatement(x.chain, p.Device, p.NodeKey, p.VRFKey, hash)
	ak, err := tpm.ParseAK(d.AKPub)
	if err != nil {
		return err
	}
	a, err := signed(p.Quote, ak)
	if err != nil {
		return refused(err)
	}
	if a.Quote == nil || !bytes.Equal(a.Extra, statement[:]) {
		return wire.Faultf(wire.ErrNonce, "the quote is over %x, want %s", a.Extra, statement)
	}
	return possessed(statement, p.NodeKey, p.VRFKey, p.NodeProof, p.VRFProof)
}

// restarted: a CPU's program has new keys after every start.
func (x *handling) restarted(p *hardware.Rotate) (node, vrf wire.PublicKey, err error) {
	if p.Evidence.Kind == 0 {
		return node, vrf, wire.Faultf(wire.ErrEvidenceKind, "the device is a CPU: send its evidence")
	}
	judged, err := x.judge(&p.Evidence)
	if err != nil {
		return node, vrf, err
	}
	if judged.result.Device != p.Device {
		return node, vrf, wire.Faultf(wire.ErrEvidenceKind, "the evidence is of device %s", judged.result.Device)
	}
	err = tables.JudgeRenewal(x.own, policy.Audit, judged.result, x.height, x.TimeMs)
	return judged.claims.Identity, wire.PublicKey(judged.claims.VRF), err
}
