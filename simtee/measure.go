package simtee

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"

	"cloister/evidence"
	"cloister/wire"
)

// measureLabel opens what simulated hardware hashes.
const measureLabel = "cloister/sim-measure/v1"

// Measured is what simulated hardware says about a program and its measured
// configuration, in the form of each kind of hardware.
type Measured struct {
	Enclave [32]byte // SGX MRENCLAVE
	Launch  [48]byte // SNP MEASUREMENT
}

// Measure measures a program and its configuration, which may be empty:
// MRENCLAVE = SHA-256(label ‖ u64be(len bin) ‖ bin ‖ u64be(len cfg) ‖ cfg), the SNP
// MEASUREMENT is the SHA-384 of the same.
func Measure(bin, cfg []byte) Measured {
	b := make([]byte, 0, len(measureLabel)+16+len(bin)+len(cfg))
	b = append(b, measureLabel...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(bin))), bin...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(cfg))), cfg...)
	return Measured{Enclave: sha256.Sum256(b), Launch: sha512.Sum384(b)}
}

// Kinds are the kinds of hardware this package plays, ascending.
func Kinds() []evidence.Kind { return []evidence.Kind{evidence.SGX, evidence.SNP, evidence.TPM} }

// CodeID is what the ledger approves for this program on hardware of a kind,
// without debugging. It is zero for a kind that is not played.
func (m Measured) CodeID(k evidence.Kind) wire.Hash {
	switch k {
	case evidence.SGX:
		return evidence.CodeID(k, m.Enclave[:])
	case evidence.SNP:
		return evidence.CodeID(k, m.Launch[:], make([]byte, 32), wire.U64(snpPolicy))
	case evidence.TPM:
		digest := m.pcrDigest()
		return evidence.CodeID(k, pcrSelection(), digest[:])
	}
	return wire.Hash{}
}

// CodeIDs are the code ids of this program for every kind that is played.
func (m Measured) CodeIDs() map[evidence.Kind]wire.Hash {
	ids := map[evidence.Kind]wire.Hash{}
	for _, k := range Kinds() {
		ids[k] = m.CodeID(k)
	}
	return ids
}

// DevelopmentKey is the release key of programs nobody signed.
var DevelopmentKey = []byte("cloister development release key")

// Program is what runs on a platform, as the hardware sees it.
type Program struct {
	Code       Measured
	ReleaseKey []byte // of who signed it; MRSIGNER is its SHA-256
	ProdID     uint16
	SVN        uint16
	Debug      bool
}
