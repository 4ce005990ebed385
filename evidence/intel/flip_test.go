package intel

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"flag"
	"runtime"
	"sync"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

func mustCert(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// flips verifies evidence with single bits changed and expects every one to be
// refused. bits says which bits of a byte position to try.
func flips(t *testing.T, e *evidence.Evidence, src evidence.Source, at int64, bits func(pos int) []int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			q := append([]byte(nil), e.Quote...)
			for pos := w; pos < len(q); pos += runtime.GOMAXPROCS(0) {
				for _, bit := range bits(pos) {
					q[pos] ^= 1 << bit
					if _, err := Verify(&evidence.Evidence{Kind: e.Kind, Quote: q}, src, at); err == nil {
						t.Errorf("bit %d of byte %d can change", bit, pos)
					}
					q[pos] ^= 1 << bit
				}
			}
		}()
	}
	wg.Wait()
}

// all tries more than a run of every day does; a run takes minutes then.
var all = flag.Bool("all", false, "flip every bit of every accepted quote")

// Every byte of every accepted quote has one of its bits flipped, another one
// in the next byte; with -all every bit is.
func TestNoByteOfAQuoteCanChange(t *testing.T) {
	bits := func(pos int) []int { return []int{(pos*5 + pos/8) % 8} }
	if *all {
		bits = func(int) []int { return []int{0, 1, 2, 3, 4, 5, 6, 7} }
	}
	for _, r := range accepted(t) {
		t.Run(r.name(), func(t *testing.T) { flips(t, r.evidence(t), r.source(t), r.At.Unix(), bits) })
	}
}

func TestNoByteOfThePaddingCanChange(t *testing.T) {
	padded := 0
	for _, r := range accepted(t) {
		raw := r.raw(t)
		end := len(r.evidence(t).Quote)
		for pos := end; pos < len(raw); pos++ {
			padded++
			raw[pos] = 1 << (pos % 8)
			_, err := Trim(raw)
			wantCode(t, err, wire.ErrEvidenceMalformed)
			raw[pos] = 0
		}
	}
	if padded != 70+3065+70 {
		t.Fatalf("%d bytes of padding", padded)
	}
}

// What stands after a certificate's signature, inside of its outer sequence, is
// covered by nothing, and crypto/x509 passes over it.
func TestNothingCanBeAddedToACertificateOrList(t *testing.T) {
	stretched := func(der []byte) []byte {
		var outer asn1.RawValue
		if _, err := asn1.Unmarshal(der, &outer); err != nil {
			t.Fatal(err)
		}
		return sequence(t, append(bytes.Clone(outer.Bytes), 5, 0))
	}
	v := newSGX(t)
	good := [][]byte{v.pck.cert.Raw, v.ca.cert.Raw, v.root.cert.Raw}
	for i, want := range []wire.Code{wire.ErrEvidenceChain, wire.ErrEvidenceChain, wire.ErrUnknownAnchor} {
		p := v.parts()
		p.certs = nil
		for n, der := range good {
			if n == i {
				der = stretched(der)
			}
			p.certs = append(p.certs, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		v.refused(v.join(p), v.source(), want)
	}
	list := v.list(v.ca, nil, nil)
	list.Body = stretched(list.Body)
	v.checked(list, v.source(), wire.ErrCollateralMalformed)
	for _, item := range []evidence.Item{v.list(v.ca, nil, nil), v.tcbInfo(), v.qeIdentity()} {
		item.Chain = [][]byte{stretched(item.Chain[0]), item.Chain[1]}
		v.checked(item, v.source(), wire.ErrCollateralMalformed)
	}
}
