package main

import (
	"crypto/rand"
	"crypto/rsa"
	"net"
	"os"
	"path/filepath"
	"testing"

	"cloister/gate"
)

func TestTheHostDoesNotSayWhichKeysAreAccepted(t *testing.T) {
	weak := func() error { _, err := rsa.GenerateKey(rand.Reader, 512); return err }
	t.Setenv("GODEBUG", "rsa1024min=0")
	if err := weak(); err != nil {
		t.Fatalf("the setting changes nothing: %v", err)
	}
	takeNoSettings()
	if weak() == nil {
		t.Error("a setting of the host's is followed")
	}
}

// The descriptor of the hardware is looked at in the process of the test, so
// only what kinds of files pass for one is tried here.
func TestOnlyASocketIsHardware(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *os.File{
		"the null device": func(t *testing.T) *os.File { return opened(t, os.DevNull) },
		"a file":          func(t *testing.T) *os.File { return created(t) },
		"a pipe": func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.Close() })
			return r
		},
	} {
		f := open(t)
		if isSocket(int(f.Fd())) {
			t.Errorf("%s passes for hardware", name)
		}
		if f.Close(); isSocket(int(^uint32(0) >> 1)) {
			t.Error("a descriptor that is not open passes for hardware")
		}
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !isSocket(int(f.Fd())) {
		t.Error("a socket is none")
	}
}

func TestACoreWithoutLanesHasNoSimulatedHardware(t *testing.T) {
	for _, address := range []string{"", "tcp:127.0.0.1:1", "unix:/x", "FD:3,5,6"} {
		t.Setenv(gate.Variable, address)
		if simulatedChannel() != nil {
			t.Errorf("%q", address)
		}
	}
}

func TestDeviceFilesAreReadUpToTheirBoundAndNeverMade(t *testing.T) {
	f := created(t)
	if _, err := f.Write([]byte("1234")); err != nil {
		t.Fatal(err)
	}
	if b, err := (deviceFiles{}).ReadFile(f.Name(), 4); err != nil || string(b) != "1234" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := (deviceFiles{}).ReadFile(f.Name(), 3); err == nil {
		t.Errorf("%q is more than was asked for", b)
	}
	if b, err := (deviceFiles{}).ReadFile("/dev/zero", 1<<10); err == nil {
		t.Errorf("a device without an end gave %d bytes", len(b))
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if err := (deviceFiles{}).WriteFile(missing, nil); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

func opened(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func created(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
