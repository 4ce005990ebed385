package simtee

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloister/evidence"
	"cloister/gate/backend"
)

func TestVendorsAndPlatformsAreMadeOnce(t *testing.T) {
	dir, pdir := t.TempDir(), t.TempDir()
	var wg sync.WaitGroup
	roots, devices := make([]string, 4), make([]string, 4)
	for i := range roots {
		wg.Go(func() {
			v, err := NewVendor(evidence.SGX, dir)
			if err != nil {
				t.Error(err)
				return
			}
			a, err := v.Anchors()
			if err != nil {
				t.Error(err)
				return
			}
			p, err := v.NewPlatform(pdir)
			if err != nil {
				t.Error(err)
				return
			}
			roots[i], devices[i] = a[0].ID().String(), p.Device().String()
		})
	}
	wg.Wait()
	for i := range roots {
		if roots[i] != roots[0] || devices[i] != devices[0] {
			t.Errorf("made twice: %v, %v", roots, devices)
		}
	}
	again, err := OpenPlatform(pdir)
	if err != nil || again.Device().String() != devices[0] {
		t.Errorf("opened again: %v", err)
	}
	if _, err := NewVendor(evidence.TPM, dir); err == nil {
		t.Error("a vendor changed its kind")
	}
	if _, err := NewVendor(evidence.TDX, t.TempDir()); !errors.Is(err, ErrKind) {
		t.Errorf("TDX: %v", err)
	}
}

func TestKeysAreTheirOwnersOnly(t *testing.T) {
	v := vendor(t, evidence.SGX)
	p := platform(t, v)
	if _, err := p.IncrementCounter("x"); err != nil {
		t.Fatal(err)
	}
	made, err := NewVendor(evidence.SGX, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{made.path(), filepath.Join(p.dir, platformFile), filepath.Join(p.dir, counterFile)} {
		if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, s.Mode(), err)
		}
	}
}

func TestFoldersOfSomethingElseAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"absent": "", "text": "hello", "unknown field": `{"Unknown":1}`, "empty": "{}", "large": strings.Repeat(" ", maxFile+1),
		"level": `{"Kind":1,"TCB":99,"Leaves":[{"Key":"","Cert":""}]}`,
	} {
		dir := t.TempDir()
		if content != "" {
			for _, f := range []string{platformFile, vendorFile} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := OpenPlatform(dir); err == nil {
			t.Errorf("%s is a platform", name)
		}
		if name == "empty" || name == "level" {
			continue // a vendor without a kind fails when it is used
		}
		if _, err := OpenVendor(dir); err == nil {
			t.Errorf("%s is a vendor", name)
		}
	}
}

func TestCountersOnlyGrowAndLast(t *testing.T) {
	p := platform(t, vendor(t, evidence.SGX))
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for range 4 {
		q, err := OpenPlatform(p.dir) // as another process would
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 5 {
				n, err := q.IncrementCounter("c")
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("counter %d again, %v", n, err)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n, err := p.ReadCounter("c"); err != nil || n != 20 {
		t.Errorf("read %d, %v", n, err)
	}
	if n, err := p.ReadCounter("other"); err != nil || n != 0 {
		t.Errorf("another counter: %d, %v", n, err)
	}
	full := map[string]uint64{}
	for i := range maxCounters {
		full[fmt.Sprint(i)] = 1
	}
	if err := store(filepath.Join(p.dir, counterFile), full); err != nil {
		t.Fatal(err)
	}
	if _, err := p.IncrementCounter("one more"); !errors.Is(err, backend.ErrLimit) {
		t.Errorf("over the limit: %v", err)
	}
	if n, err := p.IncrementCounter("7"); err != nil || n != 2 {
		t.Errorf("one that exists: %d, %v", n, err)
	}
}
