package intel

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"

	"cloister/wire"
)

func attributeDER(t *testing.T, value []byte, id ...int) []byte {
	t.Helper()
	oid, err := asn1.Marshal(asn1.ObjectIdentifier(append(slices.Clone(OIDSGXExtension), id...)))
	if err != nil {
		t.Fatal(err)
	}
	return sequence(t, append(oid, value...))
}

func withExtension(der []byte) *x509.Certificate {
	return &x509.Certificate{Extensions: []pkix.Extension{{Id: OIDSGXExtension, Value: der}}}
}

func TestThePCKExtensionIsReadStrictly(t *testing.T) {
	v := newSGX(t)
	var list []asn1.RawValue
	if _, err := asn1.Unmarshal(v.extension(), &list); err != nil {
		t.Fatal(err)
	}
	whole := make([][]byte, len(list))
	for i := range list {
		whole[i] = list[i].FullBytes
	}
	join := func(p ...[]byte) []byte { return sequence(t, bytes.Join(p, nil)) }
	octets := func(n int) []byte { return append([]byte{4, byte(n)}, make([]byte, n)...) }
	boolean := []byte{1, 1, 0xff}
	settings := join(attributeDER(t, boolean, 7, 1), attributeDER(t, boolean, 7, 2), attributeDER(t, boolean, 7, 3))

	p, err := ParsePCK(withExtension(join(append(whole, attributeDER(t, octets(16), 6), attributeDER(t, settings, 7), attributeDER(t, boolean, 8))...)))
	if err != nil || p.Configuration == nil || !p.Configuration.SMT || len(p.Instance) != 16 || p.FMSPC != v.pckExt.FMSPC {
		t.Fatalf("%+v, %v", p, err)
	}
	for i := range whole {
		_, err := ParsePCK(withExtension(join(slices.Delete(slices.Clone(whole), i, i+1)...)))
		wantCode(t, err, wire.ErrEvidenceMalformed) // one missing
		_, err = ParsePCK(withExtension(join(append(slices.Clone(whole), whole[i])...)))
		wantCode(t, err, wire.ErrEvidenceMalformed) // one twice
	}
	replaced := func(i int, der []byte) []byte {
		w := slices.Clone(whole)
		w[i] = der
		return join(w...)
	}
	for name, der := range map[string][]byte{
		"short PPID":           replaced(0, attributeDER(t, octets(15), 1)),
		"PPID of another type": replaced(0, attributeDER(t, boolean, 1)),
		"TCB not a sequence":   replaced(1, attributeDER(t, boolean, 2)),
		"TCB without content":  replaced(1, attributeDER(t, join(), 2)),
		"long FMSPC":           replaced(3, attributeDER(t, octets(7), 4)),
		"short instance":       join(append(slices.Clone(whole), attributeDER(t, octets(1), 6))...),
		"empty configuration":  join(append(slices.Clone(whole), attributeDER(t, join(), 7))...),
		"foreign attribute":    join(append(slices.Clone(whole), attributeDER(t, boolean, 9, 9))...),
		"bytes after it":       append(v.extension(), 0),
		"nothing":              nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePCK(withExtension(der))
			wantCode(t, err, wire.ErrEvidenceMalformed)
		})
	}
	_, err = ParsePCK(&x509.Certificate{})
	wantCode(t, err, wire.ErrEvidenceMalformed)
}

func TestAnSVNOfTheExtensionFitsItsField(t *testing.T) {
	v := newSGX(t)
	for _, c := range []struct{ from, to []byte }{
		{[]byte{2, 1, 5}, []byte{2, 2, 1, 0}},
		{[]byte{2, 1, 5}, []byte{2, 1, 0xff}},
	} {
		whole, err := attributes(v.extension(), OIDSGXExtension)
		if err != nil {
			t.Fatal(err)
		}
		tcb, err := attributes(whole[2], append(slices.Clone(OIDSGXExtension), 2))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(tcb[1], c.from) {
			t.Fatalf("component 1 is %x", tcb[1])
		}
		tcb[1] = c.to
		r := &attributeReader{of: tcb}
		r.integer(1, 0xff)
		wantCode(t, r.err, wire.ErrEvidenceMalformed)
	}
}
