package amd

import (
	"encoding/binary"

	"cloister/wire"
)

// ReportSize is the length of every attestation report, in bytes.
const ReportSize = 1184

// signedSize is how much of a report its signature covers.
const signedSize = 0x2A0

// Bits of the guest policy.
const (
	policyMigrateMA = 1 << 18
	policyDebug     = 1 << 19
)

// ecdsaP384 is the only signature algorithm there is: ECDSA P-384 with SHA-384.
const ecdsaP384 = 1

// Signing keys, as signer_info bits 2 to 4 name them.
const (
	signerVCEK = 0
	signerVLEK = 1
)

// maxVMPL is the least privileged level. The firmware reports 0xFFFFFFFF when
// the host asked for the report; such a report says nothing about a guest.
const maxVMPL = 3

// Report is an attestation report. All integers are little-endian on the wire.
type Report struct {
	Version         uint32 // 2, 3 or 5
	GuestSVN        uint32
	Policy          uint64
	FamilyID        [16]byte
	ImageID         [16]byte
	VMPL            uint32
	CurrentTCB      [8]byte // see ParseTCB
	PlatformInfo    uint64
	SignerInfo      uint32
	ReportData      [64]byte
	Measurement     [48]byte
	HostData        [32]byte
	IDKeyDigest     [48]byte
	AuthorKeyDigest [48]byte
	ReportID        [32]byte
	ReportIDMA      [32]byte
	ReportedTCB     [8]byte
	Family          uint8 // CPUID, from version 3
	Model           uint8 // CPUID, from version 3
	Stepping        uint8 // CPUID, from version 3
	ChipID          [64]byte
	CommittedTCB    [8]byte
	Current         Firmware
	Committed       Firmware
	LaunchTCB       [8]byte
	LaunchMit       uint64 // mitigation vector, from version 5
	CurrentMit      uint64 // mitigation vector, from version 5

	signed    [signedSize]byte
	signature [2][48]byte // r, s, big-endian
}

// Firmware is a version of the SNP firmware.
type Firmware struct{ Major, Minor, Build uint8 }

// Debug reports whether the guest's memory may be read by its host.
func (r *Report) Debug() bool { return r.Policy&policyDebug != 0 }

// MigrateMA reports whether the guest may have a migration agent.
func (r *Report) MigrateMA() bool { return r.Policy&policyMigrateMA != 0 }

// VLEK reports whether a cloud's key (VLEK), not the chip's, signed the report.
func (r *Report) VLEK() bool { return r.signer() == signerVLEK }

func (r *Report) signer() uint32 { return r.SignerInfo >> 2 & 7 }

// gap is a range of bytes that is reserved in reports below a version.
type gap struct {
	from, to int
	below    uint32 // 0: in every version
}

// reserved lists the bytes that real reports have zero.
var reserved = []gap{
	{0x4C, 0x50, 0},
	{0x188, 0x18B, 3}, // CPUID
	{0x18B, 0x1A0, 0},
	{0x1EB, 0x1EC, 0},
	{0x1EF, 0x1F0, 0},
	{0x1F8, 0x208, 5}, // mitigation vectors
	{0x208, signedSize, 0},
	{signedSize + 48, signedSize + 72, 0}, // r has 72 bytes for 48
	{signedSize + 120, ReportSize, 0},     // so has s; then 368 unused bytes
}

// ParseReport reads a report strictly: exact length, known version, signature
// algorithm and signing key, reserved bytes zero. It judges no signature.
// Errors carry wire.ErrEvidenceMalformed or wire.ErrEvidenceUnsupported.
func ParseReport(b []byte) (*Report, error) {
	if len(b) != ReportSize {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "an SNP report has %d bytes, got %d", ReportSize, len(b))
	}
	le := binary.LittleEndian
	r := &Report{
		Version: le.Uint32(b), GuestSVN: le.Uint32(b[4:]), Policy: le.Uint64(b[8:]),
		VMPL: le.Uint32(b[0x30:]), PlatformInfo: le.Uint64(b[0x40:]), SignerInfo: le.Uint32(b[0x48:]),
		Family: b[0x188], Model: b[0x189], Stepping: b[0x18A],
		Current:   Firmware{Major: b[0x1EA], Minor: b[0x1E9], Build: b[0x1E8]},
		Committed: Firmware{Major: b[0x1EE], Minor: b[0x1ED], Build: b[0x1EC]},
		LaunchMit: le.Uint64(b[0x1F8:]), CurrentMit: le.Uint64(b[0x200:]),
	}
	for _, f := range []struct {
		to []byte
		at int
	}{
		{r.FamilyID[:], 0x10}, {r.ImageID[:], 0x20}, {r.CurrentTCB[:], 0x38}, {r.ReportData[:], 0x50},
		{r.Measurement[:], 0x90}, {r.HostData[:], 0xC0}, {r.IDKeyDigest[:], 0xE0}, {r.AuthorKeyDigest[:], 0x110},
		{r.ReportID[:], 0x140}, {r.ReportIDMA[:], 0x160}, {r.ReportedTCB[:], 0x180}, {r.ChipID[:], 0x1A0},
		{r.CommittedTCB[:], 0x1E0}, {r.LaunchTCB[:], 0x1F0}, {r.signed[:], 0},
	} {
		copy(f.to, b[f.at:])
	}
	for i := range 48 {
		r.signature[0][47-i] = b[signedSize+i]
		r.signature[1][47-i] = b[signedSize+72+i]
	}
	if err := r.check(b); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Report) check(b []byte) error {
	switch {
	case r.Version != 2 && r.Version != 3 && r.Version != 5:
		return wire.Faultf(wire.ErrEvidenceUnsupported, "SNP report version %d; versions 2, 3 and 5 are known", r.Version)
	case binary.LittleEndian.Uint32(b[0x34:]) != ecdsaP384:
		return wire.Faultf(wire.ErrEvidenceUnsupported, "signature algorithm %d in an SNP report", binary.LittleEndian.Uint32(b[0x34:]))
	case r.signer() != signerVCEK && r.signer() != signerVLEK:
		return wire.Faultf(wire.ErrEvidenceUnsupported, "SNP report by signing key %d; VCEK (0) and VLEK (1) are known", r.signer())
	case r.SignerInfo>>5 != 0:
		return wire.Faultf(wire.ErrEvidenceMalformed, "reserved bits in signer_info %#x", r.SignerInfo)
	case r.VMPL > maxVMPL:
		return wire.Faultf(wire.ErrEvidenceMalformed, "VMPL %#x: not the report of a guest", r.VMPL)
	}
	for _, g := range reserved {
		if g.below != 0 && r.Version >= g.below {
			continue
		}
		for at := g.from; at < g.to; at++ {
			if b[at] != 0 {
				return wire.Faultf(wire.ErrEvidenceMalformed, "reserved byte %#x of an SNP report is not zero", at)
			}
		}
	}
	return nil
}
