package trust

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
)

func root() Root {
	return Root{Vendor: evidence.AMD, DER: []byte("certificate"), Name: "ARK Milan", Product: "Milan", Class: CPU, IssuePercent: 100}
}

func image() Measurement {
	return Measurement{
		Component: Image, Version: "1.0.0", Alg: SHA256, Digest: bytes.Repeat([]byte{7}, 32), Register: "CODEID", Activation: 100,
	}
}

// everyOrder has one order of each kind.
func everyOrder() []Order {
	return []Order{
		&RootAdd{Root: root()},
		&RootRevoke{Root: wire.Hash{1}, Mode: SuspendAll},
		&CertRevoke{Root: wire.Hash{1}, SPKIs: []wire.Hash{{2}, {3}}},
		&MeasurementApprove{Measurement: image(), Emergency: true},
		&MeasurementDeprecate{ID: wire.Hash{1}, Height: 5, Reason: "superseded", Force: true},
		&MeasurementRevoke{ID: wire.Hash{1}, Height: 5, Reason: "leaks keys"},
		&PolicySet{Policy: policy.Default(policy.Worker, false)},
	}
}

func TestOrdersReadBack(t *testing.T) {
	list := everyOrder()
	if len(list) != len(orders) {
		t.Fatalf("%d orders, %d kinds are known", len(list), len(orders))
	}
	for i, o := range list {
		if o.Kind() != OrderKind(i+1) || o.Kind() > LastKind {
			t.Errorf("order %d has kind %d", i+1, o.Kind())
		}
		got, err := Decode(o.Bytes())
		if err != nil || !bytes.Equal(got.Bytes(), o.Bytes()) {
			t.Errorf("kind %d: %+v, %v", o.Kind(), got, err)
		}
		if k, err := KindOf(o.Bytes()); err != nil || k != o.Kind() {
			t.Errorf("kind %d is told as %d, %v", o.Kind(), k, err)
		}
		if _, err := Decode(append(o.Bytes(), 0)); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("kind %d with a byte more: %v", o.Kind(), err)
		}
	}
}

func TestOrdersOfOthersAreToldApartAndNotRead(t *testing.T) {
	b := wire.Marshal(&envelope{Kind: LastKind + 1, Body: []byte{0x80}})
	if k, err := KindOf(b); err != nil || k <= LastKind {
		t.Errorf("%d, %v", k, err)
	}
	if _, err := Decode(b); wire.CodeOf(err) != wire.ErrMalformed {
		t.Errorf("%v", err)
	}
	if _, err := KindOf([]byte{0xff}); wire.CodeOf(err) != wire.ErrMalformed {
		t.Errorf("%v", err)
	}
}

func TestTheLargestOrdersFit(t *testing.T) {
	r := root()
	r.DER, r.Name = make([]byte, MaxRootDER), strings.Repeat("n", MaxName)
	keys := make([]wire.Hash, MaxSPKIs)
	for i := range keys {
		keys[i] = wire.Hash{byte(i >> 8), byte(i)}
	}
	for _, o := range []Order{&RootAdd{Root: r}, &CertRevoke{SPKIs: keys}} {
		if _, err := Decode(o.Bytes()); err != nil {
			t.Errorf("kind %d: %v", o.Kind(), err)
		}
	}
}

func TestFormOfRoots(t *testing.T) {
	for name, change := range map[string]func(r *Root){
		"unknown vendor":      func(r *Root) { r.Vendor = 4 },
		"no certificate":      func(r *Root) { r.DER = nil },
		"too large":           func(r *Root) { r.DER = make([]byte, MaxRootDER+1) },
		"no name":             func(r *Root) { r.Name = "" },
		"name too long":       func(r *Root) { r.Name = strings.Repeat("n", MaxName+1) },
		"unreadable name":     func(r *Root) { r.Name = "a\x1b[2J" },
		"AMD without product": func(r *Root) { r.Product = "" },
		"Intel with product":  func(r *Root) { r.Vendor = evidence.Intel },
		"unknown class":       func(r *Root) { r.Class = 6 },
		"101 percent":         func(r *Root) { r.IssuePercent = 101 },
		"a height":            func(r *Root) { r.Added = 1 },
		"born revoked":        func(r *Root) { r.Revoked = 1 },
		"born in a mode":      func(r *Root) { r.Mode = NoNewcomers },
	} {
		r := root()
		change(&r)
		if _, err := Decode((&RootAdd{Root: r}).Bytes()); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFormOfMeasurements(t *testing.T) {
	for name, x := range map[string]struct {
		change func(m *Measurement)
		code   wire.Code
	}{
		"unknown component":     {func(m *Measurement) { m.Component = 8 }, wire.ErrMalformed},
		"no version":            {func(m *Measurement) { m.Version = "" }, wire.ErrMalformed},
		"version too long":      {func(m *Measurement) { m.Version = strings.Repeat("1", MaxName+1) }, wire.ErrMalformed},
		"unknown algorithm":     {func(m *Measurement) { m.Alg = 3 }, wire.ErrMalformed},
		"digest of other size":  {func(m *Measurement) { m.Digest = m.Digest[1:] }, wire.ErrMalformed},
		"unknown register":      {func(m *Measurement) { m.Register = "EAX" }, wire.ErrMalformed},
		"register and PCRs":     {func(m *Measurement) { m.PCRs = []uint8{4} }, wire.ErrMalformed},
		"image by SHA-384":      {func(m *Measurement) { m.Alg, m.Digest = SHA384, make([]byte, 48) }, wire.ErrMalformed},
		"image by its MRTD":     {func(m *Measurement) { m.Register = "MRTD" }, wire.ErrMalformed},
		"deprecated from birth": {func(m *Measurement) { m.Deprecated = 200 }, wire.ErrMalformed},
		"revoked from birth":    {func(m *Measurement) { m.Revoked = 200 }, wire.ErrMalformed},
		"with a reason":         {func(m *Measurement) { m.Reason = "so" }, wire.ErrMalformed},
		"PCRs out of order":     {func(m *Measurement) { m.Component, m.Register, m.PCRs = Kernel, "", []uint8{4, 4} }, wire.ErrMalformed},
		"a resettable PCR":      {func(m *Measurement) { m.Component, m.Register, m.PCRs = Kernel, "", []uint8{4, 16} }, wire.ErrResettablePCR},
		"no such PCR":           {func(m *Measurement) { m.Component, m.Register, m.PCRs = Kernel, "", []uint8{24} }, wire.ErrResettablePCR},
		"the last good PCR":     {func(m *Measurement) { m.Component, m.Register, m.PCRs = Kernel, "", []uint8{0, 15} }, wire.OK},
		"a kernel's RTMR": {func(m *Measurement) {
			m.Component, m.Register, m.Alg, m.Digest = Kernel, "RTMR1", SHA384, make([]byte, 48)
		}, wire.OK},
	} {
		m := image()
		x.change(&m)
		if _, err := Decode((&MeasurementApprove{Measurement: m}).Bytes()); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
}

func TestFormOfRevocations(t *testing.T) {
	for name, o := range map[string]Order{
		"mode 0":          &RootRevoke{},
		"mode 3":          &RootRevoke{Mode: 3},
		"no keys":         &CertRevoke{},
		"keys descending": &CertRevoke{SPKIs: []wire.Hash{{2}, {1}}},
		"a key twice":     &CertRevoke{SPKIs: []wire.Hash{{2}, {2}}},
		"too many keys":   &CertRevoke{SPKIs: make([]wire.Hash, MaxSPKIs+1)},
		"at height 0":     &MeasurementRevoke{},
		"a long reason":   &MeasurementDeprecate{Height: 1, Reason: strings.Repeat("r", MaxReason+1)},
		"a false policy":  &PolicySet{},
	} {
		if _, err := Decode(o.Bytes()); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFormOfItems(t *testing.T) {
	good := evidence.Item{Type: evidence.TCBInfo, Body: []byte("{}"), Signature: make([]byte, 64), Chain: [][]byte{{1}, {2}}}
	if got, err := DecodeItem(ItemBytes(&good)); err != nil || !bytes.Equal(ItemBytes(got), ItemBytes(&good)) {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, change := range map[string]func(i *evidence.Item){
		"no type":           func(i *evidence.Item) { i.Type = 0 },
		"unknown type":      func(i *evidence.Item) { i.Type = 5 },
		"no body":           func(i *evidence.Item) { i.Body = nil },
		"a large body":      func(i *evidence.Item) { i.Body = make([]byte, evidence.MaxItemBody+1) },
		"a long signature":  func(i *evidence.Item) { i.Signature = make([]byte, 65) },
		"a long chain":      func(i *evidence.Item) { i.Chain = make([][]byte, MaxChain+1) },
		"a large chain":     func(i *evidence.Item) { i.Chain = [][]byte{make([]byte, evidence.MaxItem-66)} },
		"a far larger item": func(i *evidence.Item) { i.Chain = [][]byte{make([]byte, evidence.MaxItem)} },
	} {
		i := good
		change(&i)
		if _, err := DecodeItem(ItemBytes(&i)); wire.CodeOf(err) != wire.ErrCollateralMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheLargestValuesFitTheState holds every bound of a list against the 64 KiB
// that a value of state may have.
func TestTheLargestValuesFitTheState(t *testing.T) {
	const maxValue = 64 << 10
	keys := make([]evidence.Key, ItemsPerPage)
	for i := range keys {
		keys[i] = evidence.Key{Type: evidence.CRL, Name: wire.Hash{}.String()}
	}
	due := make([]uint64, MaxDue)
	for i := range due {
		due[i] = 1 << 63
	}
	item := evidence.Item{Type: evidence.CRL, Body: make([]byte, evidence.MaxItemBody), Chain: [][]byte{make([]byte, evidence.MaxItem-evidence.MaxItemBody)}}
	for name, v := range map[string]any{
		"measurements": IDs{List: make([]wire.Hash, MaxMeasurements)},
		"roots":        IDs{List: make([]wire.Hash, MaxRoots)},
		"items":        ItemKeys{List: keys},
		"due":          Numbers{List: due},
		"item":         InForce{Item: item, Keys: make([]wire.Hash, MaxChain+1)},
		"revocation":   Revocation{SPKIs: make([]wire.Hash, MaxSPKIs)},
	} {
		if n := len(wire.Marshal(v)); n > maxValue {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

func TestKeysAreDistinctAndHaveTheirPrefix(t *testing.T) {
	h := wire.Hash{1}
	seen := map[string]bool{}
	for i, k := range [][]byte{
		SummaryKey, RootKey(h), RootsKey(1), RevokedKey(h), ItemKey(evidence.Key{Type: 1, Name: "x"}), ItemsKey(1),
		MeasurementKey(h), MeasurementsKey(1), DigestKey(1, 1, h[:]), PolicyKey(1), RevocationKey(1), DueKey(1),
	} {
		if seen[string(k)] || !bytes.HasPrefix(k, []byte(Prefix)) {
			t.Errorf("key %d: %q", i, k)
		}
		seen[string(k)] = true
	}
}

func TestIDsAreTheSpecifiedHashes(t *testing.T) {
	r, m := root(), image()
	if r.ID() != wire.TH("cloister/root/v1", []byte{2}, []byte("certificate")) {
		t.Error("root")
	}
	if m.ID() != wire.TH("cloister/measurement/v1", []byte{6}, []byte("1.0.0"), []byte{1}, m.Digest) {
		t.Error("measurement")
	}
	if a := r.Anchor(); a.Vendor != evidence.AMD || a.Product != "Milan" || string(a.DER) != "certificate" {
		t.Errorf("%+v", a)
	}
}

func TestMeasurementsAreValidFromActivationToRevocation(t *testing.T) {
	m := Measurement{Activation: 10, Deprecated: 15, Revoked: 20}
	for h, want := range map[uint64][2]bool{9: {false, false}, 10: {true, false}, 14: {true, false}, 15: {true, true}, 19: {true, true}, 20: {false, true}} {
		if m.ValidAt(h) != want[0] || m.DeprecatedAt(h) != want[1] {
			t.Errorf("height %d: %t, %t", h, m.ValidAt(h), m.DeprecatedAt(h))
		}
	}
	if m = (Measurement{}); !m.ValidAt(0) || !m.ValidAt(1<<63) || m.DeprecatedAt(1<<63) {
		t.Error("without heights it is always valid")
	}
}

func TestClassesFitTheirVendors(t *testing.T) {
	for v, want := range map[evidence.Vendor]string{
		evidence.Intel: "cpu emulated", evidence.AMD: "cpu emulated",
		evidence.TPMMaker: "discrete-tpm firmware-tpm virtual-tpm emulated", 9: "",
	} {
		for c := Class(0); c < 7; c++ {
			fits := classNames[c] != "" && strings.Contains(" "+want+" ", " "+c.String()+" ")
			if c.Fits(v) != fits {
				t.Errorf("%s, %s: %t", v, c, c.Fits(v))
			}
		}
	}
}

// The genesis file and the ledger's form say the same.
func TestGenesisEntriesReadBack(t *testing.T) {
	r, m := root(), image()
	k := Measurement{Component: Kernel, Version: "6.1", Alg: SHA256, Digest: make([]byte, 32), PCRs: []uint8{4, 9}}
	i := evidence.Item{Type: evidence.CRL, Body: []byte{1, 2}, Chain: [][]byte{{3}}}
	g := Genesis{
		Testnet: true, Roots: []GenesisRoot{NewGenesisRoot(&r)}, Items: []GenesisItem{NewGenesisItem(&i)},
		Measurements: []GenesisMeasurement{NewGenesisMeasurement(&m), NewGenesisMeasurement(&k)},
		Policies:     []policy.Policy{policy.Default(policy.Voter, true)}, Mandatory: []Component{Kernel, Image},
	}
	text, err := json.Marshal(&g)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"vendor":"amd"`, `"class":"cpu"`, `"type":"crl"`, `"component":"kernel"`, `"alg":"sha-256"`, `"pcrs":[4,9]`, `"role":"voter"`, `"mandatory":["kernel","image"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
	got, err := ParseGenesis(text)
	if err != nil {
		t.Fatal(err)
	}
	gotRoot, err := got.Roots[0].Root()
	if err != nil || !bytes.Equal(wire.Marshal(gotRoot), wire.Marshal(&r)) {
		t.Errorf("%+v, %v", gotRoot, err)
	}
	gotItem, err := got.Items[0].Item()
	if err != nil || !bytes.Equal(ItemBytes(gotItem), ItemBytes(&i)) {
		t.Errorf("%+v, %v", gotItem, err)
	}
	for n, want := range []*Measurement{&m, &k} {
		gotM, err := got.Measurements[n].Measurement()
		if err != nil || !bytes.Equal(wire.Marshal(gotM), wire.Marshal(want)) {
			t.Errorf("%+v, %v", gotM, err)
		}
	}
	if !got.Testnet || len(got.Policies) != 1 || CheckMandatory(got.Mandatory) != nil {
		t.Errorf("%+v", got)
	}
}

func TestGenesisFilesAreReadStrictly(t *testing.T) {
	for _, bad := range []string{
		"", "[]", `{"testnet":true}{}`, `{"testnet":true}}`, `{"testnets":true}`, `{"roots":[{"vendor":"acme"}]}`, `{"roots":[{"class":"abacus"}]}`,
		`{"items":[{"type":"gossip"}]}`, `{"measurements":[{"alg":"md5"}]}`, `{"mandatory":["keyboard"]}`, `{"roots":[{"owner":"me"}]}`,
	} {
		if _, err := ParseGenesis([]byte(bad)); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := ParseGenesis(make([]byte, wire.MaxGenesis+1)); !errors.Is(err, wire.ErrEncoding) {
		t.Errorf("too long: %v", err)
	}
	for _, list := range [][]Component{{9}, {Image, Kernel}, {Image, Image}} {
		if CheckMandatory(list) == nil {
			t.Errorf("%v may be mandatory", list)
		}
	}
}

func TestACertificateIsPEMOrBase64(t *testing.T) {
	r := root()
	block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.DER}))
	for text, ok := range map[string]bool{
		base64.StdEncoding.EncodeToString(r.DER): true, block: true, block + "\n": true,
		block + block: false, hex.EncodeToString(r.DER) + "!": false, "": false, "-----BEGIN": false,
		strings.ReplaceAll(block, "CERTIFICATE", "PRIVATE KEY"): false,
	} {
		g := NewGenesisRoot(&r)
		g.Certificate = text
		got, err := g.Root()
		if (err == nil) != ok || ok && !bytes.Equal(got.DER, r.DER) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	for _, pcrs := range [][]int{{-1}, {24}, {260}} {
		g := GenesisMeasurement{Component: Kernel, Version: "1", Alg: alg(SHA256), Digest: make([]byte, 32), PCRs: pcrs}
		if _, err := g.Measurement(); err == nil {
			t.Errorf("PCRs %v", pcrs)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, o := range everyOrder() {
		f.Add(o.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Decode(b)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.ErrMalformed && c != wire.ErrResettablePCR {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(o.Bytes(), b) {
			t.Fatal("another encoding of the same order was read")
		}
		if k, err := KindOf(b); err != nil || k != o.Kind() {
			t.Fatalf("kind %d, %v", k, err)
		}
	})
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(ItemBytes(&evidence.Item{Type: evidence.CRL, Body: []byte{1}, Chain: [][]byte{{2}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := DecodeItem(b); err == nil && !bytes.Equal(ItemBytes(i), b) {
			t.Fatal("another encoding of the same item was read")
		} else if err != nil && wire.CodeOf(err) != wire.ErrCollateralMalformed {
			t.Fatal(err)
		}
	})
}

func FuzzParseGenesis(f *testing.F) {
	f.Add([]byte(`{"testnet":true,"roots":[{"vendor":"amd","name":"x","class":"cpu","certificate":"AA=="}],"measurements":[{"component":"image","digest":"00"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGenesis(b)
		if err != nil {
			if !errors.Is(err, wire.ErrEncoding) {
				t.Fatal(err)
			}
			return
		}
		for i := range g.Roots {
			if r, err := g.Roots[i].Root(); err == nil {
				if _, err := Decode((&RootAdd{Root: *r}).Bytes()); err != nil {
					t.Fatalf("a root that no order could add: %v", err)
				}
			}
		}
		for i := range g.Measurements {
			if m, err := g.Measurements[i].Measurement(); err == nil {
				if _, err := Decode((&MeasurementApprove{Measurement: *m}).Bytes()); err != nil {
					t.Fatalf("a measurement that no order could approve: %v", err)
				}
			}
		}
	})
}
