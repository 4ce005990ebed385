package tpm

import (
	"bytes"
	"os"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

// coded fails a fuzz run whose refusal carries no code of evidence.
func coded(t *testing.T, err error) {
	t.Helper()
	if code := wire.CodeOf(err); err != nil && (code < 600 || code > 699) {
		t.Fatalf("no evidence code: %v", err)
	}
}

func FuzzParseAttest(f *testing.F) {
	c := newChip(f).bootUp(f)
	e, _ := c.attest(f, demanded, forNode)
	f.Add(e.Quote)
	f.Add(e.Aux[auxNV])
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAttest(b)
		coded(t, err)
		if err == nil && !bytes.Equal(a.Bytes(), b) {
			t.Fatalf("%x has another encoding", b)
		}
	})
}

func FuzzParse(f *testing.F) {
	c := newChip(f).bootUp(f)
	e, _ := c.attest(f, demanded, forNode)
	f.Add(e.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := evidence.Decode(b)
		if err != nil {
			return
		}
		p, err := Parse(e)
		coded(t, err)
		if err == nil && !bytes.Equal(p.Evidence().Bytes(), b) {
			t.Fatalf("%x has another encoding", b)
		}
		_, err = Verify(e, nil, now)
		coded(t, err)
	})
}

func FuzzEventLog(f *testing.F) {
	f.Add(newChip(f).bootUp(f).boot.b)
	f.Add(newLog().b)
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := ParseEventLog(b)
		coded(t, err)
		if len(events)*40 > len(b) {
			t.Fatalf("%d events in %d bytes", len(events), len(b))
		}
		_, _, err = replayEvents(events)
		coded(t, err)
		bootMeasured(events, demanded)
		secureBoot(events)
	})
}

func FuzzAppLog(f *testing.F) {
	f.Add(AppLog{nodeEntry}.Bytes())
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseAppLog(b)
		coded(t, err)
		if err == nil && !bytes.Equal(l.Bytes(), b) {
			t.Fatalf("%x has another encoding", b)
		}
	})
}

func FuzzHCL(f *testing.F) {
	f.Add(make([]byte, hclHead+hclReport+hclClaims))
	if b, err := os.ReadFile(samples + "/tpm/01-azure-vtpm-milan.hcl"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		report, claims, ak, err := ParseHCL(b)
		coded(t, err)
		if err == nil && (len(report) != hclReport || len(claims) > len(b) || ak == nil) {
			t.Fatalf("report of %d bytes, claims of %d", len(report), len(claims))
		}
	})
}

func FuzzEKChain(f *testing.F) {
	m := newMaker(f)
	chain := m.chain(f, newChip(f))
	f.Add(chain[0], chain[1])
	f.Add(chain[0], m.root)
	f.Fuzz(func(t *testing.T, leaf, issuer []byte) {
		_, err := VerifyEK([][]byte{leaf, issuer}, m.anchors(), now)
		coded(t, err)
		if err == nil && !bytes.Equal(leaf, chain[0]) {
			t.Fatalf("a forged endorsement is accepted: %x", leaf)
		}
	})
}

func FuzzParseAK(f *testing.F) {
	f.Add(newChip(f).ak.Public)
	f.Fuzz(func(t *testing.T, b []byte) {
		ak, err := ParseAK(b)
		coded(t, err)
		if err == nil && (len(b) != len(akHead)+68 || !bytes.Equal(ak.Public, b)) {
			t.Fatalf("%x is an attestation key", b)
		}
	})
}
