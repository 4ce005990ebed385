package tpm

import (
	"bytes"
	"encoding/binary"
)

// resettable are the PCRs a program may set back without a reboot: worthless as
// evidence.
const resettable Selection = 0xFF0000

// Clock is what evidence says of the TPM's age; the ledger compares it with
// what it recorded, so that a chip that went back, or exists twice, is found.
type Clock struct {
	ClockInfo
	Counter  uint64 // NV counter; 0 until VerifyNV
	Firmware uint64 // version of the TPM's firmware
}

// VerifyQuote checks everything the ledger demands of a quote without looking
// into logs: it is the TPM's own statement, signed by ak, a primary key of the
// endorsement hierarchy, over exactly this qualifying data and PCR selection,
// and the values shown are those quoted. Errors, in the order of the checks:
// ErrQuoteSig, ErrQuoteMagic, ErrAKHierarchy, ErrNonce, ErrPCRSelection,
// ErrPCRDigest.
func VerifyQuote(p *Parts, ak AK, qualifying [32]byte, selection Selection) (Clock, error) {
	if !bytes.Equal(p.AK.Public, ak.Public) {
		return Clock{}, refuse(ErrQuoteSig, "the evidence is of another attestation key, %x", p.AK.Name())
	}
	st, err := ak.attested(p.Quoted, p.Signature, qualifying)
	if err != nil {
		return Clock{}, err
	}
	if st.Quote == nil {
		return Clock{}, refuse(ErrQuoteMagic, "not a statement about PCRs")
	}
	if st.Quote.Selection != selection || selection&resettable != 0 {
		return Clock{}, refuse(ErrPCRSelection, "PCRs %v are quoted, want %v, none above 15", st.Quote.Selection.PCRs(), selection.PCRs())
	}
	if err := p.digestHolds(); err != nil {
		return Clock{}, err
	}
	return Clock{ClockInfo: st.ClockInfo, Firmware: st.Firmware}, nil
}

// The one allowed template of a counter: what TPM2_NV_DefineSpace takes.
const (
	CounterIndex      = 0x01800C15
	counterSize       = 8
	nvOwnerWrite      = 1 << 1
	nvAuthWrite       = 1 << 2
	nvTypeCounter     = 1 << 4
	nvOwnerRead       = 1 << 17
	nvAuthRead        = 1 << 18
	nvNoDA            = 1 << 25
	nvWritten         = 1 << 29
	counterAttributes = nvOwnerWrite | nvAuthWrite | nvTypeCounter | nvOwnerRead | nvAuthRead | nvNoDA | nvWritten
)

// CounterName is the Name of the counter every device keeps, once it has been
// written. Attributes are in the Name, so an index that can be set to any value
// has another one.
func CounterName() []byte {
	be := binary.BigEndian
	b := be.AppendUint16(be.AppendUint32(nil, CounterIndex), algSHA256)
	b = be.AppendUint32(b, counterAttributes)
	b = be.AppendUint16(b, 0) // no policy
	return objectName(be.AppendUint16(b, counterSize))
}

// VerifyNV checks that the TPM with this key certified the counter with this
// Name (CounterName, or the one registered) for the same qualifying data, and
// returns its value. Errors: ErrNVName, ErrQuoteSig, ErrQuoteMagic,
// ErrAKHierarchy, ErrNonce.
func VerifyNV(p *Parts, ak AK, qualifying [32]byte, nvName []byte) (uint64, error) {
	if len(p.NV) == 0 {
		return 0, refuse(ErrNVName, "the evidence shows no counter")
	}
	st, err := ak.attested(p.NV, p.NVSignature, qualifying)
	if err != nil {
		return 0, err
	}
	if st.NV == nil || !bytes.Equal(st.NV.Name, nvName) || st.NV.Offset != 0 || len(st.NV.Contents) != counterSize {
		return 0, refuse(ErrNVName, "not the %d bytes of the counter with Name %x", counterSize, nvName)
	}
	return binary.BigEndian.Uint64(st.NV.Contents), nil
}
