package tpm

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
)

// ekPolicy is the authorisation of an endorsement key: PolicySecret of the
// endorsement hierarchy (TCG EK Credential Profile, policy A).
var ekPolicy = []byte{
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24,
	0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA,
}

// ekBits and ekExponent are the only class of endorsement key: a chip that
// carries several keys, each with a certificate, has one identity.
const (
	ekBits     = 2048
	ekExponent = 65537
)

// ekHead is all of an endorsement key's TPMT_PUBLIC before its modulus: TCG's
// template L-1 for RSA-2048, the only one accepted.
var ekHead = func() []byte {
	be := binary.BigEndian
	b := be.AppendUint16(be.AppendUint16(nil, algRSA), algSHA256)
	b = be.AppendUint32(b, fixedTPM|fixedParent|sensitiveDataOrigin|adminWithPolicy|restricted|decrypt)
	b = appendSized(b, ekPolicy)
	for _, field := range []uint16{algAES, 128, algCFB, algNull, ekBits} {
		b = be.AppendUint16(b, field)
	}
	return be.AppendUint32(b, 0) // 65537
}()

// EKName is the TPM Name of the endorsement key with this public key under the
// one allowed template. spki is EK.SPKI; errors are ErrEKClass.
func EKName(spki []byte) ([]byte, error) {
	key, err := parseEKKey(spki)
	if err != nil {
		return nil, err
	}
	return objectName(appendSized(bytes.Clone(ekHead), key.N.FillBytes(make([]byte, ekBits/8)))), nil
}

// parseEKKey reads EK.SPKI.
func parseEKKey(spki []byte) (*rsa.PublicKey, error) {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, refuse(ErrEKClass, "endorsement key: %v", err)
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok {
		return nil, refuse(ErrEKClass, "an endorsement key is RSA-2048, got %T", pub)
	}
	return key, checkEKClass(key)
}

// checkEKClass refuses an even modulus too: nothing can be encrypted to it, and
// the verifiers who then have no challenge to show would pay for it.
func checkEKClass(key *rsa.PublicKey) error {
	if key.N.BitLen() != ekBits || key.N.Bit(0) == 0 || key.E != ekExponent {
		return refuse(ErrEKClass, "an endorsement key is RSA-2048 with an odd modulus and exponent 65537, got %d bits with %d", key.N.BitLen(), key.E)
	}
	return nil
}

// VerifyCreation checks a TPM2_CertifyCreation of the endorsement key by the
// attestation key: the key with this Name (EKName) was made in the TPM that ak
// is in. Why: one TPM can make many endorsement keys; only the template's
// counts. Errors: ErrQuoteSig, ErrQuoteMagic, ErrAKHierarchy, ErrNonce,
// ErrEKTemplate.
func VerifyCreation(attest, sig []byte, ak AK, ekName []byte, qualifying [32]byte) error {
	st, err := ak.attested(attest, sig, qualifying)
	if err != nil {
		return err
	}
	if st.Creation == nil {
		return refuse(ErrQuoteMagic, "not a statement about the creation of a key")
	}
	if !bytes.Equal(st.Creation.Name, ekName) {
		return refuse(ErrEKTemplate, "the certified key %x is not the endorsement key under the allowed template, %x", st.Creation.Name, ekName)
	}
	return nil
}
