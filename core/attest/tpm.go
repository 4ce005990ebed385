package attest

import (
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"cloister/evidence"
	"cloister/evidence/tpm"
)

// TPMCounter is the one counter of a TPM: the one its evidence certifies.
const TPMCounter = "device"

// maxTPMRandom is the most bytes every TPM gives at a time.
const maxTPMRandom = 32

// TPMOptions say which TPM it is and what its evidence is about.
type TPMOptions struct {
	// EK is the key of an endorsement certificate whose chain the caller has
	// verified: whoever relays the commands cannot read or forge answers that
	// matter without it.
	EK *rsa.PublicKey
	// PCRs are the registers to quote, 0 to 15, ascending.
	PCRs []uint
	// BootLog is the firmware's log, empty if there is none; AppLog is what was
	// measured after it.
	BootLog []byte
	AppLog  tpm.AppLog
}

// TPM is a TPM 2.0. It isolates nothing and may be in another machine, so it
// adds to another platform's word and never replaces it (TEE specification §4).
// It has no clock here: its evidence carries the chip's own.
type TPM struct {
	mu   sync.Mutex // TPMs answer one command at a time
	chip transport.TPM
	o    TPMOptions
	ek   tpm2.TPMTPublic // the one template, with the verified key
}

// NewTPM returns the backend of the TPM behind a connection. The TPM is first
// used by its methods.
func NewTPM(chip transport.TPM, o TPMOptions) (*TPM, error) {
	if o.EK == nil || o.EK.N.BitLen() != 2048 {
		return nil, fmt.Errorf("attest: a TPM's endorsement key is RSA-2048")
	}
	t := &TPM{chip: chip, o: o, ek: tpm2.RSAEKTemplate}
	t.ek.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: o.EK.N.FillBytes(make([]byte, 256))})
	return t, nil
}

// Kind implements Backend.
func (t *TPM) Kind() evidence.Kind { return evidence.TPM }

// Caps implements Backend.
func (t *TPM) Caps() Cap { return CapEvidence | CapCounter | CapRandom }

// Simulated implements Backend.
func (t *TPM) Simulated() bool { return false }

// akTemplate is that of the attestation key, a primary key of the endorsement
// hierarchy: made anew from the chip's seed each time, always the same.
var akTemplate = tpm2.TPMTPublic{
	Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Restricted: true, SignEncrypt: true,
	},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		CurveID: tpm2.TPMECCNistP256,
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		},
	}),
}

// primary makes a primary key of the endorsement hierarchy. Few fit into a TPM,
// so done must be called.
func (t *TPM) primary(template tpm2.TPMTPublic) (rsp *tpm2.CreatePrimaryResponse, done func(), err error) {
	rsp, err = tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(template)}.Execute(t.chip)
	if err != nil {
		return nil, nil, fmt.Errorf("attest: TPM key: %w", err)
	}
	return rsp, func() { _, _ = tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}.Execute(t.chip) }, nil
}

// session is one use of a session whose key only the TPM with the verified
// endorsement key can know. done must be called.
func (t *TPM) session(options ...tpm2.AuthOption) (s tpm2.Session, done func(), err error) {
	ek, done, err := t.primary(tpm2.RSAEKTemplate)
	if err != nil {
		return nil, nil, err
	}
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, append(options, tpm2.Salted(ek.ObjectHandle, t.ek))...), done, nil
}

// Attest implements Backend: a quote of the registers, and the counter, raised
// by one and certified over the same data, in the parts evidence/tpm lists.
func (t *TPM) Attest(data [64]byte) (*evidence.Evidence, error) {
	if !zeros(data[32:]) {
		return nil, fmt.Errorf("attest: a TPM binds 32 bytes: %w", ErrUnsupported)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.increment(); err != nil {
		return nil, err
	}
	key, done, err := t.primary(akTemplate)
	if err != nil {
		return nil, err
	}
	defer done()
	e := &evidence.Evidence{Kind: evidence.TPM, Aux: make([][]byte, 7)}
	if e.Aux[1], err = akPublic(key); err != nil {
		return nil, err
	}
	sign := tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)}
	qualifying := tpm2.TPM2BData{Buffer: data[:32]}
	quote, err := tpm2.Quote{SignHandle: sign, QualifyingData: qualifying, InScheme: noScheme, PCRSelect: selection(t.o.PCRs)}.Execute(t.chip)
	if err != nil {
		return nil, fmt.Errorf("attest: TPM quote: %w", err)
	}
	if e.Quote, e.Aux[0], err = statement(quote.Quoted.Bytes(), quote.Signature); err != nil {
		return nil, err
	}
	if e.Aux[2], err = t.registers(); err != nil {
		return nil, err
	}
	e.Aux[3], e.Aux[4] = t.o.BootLog, t.o.AppLog.Bytes()
	nv, err := tpm2.NVCertify{
		SignHandle: sign, AuthHandle: tpm2.AuthHandle{Handle: tpm.CounterIndex, Name: counterName(true), Auth: tpm2.PasswordAuth(nil)},
		NVIndex: counterHandle(true), QualifyingData: qualifying, InScheme: noScheme, Size: 8,
	}.Execute(t.chip)
	if err != nil {
		return nil, fmt.Errorf("attest: TPM counter: %w", err)
	}
	e.Aux[5], e.Aux[6], err = statement(nv.CertifyInfo.Bytes(), nv.Signature)
	return e, err
}

var noScheme = tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}

// akPublic is the key's public area in its one encoding.
func akPublic(key *tpm2.CreatePrimaryResponse) ([]byte, error) {
	public, err := key.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrPlatform, err)
	}
	point, err := public.Unique.ECC()
	if err != nil || len(point.X.Buffer) > 32 || len(point.Y.Buffer) > 32 {
		return nil, fmt.Errorf("%w: attestation key is not on P-256", ErrPlatform)
	}
	return tpm.EncodeAK(point.X.Buffer, point.Y.Buffer), nil
}

// statement is what a TPM says and its signature, in their one encoding.
func statement(attest []byte, s tpm2.TPMTSignature) ([]byte, []byte, error) {
	sig, err := s.Signature.ECDSA()
	if err != nil || len(sig.SignatureR.Buffer) > 32 || len(sig.SignatureS.Buffer) > 32 {
		return nil, nil, fmt.Errorf("%w: signature is not by ECDSA on P-256", ErrPlatform)
	}
	return attest, tpm.EncodeSignature(sig.SignatureR.Buffer, sig.SignatureS.Buffer), nil
}

func selection(pcrs []uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(pcrs...)}}}
}

// registers reads the values of the quoted registers, which a TPM gives a few at
// a time.
func (t *TPM) registers() (values []byte, err error) {
	for left := t.o.PCRs; len(left) > 0; {
		some := left[:min(len(left), 8)]
		rsp, err := tpm2.PCRRead{PCRSelectionIn: selection(some)}.Execute(t.chip)
		if err != nil {
			return nil, fmt.Errorf("attest: TPM registers: %w", err)
		}
		if len(rsp.PCRValues.Digests) != len(some) {
			return nil, fmt.Errorf("%w: %d registers for %d", ErrPlatform, len(rsp.PCRValues.Digests), len(some))
		}
		for _, d := range rsp.PCRValues.Digests {
			if len(d.Buffer) != 32 {
				return nil, fmt.Errorf("%w: register of %d bytes", ErrPlatform, len(d.Buffer))
			}
			values = append(values, d.Buffer...)
		}
		left = left[len(some):]
	}
	return values, nil
}

// SealKey implements Backend: a TPM seals to registers, not to code, and keeps
// no store of ours.
func (t *TPM) SealKey(SealPolicy, string) (key [32]byte, err error) {
	return key, fmt.Errorf("attest: a seal key of a TPM: %w", ErrUnsupported)
}

// Elapsed implements Backend.
func (t *TPM) Elapsed() (time.Duration, error) {
	return 0, fmt.Errorf("attest: a TPM's clock: %w", ErrUnsupported)
}

// Random implements Backend. The bytes are encrypted on their way.
func (t *TPM) Random(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(p) > 0 {
		n, err := t.random(p[:min(len(p), maxTPMRandom)])
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (t *TPM) random(p []byte) (int, error) {
	s, done, err := t.session(tpm2.AESEncryption(128, tpm2.EncryptOut))
	if err != nil {
		return 0, err
	}
	defer done()
	rsp, err := tpm2.GetRandom{BytesRequested: uint16(len(p))}.Execute(t.chip, s)
	if err != nil {
		return 0, fmt.Errorf("attest: TPM random: %w", err)
	}
	n := copy(p, rsp.RandomBytes.Buffer)
	if n == 0 {
		return 0, fmt.Errorf("%w: no random bytes", ErrPlatform)
	}
	return n, nil
}

// Counter implements Backend; the name is TPMCounter. It begins wherever the
// TPM's counters are, because none ever restarts.
func (t *TPM) Counter(name string) (Counter, error) {
	if name != TPMCounter {
		return nil, fmt.Errorf("attest: counter %q of a TPM: %w", name, ErrUnsupported)
	}
	return &tpmCounter{t}, nil
}

type tpmCounter struct{ t *TPM }

func (c *tpmCounter) Read() (uint64, error) {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	return c.t.count()
}

func (c *tpmCounter) Increment() (uint64, error) {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if err := c.t.increment(); err != nil {
		return 0, err
	}
	return c.t.count()
}

// counterPublic is the one template of the counter; its name says whether it
// was ever written.
func counterPublic(written bool) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex: tpm.CounterIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
		Attributes: tpm2.TPMANV{
			OwnerWrite: true, AuthWrite: true, NT: tpm2.TPMNTCounter, OwnerRead: true, AuthRead: true, NoDA: true, Written: written,
		},
	}
}

// counterName is computed, not asked for: an index with other attributes could
// be set to any value, and has another name.
func counterName(written bool) tpm2.TPM2BName {
	public := counterPublic(written)
	name, err := tpm2.NVName(&public)
	if err != nil {
		panic(err) // only a template that cannot be encoded does this
	}
	return *name
}

func counterHandle(written bool) tpm2.NamedHandle {
	return tpm2.NamedHandle{Handle: tpm.CounterIndex, Name: counterName(written)}
}

// increment raises the counter, which is defined first if need be.
func (t *TPM) increment() error {
	written := true
	public, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(tpm.CounterIndex)}.Execute(t.chip)
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
		written = false
		_, err = tpm2.NVDefineSpace{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}, PublicInfo: tpm2.New2B(counterPublic(false)),
		}.Execute(t.chip)
	case err == nil:
		var p *tpm2.TPMSNVPublic
		if p, err = public.NVPublic.Contents(); err == nil {
			written = p.Attributes.Written
		}
	}
	if err != nil {
		return fmt.Errorf("attest: TPM counter: %w", err)
	}
	s, done, err := t.session()
	if err != nil {
		return err
	}
	defer done()
	_, err = tpm2.NVIncrement{
		AuthHandle: tpm2.AuthHandle{Handle: tpm.CounterIndex, Name: counterName(written), Auth: s}, NVIndex: counterHandle(written),
	}.Execute(t.chip)
	if err != nil {
		return fmt.Errorf("attest: TPM counter: %w", err)
	}
	return nil
}

// count reads the counter.
func (t *TPM) count() (uint64, error) {
	s, done, err := t.session()
	if err != nil {
		return 0, err
	}
	defer done()
	rsp, err := tpm2.NVRead{
		AuthHandle: tpm2.AuthHandle{Handle: tpm.CounterIndex, Name: counterName(true), Auth: s}, NVIndex: counterHandle(true), Size: 8,
	}.Execute(t.chip)
	if err != nil {
		return 0, fmt.Errorf("attest: TPM counter: %w", err)
	}
	if len(rsp.Data.Buffer) != 8 {
		return 0, fmt.Errorf("%w: counter of %d bytes", ErrPlatform, len(rsp.Data.Buffer))
	}
	return binary.BigEndian.Uint64(rsp.Data.Buffer), nil
}
