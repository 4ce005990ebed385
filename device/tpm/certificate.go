package tpm

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

const (
	ekCertificateIndex = 0x01C00002 // RSA-2048, TCG EK Credential Profile §2.2.1.4
	maxCertificate     = 8 << 10
	nvChunk            = 512 // every TPM reads so much of an index at once
)

// Certificate is the certificate of the RSA-2048 endorsement key, DER, as its
// maker stored it. Other certificates of the chain are not in the TPM. Errors:
// ErrNoCertificate.
func (t *TPM) Certificate() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	raw, err := t.readNV(ekCertificateIndex)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, fmt.Errorf("tpm: %w", ErrNoCertificate)
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: reading the endorsement certificate: %w", err)
	}
	der, err := unwrap(raw)
	if err != nil {
		return nil, fmt.Errorf("tpm: endorsement certificate: %w", err)
	}
	return der, nil
}

// readNV reads a whole index with its own, empty, authorisation.
func (t *TPM) readNV(index tpm2.TPMHandle) ([]byte, error) {
	r, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t.bus)
	if err != nil {
		return nil, err
	}
	public, err := r.NVPublic.Contents()
	if err != nil {
		return nil, err
	}
	if public.DataSize > maxCertificate {
		return nil, fmt.Errorf("index %08x has %d bytes, at most %d are read", index, public.DataSize, maxCertificate)
	}
	at := tpm2.AuthHandle{Handle: index, Name: r.NVName, Auth: tpm2.PasswordAuth(nil)}
	var all []byte
	for size := int(public.DataSize); len(all) < size; {
		part, err := tpm2.NVRead{
			AuthHandle: at, NVIndex: tpm2.NamedHandle{Handle: index, Name: r.NVName},
			Size: uint16(min(nvChunk, size-len(all))), Offset: uint16(len(all)),
		}.Execute(t.bus)
		if err != nil {
			return nil, err
		}
		if len(part.Data.Buffer) == 0 {
			return nil, fmt.Errorf("index %08x ends after %d of %d bytes", index, len(all), size)
		}
		all = append(all, part.Data.Buffer...)
	}
	return all, nil
}

// wrapper is what some makers put before a certificate, with its length as u16
// after it (TCG PC Client TPM 1.2 stored certificates).
var wrapper = []byte{0x10, 0x01, 0x00}

// unwrap cuts wrapper and padding off a stored certificate.
func unwrap(b []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(b, wrapper); ok {
		if len(rest) < 2 || int(binary.BigEndian.Uint16(rest)) > len(rest)-2 {
			return nil, errors.New("it is cut short")
		}
		b = rest[2 : 2+int(binary.BigEndian.Uint16(rest))]
	}
	var whole asn1.RawValue
	if _, err := asn1.Unmarshal(b, &whole); err != nil {
		return nil, fmt.Errorf("not in DER: %w", err)
	}
	if _, err := x509.ParseCertificate(whole.FullBytes); err != nil {
		return nil, err
	}
	return whole.FullBytes, nil
}
