package intel

import (
	"encoding/binary"

	"cloister/wire"
)

// EnclaveReport is an SGX report body (TEE specification §2.2).
type EnclaveReport struct {
	CPUSVN       [16]byte
	MiscSelect   [4]byte // as it stands in the report
	ISVExtProdID [16]byte
	Attributes   [16]byte // FLAGS, XFRM, as they stand in the report
	MRENCLAVE    wire.Hash
	MRSIGNER     wire.Hash
	ConfigID     [64]byte
	ISVProdID    uint16
	ISVSVN       uint16
	ConfigSVN    uint16
	ISVFamilyID  [16]byte
	ReportData   [64]byte
}

// Flags is ATTRIBUTES.FLAGS.
func (r *EnclaveReport) Flags() uint64 { return binary.LittleEndian.Uint64(r.Attributes[:8]) }

// XFRM is ATTRIBUTES.XFRM.
func (r *EnclaveReport) XFRM() uint64 { return binary.LittleEndian.Uint64(r.Attributes[8:]) }

// Debug reports whether the enclave can be read from outside.
func (r *EnclaveReport) Debug() bool { return r.Flags()&FlagDebug != 0 }

// parseEnclaveReport reads exactly EnclaveReportSize bytes.
func parseEnclaveReport(b []byte) (*EnclaveReport, error) {
	for _, r := range reservedRanges {
		if !allZero(b[r[0]:r[1]]) {
			return nil, wire.Faultf(wire.ErrEvidenceMalformed, "reserved bytes %d to %d of an enclave report are not zero", r[0], r[1]-1)
		}
	}
	r := &EnclaveReport{
		ISVProdID: binary.LittleEndian.Uint16(b[OffISVProdID:]),
		ISVSVN:    binary.LittleEndian.Uint16(b[OffISVSVN:]),
		ConfigSVN: binary.LittleEndian.Uint16(b[OffConfigSVN:]),
	}
	copy(r.CPUSVN[:], b[OffCPUSVN:])
	copy(r.MiscSelect[:], b[OffMiscSelect:])
	copy(r.ISVExtProdID[:], b[OffISVExtProdID:])
	copy(r.Attributes[:], b[OffAttributes:])
	copy(r.MRENCLAVE[:], b[OffMRENCLAVE:])
	copy(r.MRSIGNER[:], b[OffMRSIGNER:])
	copy(r.ConfigID[:], b[OffConfigID:])
	copy(r.ISVFamilyID[:], b[OffISVFamilyID:])
	copy(r.ReportData[:], b[OffReportData:])
	return r, nil
}

// Register is a 48-byte measurement (SHA-384) of a trust domain.
type Register [48]byte

// TDReport is the body of a TDX quote (TEE specification §2.3).
type TDReport struct {
	TEETCBSVN      [16]byte // 0: module SVN, 1: module version, 2: microcode …
	MRSEAM         Register
	MRSIGNERSEAM   Register
	SEAMAttributes [8]byte
	TDAttributes   [8]byte // as it stands in the report
	XFAM           [8]byte // as it stands in the report
	MRTD           Register
	MRConfigID     Register
	MROwner        Register
	MROwnerConfig  Register
	RTMR           [4]Register
	ReportData     [64]byte

	V15         bool // TD 1.5: the two fields below are present
	TEETCBSVN2  [16]byte
	MRServiceTD Register
}

// Debug reports whether the TD can be read from outside: any bit of the low
// byte of TDATTRIBUTES makes it untrusted, DEBUG being the one assigned.
func (r *TDReport) Debug() bool { return r.TDAttributes[0] != 0 }

// parseTDReport reads exactly TDReport10Size or TDReport15Size bytes.
func parseTDReport(b []byte) *TDReport {
	r := &TDReport{V15: len(b) == TDReport15Size}
	copy(r.TEETCBSVN[:], b[OffTEETCBSVN:])
	copy(r.MRSEAM[:], b[OffMRSEAM:])
	copy(r.MRSIGNERSEAM[:], b[OffMRSIGNERSEAM:])
	copy(r.SEAMAttributes[:], b[OffSEAMAttributes:])
	copy(r.TDAttributes[:], b[OffTDAttributes:])
	copy(r.XFAM[:], b[OffXFAM:])
	copy(r.MRTD[:], b[OffMRTD:])
	copy(r.MRConfigID[:], b[OffMRConfigID:])
	copy(r.MROwner[:], b[OffMROwner:])
	copy(r.MROwnerConfig[:], b[OffMROwnerConfig:])
	for i := range r.RTMR {
		copy(r.RTMR[i][:], b[OffRTMR+i*len(r.RTMR[i]):])
	}
	copy(r.ReportData[:], b[OffTDReportData:])
	if r.V15 {
		copy(r.TEETCBSVN2[:], b[OffTEETCBSVN2:])
		copy(r.MRServiceTD[:], b[OffMRServiceTD:])
	}
	return r
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
