package simtee

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/gate/backend"
	"cloister/wire"
)

// What a simulated TPM says about itself.
const (
	tpmMaker    = "id:434C5354" // "CLST"
	tpmModel    = "Simulated TPM"
	tpmFirmware = 0x0001_0000_0000_0001

	appPCR       = tpm.DefaultAppPCR
	counterIndex = tpm.CounterIndex
)

// tpmPCRs are the registers that are quoted: those of the boot, and the one
// programs are measured into (hardware registry §3.7).
var tpmPCRs = []uint{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, appPCR, 14}

// foundMaker makes the maker's root and its issuing CA.
func foundMaker(s *vendorState) error {
	keys, err := threeKeys()
	if err != nil {
		return err
	}
	if s.Root, err = issue(keys[0], nil, cert{name: "TPM Root CA", ca: true, pathLen: 1, usage: caUsage}); err != nil {
		return err
	}
	s.Intermediate, err = issue(keys[1], &s.Root, cert{name: "TPM EK CA", ca: true, usage: caUsage})
	return err
}

var (
	oidEK       = asn1.ObjectIdentifier{2, 23, 133, 8, 1}
	oidSAN      = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidTPMMaker = asn1.ObjectIdentifier{2, 23, 133, 2, 1}
	oidTPMModel = asn1.ObjectIdentifier{2, 23, 133, 2, 2}
	oidTPMVer   = asn1.ObjectIdentifier{2, 23, 133, 2, 3}
)

// ekName is the critical alternative name that says which TPM it is (TCG EK
// credential profile): a directory name of maker, model and version.
func ekName() (pkix.Extension, error) {
	name, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: oidTPMMaker, Value: tpmMaker}}, {{Type: oidTPMModel, Value: tpmModel}}, {{Type: oidTPMVer, Value: "id:00010000"}},
	})
	if err == nil {
		name, err = asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name}})
	}
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("simtee: EK name: %w", err)
	}
	return pkix.Extension{Id: oidSAN, Critical: true, Value: name}, nil
}

// newTPM makes a chip: EK with certificate, AK.
func (s *vendorState) newTPM() (*platformState, error) {
	ek, err := newRSA(2048)
	if err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	name, err := ekName()
	if err != nil {
		return nil, err
	}
	leaf, err := issue(ek, &s.Intermediate, cert{
		name: "TPM EK", usage: x509.KeyUsageKeyEncipherment, extensions: []pkix.Extension{name},
		change: func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidEK} },
	})
	if err != nil {
		return nil, err
	}
	ak, err := newECDSA(elliptic.P256())
	if err != nil {
		return nil, err
	}
	p := &platformState{Leaves: []pair{leaf}, Chain: [][]byte{s.Intermediate.Cert, s.Root.Cert}}
	if p.ID, err = x509.MarshalPKIXPublicKey(ek.Public()); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	p.AttestationKey, err = x509.MarshalPKCS8PrivateKey(ak)
	return p, err
}

// akPublic is the TPMT_PUBLIC of the attestation key: ECC P-256, restricted,
// signing with ECDSA-SHA256 (hardware registry §5).
func akPublic(k *ecdsa.PublicKey) (*tpm2.TPMTPublic, error) {
	xy, err := rawPoint(k)
	if err != nil {
		return nil, err
	}
	return &tpm2.TPMTPublic{
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
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: xy[:32]}, Y: tpm2.TPM2BECCParameter{Buffer: xy[32:]},
		}),
	}, nil
}

// ekPublic is the TPMT_PUBLIC of the endorsement key: the TCG's RSA-2048
// template with this key.
func ekPublic(k *rsa.PublicKey) *tpm2.TPMTPublic {
	t := tpm2.RSAEKTemplate
	t.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: k.N.FillBytes(make([]byte, 256))})
	return &t
}

func nameOf(p *tpm2.TPMTPublic) ([]byte, error) {
	n, err := tpm2.ObjectName(p)
	if err != nil {
		return nil, fmt.Errorf("simtee: TPM name: %w", err)
	}
	return n.Buffer, nil
}

// appLog is what the machine measured the program as.
func (m Measured) appLog() tpm.AppLog {
	return tpm.AppLog{{Component: tpm.NodeBinary, Version: "simulated", Digest: m.Enclave}}
}

// pcrs are the values of the quoted registers, in tpmPCRs' order: those of the
// simulated boot, and the program in its own register.
func (m Measured) pcrs() (values []byte) {
	b := bootUp()
	for _, e := range m.appLog() {
		b.extend(appPCR, e.Measure())
	}
	for _, n := range tpmPCRs {
		values = append(values, b.pcrs[n][:]...)
	}
	return values
}

// pcrDigest is what a quote has of the registers.
func (m Measured) pcrDigest() [32]byte { return sha256.Sum256(m.pcrs()) }

func selection() tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(tpmPCRs...),
	}}}
}

// pcrSelection is the TPML_PCR_SELECTION of every quote.
func pcrSelection() []byte { return tpm2.Marshal(selection()) }

// chip is a simulated TPM's keys in the forms they are used in.
type chip struct {
	ek     *rsa.PrivateKey
	ak     *ecdsa.PrivateKey
	ekPub  *tpm2.TPMTPublic
	akPub  *tpm2.TPMTPublic
	ekName []byte
	akName []byte
}

func (p *platformState) chip() (*chip, error) {
	c := new(chip)
	s, err := p.Leaves[0].signer()
	if err != nil {
		return nil, err
	}
	var ok bool
	if c.ek, ok = s.(*rsa.PrivateKey); !ok {
		return nil, fmt.Errorf("simtee: %T where an RSA key belongs", s)
	}
	if c.ak, err = (pair{Key: p.AttestationKey}).ecdsa(); err != nil {
		return nil, err
	}
	c.ekPub = ekPublic(&c.ek.PublicKey)
	if c.akPub, err = akPublic(&c.ak.PublicKey); err != nil {
		return nil, err
	}
	if c.ekName, err = nameOf(c.ekPub); err != nil {
		return nil, err
	}
	c.akName, err = nameOf(c.akPub)
	return c, err
}

// attested signs an attestation structure with the AK, a primary of the
// endorsement hierarchy, and returns both encoded.
func (c *chip) attested(kind tpm2.TPMST, body tpm2.TPMUAttest, extra []byte, clock tpm2.TPMSClockInfo) (attest, sig []byte, err error) {
	qualified := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement)), c.akName...))
	attest = tpm2.Marshal(tpm2.TPMSAttest{
		Magic: tpm2.TPMGeneratedValue, Type: kind,
		QualifiedSigner: tpm2.TPM2BName{Buffer: append([]byte{0x00, 0x0b}, qualified[:]...)},
		ExtraData:       tpm2.TPM2BData{Buffer: extra},
		ClockInfo:       clock, FirmwareVersion: tpmFirmware, Attested: body,
	})
	digest := sha256.Sum256(attest)
	raw, err := rawSignature(c.ak, digest[:], 32)
	if err != nil {
		return nil, nil, err
	}
	sig = tpm2.Marshal(tpm2.TPMTSignature{
		SigAlg: tpm2.TPMAlgECDSA,
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash: tpm2.TPMAlgSHA256, SignatureR: tpm2.TPM2BECCParameter{Buffer: raw[:32]}, SignatureS: tpm2.TPM2BECCParameter{Buffer: raw[32:]},
		}),
	})
	return attest, sig, nil
}

// counterPublic is the public area of the counter every device keeps, after its
// first increment (hardware registry §13.3).
func counterPublic() *tpm2.TPMSNVPublic {
	return &tpm2.TPMSNVPublic{
		NVIndex: counterIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
		Attributes: tpm2.TPMANV{
			OwnerWrite: true, AuthWrite: true, NT: tpm2.TPMNTCounter, OwnerRead: true, AuthRead: true, NoDA: true, Written: true,
		},
	}
}

// pcrQuote makes TPM evidence in the parts evidence/tpm lists: a quote, and the
// counter certified over the same data. The counter's value is one that no
// evidence had before.
func (p *platformState) pcrQuote(prog Program, data [64]byte, clock, counter uint64) (*evidence.Evidence, error) {
	if !bytes.Equal(data[32:], make([]byte, 32)) {
		return nil, fmt.Errorf("%w: a TPM binds 32 bytes only", backend.ErrBadRequest)
	}
	c, err := p.chip()
	if err != nil {
		return nil, err
	}
	digest := prog.Code.pcrDigest()
	body := tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &tpm2.TPMSQuoteInfo{
		PCRSelect: selection(), PCRDigest: tpm2.TPM2BDigest{Buffer: digest[:]},
	})
	quote, sig, err := c.attested(tpm2.TPMSTAttestQuote, body, data[:32], clockInfo(clock))
	if err != nil {
		return nil, err
	}
	name, err := tpm2.NVName(counterPublic())
	if err != nil {
		return nil, fmt.Errorf("simtee: counter: %w", err)
	}
	body = tpm2.NewTPMUAttest(tpm2.TPMSTAttestNV, &tpm2.TPMSNVCertifyInfo{
		IndexName: *name, NVContents: tpm2.TPM2BData{Buffer: wire.U64(counter)},
	})
	nv, nvSig, err := c.attested(tpm2.TPMSTAttestNV, body, data[:32], clockInfo(clock))
	if err != nil {
		return nil, err
	}
	return &evidence.Evidence{Kind: evidence.TPM, Quote: quote, Aux: [][]byte{
		sig, tpm2.Marshal(c.akPub), prog.Code.pcrs(), bootUp().log, prog.Code.appLog().Bytes(), nv, nvSig,
	}}, nil
}

func clockInfo(ms uint64) tpm2.TPMSClockInfo {
	return tpm2.TPMSClockInfo{Clock: ms, ResetCount: 1, Safe: true}
}

// tpmClock is the milliseconds a TPM has run.
func (p *platformState) tpmClock(now time.Time) uint64 {
	return uint64(max(now.UnixMilli()-p.Made, 0))
}
