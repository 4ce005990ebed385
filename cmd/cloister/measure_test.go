package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloister/evidence"
	"cloister/gate/backend"
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

// simulators is the folder with the simulator, and with it the command line.
func simulators(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(programs, simulator)); !errors.Is(err, fs.ErrNotExist) {
		return programs
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", dir+"/", "cloister/cmd/cloister", "cloister/cmd/"+simulator)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
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

func TestMeasuredCodeIDsAreThoseInEvidence(t *testing.T) {
	dir, work := simulators(t), t.TempDir()
	simtee, cloister := filepath.Join(dir, simulator), filepath.Join(dir, "cloister")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(work, "core.toml")
	if err := os.WriteFile(config, []byte("chain = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var measured shownMeasures
	decode(t, output(t, cloister, "measure", "--json", "--binary", self, "--config", config), &measured)
	if len(measured.Measure) != 3 || measured.Note != "" {
		t.Fatalf("measured %+v", measured)
	}
	for _, m := range measured.Measure {
		t.Run(m.Kind, func(t *testing.T) {
			vendor, platform := filepath.Join(work, m.Kind+"-vendor"), filepath.Join(work, m.Kind)
			output(t, simtee, "new-vendor", m.Kind, vendor)
			output(t, simtee, "new-platform", vendor, platform)
			file := filepath.Join(work, m.Kind+".evidence")
			e := output(t, simtee, "--platform", platform, "--config", config, "--", self, asAttester)
			if err := os.WriteFile(file, []byte(e), 0o600); err != nil {
				t.Fatal(err)
			}
			var said shownEvidence
			decode(t, output(t, cloister, "evidence", "show", "--json", file), &said)
			if said.Kind != m.Kind || *said.CodeID != m.CodeID || !m.Simulated {
				t.Errorf("measured %+v, evidence of %s says %s", m, said.Kind, said.CodeID)
			}
		})
	}

	var other shownMeasures
	decode(t, output(t, cloister, "measure", "--json", "--binary", self), &other)
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

func TestAProgramIsShownByItsDigestWithoutTheSimulator(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s shownMeasures
	decode(t, ok(t, "", "measure", "--json", "--binary", file), &s)
	if *s.SHA256 != wire.Hash(sha256.Sum256([]byte("program"))) || len(s.Measure) != 0 || !strings.Contains(s.Note, simulator) {
		t.Errorf("%+v", s)
	}
}

func TestWhatCannotBeMeasuredIsExitTwo(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--config", "x"}, {"--binary", "/nowhere/program"}, {"--mrenclave", "12"}, {"--mrenclave", strings.Repeat("z", 64)},
		{"--config", "x", "--mrenclave", strings.Repeat("0", 64)},
	} {
		if o := cli(t, "", append([]string{"measure"}, args...)...); o.code != wire.ExitUsage {
			t.Errorf("%v: exit %d, %s", args, o.code, o.errs)
		}
	}
}

func FuzzMeasured(f *testing.F) {
	f.Add([]byte("sgx " + strings.Repeat("0a", 32) + "\n"))
	f.Add([]byte("abacus 12\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		codes, err := parseMeasured(b)
		if (err == nil) == (len(codes) == 0) || len(codes) > maxMeasured/64 {
			t.Fatalf("%d code ids, %v", len(codes), err)
		}
	})
}
