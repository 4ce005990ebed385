package simtee

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence"
)

// ErrCredential is what a TPM says to a credential that was not made for it.
var ErrCredential = errors.New("simtee: the credential was not made for this TPM and attestation key")

// TPM is the part of a simulated TPM that a device uses to join a network
// (hardware registry §5), beyond its evidence.
type TPM struct{ state *platformState }

// TPM is the platform's chip; an error for other kinds of platforms.
func (p *Platform) TPM() (*TPM, error) {
	if p.state.Kind != evidence.TPM {
		return nil, fmt.Errorf("simtee: a %s platform is no TPM", p.state.Kind)
	}
	return &TPM{p.state}, nil
}

// Chain is the EK certificate and its issuers, leaf first, without the root.
func (t *TPM) Chain() [][]byte { return [][]byte{t.state.Leaves[0].Cert, t.state.Chain[0]} }

// AttestationKey is the AK's TPMT_PUBLIC and its Name.
func (t *TPM) AttestationKey() (public, name []byte, err error) {
	c, err := t.state.chip()
	if err != nil {
		return nil, nil, err
	}
	return tpm2.Marshal(c.akPub), c.akName, nil
}

// CertifyCreation is TPM2_CertifyCreation of the EK by the AK over qualifying
// data of at most 66 bytes: a TPMS_ATTEST and its TPMT_SIGNATURE.
func (t *TPM) CertifyCreation(qualifying []byte) (attest, sig []byte, err error) {
	c, err := t.state.chip()
	if err != nil {
		return nil, nil, err
	}
	hash := sha256.Sum256([]byte("simulated creation data"))
	body := tpm2.NewTPMUAttest(tpm2.TPMSTAttestCreation, &tpm2.TPMSCreationInfo{
		ObjectName: tpm2.TPM2BName{Buffer: c.ekName}, CreationHash: tpm2.TPM2BDigest{Buffer: hash[:]},
	})
	return c.attested(tpm2.TPMSTAttestCreation, body, qualifying, clockInfo(t.state.tpmClock(time.Now())))
}

// ActivateCredential gives back the secret of a credential that was made for
// this EK and this AK (TPM2_MakeCredential: TPM library part 1, §24); otherwise
// ErrCredential.
func (t *TPM) ActivateCredential(blob, encrypted []byte) ([]byte, error) {
	c, err := t.state.chip()
	if err != nil {
		return nil, err
	}
	seed, err := rsa.DecryptOAEP(sha256.New(), nil, c.ek, encrypted, []byte("IDENTITY\x00"))
	if err != nil || len(blob) < 2+sha256.Size {
		return nil, ErrCredential
	}
	sum, identity := blob[2:2+sha256.Size], blob[2+sha256.Size:]
	mac := hmac.New(sha256.New, tpm2.KDFa(crypto.SHA256, seed, "INTEGRITY", nil, nil, 256))
	mac.Write(identity)
	mac.Write(c.akName)
	if blob[0] != 0 || blob[1] != sha256.Size || !hmac.Equal(mac.Sum(nil), sum) {
		return nil, ErrCredential
	}
	block, err := aes.NewCipher(tpm2.KDFa(crypto.SHA256, seed, "STORAGE", c.akName, nil, 128))
	if err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	plain := make([]byte, len(identity))
	cipher.NewCFBDecrypter(block, make([]byte, aes.BlockSize)).XORKeyStream(plain, identity) //nolint:staticcheck // the TPM's own mode
	secret, err := tpm2.Unmarshal[tpm2.TPM2BDigest](plain)
	if err != nil {
		return nil, ErrCredential
	}
	return secret.Buffer, nil
}
