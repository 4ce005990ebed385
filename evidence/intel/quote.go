package intel

import (
	"encoding/binary"

	"cloister/evidence"
	"cloister/wire"
)

// Header is the first 48 bytes of every quote.
type Header struct {
	Version  uint16
	KeyType  uint16
	TEEType  uint32 // format 3 has none: 0, which is SGX
	QESVN    uint16 // format 3; reserved later
	PCESVN   uint16 // format 3; reserved later
	VendorID [16]byte
	UserData [20]byte
}

// Certification is what certifies the attestation key, and by what it is
// certified itself.
type Certification struct {
	QEReport    EnclaveReport
	QEReportRaw []byte   // the 384 bytes the PCK key signed
	QESignature [64]byte // by the PCK key
	AuthData    []byte   // bound in the QE report together with the attestation key
	Type        uint16   // CertPCKChain, or one that Verify refuses
	Data        []byte
}

// Quote is a parsed quote. Byte slices point into the bytes it was read from.
type Quote struct {
	Kind           evidence.Kind // SGX or TDX
	Header         Header
	BodyType       uint16         // BodySGX …; also filled for formats 3 and 4, which imply it
	SGX            *EnclaveReport // nil for TDX
	TD             *TDReport      // nil for SGX
	Signed         []byte         // header to body: what Signature covers
	Signature      [64]byte       // by the attestation key
	AttestationKey [64]byte
	Certification
}

// ReportData is what the program bound into the quote.
func (q *Quote) ReportData() [64]byte {
	if q.TD != nil {
		return q.TD.ReportData
	}
	return q.SGX.ReportData
}

// Trim returns a quote without the zeros some platforms pad it with, and
// checks that nothing but zeros followed it. It does not check more than the
// lengths inside. Errors: ErrEvidenceMalformed, ErrEvidenceUnsupported.
func Trim(quote []byte) ([]byte, error) {
	if len(quote) > evidence.MaxQuote {
		return nil, malformed("%d bytes, at most %d are accepted", len(quote), evidence.MaxQuote)
	}
	c := &cursor{rest: quote}
	if _, err := parseSigned(c); err != nil {
		return nil, err
	}
	c.take(int(c.u32()))
	if c.short {
		return nil, errShort
	}
	if !allZero(c.rest) {
		return nil, malformed("%d bytes after the quote are not all zero", len(c.rest))
	}
	return quote[:len(quote)-len(c.rest)], nil
}

// ParseQuote reads a quote strictly: lengths are bounded by what is there and
// nothing may be left over, zeros neither (see Trim). It verifies nothing; any
// type of certification data is read. Errors: ErrEvidenceMalformed,
// ErrEvidenceUnsupported. TEE specification §2.1 to §2.4.
func ParseQuote(b []byte) (*Quote, error) {
	if len(b) > evidence.MaxQuote {
		return nil, malformed("%d bytes, at most %d are accepted", len(b), evidence.MaxQuote)
	}
	c := &cursor{rest: b}
	q, err := parseSigned(c)
	if err != nil {
		return nil, err
	}
	q.Signed = b[:len(b)-len(c.rest)]
	if n := c.u32(); c.short || uint64(n) != uint64(len(c.rest)) {
		return nil, malformed("the signature is said to have %d bytes, %d follow (zero padding has to be removed)", n, len(c.rest))
	}
	return q, parseSignature(q, c)
}

// parseSigned reads header and body.
func parseSigned(c *cursor) (*Quote, error) {
	h := c.take(HeaderSize)
	if c.short {
		return nil, errShort
	}
	q := &Quote{Header: Header{
		Version: binary.LittleEndian.Uint16(h[OffVersion:]),
		KeyType: binary.LittleEndian.Uint16(h[OffKeyType:]),
		TEEType: binary.LittleEndian.Uint32(h[OffTEEType:]),
		QESVN:   binary.LittleEndian.Uint16(h[OffQESVN:]),
		PCESVN:  binary.LittleEndian.Uint16(h[OffPCESVN:]),
	}}
	copy(q.Header.VendorID[:], h[OffVendorID:])
	copy(q.Header.UserData[:], h[OffUserData:])

	size := 0
	switch v := q.Header.Version; {
	case v != Version3 && v != Version4 && v != Version5:
		return nil, unsupported("quote format %d", v)
	case q.Header.KeyType != KeyTypeECDSAP256:
		return nil, unsupported("attestation key type %d", q.Header.KeyType)
	case q.Header.VendorID != VendorIDIntel:
		return nil, unsupported("quoting enclave of vendor %x", q.Header.VendorID)
	case v == Version3 && q.Header.TEEType != 0:
		return nil, malformed("reserved bytes 4 to 7 of the header are not zero")
	case v == Version5:
		q.BodyType, size = c.u16(), int(c.u32())
	case q.Header.TEEType == TEETypeTDX:
		q.BodyType, size = BodyTD10, TDReport10Size
	default:
		q.BodyType, size = BodySGX, EnclaveReportSize
	}
	return q, parseBody(q, size, c)
}

// bodies maps a body type to what it implies.
var bodies = map[uint16]struct {
	tee  uint32
	size int
	kind evidence.Kind
}{
	BodySGX:  {TEETypeSGX, EnclaveReportSize, evidence.SGX},
	BodyTD10: {TEETypeTDX, TDReport10Size, evidence.TDX},
	BodyTD15: {TEETypeTDX, TDReport15Size, evidence.TDX},
}

func parseBody(q *Quote, size int, c *cursor) (err error) {
	is, known := bodies[q.BodyType]
	switch {
	case c.short:
		return errShort
	case !known || is.tee != q.Header.TEEType:
		return unsupported("body type %d of TEE type %#x", q.BodyType, q.Header.TEEType)
	case is.size != size:
		return malformed("a body of type %d has %d bytes, not %d", q.BodyType, is.size, size)
	}
	b := c.take(size)
	if c.short {
		return errShort
	}
	q.Kind = is.kind
	if q.Kind == evidence.TDX {
		q.TD = parseTDReport(b)
		return nil
	}
	q.SGX, err = parseEnclaveReport(b)
	return err
}

// parseSignature reads what follows the signature's length.
func parseSignature(q *Quote, c *cursor) (err error) {
	copy(q.Signature[:], c.take(SignatureSize))
	copy(q.AttestationKey[:], c.take(PublicKeySize))
	if q.Header.Version != Version3 {
		t, n := c.u16(), c.u32()
		switch {
		case c.short:
			return errShort
		case t != CertQEReport:
			return unsupported("certification data of type %d around the QE report", t)
		case uint64(n) != uint64(len(c.rest)):
			return malformed("certification data is said to have %d bytes, %d follow", n, len(c.rest))
		}
	}
	q.QEReportRaw = c.take(EnclaveReportSize)
	copy(q.QESignature[:], c.take(SignatureSize))
	q.AuthData = c.take(int(c.u16()))
	q.Type = c.u16()
	n := c.u32()
	switch {
	case c.short:
		return errShort
	case uint64(n) != uint64(len(c.rest)):
		return malformed("certification data is said to have %d bytes, %d follow", n, len(c.rest))
	}
	q.Data = c.rest
	qe, err := parseEnclaveReport(q.QEReportRaw)
	if err != nil {
		return err
	}
	q.QEReport = *qe
	return nil
}

// cursor reads forward; after it has once run short it yields nothing more.
type cursor struct {
	rest  []byte
	short bool
}

// take returns the next n bytes, or nil if there are fewer.
func (c *cursor) take(n int) []byte {
	if c.short || n < 0 || n > len(c.rest) {
		c.short = true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

var errShort = malformed("it ends in the middle of a field")

func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrEvidenceMalformed, "quote: "+format, args...)
}

func unsupported(format string, args ...any) error {
	return wire.Faultf(wire.ErrEvidenceUnsupported, "quote: "+format, args...)
}
