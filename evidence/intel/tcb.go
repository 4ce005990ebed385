package intel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"cloister/evidence"
	"cloister/wire"
)

// standing is a status that grows worse as parts of a platform are judged, and
// the advisories that explain it.
type standing struct {
	status     evidence.Status
	advisories []string
}

// traits is what a status is made of. Bits of several parts add up, which is
// Intel's rule for converging them: an OutOfDate part keeps the need for
// configuration and hides that for software hardening.
type traits uint8

const (
	hardening traits = 1 << iota
	configuration
	outdated
	revoked
	notSupported
)

var traitsOf = [...]traits{
	evidence.UpToDate:                          0,
	evidence.SWHardeningNeeded:                 hardening,
	evidence.ConfigurationNeeded:               configuration,
	evidence.ConfigurationAndSWHardeningNeeded: configuration | hardening,
	evidence.OutOfDate:                         outdated,
	evidence.OutOfDateConfigurationNeeded:      outdated | configuration,
	evidence.Revoked:                           revoked,
	evidence.NotSupported:                      notSupported,
}

func (t traits) status() evidence.Status {
	switch {
	case t&revoked != 0:
		return evidence.Revoked
	case t&notSupported != 0:
		return evidence.NotSupported
	case t&outdated != 0:
		t &= outdated | configuration
	}
	for s := evidence.UpToDate; s < evidence.Revoked; s++ {
		if traitsOf[s] == t {
			return s
		}
	}
	return evidence.NotSupported
}

// converge adds the judgement of one part; nil means that no level of it fits.
func (s *standing) converge(j *judgement) {
	if j == nil {
		j = &judgement{Status: stateText(evidence.NotSupported)}
	}
	s.status = (traitsOf[s.status] | traitsOf[evidence.Status(j.Status)]).status()
	s.advisories = append(s.advisories, j.Advisories...)
	slices.Sort(s.advisories)
	s.advisories = slices.Compact(s.advisories)
}

// stand judges a tuple: the platform, its quoting enclave and, where it has a
// version of its own, its TDX module (TEE specification §2.6 steps 9 to 12).
func stand(kind evidence.Kind, t *tuple, tcb *tcbInfo, qe *qeIdentity) standing {
	s := standing{status: evidence.UpToDate}
	s.converge(tcb.platform(kind, t))
	s.converge(reached(qe.Levels, t.QESVN))
	if kind == evidence.TDX && t.TEETCBSVN[1] > 0 {
		if m := tcb.module(t.TEETCBSVN[1]); m != nil {
			s.converge(reached(m.Levels, uint16(t.TEETCBSVN[0])))
		} else {
			s.converge(nil)
		}
	}
	return s
}

// platform finds the first level, in Intel's order, that the platform reaches.
func (t *tcbInfo) platform(kind evidence.Kind, have *tuple) *judgement {
	for i := range t.Levels {
		l := &t.Levels[i]
		if have.PCESVN < *l.TCB.PCESVN || !covers(have.Components[:], l.TCB.SGX) {
			continue
		}
		// A module with a version of its own is judged by its own levels.
		from := 0
		if have.TEETCBSVN[1] > 0 {
			from = 2
		}
		if kind == evidence.TDX && !covers(have.TEETCBSVN[from:], l.TCB.TDX[from:]) {
			continue
		}
		return &l.judgement
	}
	return nil
}

func covers(have []byte, need []component) bool {
	for i := range have {
		if have[i] < *need[i].SVN {
			return false
		}
	}
	return true
}

// reached finds the first level with an SVN not above the given one.
func reached(levels []enclaveLevel, svn uint16) *judgement {
	for i := range levels {
		if svn >= *levels[i].TCB.ISVSVN {
			return &levels[i].judgement
		}
	}
	return nil
}

// module is the identity of TDX modules of a version; nil if there is none.
func (t *tcbInfo) module(version byte) *moduleIdentity {
	id := fmt.Sprintf("TDX_%02X", version)
	for i := range t.Modules {
		if strings.EqualFold(t.Modules[i].ID, id) {
			return &t.Modules[i]
		}
	}
	return nil
}

// made checks that a TDX module is of the maker listed and has no attributes.
// One of a version that is not listed has no level either: NotSupported.
func (t *tcbInfo) made(td *TDReport) error {
	m := t.Module
	if v := td.TEETCBSVN[1]; v > 0 {
		if m = t.module(v); m == nil {
			return nil
		}
	}
	switch {
	case !bytes.Equal(td.MRSIGNERSEAM[:], m.MRSIGNER):
		return wire.Faultf(wire.ErrEvidenceBinding, "the TDX module is signed by %x, not by the one listed", td.MRSIGNERSEAM)
	case !allZero(td.SEAMAttributes[:]) || !masked(td.SEAMAttributes[:], m.Mask, m.Attributes):
		return wire.Faultf(wire.ErrEvidenceBinding, "the TDX module has attributes %x, not those listed", td.SEAMAttributes)
	}
	return nil
}

// describes checks that a QE report is of the enclave an identity describes.
func (q *qeIdentity) describes(r *EnclaveReport) error {
	switch {
	case !bytes.Equal(r.MRSIGNER[:], q.MRSIGNER):
		return wire.Faultf(wire.ErrEvidenceBinding, "the quoting enclave is signed by %s, not by the one listed", r.MRSIGNER)
	case r.ISVProdID != *q.ISVProdID:
		return wire.Faultf(wire.ErrEvidenceBinding, "the quoting enclave is product %d, not %d", r.ISVProdID, *q.ISVProdID)
	case !masked(r.Attributes[:], q.AttributesMask, q.Attributes):
		return wire.Faultf(wire.ErrEvidenceBinding, "the quoting enclave has attributes %x, not those listed", r.Attributes)
	case !masked(r.MiscSelect[:], q.MiscSelectMask, q.MiscSelect):
		return wire.Faultf(wire.ErrEvidenceBinding, "the quoting enclave has MISCSELECT %x, not that listed", r.MiscSelect)
	}
	return nil
}

// masked reports whether have & mask == want; all are of one length.
func masked(have, mask, want []byte) bool {
	for i := range have {
		if have[i]&mask[i] != want[i] {
			return false
		}
	}
	return true
}

// fits checks that TCB info is of the platform: as bytes, for Intel spells hex
// in both cases.
func (t *tcbInfo) fits(kind evidence.Kind, have *tuple) error {
	if t.ID != tcbInfoIDs[kind] || !bytes.Equal(t.FMSPC, have.FMSPC[:]) || !bytes.Equal(t.PCEID, have.PCEID[:]) {
		return wire.Faultf(wire.ErrCollateralMismatch, "TCB info of %s, FMSPC %x, PCE %x does not fit %s, FMSPC %x, PCE %x",
			t.ID, []byte(t.FMSPC), []byte(t.PCEID), kind, have.FMSPC, have.PCEID)
	}
	return nil
}
