package tpm

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
)

// MakeCredential wraps a secret so that only a TPM that holds the endorsement
// key, and in it a key of the given Name, can unwrap it (TPM2_MakeCredential).
// It is a function of its arguments: a challenger that reveals seed later
// proves that its challenge was well formed. ekPub is EK.SPKI, akName is
// AK.Name. blob (68 bytes) and encSecret (256 bytes) are the contents of the
// TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET that TPM2_ActivateCredential
// takes. Errors are ErrEKClass and ErrAKTemplate.
func MakeCredential(ekPub, akName []byte, secret, seed [32]byte) (blob, encSecret []byte, err error) {
	key, err := parseEKKey(ekPub)
	if err != nil {
		return nil, nil, err
	}
	if len(akName) != 2+sha256.Size {
		return nil, nil, refuse(ErrAKTemplate, "a Name has %d bytes, got %d", 2+sha256.Size, len(akName))
	}
	inner, salt := streamBlock(seed, 0), streamBlock(seed, 1)
	encSecret, err = rsa.EncryptOAEP(sha256.New(), bytes.NewReader(salt[:]), key, inner[:], []byte("IDENTITY\x00"))
	if err != nil {
		return nil, nil, refuse(ErrEKClass, "endorsement key: %v", err)
	}
	sealed, err := cfb(kdfa(inner[:], "STORAGE", akName, 128), appendSized(nil, secret[:]))
	if err != nil {
		return nil, nil, refuse(ErrEKClass, "credential: %v", err)
	}
	mac := hmac.New(sha256.New, kdfa(inner[:], "INTEGRITY", nil, 256))
	mac.Write(sealed)
	mac.Write(akName)
	return append(appendSized(nil, mac.Sum(nil)), sealed...), encSecret, nil
}

// streamBlock is block i of stream(seed): SHA-256(seed ‖ u64(i)). Block 0 is
// the TPM seed, block 1 the OAEP salt.
func streamBlock(seed [32]byte, i uint64) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(seed[:], i))
}

// kdfa is KDFa with SHA-256 (TPM library part 1, §11.4.10.2) for at most 256
// bits, so one block.
func kdfa(key []byte, label string, context []byte, bits uint32) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte{0, 0, 0, 1})
	h.Write(append([]byte(label), 0))
	h.Write(context)
	h.Write(binary.BigEndian.AppendUint32(nil, bits))
	return h.Sum(nil)[:bits/8]
}

// cfb encrypts with AES in CFB mode and a zero IV, as TPMs do. It is written
// out because the standard library's is deprecated for being unauthenticated;
// here an HMAC follows.
func cfb(key, plain []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(plain)
	feedback := make([]byte, aes.BlockSize)
	for at := 0; at < len(out); at += aes.BlockSize {
		block.Encrypt(feedback, feedback)
		end := min(at+aes.BlockSize, len(out))
		for i := at; i < end; i++ {
			out[i] ^= feedback[i-at]
		}
		copy(feedback, out[at:end])
	}
	return out, nil
}
