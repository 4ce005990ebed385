package tpm

import (
	"bytes"
	"encoding/binary"
)

// Constants of the TPM 2.0 library, part 2.
const (
	magic = 0xff544347 // what only the TPM itself puts before what it signs

	typeNV       = 0x8014
	typeCreation = 0x801A
	typeQuote    = 0x8018

	algRSA    = 0x0001
	algAES    = 0x0006
	algSHA256 = 0x000B
	algNull   = 0x0010
	algECDSA  = 0x0018
	algECC    = 0x0023
	algCFB    = 0x0043
	curveP256 = 0x0003
)

// maxAttest bounds a TPMS_ATTEST, in bytes; a quote has about 145.
const maxAttest = 1024

// Attest is a TPMS_ATTEST: what a TPM says and signs. One of Quote, Creation
// and NV is set.
type Attest struct {
	QualifiedSigner []byte // Name of the signing key and of all its parents
	Extra           []byte // qualifying data the caller chose
	ClockInfo
	Firmware uint64 // version of the TPM's firmware

	Quote    *Quote
	Creation *Creation
	NV       *NV
}

// ClockInfo is the TPM's clock.
type ClockInfo struct {
	Clock        uint64 // milliseconds
	ResetCount   uint32 // power cycles
	RestartCount uint32 // resumes since
	Safe         bool   // Clock was not set back by a lost state
}

// Quote is the part of a TPMS_ATTEST that TPM2_Quote makes.
type Quote struct {
	Selection Selection
	Digest    []byte // over the selected PCRs
}

// Creation is the part that TPM2_CertifyCreation makes.
type Creation struct{ Name, Hash []byte }

// NV is the part that TPM2_NV_Certify makes.
type NV struct {
	Name     []byte // of the index, its attributes included
	Offset   uint16
	Contents []byte
}

// Selection is a set of PCRs of the SHA-256 bank: bit i is PCR i, 0 to 23.
type Selection uint32

// Select makes a Selection. Indices above 23 are ignored, as no TPM has them.
func Select(pcrs ...uint8) (s Selection) {
	for _, i := range pcrs {
		if i < 24 {
			s |= 1 << i
		}
	}
	return s
}

// PCRs lists the indices in ascending order.
func (s Selection) PCRs() (pcrs []uint8) {
	for i := range uint8(24) {
		if s&(1<<i) != 0 {
			pcrs = append(pcrs, i)
		}
	}
	return pcrs
}

// Bytes is the TPML_PCR_SELECTION: one bank, a bitmap of 3 bytes.
func (s Selection) Bytes() []byte {
	return []byte{0, 0, 0, 1, algSHA256 >> 8, algSHA256 & 0xFF, 3, byte(s), byte(s >> 8), byte(s >> 16)}
}

// ParseAttest reads a TPMS_ATTEST strictly. Errors are ErrQuoteMagic: the magic
// or type is another, or the bytes are not the one encoding of what they say;
// ErrPCRSelection if a quote is not over the SHA-256 bank alone.
func ParseAttest(b []byte) (*Attest, error) {
	if len(b) > maxAttest {
		return nil, refuse(ErrQuoteMagic, "attestation of %d bytes, at most %d are accepted", len(b), maxAttest)
	}
	c := &cursor{b: bytes.Clone(b), order: binary.BigEndian}
	if m := c.u32(); m != magic {
		return nil, refuse(ErrQuoteMagic, "magic %08x, a TPM's own statements have %08x", m, uint32(magic))
	}
	kind := c.u16()
	a := &Attest{QualifiedSigner: c.sized(), Extra: c.sized()}
	a.Clock, a.ResetCount, a.RestartCount = c.u64(), c.u32(), c.u32()
	safe := c.u8()
	a.Safe, a.Firmware = safe == 1, c.u64()
	switch kind {
	case typeQuote:
		selection, err := readSelection(c)
		if err != nil {
			return nil, err
		}
		a.Quote = &Quote{Selection: selection, Digest: c.sized()}
	case typeCreation:
		a.Creation = &Creation{Name: c.sized(), Hash: c.sized()}
	case typeNV:
		a.NV = &NV{Name: c.sized(), Offset: c.u16(), Contents: c.sized()}
	default:
		return nil, refuse(ErrQuoteMagic, "attestation of type %04x", kind)
	}
	if !c.whole() || safe > 1 || !bytes.Equal(a.Bytes(), b) {
		return nil, refuse(ErrQuoteMagic, "attestation of type %04x is not a TPMS_ATTEST from first byte to last", kind)
	}
	return a, nil
}

func readSelection(c *cursor) (Selection, error) {
	count, bank, size := c.u32(), c.u16(), c.u8()
	if !c.short && (count != 1 || bank != algSHA256 || size != 3) {
		return 0, refuse(ErrPCRSelection, "%d PCR banks, the first %04x; only SHA-256 (%04x) is accepted", count, bank, algSHA256)
	}
	return Selection(c.u8()) | Selection(c.u8())<<8 | Selection(c.u8())<<16, nil
}

// Bytes is the encoding.
func (a *Attest) Bytes() []byte {
	kind := uint16(typeQuote)
	switch {
	case a.Creation != nil:
		kind = typeCreation
	case a.NV != nil:
		kind = typeNV
	}
	be := binary.BigEndian
	b := be.AppendUint16(be.AppendUint32(nil, magic), kind)
	b = appendSized(appendSized(b, a.QualifiedSigner), a.Extra)
	b = be.AppendUint32(be.AppendUint32(be.AppendUint64(b, a.Clock), a.ResetCount), a.RestartCount)
	safe := byte(0)
	if a.Safe {
		safe = 1
	}
	b = be.AppendUint64(append(b, safe), a.Firmware)
	switch {
	case a.Creation != nil:
		return appendSized(appendSized(b, a.Creation.Name), a.Creation.Hash)
	case a.NV != nil:
		return appendSized(be.AppendUint16(appendSized(b, a.NV.Name), a.NV.Offset), a.NV.Contents)
	case a.Quote != nil:
		return appendSized(append(b, a.Quote.Selection.Bytes()...), a.Quote.Digest)
	}
	return b
}
