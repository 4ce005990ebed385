package intel

import (
	"bytes"
	"crypto/x509/pkix"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

func FuzzParseQuote(f *testing.F) {
	for _, g := range formats {
		f.Add(newVendor(f, g.kind, g.version, g.body).evidence().Quote)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if trimmed, err := Trim(b); err == nil {
			if !bytes.HasPrefix(b, trimmed) || !allZero(b[len(trimmed):]) {
				t.Fatal("more than zeros was removed")
			}
		}
		q, err := ParseQuote(b)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.ErrEvidenceMalformed && c != wire.ErrEvidenceUnsupported {
				t.Fatalf("error %v", err)
			}
			return
		}
		if same, err := Trim(b); err != nil || len(same) != len(b) {
			t.Fatalf("a quote that can be read is trimmed by %d bytes, %v", len(b)-len(same), err)
		}
		if len(Explain(q)) < 20 || q.CodeID().IsZero() {
			t.Fatal("a quote that can be read is not explained")
		}
		if _, err := Verify(&evidence.Evidence{Kind: q.Kind, Quote: b}, &evidence.Set{}, simAt); err == nil {
			t.Fatal("verified without any anchor")
		}
	})
}

func FuzzParsePCK(f *testing.F) {
	v := newSGX(f)
	f.Add(v.extension())
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		cert := *v.pck.cert
		cert.Extensions = []pkix.Extension{{Id: OIDSGXExtension, Value: b}}
		p, err := ParsePCK(&cert)
		if (p == nil) != (err != nil) {
			t.Fatalf("%v, %v", p, err)
		}
		if err != nil && wire.CodeOf(err) != wire.ErrEvidenceMalformed {
			t.Fatalf("error %v", err)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	v := newTDX(f)
	f.Add(v.bundle())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := ParseBundle(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrCollateralMalformed {
				t.Fatalf("error %v", err)
			}
			return
		}
		set := new(evidence.Set)
		if err := Fill(set, items); err == nil && (len(items) < 2 || len(items) > 4 || len(set.Items) > len(items)) {
			t.Fatalf("%d items under %d keys", len(items), len(set.Items))
		}
	})
}

func FuzzDocuments(f *testing.F) {
	v := newTDX(f)
	f.Add(v.tcbInfo().Body)
	f.Add(v.qeIdentity().Body)
	have := &tuple{TEETCBSVN: [16]byte{5, 1}}
	f.Fuzz(func(t *testing.T, b []byte) {
		tcb, err := parseTCBInfo(b)
		if err != nil {
			tcb = new(tcbInfo)
		} else if tcb.ID == "TDX" {
			_ = tcb.made(&v.td) // must not panic whatever is listed
		}
		qe, err := parseQEIdentity(b)
		if err != nil {
			qe = new(qeIdentity)
		} else {
			_ = qe.describes(&v.qe)
		}
		kind := evidence.SGX
		if tcb.ID == "TDX" {
			kind = evidence.TDX
		}
		if s := stand(kind, have, tcb, qe); traitsOf[s.status] == 0 && s.status != evidence.UpToDate {
			t.Fatalf("status %s", s.status)
		}
	})
}

func FuzzLevel(f *testing.F) {
	v := newTDX(f)
	src := v.source()
	f.Add(v.accepted(evidence.UpToDate).Level)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := Assess(evidence.TDX, b, src, simAt)
		if (err == nil) == (s == 0) {
			t.Fatalf("status %s with error %v", s, err)
		}
	})
}

func FuzzRevocationList(f *testing.F) {
	v := newSGX(f)
	f.Add(v.list(v.ca, nil, nil).Body)
	b := &basis{src: v.source(), at: simAt}
	f.Fuzz(func(t *testing.T, body []byte) {
		item := evidence.Item{Type: evidence.CRL, Body: body, Chain: [][]byte{v.ca.cert.Raw, v.root.cert.Raw}}
		r, err := b.openCRL(&item)
		if err == nil && r.list.CheckSignatureFrom(v.ca.cert) != nil {
			t.Fatal("a list nobody signed is accepted")
		}
	})
}
