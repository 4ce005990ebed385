package tpm

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"cloister/evidence/tpm"
)

// null has a key use the scheme of its template.
var null = tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}

// akTemplate is the one template of an attestation key. Keys with different
// numbers are different keys: the number goes into the field that the TPM then
// overwrites with the public point.
func akTemplate(number byte) tpm2.TPMTPublic {
	p := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Restricted: true, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}}),
	}
	if number > 0 {
		p.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: []byte{number}}})
	}
	return p
}

// withAK calls fn with the attestation key loaded. Some TPMs drop leading zeros
// of coordinates; the Name covers what the TPM says, so a key whose point is
// short has no accepted form, and the next one is taken.
func (t *TPM) withAK(fn func(ak *object, public tpm.AK) error) error {
	for number := byte(0); number < 16; number++ {
		o, err := t.primary(tpm2.TPMRHEndorsement, akTemplate(number), tpm2.PasswordAuth(nil))
		if err != nil {
			return fmt.Errorf("tpm: making the attestation key: %w", err)
		}
		public, err := readAK(o)
		if err == nil {
			err = fn(o, public)
		}
		t.flush(o)
		if !errors.Is(err, errShortPoint) {
			return err
		}
	}
	return fmt.Errorf("tpm: no attestation key with a whole point")
}

var errShortPoint = errors.New("a coordinate has fewer than 32 bytes")

func readAK(o *object) (tpm.AK, error) {
	public, err := o.public.Contents()
	if err != nil {
		return tpm.AK{}, fmt.Errorf("tpm: reading the attestation key: %w", err)
	}
	point, err := public.Unique.ECC()
	if err != nil {
		return tpm.AK{}, fmt.Errorf("tpm: reading the attestation key: %w", err)
	}
	ak, err := tpm.ParseAK(tpm.EncodeAK(point.X.Buffer, point.Y.Buffer))
	if err != nil {
		return tpm.AK{}, fmt.Errorf("tpm: reading the attestation key: %w", err)
	}
	if !bytes.Equal(ak.Name(), o.Name.Buffer) {
		return tpm.AK{}, errShortPoint
	}
	return ak, nil
}

// AK is the TPM's attestation key: the same at every call, after every reboot.
func (t *TPM) AK() (ak tpm.AK, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withAK(func(_ *object, public tpm.AK) error {
		ak = public
		return nil
	})
	return ak, err
}

// ekAuth authorises uses of the endorsement key by its policy.
func ekAuth() tpm2.Session {
	return tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(bus transport.TPM, h tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicySecret{AuthHandle: tpm2.TPMRHEndorsement, PolicySession: h, NonceTPM: nonce}.Execute(bus)
		return err
	})
}

// withEK calls fn with the RSA-2048 endorsement key loaded.
func (t *TPM) withEK(fn func(ek *object) error) error {
	o, err := t.primary(tpm2.TPMRHEndorsement, tpm2.RSAEKTemplate, ekAuth())
	if err != nil {
		return fmt.Errorf("tpm: making the endorsement key: %w", err)
	}
	defer t.flush(o)
	return fn(o)
}

// EK is the public key of the endorsement key: DER SubjectPublicKeyInfo, as
// tpm.EK.SPKI.
func (t *TPM) EK() (spki []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withEK(func(ek *object) error {
		public, err := ek.public.Contents()
		if err != nil {
			return fmt.Errorf("tpm: reading the endorsement key: %w", err)
		}
		modulus, err := public.Unique.RSA()
		if err != nil {
			return fmt.Errorf("tpm: reading the endorsement key: %w", err)
		}
		spki, err = x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus.Buffer), E: ekExponent})
		return err
	})
	return spki, err
}

// ekExponent is the template's.
const ekExponent = 65537

// CertifyEK has the attestation key certify the creation of the endorsement key:
// what tpm.VerifyCreation takes.
func (t *TPM) CertifyEK(qualifying [32]byte) (attest, sig []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withEK(func(ek *object) error {
		return t.withAK(func(ak *object, _ tpm.AK) error {
			r, err := tpm2.CertifyCreation{
				SignHandle: ak.AuthHandle, ObjectHandle: tpm2.NamedHandle{Handle: ek.Handle, Name: ek.Name},
				QualifyingData: tpm2.TPM2BData{Buffer: qualifying[:]}, CreationHash: ek.creationHash, InScheme: null, CreationTicket: ek.creationTicket,
			}.Execute(t.bus)
			if err != nil {
				return fmt.Errorf("tpm: certifying the endorsement key: %w", err)
			}
			attest, sig, err = statement(r.CertifyInfo.Bytes(), &r.Signature)
			return err
		})
	})
	return attest, sig, err
}

// Credential is a secret wrapped by tpm.MakeCredential.
type Credential struct{ Blob, EncSecret []byte }

// Activated is what came of one credential: the secret, or ErrNotActivated.
type Activated struct {
	Secret [32]byte
	Err    error
}

// Activate unwraps credentials, one result for each. Hostile ones harm nothing:
// the TPM says no. An error means that it could not even be asked.
func (t *TPM) Activate(list []Credential) (out []Activated, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withEK(func(ek *object) error {
		return t.withAK(func(ak *object, _ tpm.AK) error {
			out = make([]Activated, len(list))
			for i, c := range list {
				out[i].Secret, out[i].Err = t.activate(ek, ak, c)
			}
			return nil
		})
	})
	return out, err
}

// activate treats every refusal alike: for a blob made for another TPM one
// emulator answers TPM_RC_FAILURE, the code for a dead TPM, and goes on working.
func (t *TPM) activate(ek, ak *object, c Credential) (secret [32]byte, err error) {
	key := ek.AuthHandle
	key.Auth = ekAuth() // a policy session serves for one use
	r, err := tpm2.ActivateCredential{
		ActivateHandle: ak.AuthHandle, KeyHandle: key,
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: c.Blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: c.EncSecret},
	}.Execute(t.bus)
	if err != nil {
		return secret, fmt.Errorf("%w: %w", ErrNotActivated, err)
	}
	if len(r.CertInfo.Buffer) != len(secret) {
		return secret, fmt.Errorf("%w: it holds %d bytes", ErrNotActivated, len(r.CertInfo.Buffer))
	}
	return [32]byte(r.CertInfo.Buffer), nil
}

// statement brings an attestation and its signature into the accepted form.
func statement(attest []byte, sig *tpm2.TPMTSignature) (_, _ []byte, err error) {
	if _, err := tpm.ParseAttest(attest); err != nil {
		return nil, nil, fmt.Errorf("tpm: the TPM's statement: %w", err)
	}
	ecc, err := sig.Signature.ECDSA()
	if err != nil {
		return nil, nil, fmt.Errorf("tpm: the TPM's signature: %w", err)
	}
	return attest, tpm.EncodeSignature(ecc.SignatureR.Buffer, ecc.SignatureS.Buffer), nil
}
