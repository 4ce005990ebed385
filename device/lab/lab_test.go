package lab

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloister/device/tpm"
	evidencetpm "cloister/evidence/tpm"
)

func maker(t *testing.T) *Manufacturer {
	t.Helper()
	m, err := NewManufacturer(t.TempDir(), "Maker")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatIsMissingIsNamedWithThePackagesThatHaveIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	saved := places
	places = nil
	defer func() { places = saved }()
	_, err := NewManufacturer(t.TempDir(), "Maker")
	if !errors.Is(err, ErrMissing) {
		t.Fatal(err)
	}
	for _, word := range []string{"swtpm_setup", "swtpm_localca", "apt-get install swtpm swtpm-tools"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestAManufacturerIsFoundAgain(t *testing.T) {
	folder := t.TempDir()
	m, err := NewManufacturer(folder, "Maker")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewManufacturer(folder, "Maker")
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Root()
	b, errAgain := again.Root()
	if err != nil || errAgain != nil || !slices.Equal(a, b) {
		t.Errorf("another root, %v, %v", err, errAgain)
	}
	for _, name := range []string{"", "two words", "línea"} {
		if _, err := NewManufacturer(t.TempDir(), name); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

// chip opens the TPM of a machine that is on.
func chip(t *testing.T, m *Machine) *tpm.TPM {
	t.Helper()
	c, err := tpm.Open(m.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestAMachineKeepsItsIdentityAndCountsItsStarts(t *testing.T) {
	maker, folder := maker(t), t.TempDir()
	m, err := maker.Make(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop() })
	start := func(m *Machine) (certificate []byte, resets uint32) {
		t.Helper()
		if err := errors.Join(m.Start(), m.Start()); err != nil { // the second does nothing
			t.Fatal(err)
		}
		c := chip(t, m)
		certificate, err := c.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		q, err := c.Quote(evidencetpm.Select(0), [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		st, err := evidencetpm.ParseAttest(q.Attest)
		if err != nil {
			t.Fatal(err)
		}
		return certificate, st.ResetCount
	}
	first, one := start(m)
	m.Stop()
	m.Stop() // it is off
	_, two := start(m)
	m.Kill()
	again, err := maker.Make(folder) // it is there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Stop() })
	same, three := start(again)
	if !slices.Equal(first, same) || two <= one || three <= two {
		t.Errorf("resets %d, %d, %d; the same certificate: %v", one, two, three, slices.Equal(first, same))
	}
}

func TestSocketsAreReachableHoweverLongTheFoldersName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	m, err := maker(t).Make(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	socket := m.Socket()
	if len(socket) >= maxSocket {
		t.Errorf("%d bytes", len(socket))
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	m.Stop()
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sockets' folder stays: %v", err)
	}
}

func TestBootingWritesALogThatExplainsThePCRs(t *testing.T) {
	m, err := maker(t).Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	events := Software{Firmware: "1", Loader: []byte("shim"), Kernel: []byte("linux"), Command: "ro"}.Events()
	if err := m.Boot(events...); err == nil {
		t.Error("a machine boots while it is off")
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	if err := m.Boot(events...); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(m.BootLogFile())
	if err != nil {
		t.Fatal(err)
	}
	read, err := evidencetpm.ParseEventLog(b)
	if err != nil || len(read) != len(events) {
		t.Fatalf("%d events of %d, %v", len(read), len(events), err)
	}
	selection := evidencetpm.Select(0, 1, 4, 7, 8, 9)
	p, err := chip(t, m).Show(tpm.Ask{Selection: selection, BootLog: b, AppLog: evidencetpm.AppLog{}, Qualify: func(r [32]byte) [32]byte { return r }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidencetpm.Replay(p, 13); err != nil {
		t.Error(err)
	}
}

func TestACopyIsTheSameMachineApart(t *testing.T) {
	m, err := maker(t).Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Clone(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop(); c.Stop() })
	if err := errors.Join(m.Start(), c.Start()); err != nil {
		t.Fatal(err)
	}
	a, errA := chip(t, m).AK()
	b, errB := chip(t, c).AK()
	if errA != nil || errB != nil || !slices.Equal(a.Public, b.Public) || m.Socket() == c.Socket() {
		t.Errorf("%x, %x, %v, %v", a.Public, b.Public, errA, errB)
	}
}
