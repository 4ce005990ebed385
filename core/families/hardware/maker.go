package hardware

import (
	"errors"
	"fmt"
	"slices"

	"cloister/core/families/hardware/tables"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// root finds the maker's root that evidence ended in, for a newcomer: it must
// be in force and have room. It carries ErrChainInvalid and ErrRootFull.
func (b *book) root(v evidence.Vendor, anchor wire.Hash) (*trust.Root, error) {
	r, ok, err := tables.RootOf(b.own, v, anchor)
	switch {
	case err != nil:
		return nil, err
	case !ok || r.Revoked != 0:
		return nil, wire.Faultf(wire.ErrChainInvalid, "the root is not trusted any more")
	case r.MaxDevices == 0:
		return &r, nil
	}
	members, err := b.members(hardware.SetRoot, r.ID())
	if err == nil && len(members) >= int(r.MaxDevices) {
		err = wire.Faultf(wire.ErrRootFull, "%s has %d devices", r.Name, len(members))
	}
	return &r, err
}

// rootByID is the root of a device that is there.
func (b *book) rootByID(id wire.Hash) (*trust.Root, error) {
	r, ok, err := tables.Root(b.own, id)
	if err == nil && !ok {
		err = fmt.Errorf("hardware: root %s of a device is missing", id)
	}
	return &r, err
}

// anchors are the roots that a TPM's endorsement may lead to.
func (b *book) anchors() ([]evidence.Anchor, error) {
	src := tables.Source(b.own)
	list := src.Anchors(evidence.TPMMaker)
	return list, src.Err()
}

// distrusted reports whether the authorities took trust from a device's root.
func (b *book) distrusted(d *hardware.Device) (bool, error) {
	r, err := b.rootByID(d.Root)
	return err == nil && r.Revoked != 0, err
}

// inForce reports whether everything a device's last PASS relied on is approved
// at this height: the status follows at the end of the block only.
func (b *book) inForce(d *hardware.Device) (bool, error) {
	for _, id := range d.Measurements {
		m, ok, err := tables.Measurement(b.own, id)
		if err != nil {
			return false, err
		}
		if !ok || !m.ValidAt(b.height) {
			return false, nil
		}
	}
	return true, nil
}

// reasons maps the refusals of package tpm to the registry's codes.
var reasons = map[*tpm.Reason]wire.Code{
	tpm.ErrCertParse: wire.ErrCertParse, tpm.ErrChainTooLong: wire.ErrChainTooLong, tpm.ErrChainInvalid: wire.ErrChainInvalid,
	tpm.ErrEKProfile: wire.ErrEKProfile, tpm.ErrEKClass: wire.ErrEKClass, tpm.ErrEKTemplate: wire.ErrEKTemplate,
	tpm.ErrAKTemplate: wire.ErrAKTemplate, tpm.ErrAKHierarchy: wire.ErrAKHierarchy,
	tpm.ErrQuoteSig: wire.ErrQuoteSig, tpm.ErrQuoteMagic: wire.ErrQuoteMagic, tpm.ErrNonce: wire.ErrNonce,
	tpm.ErrPCRSelection: wire.ErrPCRSelection, tpm.ErrPCRDigest: wire.ErrPCRDigest, tpm.ErrNVName: wire.ErrNVName,
	tpm.ErrEvidence: wire.ErrEvidenceParts, tpm.ErrEventLog: wire.ErrEvidenceParts,
}

// refused gives an error of package tpm the registry's code.
func refused(err error) error {
	var reason *tpm.Reason
	if err == nil || !errors.As(err, &reason) {
		return err
	}
	if code, ok := reasons[reason]; ok {
		return wire.Faultf(code, "%v", err)
	}
	return err
}

// takenBack acts at the end of a block on what the authorities took back in it.
func (b *book) takenBack(height uint64) error {
	list, err := tables.Due(b.own, height)
	if err != nil {
		return err
	}
	for i := range list {
		if err := b.revoke(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) revoke(r *trust.Revocation) error {
	switch r.Kind {
	case trust.KindMeasurementRevoke:
		return b.moveAll(hardware.SetMeasurement, r.Target, hardware.Stale, outdated)
	case trust.KindRootRevoke:
		if r.Mode == trust.SuspendAll {
			return b.moveAll(hardware.SetRoot, r.Target, hardware.Suspended, barred)
		}
	case trust.KindCertRevoke:
		for _, k := range slices.Clone(r.SPKIs) {
			if err := b.moveAll(hardware.SetKey, k, hardware.Suspended, barred); err != nil {
				return err
			}
		}
	}
	return nil
}
