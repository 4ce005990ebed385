package simtee

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloister/evidence"
)

// now is the time of every test that does not say otherwise.
var now = time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)

// madeVendors keeps one vendor of each kind for all tests, because AMD's keys
// take seconds; tests that change one copy its folder first.
var madeVendors = struct {
	sync.Mutex
	dir string
}{}

// vendor returns a vendor of the test's own, made before.
func vendor(t testing.TB, kind evidence.Kind) *Vendor {
	t.Helper()
	madeVendors.Lock()
	defer madeVendors.Unlock()
	made, err := NewVendor(kind, filepath.Join(madeVendors.dir, kind.String()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(made.path())
	if err != nil {
		t.Fatal(err)
	}
	v := &Vendor{t.TempDir()}
	if err := os.WriteFile(v.path(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return v
}

func platform(t testing.TB, v *Vendor) *Platform {
	t.Helper()
	p, err := v.NewPlatform(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func source(t testing.TB, at time.Time, vendors ...*Vendor) *evidence.Set {
	t.Helper()
	src, err := Source(at, vendors...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// program is some program.
func program() Program {
	return Program{Code: Measure([]byte("program"), []byte("configuration")), ReleaseKey: DevelopmentKey, ProdID: 7, SVN: 3}
}
