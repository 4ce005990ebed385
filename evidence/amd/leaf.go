package amd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"strings"

	"cloister/evidence/certificate"
	"cloister/wire"
)

// maxCertificate bounds a certificate, in bytes; real ones have about 1400.
const maxCertificate = 8 << 10

// Extensions AMD puts in leaf certificates, below 1.3.6.1.4.1.3704.1.
const (
	extProduct    = "1.3.6.1.4.1.3704.1.2"
	extBootloader = "1.3.6.1.4.1.3704.1.3.1"
	extTEE        = "1.3.6.1.4.1.3704.1.3.2"
	extSNP        = "1.3.6.1.4.1.3704.1.3.3"
	extSPL4       = "1.3.6.1.4.1.3704.1.3.4"
	extSPL5       = "1.3.6.1.4.1.3704.1.3.5"
	extSPL6       = "1.3.6.1.4.1.3704.1.3.6"
	extSPL7       = "1.3.6.1.4.1.3704.1.3.7"
	extMicrocode  = "1.3.6.1.4.1.3704.1.3.8"
	extFMC        = "1.3.6.1.4.1.3704.1.3.9"
	extHWID       = "1.3.6.1.4.1.3704.1.4"
	extCSPID      = "1.3.6.1.4.1.3704.1.5"
)

// families maps the names in the product extension, without the stepping that
// may follow ("Milan-B0"), to product lines.
var families = map[string]string{Milan: Milan, Genoa: Genoa, "Bergamo": Genoa, "Siena": Genoa, Turin: Turin}

// leaf is a VCEK or VLEK certificate.
type leaf struct {
	cert    *x509.Certificate
	key     *ecdsa.PublicKey
	product string
	tcb     TCB
	hwid    []byte // VCEK: 64 bytes, 8 on Turin; VLEK: none
	csp     bool   // names a cloud provider: a VLEK
}

// parseCertificate reads a certificate in its one encoding. Errors carry
// wire.ErrEvidenceMalformed.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "certificate of %d bytes, at most %d are accepted", len(der), maxCertificate)
	}
	c, err := certificate.Parse(der)
	if err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "certificate: %v", err)
	}
	return c, nil
}

// parseLeaf reads a VCEK or VLEK certificate. Errors carry
// wire.ErrEvidenceMalformed or wire.ErrEvidenceUnsupported.
func parseLeaf(der []byte) (*leaf, error) {
	c, err := parseCertificate(der)
	if err != nil {
		return nil, err
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P384() {
		return nil, wire.Faultf(wire.ErrEvidenceUnsupported, "the key of an AMD leaf certificate is not on P-384")
	}
	l := &leaf{cert: c, key: key}
	ext := map[string][]byte{}
	for _, e := range c.Extensions {
		ext[e.Id.String()] = e.Value
	}
	var name string
	if rest, err := asn1.UnmarshalWithParams(ext[extProduct], &name, "ia5"); err != nil || len(rest) != 0 {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "product name in an AMD leaf certificate")
	}
	name, _, _ = strings.Cut(name, "-")
	if l.product, ok = families[name]; !ok {
		return nil, wire.Faultf(wire.ErrEvidenceUnsupported, "product %.32q in an AMD leaf certificate", name)
	}
	if err := l.readTCB(ext); err != nil {
		return nil, err
	}
	if v, ok := ext[extHWID]; ok {
		l.hwid = hardwareID(v)
	}
	_, l.csp = ext[extCSPID]
	return l, nil
}

// readTCB reads the component versions. Components a product line does not have
// are absent or zero.
func (l *leaf) readTCB(ext map[string][]byte) error {
	var unused uint8
	for _, f := range []struct {
		oid  string
		to   *uint8
		must bool
		zero bool
	}{
		{extBootloader, &l.tcb.Bootloader, true, false},
		{extTEE, &l.tcb.TEE, true, false},
		{extSNP, &l.tcb.SNP, true, false},
		{extMicrocode, &l.tcb.Microcode, true, false},
		{extFMC, &l.tcb.FMC, l.product == Turin, l.product != Turin},
		{extSPL4, &unused, false, true},
		{extSPL5, &unused, false, true},
		{extSPL6, &unused, false, true},
		{extSPL7, &unused, false, true},
	} {
		v, ok := ext[f.oid]
		if !ok && !f.must {
			continue
		}
		var n int
		rest, err := asn1.Unmarshal(v, &n)
		if err != nil || len(rest) != 0 || n < 0 || n > 255 || (f.zero && n != 0) {
			return wire.Faultf(wire.ErrEvidenceMalformed, "component version %s in an AMD leaf certificate", f.oid)
		}
		*f.to = uint8(n)
	}
	return nil
}

// hardwareID takes the chip's identity out of its extension: bare, or in an
// OCTET STRING as some certificates have it.
func hardwareID(v []byte) []byte {
	var octets []byte
	if len(v) != 64 && len(v) != 8 {
		if rest, err := asn1.Unmarshal(v, &octets); err == nil && len(rest) == 0 {
			return octets
		}
	}
	return v
}

// isChip reports whether the report's chip id is the certificate's. On Turin
// the id has 8 bytes and the report pads it with zeros.
func (l *leaf) isChip(id [64]byte) bool {
	n := 64
	if l.product == Turin {
		n = 8
	}
	return len(l.hwid) == n && bytes.Equal(l.hwid, id[:n]) && bytes.Count(id[n:], []byte{0}) == 64-n
}
