package intel

import (
	"bytes"
	"encoding/pem"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

func (v *vendor) chainPEM(leaf pair) string {
	var b bytes.Buffer
	for _, c := range []pair{leaf, v.root} {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
	}
	return b.String()
}

// file is what the maker says now as a collateral file.
func (v *vendor) file() *bundle {
	tcb, qe := v.tcbInfo(), v.qeIdentity()
	return &bundle{
		PCKCRLChain: v.chainPEM(v.ca), RootCRL: v.list(v.root, nil, nil).Body, PCKCRL: v.list(v.ca, nil, nil).Body,
		TCBInfoChain: v.chainPEM(v.signer), TCBInfo: string(tcb.Body), TCBInfoSignature: tcb.Signature,
		QEIdentityChain: v.chainPEM(v.signer), QEIdentity: string(qe.Body), QEIdentitySignature: qe.Signature,
	}
}

func (v *vendor) bundle() []byte { return wire.EncodeJSON(v.file()) }

func TestACollateralFileIsEnoughToVerify(t *testing.T) {
	v := newTDX(t)
	items, err := ParseBundle(v.bundle())
	if err != nil || len(items) != 4 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	set := &evidence.Set{Trusted: []evidence.Anchor{v.anchor()}}
	if err := Fill(set, items); err != nil {
		t.Fatal(err)
	}
	v.refused(v.evidence(), set, wire.OK)
	for k := range v.source().Items {
		if _, ok := set.Items[k]; !ok {
			t.Errorf("no %s", k)
		}
	}
}

func TestEmptyListsInACollateralFileMakeNoItems(t *testing.T) {
	f := newSGX(t).file()
	f.RootCRL, f.PCKCRL, f.PCKCRLChain = nil, nil, ""
	items, err := ParseBundle(wire.EncodeJSON(f))
	if err != nil || len(items) != 2 || items[0].Type != evidence.TCBInfo || items[1].Type != evidence.QEIdentity {
		t.Fatalf("%v, %v", items, err)
	}
}

func TestACollateralFileHasOneForm(t *testing.T) {
	v := newSGX(t)
	good := v.bundle()
	spoilt := func(change func(*bundle)) []byte {
		f := v.file()
		change(f)
		return wire.EncodeJSON(f)
	}
	for name, b := range map[string][]byte{
		"empty":          nil,
		"no object":      []byte("[]"),
		"nothing in it":  []byte("{}"),
		"more":           append(bytes.Clone(good), '{'),
		"unknown field":  bytes.Replace(good, []byte("{"), []byte(`{"x":1,`), 1),
		"too long":       append(bytes.Clone(good), make([]byte, maxBundle)...),
		"list, no chain": spoilt(func(f *bundle) { f.PCKCRLChain = "" }),
		"no signer":      spoilt(func(f *bundle) { f.TCBInfoChain = "" }),
		"not PEM":        spoilt(func(f *bundle) { f.QEIdentityChain = "x" + f.QEIdentityChain }),
		"large item":     spoilt(func(f *bundle) { f.TCBInfo = string(make([]byte, evidence.MaxItemBody+1)) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseBundle(b)
			wantCode(t, err, wire.ErrCollateralMalformed)
		})
	}
	for _, items := range [][]evidence.Item{
		{{Type: evidence.CRL}},
		{{Type: evidence.CRL, Chain: [][]byte{{1}}}},
		{{Type: evidence.AMDChain}},
		{{Type: evidence.TCBInfo, Body: []byte("{}")}},
		{{Type: evidence.QEIdentity, Body: []byte("{}")}},
	} {
		wantCode(t, Fill(new(evidence.Set), items), wire.ErrCollateralMalformed)
	}
}
