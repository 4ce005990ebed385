package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/gate"
	"cloister/gate/backend"
	"cloister/gate/gatetest"
	"cloister/simtee"
)

// The test binary is also cloister-simtee and the trusted program; its first
// argument says which.
const (
	asSimtee  = "test-simtee"
	asProgram = "test-program"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case asSimtee:
			os.Args = append(os.Args[:1], os.Args[2:]...)
			main()
		case asProgram:
			os.Exit(program())
		}
	}
	os.Exit(m.Run())
}

// program opens its gate and its hardware and exits with 33 if all is as it
// should be, after the host has asked it to stop.
func program() int {
	core, err := gate.Open(os.Getenv(gate.Variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return gate.ExitCode(err)
	}
	conn, err := net.FileConn(os.NewFile(simtee.BackendFD, "hardware"))
	if err != nil {
		return 91
	}
	hw, err := backend.NewClient(conn)
	if err != nil {
		return 92
	}
	e, err := hw.Attest([64]byte{})
	if err != nil || e.Kind != evidence.SGX {
		return 93
	}
	if env := os.Environ(); len(env) != 1 || len(os.Args) != 3 || os.Args[2] != "argument" {
		return 94
	}
	s := &stopper{stop: make(chan struct{})}
	core.Handle(s)
	<-s.stop
	core.Close()
	return 33
}

// stopper is a core that only ends.
type stopper struct{ stop chan struct{} }

func (s *stopper) Start(_ gate.Start, r *gate.Reply[gate.Ready]) {
	r.Answer(gate.Ready{Simulated: true})
}
func (s *stopper) Submit(_ [][]byte, r *gate.Reply[[]gate.SubmitResult]) { r.Fail(gate.ErrRefused) }
func (s *stopper) Query(_ uint16, _ []byte, r *gate.Reply[[]byte])       { r.Fail(gate.ErrRefused) }
func (s *stopper) Status(r *gate.Reply[[]byte])                          { r.Fail(gate.ErrRefused) }
func (s *stopper) Archived(uint64)                                       {}
func (s *stopper) Stop(_ time.Duration, r *gate.Reply[struct{}])         { r.Answer(struct{}{}); close(s.stop) }

// made makes a vendor and a platform with the subcommands.
func made(t *testing.T) (platform string) {
	t.Helper()
	vendor := filepath.Join(t.TempDir(), "vendor")
	platform = filepath.Join(t.TempDir(), "platform")
	for _, args := range [][]string{{"new-vendor", "sgx", vendor}, {"new-platform", vendor, platform}} {
		var out bytes.Buffer
		if code, err := run(args, &out); code != 0 || err != nil || !strings.Contains(out.String(), "simulated sgx") {
			t.Fatalf("%q: %d, %v, %s", args, code, err, out.String())
		}
	}
	return platform
}

func TestAHostStartsSimteeWhereItWouldStartTheCore(t *testing.T) {
	platform := made(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lanes, files, variable, err := gate.NewChild()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, asSimtee, "--platform", platform, "--", self, asProgram, "argument")
	cmd.Env = []string{gate.Variable + "=" + variable}
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	g, err := gate.Serve(lanes, gate.Token{}, gatetest.NewMemory(), host{})
	if err != nil {
		t.Fatal(err)
	}
	if ready, err := g.Start(t.Context(), []byte("x"), gate.Options{}); err != nil || !ready.Simulated {
		t.Errorf("ready: %+v, %v", ready, err)
	}
	if err := g.Stop(t.Context(), time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
	<-g.Done() // the program has gone, and simtee holds no end of the gate
	g.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 33 {
		t.Errorf("exit: %v", err)
	}
}

func TestMeasureSaysWhatEvidenceWillSay(t *testing.T) {
	bin, cfg := filepath.Join(t.TempDir(), "bin"), filepath.Join(t.TempDir(), "cfg")
	for name, content := range map[string]string{bin: "program", cfg: "configuration"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want simtee.Measured
	}{
		{[]string{"measure", bin}, simtee.Measure([]byte("program"), nil)},
		{[]string{"measure", bin, cfg}, simtee.Measure([]byte("program"), []byte("configuration"))},
	} {
		var out bytes.Buffer
		if code, err := run(c.args, &out); code != 0 || err != nil {
			t.Fatalf("%d, %v", code, err)
		}
		for kind, id := range c.want.CodeIDs() {
			if !strings.Contains(out.String(), fmt.Sprintf("%s %s\n", kind, id)) {
				t.Errorf("%s of %q: %s", kind, c.args, out.String())
			}
		}
	}
}

func TestWhatCannotBeDoneHasACodeOfItsOwn(t *testing.T) {
	platform := made(t)
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"nothing":         {nil, exitUsage},
		"no program":      {[]string{"--platform", platform}, exitUsage},
		"no platform":     {[]string{"--", "program"}, exitUsage},
		"unknown kind":    {[]string{"new-vendor", "tdx", t.TempDir()}, exitUsage},
		"version":         {[]string{"--platform", platform, "--svn", "65536", "--", "program"}, exitUsage},
		"not a platform":  {[]string{"--platform", t.TempDir(), "--", "program"}, exitFailed},
		"not a vendor":    {[]string{"new-platform", t.TempDir(), t.TempDir()}, exitFailed},
		"missing program": {[]string{"--platform", platform, "--", "/nowhere/program"}, exitFailed},
		"missing config":  {[]string{"--platform", platform, "--config", "/nowhere", "--", "/bin/true"}, exitFailed},
		"missing file":    {[]string{"measure", "/nowhere"}, exitFailed},
		"few arguments":   {[]string{"new-vendor"}, exitUsage},
	} {
		if code, err := run(c.args, io.Discard); code != c.want || err == nil {
			t.Errorf("%s: %d, %v", name, code, err)
		}
	}
}

// host is a host nobody asks for anything.
type host struct{}

func (host) Dial(context.Context, string) (net.Conn, error) { return nil, gate.ErrRefused }
func (host) Fetch(context.Context, gate.FetchKind, []byte) ([]byte, error) {
	return nil, gate.ErrNotFound
}
func (host) Final(gate.Final) {}
func (host) Undo(gate.Undo)   {}
func (host) Event(gate.Event) {}
func (host) Fatal(gate.Fatal) {}
