package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
)

// endorsementHandle names the endorsement hierarchy. Only keys in it see the
// reset counters unobfuscated.
const endorsementHandle = 0x4000000B

// Object attributes (TPMA_OBJECT).
const (
	fixedTPM            = 1 << 1
	fixedParent         = 1 << 4
	sensitiveDataOrigin = 1 << 5
	userWithAuth        = 1 << 6
	adminWithPolicy     = 1 << 7
	noDA                = 1 << 10
	restricted          = 1 << 16
	decrypt             = 1 << 17
	signEncrypt         = 1 << 18
)

// akHead is all of an attestation key's TPMT_PUBLIC before its point: the one
// template there is. Restricted, so that it signs only what the TPM itself
// says; fixed, so that it never leaves the TPM.
var akHead = func() []byte {
	be := binary.BigEndian
	b := be.AppendUint16(be.AppendUint16(nil, algECC), algSHA256)
	b = be.AppendUint32(b, fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|restricted|signEncrypt)
	b = be.AppendUint16(b, 0) // no policy
	for _, alg := range []uint16{algNull, algECDSA, algSHA256, curveP256, algNull} {
		b = be.AppendUint16(b, alg)
	}
	return b
}()

// AK is an attestation key.
type AK struct {
	Public []byte // TPMT_PUBLIC
	key    *ecdsa.PublicKey
}

// ParseAK reads an attestation key: a TPMT_PUBLIC that is the template, byte
// for byte, and a point of P-256 in coordinates of 32 bytes. Errors are
// ErrAKTemplate.
func ParseAK(tpmt []byte) (AK, error) {
	c := &cursor{b: tpmt, order: binary.BigEndian}
	if !bytes.Equal(c.bytes(len(akHead)), akHead) {
		return AK{}, refuse(ErrAKTemplate, "an attestation key is ECC P-256 with ECDSA-SHA256, fixed, restricted and for signing only")
	}
	x, y := c.sized(), c.sized()
	if !c.whole() || len(x) != 32 || len(y) != 32 {
		return AK{}, refuse(ErrAKTemplate, "the point of an attestation key is two coordinates of 32 bytes")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return AK{}, refuse(ErrAKTemplate, "the attestation key is no point of P-256: %v", err)
	}
	return AK{Public: bytes.Clone(tpmt), key: key}, nil
}

// EncodeAK is the TPMT_PUBLIC of a key under the template; x and y are
// big-endian coordinates of at most 32 bytes.
func EncodeAK(x, y []byte) []byte {
	return appendSized(appendSized(bytes.Clone(akHead), padded(x)), padded(y))
}

// Name is the key's TPM Name: u16 SHA-256, then the digest of its public area.
func (a AK) Name() []byte { return objectName(a.Public) }

// QualifiedSigner is what attestations by the key must carry: its Name under
// the endorsement hierarchy's, which proves that it is a primary key of it.
func (a AK) QualifiedSigner() []byte {
	return objectName(append(binary.BigEndian.AppendUint32(nil, endorsementHandle), a.Name()...))
}

// objectName is the digest of a public area with its algorithm.
func objectName(public []byte) []byte {
	h := sha256.Sum256(public)
	return append([]byte{algSHA256 >> 8, algSHA256 & 0xFF}, h[:]...)
}

// signatureSize is the length of a TPMT_SIGNATURE, in bytes.
const signatureSize = 72

// EncodeSignature is the TPMT_SIGNATURE of ECDSA with SHA-256; r and s are
// big-endian, at most 32 bytes. The accepted form has both at full length, so a
// TPM that drops leading zeros is brought into it here.
func EncodeSignature(r, s []byte) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, algECDSA), algSHA256)
	return appendSized(appendSized(b, padded(r)), padded(s))
}

// verify checks a TPMT_SIGNATURE over an attestation.
func (a AK) verify(attest, sig []byte) error {
	c := &cursor{b: sig, order: binary.BigEndian}
	scheme, hash, r, s := c.u16(), c.u16(), c.sized(), c.sized()
	if !c.whole() || len(sig) != signatureSize || scheme != algECDSA || hash != algSHA256 || len(r) != 32 || len(s) != 32 {
		return refuse(ErrQuoteSig, "not a TPMT_SIGNATURE by ECDSA with SHA-256 and numbers of 32 bytes")
	}
	digest := sha256.Sum256(attest)
	if a.key == nil || !ecdsa.Verify(a.key, digest[:], new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)) {
		return refuse(ErrQuoteSig, "the attestation key did not sign this")
	}
	return nil
}

// attested checks a statement of the key: signature, that it is the TPM's own,
// that the key is of the endorsement hierarchy, and what it qualifies.
func (a AK) attested(attest, sig []byte, qualifying [32]byte) (*Attest, error) {
	if err := a.verify(attest, sig); err != nil {
		return nil, err
	}
	st, err := ParseAttest(attest)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(st.QualifiedSigner, a.QualifiedSigner()) {
		return nil, refuse(ErrAKHierarchy, "qualified signer %x is not this key in the endorsement hierarchy", st.QualifiedSigner)
	}
	if !bytes.Equal(st.Extra, qualifying[:]) {
		return nil, refuse(ErrNonce, "qualifying data %x, want %x", st.Extra, qualifying)
	}
	return st, nil
}

// padded brings a number to 32 bytes. One that does not fit stays as it is, and
// is refused by who reads it.
func padded(n []byte) []byte {
	if len(n) > 32 {
		return n
	}
	return new(big.Int).SetBytes(n).FillBytes(make([]byte, 32))
}
