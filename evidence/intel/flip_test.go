package intel

import (
	"crypto/x509"
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

func TestNoByteOfAQuoteCanChange(t *testing.T) {
	for _, r := range accepted(t) {
		t.Run(r.name(), func(t *testing.T) {
			flips(t, r.evidence(t), r.source(t), r.At.Unix(), func(pos int) []int { return []int{(pos*5 + pos/8) % 8} })
		})
	}
}

func TestNoBitOfAQuoteCanChange(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	r := accepted(t)[0]
	flips(t, r.evidence(t), r.source(t), r.At.Unix(), func(int) []int { return all })
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
