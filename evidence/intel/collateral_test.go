package intel

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

func (v *vendor) checked(item evidence.Item, src evidence.Source, want wire.Code) {
	v.t.Helper()
	_, _, err := CheckItem(&item, src, simAt)
	wantCode(v.t, err, want)
}

func TestItemsAreOrderedByIssueAndNumber(t *testing.T) {
	v := newTDX(t)
	src := v.source()
	before := v.tcbInfo()
	v.tcb.issued, v.tcb.number = simAt, 18
	after := v.tcbInfo()
	key, old, err := CheckItem(&before, src, simAt)
	if err != nil || key != v.tcbKey() || old != (evidence.Freshness{Issued: simAt - day, Expires: simAt + 29*day, Number: 17}) {
		t.Fatalf("%s %+v, %v", key, old, err)
	}
	_, fresh, err := CheckItem(&after, src, simAt)
	if err != nil || !fresh.Newer(old) || old.Newer(fresh) {
		t.Fatalf("%+v, %v", fresh, err)
	}
	qe := v.qeIdentity()
	if key, fresh, err = CheckItem(&qe, src, simAt); err != nil || key.Name != "TD_QE" || fresh.Number != 18 {
		t.Fatalf("%s %+v, %v", key, fresh, err)
	}
}

func TestTheRootsListHasNoChainOrOnlyTheRoot(t *testing.T) {
	v, other := newSGX(t), newSGX(t)
	src := &evidence.Set{Trusted: []evidence.Anchor{other.anchor(), v.anchor()}} // same name, other key
	item := v.list(v.root, nil, nil)
	want := crlKey(issuerID(v.root.cert))
	for _, chain := range [][][]byte{nil, {v.root.cert.Raw}} {
		item.Chain = chain
		key, fresh, err := CheckItem(&item, src, simAt)
		if err != nil || key != want || fresh.Number != 1 {
			t.Errorf("%s %+v, %v", key, fresh, err)
		}
	}
	item.Chain = [][]byte{other.root.cert.Raw}
	v.checked(item, src, wire.ErrCollateralSignature)
	item.Chain = [][]byte{v.ca.cert.Raw}
	v.checked(item, src, wire.ErrUnknownAnchor)
	stranger := newSGX(t)
	v.checked(stranger.list(stranger.root, nil, nil), src, wire.ErrCollateralSignature)
	v.checked(stranger.list(stranger.ca, nil, nil), src, wire.ErrUnknownAnchor)
}

func TestListsThatMeanLessThanAllRevocationsAreRefused(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	critical := pkix.Extension{Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}} // delta list
	for name, change := range map[string]func(*x509.RevocationList){
		"delta": func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{critical} },
		"entry": func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(5), RevocationTime: l.ThisUpdate, ExtraExtensions: []pkix.Extension{critical}}}
		},
		"number": func(l *x509.RevocationList) { l.Number = new(big.Int).Lsh(big.NewInt(1), 64) },
	} {
		t.Run(name, func(t *testing.T) { v.checked(v.list(v.ca, nil, change), src, wire.ErrCollateralMalformed) })
	}
	item := v.list(v.ca, nil, nil)
	item.Body = append(item.Body, 0)
	v.checked(item, src, wire.ErrCollateralMalformed)
	item = v.list(v.ca, nil, nil)
	item.Signature = []byte{1}
	v.checked(item, src, wire.ErrCollateralMalformed)
	v.checked(v.list(v.ca, nil, func(l *x509.RevocationList) { l.NextUpdate = time.Unix(simAt-1, 0) }), src, wire.ErrCollateralExpired)
	v.checked(v.list(v.ca, nil, func(l *x509.RevocationList) { l.ThisUpdate = time.Unix(simAt+1, 0) }), src, wire.ErrCollateralNotYet)

	// A list by another certificate of the root with the CA's name.
	twin := v.issue(v.ca.cert.Subject.CommonName, 50, &v.root, func(c *x509.Certificate) { ca(c, 0) })
	item = v.list(twin, nil, nil)
	item.Chain = [][]byte{v.ca.cert.Raw, v.root.cert.Raw}
	v.checked(item, src, wire.ErrCollateralSignature)
	// By the CA's own key in another name.
	renamed := v.issue("Another CA", 51, &v.root, func(c *x509.Certificate) { ca(c, 0) })
	item = v.list(pair{renamed.cert, v.ca.key}, nil, nil)
	item.Chain = [][]byte{v.ca.cert.Raw, v.root.cert.Raw}
	v.checked(item, src, wire.ErrCollateralSignature)
}

func TestOnlyTheTCBSignerSpeaksForTheMaker(t *testing.T) {
	good := newSGX(t)
	src := good.source()
	for name, c := range map[string]struct {
		signer func(*vendor) pair
		want   wire.Code
	}{
		"the signer": {func(v *vendor) pair { return v.signer }, wire.OK},
		"a PCK key":  {func(v *vendor) pair { return v.issue("Simulated SGX PCK Certificate", 20, &v.root, v.extend) }, wire.ErrCollateralSignature},
		"a CA":       {func(v *vendor) pair { return v.ca }, wire.ErrCollateralSignature},
		"a CA named so": {func(v *vendor) pair {
			return v.issue("SGX TCB Signing", 21, &v.root, func(c *x509.Certificate) { ca(c, 0) })
		}, wire.ErrCollateralSignature},
		"one below the CA": {func(v *vendor) pair { return v.issue("SGX TCB Signing", 22, &v.ca, nil) }, wire.ErrCollateralSignature},
		"one not begun": {func(v *vendor) pair {
			return v.issue("SGX TCB Signing", 23, &v.root, func(c *x509.Certificate) { c.NotBefore = time.Unix(simAt+1, 0) })
		}, wire.ErrCollateralNotYet},
		"one that is over": {func(v *vendor) pair {
			return v.issue("SGX TCB Signing", 24, &v.root, func(c *x509.Certificate) { c.NotAfter = time.Unix(simAt-1, 0) })
		}, wire.ErrCollateralExpired},
	} {
		t.Run(name, func(t *testing.T) {
			v := *good
			v.signer = c.signer(&v)
			for _, item := range []evidence.Item{v.tcbInfo(), v.qeIdentity()} {
				v.checked(item, src, c.want)
			}
		})
	}
}

func TestARevokedSignerIsRefusedEverywhere(t *testing.T) {
	v := newSGX(t)
	level := v.accepted(evidence.UpToDate).Level
	v.revokedByRoot = []*big.Int{v.signer.cert.SerialNumber}
	src := v.source()
	v.checked(v.tcbInfo(), src, wire.ErrCollateralSignature)
	v.checked(v.qeIdentity(), src, wire.ErrCollateralSignature)
	v.refused(v.evidence(), src, wire.ErrCollateralSignature)
	_, _, err := Assess(v.kind, level, src, simAt)
	wantCode(t, err, wire.ErrCollateralSignature)

	old := v.list(v.root, v.revokedByRoot, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = time.Unix(simAt-9*day, 0), time.Unix(simAt-day, 0)
	})
	src.Add(crlKey(issuerID(v.root.cert)), old)
	v.checked(v.tcbInfo(), src, wire.ErrCollateralSignature) // what was revoked stays so
	v.checked(v.list(v.ca, nil, nil), src, wire.OK)
	v.checked(v.tcbInfo(), &evidence.Set{Trusted: src.Trusted}, wire.OK)
	src.Add(crlKey(issuerID(v.root.cert)), v.list(v.root, []*big.Int{v.ca.cert.SerialNumber}, nil))
	v.checked(v.list(v.ca, nil, nil), src, wire.ErrCollateralSignature)
}

func TestNoByteOfADocumentCanChange(t *testing.T) {
	v := newTDX(t)
	src := &evidence.Set{Trusted: []evidence.Anchor{v.anchor()}}
	for _, item := range []evidence.Item{v.tcbInfo(), v.qeIdentity(), v.list(v.ca, nil, nil), v.list(v.root, nil, nil)} {
		for _, part := range [][]byte{item.Body, item.Signature} {
			for i := range part {
				part[i] ^= 1 << (i % 8)
				if _, _, err := CheckItem(&item, src, simAt); err == nil {
					t.Errorf("%s: byte %d can change", item.Type, i)
				}
				part[i] ^= 1 << (i % 8)
			}
		}
		v.checked(item, src, wire.OK)
	}
}

func TestItemsOfOtherSizesAndSortsAreRefused(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	big := v.tcbInfo()
	big.Body = append(big.Body, bytes.Repeat([]byte(" "), evidence.MaxItemBody)...)
	v.checked(big, src, wire.ErrCollateralMalformed)
	long := v.tcbInfo()
	long.Chain = [][]byte{nil, nil, nil, nil}
	v.checked(long, src, wire.ErrCollateralMalformed)
	short := v.tcbInfo()
	short.Chain = short.Chain[:1]
	v.checked(short, src, wire.ErrCollateralMalformed)
	v.checked(evidence.Item{Type: evidence.AMDChain}, src, wire.ErrCollateralMalformed)
	for _, b := range []string{"", "{}", "[]", `{"id":"SGX","version":2}`, `{"id":"SGX","version":3,"tcbType":0,"fmspc":"00","pceId":"0000"}`} {
		item := evidence.Item{Type: evidence.TCBInfo, Body: []byte(b), Signature: v.sign(v.signer.key, []byte(b)), Chain: v.tcbInfo().Chain}
		v.checked(item, src, wire.ErrCollateralMalformed)
		item.Type = evidence.QEIdentity
		v.checked(item, src, wire.ErrCollateralMalformed)
	}
	td := newTDX(t)
	td.tcb.levels[0]["tcbStatus"] = "Fine"
	td.checked(td.tcbInfo(), td.source(), wire.ErrCollateralMalformed)
	td = newTDX(t)
	delete(td.tcb.levels[1]["tcb"].(map[string]any), "tdxtcbcomponents")
	td.checked(td.tcbInfo(), td.source(), wire.ErrCollateralMalformed)
	td = newTDX(t)
	td.tcb.modules[0]["mrsigner"] = "00"
	td.checked(td.tcbInfo(), td.source(), wire.ErrCollateralMalformed)
}

func TestASerialNumberIsPositiveAndFitsALevel(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	v.signer = v.issue("SGX TCB Signing", 1, &v.root, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(5) })
	item := v.tcbInfo()
	v.checked(item, src, wire.OK)
	zero := bytes.Replace(item.Chain[0], []byte{2, 1, 5}, []byte{2, 1, 0}, 1)
	item.Chain = [][]byte{zero, v.root.cert.Raw}
	v.checked(item, src, wire.ErrCollateralMalformed)
	v.signer = v.issue("SGX TCB Signing", 1, &v.root, func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 8*maxSerial) })
	v.checked(v.tcbInfo(), src, wire.ErrCollateralMalformed)
}
