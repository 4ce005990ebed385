package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/gate/backend"
	"cloister/simtee"
	"cloister/wire"
)

// asAttester makes this test binary a trusted program that asks its hardware,
// on descriptor 4, for evidence and prints it.
const asAttester = "test-attester"

func init() {
	if len(os.Args) == 2 && os.Args[1] == asAttester {
		if err := attest(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func attest() error {
	conn, err := net.FileConn(os.NewFile(4, "hardware"))
	if err != nil {
		return err
	}
	hw, err := backend.NewClient(conn)
	if err != nil {
		return err
	}
	e, err := hw.Attest([64]byte{1, 2, 3})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(e.Bytes())
	return err
}

// simulator is the program that plays hardware: that of `make test`, or one built
// here.
func simulator(t *testing.T) string {
	t.Helper()
	if path := filepath.Join(programs, simulatorName); isThere(path) {
		return path
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", dir+"/", "cloister/cmd/"+simulatorName)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, simulatorName)
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// output runs a program that must succeed.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, errs.String())
	}
	return string(out)
}

// published writes a simulated vendor's roots and collateral into files and
// returns the flags that name them.
func published(t *testing.T, vendor string) (flags []string) {
	t.Helper()
	v, err := simtee.OpenVendor(vendor)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := v.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	items, err := v.Items(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write := func(flag string, content []byte) {
		file := filepath.Join(vendor, fmt.Sprintf("public-%d", len(flags)))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag, file)
	}
	if roots[0].Vendor == evidence.TPMMaker {
		return nil // a quote alone is not traced to its maker
	}
	for _, r := range roots {
		write("--root", r.DER)
	}
	for i := range items {
		write("--collateral", trust.ItemBytes(&items[i]))
	}
	return flags
}

func TestMeasuredCodeIDsAreThoseInEvidence(t *testing.T) {
	machine, work := simulator(t), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(work, "core.toml")
	if err := os.WriteFile(config, []byte("chain = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var measured shownMeasures
	decode(t, ok(t, "", "measure", "--json", "--binary", self, "--config", config), &measured)
	if len(measured.Measure) != 3 {
		t.Fatalf("measured %+v", measured)
	}
	for _, m := range measured.Measure {
		t.Run(m.Kind, func(t *testing.T) {
			vendor, platform := filepath.Join(work, m.Kind+"-vendor"), filepath.Join(work, m.Kind)
			output(t, machine, "new-vendor", m.Kind, vendor)
			output(t, machine, "new-platform", vendor, platform)
			file := filepath.Join(work, m.Kind+".evidence")
			e := output(t, machine, "--platform", platform, "--config", config, "--", self, asAttester)
			if err := os.WriteFile(file, []byte(e), 0o600); err != nil {
				t.Fatal(err)
			}
			var said shownEvidence
			decode(t, ok(t, "", "evidence", "show", "--json", file), &said)
			if said.Kind != m.Kind || *said.CodeID != m.CodeID || !m.Simulated {
				t.Errorf("measured %+v, evidence of %s says %s", m, said.Kind, said.CodeID)
			}
			var judged shownEvidence
			args := append([]string{"evidence", "verify", "--json", "--report-data", "010203", file}, published(t, vendor)...)
			decode(t, ok(t, "", args...), &judged)
			if f := judged.Found; f.CodeID != m.CodeID || f.Simulated != (m.Kind != evidence.TPM.String()) || f.Status != evidence.UpToDate.String() {
				t.Errorf("found %+v", f)
			}
			if o := cli(t, "", args[:6]...); (o.code == wire.ExitOK) != (m.Kind == evidence.TPM.String()) {
				t.Errorf("under the real vendors' roots: exit %d", o.code)
			}
		})
	}

	if b, err := os.ReadFile(self); err != nil || *measured.SHA256 != wire.Hash(sha256.Sum256(b)) {
		t.Errorf("digest %s, %v", measured.SHA256, err)
	}
	var other shownMeasures
	decode(t, ok(t, "", "measure", "--json", "--binary", self), &other)
	for i, m := range other.Measure {
		if m.CodeID == measured.Measure[i].CodeID {
			t.Errorf("%s: the configuration does not count", m.Kind)
		}
	}
}

func TestAnEnclavesMeasurementBecomesItsCodeID(t *testing.T) {
	const mrenclave = "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"
	var s shownMeasures
	decode(t, ok(t, "", "measure", "--json", "--mrenclave", mrenclave), &s)
	var said shownEvidence
	decode(t, ok(t, "", "evidence", "show", "--json", find(t, "01-v3").file("01-v3-processor-ca.quote")), &said)
	if len(s.Measure) != 1 || s.Measure[0].CodeID != *said.CodeID || s.Measure[0].Simulated || s.Measure[0].Kind != evidence.SGX.String() {
		t.Errorf("%+v, a quote of it says %s", s.Measure, said.CodeID)
	}
}

func TestWhatCannotBeMeasuredIsExitTwo(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--config", "x"}, {"--binary", "/nowhere/program"}, {"--binary", os.Args[0], "--config", "/nowhere/config"}, {"--mrenclave", "12"}, {"--mrenclave", strings.Repeat("z", 64)},
		{"--config", "x", "--mrenclave", strings.Repeat("0", 64)},
	} {
		if o := cli(t, "", append([]string{"measure"}, args...)...); o.code != wire.ExitUsage {
			t.Errorf("%v: exit %d, %s", args, o.code, o.errs)
		}
	}
}
