package tpm

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"

	"cloister/wire"
)

// Layout of the report a paravisor keeps in its virtual TPM: a head of 32
// bytes, a hardware report of 1184, a head of 20 for the claims, the claims as
// JSON, zero padding. Integers are little-endian.
const (
	hclHead      = 32
	hclReport    = 1184
	hclClaims    = 20
	hclMax       = 16 << 10
	hclSNP       = 2
	hclSHA256    = 1
	hclVersion   = 1
	hclRequest   = 2 // a report for an attestation key
	hclKey       = "HCLAkPub"
	maxClaimKeys = 8
)

var hclMagic = []byte("HCLA")

// ParseHCL reads a paravisor's report: the SNP report, the claims it binds by
// their SHA-256, and the attestation key of the virtual TPM, which the claims
// name. The three belong together only if VerifyNested says so. Errors are
// ErrHCL, with code wire.ErrEvidenceUnsupported for other hardware or hashes.
func ParseHCL(b []byte) (report, claims []byte, ak *rsa.PublicKey, err error) {
	if len(b) < hclHead+hclReport+hclClaims || len(b) > hclMax {
		return nil, nil, nil, refuse(ErrHCL, "a paravisor's report of %d bytes", len(b))
	}
	c := &cursor{b: b, order: binary.LittleEndian}
	name, version, size := c.bytes(4), c.u32(), c.u32()
	request, rest := c.u32(), c.bytes(hclHead-16)
	report = c.bytes(hclReport)
	inner, innerVersion, hardware, hash, n := c.u32(), c.u32(), c.u32(), c.u32(), c.u32()
	claims = c.bytes(int(n))
	if c.short || !bytes.Equal(name, hclMagic) || version != hclVersion || request != hclRequest ||
		!allBytes(rest, 0) || innerVersion != hclVersion ||
		uint64(inner) != hclClaims+uint64(n) || uint64(size) != hclHead+hclReport+uint64(inner) || !allBytes(c.b, 0) {
		return nil, nil, nil, refuse(ErrHCL, "not a paravisor's report of version %d from first byte to last", hclVersion)
	}
	if hardware != hclSNP || hash != hclSHA256 {
		return nil, nil, nil, refuseAs(ErrHCL, wire.ErrEvidenceUnsupported, "report type %d with hash %d; SNP (%d) with SHA-256 (%d) is known", hardware, hash, hclSNP, hclSHA256)
	}
	if ak, err = claimedKey(claims); err != nil {
		return nil, nil, nil, err
	}
	return report, claims, ak, nil
}

// claimedKey finds the attestation key among the claims' JSON web keys.
func claimedKey(claims []byte) (*rsa.PublicKey, error) {
	var doc struct {
		Keys []struct {
			ID       string `json:"kid"`
			Type     string `json:"kty"`
			Exponent string `json:"e"`
			Modulus  string `json:"n"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(claims, &doc); err != nil || len(doc.Keys) > maxClaimKeys {
		return nil, refuse(ErrHCL, "the claims do not parse")
	}
	var key *rsa.PublicKey
	for _, k := range doc.Keys {
		if k.ID != hclKey {
			continue
		}
		n, errN := base64.RawURLEncoding.Strict().DecodeString(k.Modulus)
		e, errE := base64.RawURLEncoding.Strict().DecodeString(k.Exponent)
		if key != nil || k.Type != "RSA" || errN != nil || errE != nil || len(n) != ekBits/8 || n[0]&0x80 == 0 || !bytes.Equal(e, []byte{1, 0, 1}) {
			return nil, refuse(ErrHCL, "the claims have no single RSA-2048 key %q with exponent 65537", hclKey)
		}
		key = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: ekExponent}
	}
	if key == nil {
		return nil, refuse(ErrHCL, "the claims name no key %q", hclKey)
	}
	return key, nil
}
