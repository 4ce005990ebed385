package machine_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"cloister/device/lab"
	"cloister/device/machine"
	"cloister/device/tpm"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
)

var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "maker-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

var maker = sync.OnceValues(func() (*lab.Manufacturer, error) { return lab.NewManufacturer(folder, "One") })

// computer is a machine of the lab, on, and how to open it.
type computer struct {
	*testing.T
	lab *lab.Machine
	tpm *tpm.TPM
}

func newComputer(t *testing.T) *computer {
	t.Helper()
	m, err := maker()
	if err != nil {
		t.Fatal(err)
	}
	made, err := m.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &computer{T: t, lab: made}
	t.Cleanup(made.Stop)
	c.start()
	return c
}

func (c *computer) start() {
	c.Helper()
	if err := c.lab.Start(); err != nil {
		c.Fatal(err)
	}
	if err := c.lab.Boot(lab.Software{Firmware: "1"}.Events()...); err != nil {
		c.Fatal(err)
	}
	var err error
	if c.tpm, err = tpm.Open(c.lab.Socket()); err != nil {
		c.Fatal(err)
	}
}

func (c *computer) open() (*machine.Machine, error) {
	issuing, err := c.lab.Manufacturer().Issuing()
	if err != nil {
		c.Fatal(err)
	}
	return machine.Open(machine.Config{
		TPM: c.tpm, Home: filepath.Join(c.lab.Folder(), "home"), BootLog: c.lab.BootLogFile(), Issuing: [][]byte{issuing}, AppPCR: 13,
	})
}

func (c *computer) must() *machine.Machine {
	c.Helper()
	m, err := c.open()
	if err != nil {
		c.Fatal(err)
	}
	return m
}

func (c *computer) pcr() wire.Hash {
	c.Helper()
	v, err := c.tpm.PCRs(evidencetpm.Select(13))
	if err != nil {
		c.Fatal(err)
	}
	return v[0]
}

func entry(version string) evidencetpm.AppEntry {
	return evidencetpm.AppEntry{Component: evidencetpm.NodeBinary, Version: version, Digest: sha256.Sum256([]byte(version))}
}

func (c *computer) measure(m *machine.Machine, versions ...string) {
	c.Helper()
	for _, v := range versions {
		if err := m.Measure(entry(v)); err != nil {
			c.Fatal(err)
		}
	}
}

func TestAProgramIsMeasuredOncePerBoot(t *testing.T) {
	c := newComputer(t)
	m := c.must()
	c.measure(m, "1", "2", "1")
	again := c.must()
	c.measure(again, "2", "3")
	want := evidencetpm.AppLog{entry("1"), entry("2"), entry("3")}
	if !slices.Equal(again.Log(), want) || c.pcr() != want.Replay() {
		t.Errorf("log %v, PCR %s", again.Log(), c.pcr())
	}
	c.lab.Kill()
	c.start()
	after := c.must()
	if len(after.Log()) != 0 || !c.pcr().IsZero() {
		t.Errorf("after a reboot the log is %v", after.Log())
	}
	c.measure(after, "3")
	if c.pcr() != (evidencetpm.AppLog{entry("3")}).Replay() {
		t.Error("the log of the last boot was measured again")
	}
	if after.Device() != m.Device() || after.Device().IsZero() {
		t.Error("a reboot makes another device")
	}
}

func TestACrashBeforeMeasuringIsRepaired(t *testing.T) {
	c := newComputer(t)
	c.measure(c.must(), "1")
	ahead := evidencetpm.AppLog{entry("1"), entry("2")}
	if err := os.WriteFile(filepath.Join(c.lab.Folder(), "home", "app.log"), ahead.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := c.must(); !slices.Equal(m.Log(), ahead) || c.pcr() != ahead.Replay() {
		t.Errorf("log %v, PCR %s", m.Log(), c.pcr())
	}
}

func TestAnUnexplainedPCRIsAnError(t *testing.T) {
	c := newComputer(t)
	c.measure(c.must(), "1")
	if err := c.tpm.Extend(13, wire.Hash{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.open(); !errors.Is(err, machine.ErrMeasured) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(c.lab.Folder(), "home", "app.log"), []byte{0xFF}, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.open(); !errors.Is(err, evidencetpm.ErrEventLog) {
		t.Errorf("a broken log: %v", err)
	}
}

func TestEvidenceCarriesBothLogs(t *testing.T) {
	c := newComputer(t)
	m := c.must()
	c.measure(m, "1")
	selection := evidencetpm.Select(0, 4, 7, 8, 9, 13)
	p, err := m.Show(selection, func(rest [32]byte) [32]byte { return rest })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidencetpm.VerifyQuote(p, m.AK(), p.Digest(), selection); err != nil {
		t.Error(err)
	}
	r, err := evidencetpm.Replay(p, 13)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Measured, func(x evidencetpm.Measured) bool { return x.Digest == entry("1").Digest }) {
		t.Errorf("%+v", r.Measured)
	}
}

func TestKeysComeBackOnlyBehindTheSameProgram(t *testing.T) {
	c := newComputer(t)
	m := c.must()
	c.measure(m, "1")
	node, vrf, err := m.Keys()
	if err != nil || node.Public() == vrf.Public() {
		t.Fatalf("%s, %s, %v", node.Public(), vrf.Public(), err)
	}
	same := func(m *machine.Machine) bool {
		n, v, err := m.Keys()
		if err != nil {
			if !errors.Is(err, tpm.ErrNotUnsealed) {
				t.Fatal(err)
			}
			return false
		}
		return n.Public() == node.Public() && v.Public() == vrf.Public()
	}
	if !same(c.must()) {
		t.Error("a restart of the program loses the keys")
	}
	reboot := func(version string) *machine.Machine {
		c.lab.Stop()
		c.start()
		m := c.must()
		c.measure(m, version)
		return m
	}
	if !same(reboot("1")) {
		t.Error("a reboot loses the keys")
	}
	if same(reboot("2")) {
		t.Error("another program has the keys")
	}
	if err := reboot("1").Prepare(entry("2")); err != nil {
		t.Fatal(err)
	}
	updated := reboot("2")
	if !same(updated) {
		t.Error("a prepared update loses the keys")
	}
	if same(reboot("1")) {
		t.Error("the version before the update still has the keys")
	}
	if err := updated.ForgetKeys(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.must().Keys(); err != nil || same(c.must()) {
		t.Errorf("no new keys after forgetting: %v", err)
	}
}

func TestAProgramIsKnownByItsBytes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := machine.Program(evidencetpm.NodeBinary, "1", file); err != nil || e != entry("1") {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := machine.Program(evidencetpm.NodeBinary, "1", file+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
