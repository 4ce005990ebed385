package amd

import (
	"cloister/evidence"
	"cloister/wire"
)

// Level is what is remembered of a verified report to judge it again: its
// security levels, for policy to compare, and who endorsed it.
type Level struct {
	_         struct{} `cbor:",toarray"`
	Product   string
	VLEK      bool
	Reported  TCB // of the certificate's key
	Committed TCB // the firmware cannot go back below it
	Current   TCB // running now; above Committed while firmware is provisional
	Launch    TCB // when the guest started
	Anchor    wire.Hash
	Serial    []byte // of the intermediate certificate, big-endian, at most 20 bytes
}

// Bytes is the encoding kept as evidence.Result.Level.
func (l *Level) Bytes() []byte { return wire.Marshal(l) }

// ParseLevel reads evidence.Result.Level of SNP evidence. Errors carry
// wire.ErrEvidenceMalformed.
func ParseLevel(b []byte) (*Level, error) {
	l := new(Level)
	if err := wire.Unmarshal(b, l, evidence.MaxLevel); err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "security level of SNP evidence: %v", err)
	}
	return l, nil
}

func (v *verification) level() (*Level, error) {
	l := &Level{
		Product: v.leaf.product, VLEK: v.report.VLEK(), Reported: v.tcb,
		Anchor: v.endorser.anchor.ID(), Serial: v.endorser.ask.SerialNumber.Bytes(),
	}
	for _, f := range []struct {
		to   *TCB
		from [8]byte
	}{{&l.Committed, v.report.CommittedTCB}, {&l.Current, v.report.CurrentTCB}, {&l.Launch, v.report.LaunchTCB}} {
		t, err := ParseTCB(l.Product, f.from)
		if err != nil {
			return nil, err
		}
		*f.to = t
	}
	if len(l.Serial) > 20 {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "serial number of %d bytes", len(l.Serial))
	}
	return l, nil
}

// Assess judges a level again under what a source holds now: UpToDate, or
// Revoked when the intermediate has come onto its root's revocation list. AMD
// has no advisories, so there never are any. Errors: wire.ErrUnknownAnchor if
// the root is not trusted any more, wire.ErrCollateralXxx about root and list.
func Assess(level []byte, src evidence.Source, at int64) (evidence.Status, []string, error) {
	l, err := ParseLevel(level)
	if err != nil {
		return 0, nil, err
	}
	for _, a := range anchorsOf(l.Product, src) {
		if a.ID() != l.Anchor {
			continue
		}
		ark, err := parseCertificate(a.DER)
		if err != nil {
			return 0, nil, err
		}
		if err := validAt(ark, at, wire.ErrCollateralNotYet, wire.ErrCollateralExpired); err != nil {
			return 0, nil, err
		}
		list, err := revocations(ark, src, at)
		switch {
		case err != nil:
			return 0, nil, err
		case list == nil:
			return evidence.UpToDate, nil, nil
		case lists(list, l.Serial):
			return evidence.Revoked, nil, nil
		}
		if err := expired(list, at); err != nil {
			return 0, nil, err
		}
		return evidence.UpToDate, nil, nil
	}
	return 0, nil, wire.Faultf(wire.ErrUnknownAnchor, "root %s of product %s is not trusted", l.Anchor, l.Product)
}
