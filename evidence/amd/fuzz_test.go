package amd

import (
	"bytes"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

func FuzzParseReport(f *testing.F) {
	v := newVendor(f, Milan)
	src := v.source()
	e := v.evidence(f, v.machine(false))
	f.Add(e.Quote, e.Aux[0])
	f.Add([]byte{}, []byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, report, leaf []byte) {
		r, err := ParseReport(report)
		if (r == nil) != (err != nil) {
			t.Fatalf("%v with error %v", r, err)
		}
		if err == nil {
			Explain(r)
		}
		_, err = Verify(&evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{leaf}}, src, now)
		if code := wire.CodeOf(err); err != nil && (code < 600 || code > 699) {
			t.Fatalf("no evidence code: %v", err)
		}
		if err == nil && !bytes.Equal(report[:signedSize], e.Quote[:signedSize]) {
			t.Fatalf("a forged report is accepted: %x", report)
		}
	})
}

func FuzzCheckItem(f *testing.F) {
	v := newVendor(f, Milan)
	src := v.source()
	f.Add(uint8(evidence.AMDChain), v.ask[false])
	f.Add(uint8(evidence.CRL), v.crl(f, 1, issued, expiry, 2).Body)
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		key, _, err := CheckItem(evidence.Item{Type: evidence.ItemType(kind), Body: body}, src, now)
		if code := wire.CodeOf(err); err != nil && (code < 620 || code > 629) {
			t.Fatalf("no collateral code: %v", err)
		}
		if err == nil && key.Type != evidence.ItemType(kind) {
			t.Fatalf("%s for an item of type %d", key, kind)
		}
	})
}

func FuzzParseLevel(f *testing.F) {
	f.Add((&Level{Product: Milan, Serial: []byte{1}}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLevel(b); err == nil && !bytes.Equal(l.Bytes(), b) {
			t.Fatalf("%x has another encoding", b)
		}
	})
}
