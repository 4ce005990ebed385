package trust

import (
	"slices"

	"cloister/wire"
)

// Component is which part of a machine's software is measured. Wire values,
// never reused.
type Component uint8

// Components.
const (
	Firmware   Component = 1 // of the platform
	BootLoader Component = 2
	Kernel     Component = 3 // with initrd
	NodeBinary Component = 4
	SystemWASM Component = 5
	Image      Component = 6 // enclave, TD or guest; Digest is its evidence.CodeID
	TPMVersion Component = 7 // firmware of the TPM
)

var componentNames = map[Component]string{
	Firmware: "firmware", BootLoader: "boot-loader", Kernel: "kernel", NodeBinary: "node-binary",
	SystemWASM: "system-wasm", Image: "image", TPMVersion: "tpm-version",
}

// Digest algorithms, by the number in a measurement's id.
const (
	SHA256 uint8 = 1
	SHA384 uint8 = 2
)

var digestSizes = map[uint8]int{SHA256: 32, SHA384: 48}

// registers are where a digest may be found, besides PCRs.
var registers = []string{"", "CODEID", "MEASUREMENT", "MRENCLAVE", "MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"}

// maxPCRs is how many PCRs a TPM has; maxPCR the last one software cannot reset.
const (
	maxPCRs = 24
	maxPCR  = 15
)

// MaxReason bounds the reason given for a deprecation or revocation, bytes.
const MaxReason = 128

// Measurement is one approved version of a component. Stored under
// MeasurementKey. Heights of 0 in Deprecated and Revoked mean never.
type Measurement struct {
	_          struct{} `cbor:",toarray"`
	Component  Component
	Version    string
	Alg        uint8 // SHA256 or SHA384
	Digest     []byte
	PCRs       []uint8 // where it is measured into, ascending; or
	Register   string  // the register it is in: "CODEID", "MRENCLAVE", "RTMR0" …
	MinSVN     uint32  // lowest version of the program with this digest
	Activation uint64  // height from which it is approved
	Deprecated uint64  // height from which newcomers may not run it
	Revoked    uint64  // height from which nobody may
	Reason     string  // for the last of both
}

// ID names the measurement: TH("cloister/measurement/v1", u8 component,
// version, u8 alg, digest).
func (m *Measurement) ID() wire.Hash {
	return wire.TH("cloister/measurement/v1", []byte{byte(m.Component)}, []byte(m.Version), []byte{m.Alg}, m.Digest)
}

// ValidAt reports whether the measurement is approved at a height.
func (m *Measurement) ValidAt(height uint64) bool {
	return m.Activation <= height && (m.Revoked == 0 || height < m.Revoked)
}

// DeprecatedAt reports whether newcomers may not run it at a height.
func (m *Measurement) DeprecatedAt(height uint64) bool {
	return m.Deprecated != 0 && height >= m.Deprecated
}

// check judges the form of what an order approves. Errors: ErrMalformed,
// ErrResettablePCR.
func (m *Measurement) check() error {
	switch {
	case componentNames[m.Component] == "":
		return malformed("measurement of unknown component %d", uint8(m.Component))
	case m.Version == "" || !readable(m.Version, MaxName):
		return malformed("the version must be 1 to %d printable bytes", MaxName)
	case digestSizes[m.Alg] == 0 || len(m.Digest) != digestSizes[m.Alg]:
		return malformed("a digest of %d bytes does not fit algorithm %d", len(m.Digest), m.Alg)
	case len(m.PCRs) > maxPCRs || !increasing(m.PCRs):
		return malformed("PCRs must be at most %d, ascending", maxPCRs)
	case len(m.PCRs) > 0 && m.PCRs[len(m.PCRs)-1] > maxPCR:
		return wire.Faultf(wire.ErrResettablePCR, "PCR %d", m.PCRs[len(m.PCRs)-1])
	case !slices.Contains(registers, m.Register) || len(m.PCRs) > 0 && m.Register != "":
		return malformed("a digest is in PCRs or in one known register")
	case m.Component == Image && (m.Alg != SHA256 || m.Register != "CODEID"):
		return malformed("an image is approved by its CodeID: SHA-256, register CODEID")
	case m.Deprecated != 0 || m.Revoked != 0 || m.Reason != "":
		return malformed("deprecation and revocation are orders of their own")
	}
	return nil
}

func increasing[T ~uint8](list []T) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}
