package intel

import (
	"crypto/x509"
	"encoding/asn1"

	"cloister/wire"
)

// PCK is the SGX extension of a PCK certificate: which platform it is and at
// which security level (TEE specification §2.5).
type PCK struct {
	PPID       [16]byte // names the platform; privacy sensitive
	Components [16]byte // SVNs
	PCESVN     uint16
	CPUSVN     [16]byte // need not equal a quote's
	PCEID      [2]byte
	FMSPC      [6]byte
	Type       int // 0 standard, 1 scalable, 2 scalable with integrity
	// Only under the Platform CA:
	Instance      []byte // platform instance id, 16 bytes; else nil
	Configuration *PlatformConfiguration
}

// PlatformConfiguration is how a multi-package platform is set up.
type PlatformConfiguration struct{ Dynamic, CachedKeys, SMT bool }

// OIDSGXExtension marks a PCK certificate; its parts are numbered below it.
var OIDSGXExtension = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

// attribute is one OID and its value, the form of everything in the extension.
type attribute struct {
	ID    asn1.ObjectIdentifier
	Value asn1.RawValue
}

// ParsePCK reads the extension of a PCK certificate. Attributes with numbers
// it does not know are passed over, as Intel added some before; a repeated or
// missing one is refused. Errors: ErrEvidenceMalformed.
func ParsePCK(cert *x509.Certificate) (*PCK, error) {
	for _, e := range cert.Extensions {
		if e.Id.Equal(OIDSGXExtension) {
			return parseExtension(e.Value)
		}
	}
	return nil, badPCK("it has no SGX extension")
}

func parseExtension(der []byte) (*PCK, error) {
	top, err := attributes(der, OIDSGXExtension)
	if err != nil {
		return nil, err
	}
	p := new(PCK)
	r := &attributeReader{of: top}
	r.octets(1, p.PPID[:])
	r.octets(3, p.PCEID[:])
	r.octets(4, p.FMSPC[:])
	p.Type = int(r.enumerated(5))
	tcb := r.below(2, OIDSGXExtension)
	for i := range p.Components {
		p.Components[i] = byte(tcb.integer(i+1, 0xff))
	}
	p.PCESVN = uint16(tcb.integer(17, 0xffff))
	tcb.octets(18, p.CPUSVN[:])
	if top[6] != nil {
		p.Instance = make([]byte, 16)
		r.octets(6, p.Instance)
	}
	if top[7] != nil {
		c := r.below(7, OIDSGXExtension)
		p.Configuration = &PlatformConfiguration{Dynamic: c.boolean(1), CachedKeys: c.boolean(2), SMT: c.boolean(3)}
		r.fail(c.err)
	}
	r.fail(tcb.err)
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

// attributes splits a SEQUENCE OF SEQUENCE{OID, ANY} by the last number of the
// OIDs, which all have to be one level below parent.
func attributes(der []byte, parent asn1.ObjectIdentifier) (map[int][]byte, error) {
	var list []attribute
	if rest, err := asn1.Unmarshal(der, &list); err != nil || len(rest) != 0 {
		return nil, badPCK("the SGX extension is not a sequence of attributes")
	}
	m := make(map[int][]byte, len(list))
	for _, a := range list {
		n := len(parent)
		if len(a.ID) != n+1 || !a.ID[:n].Equal(parent) {
			return nil, badPCK("attribute %v does not belong below %v", a.ID, parent)
		}
		if m[a.ID[n]] != nil {
			return nil, badPCK("attribute %v is given twice", a.ID)
		}
		m[a.ID[n]] = a.Value.FullBytes
	}
	return m, nil
}

// attributeReader reads attributes by number and keeps the first error.
type attributeReader struct {
	of  map[int][]byte
	err error
}

func (r *attributeReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *attributeReader) read(n int, v any) {
	if r.err != nil {
		return
	}
	if r.of[n] == nil {
		r.fail(badPCK("attribute %d of the SGX extension is missing", n))
	} else if rest, err := asn1.Unmarshal(r.of[n], v); err != nil || len(rest) != 0 {
		r.fail(badPCK("attribute %d of the SGX extension is not of its type", n))
	}
}

func (r *attributeReader) octets(n int, into []byte) {
	var b []byte
	r.read(n, &b)
	if r.err == nil && len(b) != len(into) {
		r.fail(badPCK("attribute %d of the SGX extension has %d bytes, not %d", n, len(b), len(into)))
	}
	copy(into, b)
}

func (r *attributeReader) integer(n int, limit int64) (v int64) {
	r.read(n, &v)
	if v < 0 || v > limit {
		r.fail(badPCK("attribute %d of the SGX extension is %d, at most %d is possible", n, v, limit))
	}
	return v
}

func (r *attributeReader) enumerated(n int) (v asn1.Enumerated) {
	r.read(n, &v)
	return v
}

func (r *attributeReader) boolean(n int) (v bool) {
	r.read(n, &v)
	return v
}

// below opens attribute n, which is a sequence of attributes itself.
func (r *attributeReader) below(n int, parent asn1.ObjectIdentifier) *attributeReader {
	if r.of[n] == nil {
		return &attributeReader{err: badPCK("attribute %d of the SGX extension is missing", n)}
	}
	m, err := attributes(r.of[n], append(parent[:len(parent):len(parent)], n))
	return &attributeReader{of: m, err: err}
}

func badPCK(format string, args ...any) error {
	return wire.Faultf(wire.ErrEvidenceMalformed, "PCK certificate: "+format, args...)
}
