package attest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"

	"cloister/evidence"
)

// random is a source that never repeats soon.
type random struct {
	mu sync.Mutex
	n  byte
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range p {
		r.n++
		p[i] = r.n
	}
	return len(p), nil
}

// machine is a file system of devices: files, and what a write to one does.
type machine struct {
	mu      sync.Mutex
	files   map[string][]byte
	folders map[string]bool
	wrote   func(t *machine, name string, data []byte) // under mu
	made    func(t *machine, name string)              // under mu
	most    int                                        // entries that existed at a time
}

func (t *machine) ReadFile(name string, max int) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if len(b) > max {
		return nil, fmt.Errorf("%s is longer than %d", name, max)
	}
	return bytes.Clone(b), nil
}

func (t *machine) WriteFile(name string, data []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.files[name]; !ok {
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	t.wrote(t, name, data)
	return nil
}

func (t *machine) Mkdir(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.folders[path.Dir(name)] {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrNotExist}
	}
	if t.folders[name] {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	t.folders[name] = true
	t.most = max(t.most, len(t.folders)-1)
	t.made(t, name)
	return nil
}

func (t *machine) Remove(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.folders, name)
	for f := range t.files {
		if strings.HasPrefix(f, name+"/") {
			delete(t.files, f)
		}
	}
	return nil
}

// noDevices is a machine without trusted hardware.
func noDevices() *machine { return &machine{files: map[string][]byte{}, folders: map[string]bool{}} }

// quoteOf is a well-formed quote of a version that has data in it, then zeros.
func quoteOf(version uint16, data []byte, padding int) []byte {
	q := make([]byte, quoteHeader)
	q[0] = byte(version)
	size := map[uint16]int{3: sgxBody, 4: tdBody, 5: 648}[version]
	if version != 3 {
		q[4] = 0x81
	}
	if version == 5 {
		q = append(q, 3, 0, byte(size), byte(size>>8), 0, 0)
	}
	body := make([]byte, size)
	copy(body[size-64:], data)
	q = append(q, body...)
	signature := []byte("signature that ends in a zero\x00")
	q = append(q, byte(len(signature)), 0, 0, 0)
	return append(append(q, signature...), make([]byte, padding)...)
}

// gramineTree is Gramine's: the quote is over whatever was written last, by anybody.
func gramineTree() *machine {
	t := noDevices()
	t.files[gramineType] = []byte("dcap")
	t.files[gramineData] = nil
	t.files[gramineCodeKey] = []byte("code key 16 byte")
	t.files[gramineSignerKey] = []byte("signer key 16 by")
	t.wrote = func(t *machine, name string, data []byte) {
		t.files[name] = bytes.Clone(data)
		t.files[gramineQuote] = quoteOf(3, data, 70)
	}
	return t
}

func TestGramineAttestsWhatItWasTold(t *testing.T) {
	g, err := NewGramine(gramineTree(), new(random))
	if err != nil {
		t.Fatal(err)
	}
	if g.Kind() != evidence.SGX || g.Simulated() || g.Caps() != CapIsolated|CapEvidence|CapSealCode|CapSealSigner|CapRandom {
		t.Errorf("%s, capabilities %b", g.Kind(), g.Caps())
	}
	e, err := g.Attest([64]byte{1, 63: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := quoteOf(3, append(append([]byte{1}, make([]byte, 62)...), 2), 0)
	if e.Kind != evidence.SGX || len(e.Aux) != 0 || !bytes.Equal(e.Quote, want) {
		t.Errorf("quote of %d bytes, want %d", len(e.Quote), len(want))
	}
	if _, err := g.Counter("x"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("counter: %v", err)
	}
	if _, err := g.Elapsed(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("clock: %v", err)
	}
	if err := g.Random(make([]byte, 8)); err != nil {
		t.Errorf("random: %v", err)
	}
}

func TestTheOnePairOfGramineIsUsedByOneAtATime(t *testing.T) {
	tree := gramineTree()
	var backends [2]*Gramine // the pair is the process's, whoever opened it
	for i := range backends {
		var err error
		if backends[i], err = NewGramine(tree, nil); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			e, err := backends[i%2].Attest([64]byte{byte(i)})
			if err != nil || e.Quote[quoteHeader+sgxBody-64] != byte(i) {
				t.Errorf("%d got another's quote, %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestGramineSealKeysAreDerived(t *testing.T) {
	tree := gramineTree()
	g, err := NewGramine(tree, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]string{}
	for _, p := range []SealPolicy{SealCode, SealSigner} {
		for _, label := range []string{"a", "b"} {
			k, err := g.SealKey(p, label)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := g.SealKey(p, label); err != nil || again != k {
				t.Errorf("another key at the second time: %v", err)
			}
			name := fmt.Sprint(p, label)
			if seen[k] != "" {
				t.Errorf("%s has the key of %s", name, seen[k])
			}
			seen[k] = name
			for _, raw := range [][]byte{tree.files[gramineCodeKey], tree.files[gramineSignerKey]} {
				if bytes.Contains(k[:], raw) {
					t.Error("the platform's own key was given out")
				}
			}
		}
	}
	if _, err := g.SealKey(9, "a"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown policy: %v", err)
	}
	for _, label := range []string{"", strings.Repeat("x", MaxLabel+1)} {
		if _, err := g.SealKey(SealCode, label); err == nil {
			t.Errorf("label of %d bytes was taken", len(label))
		}
	}
	for name, key := range map[string][]byte{"zeros": make([]byte, 16), "short": []byte("short"), "long": make([]byte, 17)} {
		tree.files[gramineCodeKey] = key
		if _, err := g.SealKey(SealCode, "a"); err == nil {
			t.Errorf("a key of %s was used", name)
		}
	}
}

// tsmTree is the kernel's report interface of a provider. Each entry has its
// own generation.
func tsmTree(provider string) *machine {
	t := noDevices()
	t.folders[tsmFolder] = true
	generation := map[string]int{}
	t.made = func(t *machine, name string) {
		t.files[name+"/provider"] = []byte(provider + "\n")
		t.files[name+"/generation"] = []byte("0\n")
		t.files[name+"/inblob"] = nil
		generation[name] = 0
	}
	t.wrote = func(t *machine, name string, data []byte) {
		entry := path.Dir(name)
		generation[entry]++
		t.files[entry+"/generation"] = fmt.Appendf(nil, "%d\n", generation[entry])
		if provider == "sev_guest" {
			r := make([]byte, snpReport)
			copy(r[0x50:], data)
			t.files[entry+"/outblob"] = r
			t.files[entry+"/auxblob"] = tableOf(vcekName, []byte("the VCEK"))
			return
		}
		t.files[entry+"/outblob"] = quoteOf(4, data, 3000)
	}
	return t
}

func TestConfigfsReports(t *testing.T) {
	for provider, kind := range map[string]evidence.Kind{"tdx_guest": evidence.TDX, "sev_guest": evidence.SNP} {
		t.Run(provider, func(t *testing.T) {
			tree := tsmTree(provider)
			b, err := NewTSM(tree, new(random), nil)
			if err != nil {
				t.Fatal(err)
			}
			if b.Kind() != kind || b.Simulated() || b.Caps() != CapIsolated|CapEvidence|CapRandom {
				t.Errorf("%s, capabilities %b", b.Kind(), b.Caps())
			}
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					e, err := b.Attest([64]byte{byte(i)})
					if err != nil {
						t.Error(err)
						return
					}
					at := 0x50
					if kind == evidence.TDX {
						at = quoteHeader + tdBody - 64
					}
					if e.Kind != kind || e.Quote[at] != byte(i) {
						t.Errorf("%d got another's report", i)
					}
					if kind == evidence.SNP && (len(e.Aux) != 1 || string(e.Aux[0]) != "the VCEK") {
						t.Errorf("certificates %q", e.Aux)
					}
				})
			}
			wg.Wait()
			if len(tree.folders) != 1 || tree.most < 1 {
				t.Errorf("entries left behind: %v", tree.folders)
			}
			if _, err := b.SealKey(SealCode, "x"); !errors.Is(err, ErrUnsupported) {
				t.Errorf("seal key: %v", err)
			}
			if _, err := b.Counter("x"); !errors.Is(err, ErrUnsupported) {
				t.Errorf("counter: %v", err)
			}
			if _, err := b.Elapsed(); !errors.Is(err, ErrUnsupported) {
				t.Errorf("clock: %v", err)
			}
			if err := b.Random(make([]byte, 9)); err != nil {
				t.Errorf("random: %v", err)
			}
		})
	}
}

func TestAReportSomebodyElseChangedDoesNotCount(t *testing.T) {
	for name, generations := range map[string][2]string{
		"another write": {"0", "2"}, "no write": {"0", "0"}, "back": {"5", "1"}, "wrapped": {"18446744073709551615", "1"},
	} {
		tree := tsmTree("tdx_guest")
		b, err := NewTSM(tree, new(random), nil)
		if err != nil {
			t.Fatal(err)
		}
		made, wrote := tree.made, tree.wrote
		tree.made = func(t *machine, name string) {
			made(t, name)
			t.files[name+"/generation"] = []byte(generations[0] + "\n")
		}
		tree.wrote = func(t *machine, name string, data []byte) {
			wrote(t, name, data)
			t.files[path.Dir(name)+"/generation"] = []byte(generations[1] + "\n")
		}
		if _, err := b.Attest([64]byte{}); !errors.Is(err, ErrContended) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenDevicesAreErrors(t *testing.T) {
	change := func(tree *machine, file string, content []byte) *machine {
		wrote := tree.wrote
		tree.wrote = func(t *machine, name string, data []byte) {
			wrote(t, name, data)
			t.files[path.Dir(name)+"/"+file] = content
		}
		return tree
	}
	long := make([]byte, maxPadding+1)
	for name, tree := range map[string]*machine{
		"empty report":      change(tsmTree("sev_guest"), "outblob", nil),
		"long report":       change(tsmTree("sev_guest"), "outblob", make([]byte, snpReport+1)),
		"huge report":       change(tsmTree("sev_guest"), "outblob", long),
		"no certificate":    change(tsmTree("sev_guest"), "auxblob", nil),
		"broken table":      change(tsmTree("sev_guest"), "auxblob", []byte{1, 2, 3}),
		"generation":        change(tsmTree("tdx_guest"), "generation", []byte("one")),
		"empty quote":       change(tsmTree("tdx_guest"), "outblob", nil),
		"cut quote":         change(tsmTree("tdx_guest"), "outblob", quoteOf(4, nil, 0)[:640]),
		"version":           change(tsmTree("tdx_guest"), "outblob", append([]byte{9}, quoteOf(4, nil, 0)[1:]...)),
		"bytes after":       change(tsmTree("tdx_guest"), "outblob", append(quoteOf(4, nil, 5), 1)),
		"size of version 5": change(tsmTree("tdx_guest"), "outblob", append(quoteOf(5, nil, 0)[:50], 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)),
	} {
		b, err := NewTSM(tree, new(random), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e, err := b.Attest([64]byte{}); err == nil {
			t.Errorf("%s: evidence of %d bytes", name, len(e.Quote))
		}
	}
	quote := gramineTree()
	quote.wrote = func(t *machine, name string, _ []byte) { t.files[gramineQuote] = long }
	g, err := NewGramine(quote, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Attest([64]byte{}); err == nil {
		t.Error("a quote without end was taken")
	}
	if err := g.Random(make([]byte, 1)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("random without a source: %v", err)
	}
}

// tableOf is a certificate table with one certificate behind another's.
func tableOf(name string, cert []byte) []byte {
	id := unhex(name)
	b := make([]byte, 3*tableEntrySize)
	copy(b, bytes.Repeat([]byte{7}, 16)) // somebody's
	b[16], b[20] = byte(len(b)), 4
	copy(b[tableEntrySize:], id)
	b[tableEntrySize+16], b[tableEntrySize+20] = byte(len(b)+4), byte(len(cert))
	return append(append(b, "xxxx"...), cert...)
}

func unhex(s string) []byte {
	b := make([]byte, len(s)/2)
	for i := range b {
		if _, err := fmt.Sscanf(s[2*i:2*i+2], "%02x", &b[i]); err != nil {
			panic(err)
		}
	}
	return b
}

func TestCertificatesAreFoundInTheTable(t *testing.T) {
	rfc := tableOf(vlekName, []byte("leaf"))
	other := bytes.Clone(rfc)
	copy(other[tableEntrySize:], unhex("c24b07a85aa23e48aae639c045a0b8a1")) // as firmware writes it
	for name, table := range map[string][]byte{"text order": rfc, "firmware order": other} {
		if c, err := certificate(table, vlekName); err != nil || string(c) != "leaf" {
			t.Errorf("%s: %q, %v", name, c, err)
		}
		if c, err := certificate(table, vcekName); err != nil || c != nil {
			t.Errorf("%s: found %q where none is, %v", name, c, err)
		}
	}
	for name, table := range map[string][]byte{"no table": nil, "zeros": make([]byte, 4096)} {
		if c, err := certificate(table, vcekName); err != nil || c != nil {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}
	patched := func(at int, v ...byte) []byte {
		b := tableOf(vcekName, []byte("leaf"))
		copy(b[at:], v)
		return b
	}
	for name, table := range map[string][]byte{
		"offset": patched(tableEntrySize+16, 0xff, 0xff, 0xff, 0xff), "length": patched(tableEntrySize+20, 0xff, 0xff, 0xff, 0xff),
		"empty": patched(tableEntrySize+20, 0), "no end": bytes.Repeat([]byte{9}, maxTable*tableEntrySize+100),
	} {
		if c, err := certificate(table, vcekName); !errors.Is(err, ErrPlatform) {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}

	vlek := make([]byte, snpReport)
	vlek[snpSignerInfo] = 1 << 2
	if e, err := snpEvidence(vlek, rfc, nil); err != nil || string(e.Aux[0]) != "leaf" {
		t.Errorf("a report under a VLEK: %v", err)
	}
	if e, err := snpEvidence(make([]byte, snpReport), rfc, []byte("given")); err != nil || string(e.Aux[0]) != "given" {
		t.Errorf("a certificate from the host: %v", err)
	}
}

func FuzzCertificate(f *testing.F) {
	f.Add(tableOf(vcekName, []byte("leaf")))
	f.Add(make([]byte, 48))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := certificate(b, vcekName); err == nil && c != nil && !bytes.Contains(b, c) {
			t.Errorf("certificate %x is not in the table", c)
		}
	})
}

func FuzzTrimQuote(f *testing.F) {
	for _, v := range []uint16{3, 4, 5} {
		f.Add(quoteOf(v, []byte{1}, 9))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := trimQuote(b)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, q) || !zeros(b[len(q):]) || len(q) > evidence.MaxQuote {
			t.Errorf("%d bytes became %d", len(b), len(q))
		}
		if again, err := trimQuote(q); err != nil || !bytes.Equal(again, q) {
			t.Errorf("a quote without padding changed: %v", err)
		}
	})
}
