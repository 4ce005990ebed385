package simtee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloister/evidence"
	"cloister/evidence/intel"
	"cloister/gate/backend"
	"cloister/wire"
)

// The test binary is also the trusted program: with partVariable in its
// environment it plays the part named there.
const (
	partVariable = "CLOISTER_SIMTEE_TEST_PART"
	dirVariable  = "CLOISTER_SIMTEE_TEST_PLATFORM"
)

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part))
	}
	dir, err := os.MkdirTemp("", "vendors")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	madeVendors.dir = dir
	code := m.Run()
	if err := errors.Join(os.RemoveAll(dir), goleak.Find()); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// report is what the played program found, on its standard output.
type report struct {
	Info     backend.Info
	Evidence []byte
	Code     [32]byte // seal keys
	Signer   [32]byte
	Counter  uint64
	Random   []byte
	Env      []string
	Args     []string
}

func play(part string) int {
	hw, err := client()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	switch part {
	case "report":
		return tell(hw)
	case "lanes": // what is on one inherited descriptor goes to the other
		in, out := os.NewFile(3, "in"), os.NewFile(5, "out")
		if _, err := io.Copy(out, in); err != nil {
			return 98
		}
		return 7
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "junk":
		_, _ = os.NewFile(BackendFD, "hardware").Write(bytes.Repeat([]byte{0xee}, 64))
	case "orphan": // says who it is, and ends when its hardware has
		fmt.Println(os.Getpid())
		<-hw.Gone()
		return 5
	case "deaf": // does not even look
		fmt.Println(os.Getpid())
		select {}
	case "machine-orphan", "machine-deaf":
		return playMachine(strings.TrimPrefix(part, "machine-"))
	}
	<-hw.Gone()
	return 97
}

// playMachine is a machine in a process of its own.
func playMachine(part string) int {
	p, err := OpenPlatform(os.Getenv(dirVariable))
	if err != nil {
		return 96
	}
	self, err := os.Executable()
	if err != nil {
		return 96
	}
	m, err := Start(Config{Platform: p, Program: self, Env: []string{partVariable + "=" + part}, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return 96
	}
	code, _ := m.Wait()
	return code
}

func client() (*backend.Client, error) {
	if strings.HasPrefix(os.Getenv(partVariable), "machine-") {
		return nil, nil
	}
	f := os.NewFile(BackendFD, "hardware")
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return backend.NewClient(conn)
}

func tell(hw *backend.Client) int {
	r := report{Info: hw.Info(), Random: make([]byte, 32), Env: os.Environ(), Args: os.Args}
	e, err := hw.Attest([64]byte{9})
	if err == nil {
		r.Evidence = e.Bytes()
		r.Code, err = hw.SealKey(backend.SealCode, "vault")
	}
	if err == nil {
		r.Signer, err = hw.SealKey(backend.SealSigner, "vault")
	}
	if err == nil {
		r.Counter, err = hw.IncrementCounter("boots")
	}
	if err == nil {
		_, err = hw.Elapsed()
	}
	if err == nil {
		err = hw.Random(r.Random)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 95
	}
	return 42
}

// self is a copy of this test's program, changed by one byte after its end if
// asked to.
func self(t *testing.T, changed bool) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if changed {
		b = append(b, 0)
	}
	path = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a part to its end and returns what it wrote.
func run(t *testing.T, part string, cfg Config) (code int, out []byte, err error) {
	t.Helper()
	var stdout bytes.Buffer
	cfg.Env, cfg.Stdout, cfg.Stderr = []string{partVariable + "=" + part}, &stdout, os.Stderr
	m, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	code, err = m.Wait()
	return code, stdout.Bytes(), err
}

func reported(t *testing.T, cfg Config) (r report) {
	t.Helper()
	code, out, err := run(t, "report", cfg)
	if err != nil || code != 42 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAProgramIsMeasuredAndServed(t *testing.T) {
	v := vendor(t, evidence.SGX)
	p := platform(t, v)
	path := self(t, false)
	bin, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Platform: p, Program: path, Args: []string{"one"}, Measured: []byte("configuration"), ProdID: 1, SVN: 2}
	r := reported(t, cfg)
	if !r.Info.Simulated || r.Info.Kind != evidence.SGX || r.Info.Caps&backend.CapIsolated != 0 {
		t.Errorf("info %+v", r.Info)
	}
	e, err := evidence.Decode(r.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	res, err := intel.Verify(e, source(t, now, v), now.Unix())
	if err != nil {
		t.Fatal(err)
	}
	if want := Measure(bin, []byte("configuration")).CodeID(evidence.SGX); res.Code != want || res.ProdID != 1 || res.SVN != 2 || res.ReportData != [64]byte{9} {
		t.Errorf("measured %+v, want code %s", res.Measurement, want)
	}
	if r.Counter != 1 || bytes.Equal(r.Random, make([]byte, 32)) {
		t.Errorf("counter %d, random %x", r.Counter, r.Random)
	}
	if len(r.Env) != 1 || len(r.Args) != 2 || r.Args[1] != "one" {
		t.Errorf("environment %q, arguments %q", r.Env, r.Args)
	}

	// A restart on the same platform has the same keys, and what counts goes on.
	again := reported(t, cfg)
	if again.Code != r.Code || again.Signer != r.Signer || again.Counter != 2 || bytes.Equal(again.Random, r.Random) {
		t.Errorf("after a restart %+v", again)
	}
	if r.Code == r.Signer {
		t.Error("both policies give one key")
	}
}

func TestOneOtherByteIsAnotherProgram(t *testing.T) {
	p := platform(t, vendor(t, evidence.SGX))
	r, other := reported(t, Config{Platform: p, Program: self(t, false)}), reported(t, Config{Platform: p, Program: self(t, true)})
	if r.Code == other.Code {
		t.Error("the seal key of another program")
	}
	if r.Signer != other.Signer {
		t.Error("a program of the same signer cannot read the store")
	}
	if bytes.Equal(r.Evidence[:200], other.Evidence[:200]) {
		t.Error("the measurement of another program")
	}
	elsewhere := reported(t, Config{Platform: platform(t, vendor(t, evidence.SGX)), Program: self(t, false)})
	if elsewhere.Code == r.Code || elsewhere.Signer == r.Signer {
		t.Error("the seal key of another platform")
	}
}

func TestTheGatePassesThroughAroundTheHardware(t *testing.T) {
	in, host, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if _, err := host.WriteString("through the gate"); err != nil {
		t.Fatal(err)
	}
	host.Close()
	code, _, err := run(t, "lanes", Config{
		Platform: platform(t, vendor(t, evidence.SGX)), Program: self(t, false), Files: []*os.File{in, out},
	})
	if err != nil || code != 7 {
		t.Errorf("exit code %d, %v", code, err)
	}
	// Reading to the end shows that the machine has kept no end of the gate.
	if b, err := io.ReadAll(back); err != nil || string(b) != "through the gate" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestTheEndOfAProgramIsToldAsItWas(t *testing.T) {
	p := platform(t, vendor(t, evidence.SGX))
	if code, _, err := run(t, "killed", Config{Platform: p, Program: self(t, false)}); code != 128+9 || err != nil {
		t.Errorf("killed: %d, %v", code, err)
	}
	if code, _, err := run(t, "junk", Config{Platform: p, Program: self(t, false)}); code != 128+9 || !errors.Is(err, backend.ErrProtocol) {
		t.Errorf("junk: %d, %v", code, err)
	}
	if _, err := Start(Config{Platform: p, Program: "/nowhere/program"}); err == nil {
		t.Error("a program that is not there was started")
	}
	if _, err := Start(Config{Platform: p, Program: t.TempDir()}); err == nil {
		t.Error("a folder was started")
	}
	notProgram := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notProgram, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Config{Platform: p, Program: notProgram, Control: notProgram + ".sock"}); err == nil {
		t.Error("a text was started")
	}
}

func TestAMachineCanEndItsProgram(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	m, err := Start(Config{
		Platform: platform(t, vendor(t, evidence.SGX)), Program: self(t, false),
		Env: []string{partVariable + "=deaf"}, Stdout: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	if pid := firstNumber(t, in); pid != m.Pid() {
		t.Errorf("pid %d, the program says %d", m.Pid(), pid)
	}
	m.Kill()
	if code, err := m.Wait(); code != 128+9 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
	m.Kill() // of what is gone already
}

func TestTheProgramDiesWithItsMachine(t *testing.T) {
	for _, part := range []string{"orphan", "deaf"} {
		t.Run(part, func(t *testing.T) {
			p := platform(t, vendor(t, evidence.SGX))
			machine := exec.Command(self(t, false))
			machine.Env = []string{partVariable + "=machine-" + part, dirVariable + "=" + p.dir}
			out, err := machine.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := machine.Start(); err != nil {
				t.Fatal(err)
			}
			pid := firstNumber(t, out)
			if err := syscall.Kill(pid, 0); err != nil {
				t.Fatalf("the program is not there: %v", err)
			}
			if err := machine.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = machine.Wait()
			for alive(pid) {
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func firstNumber(t *testing.T, r io.Reader) (n int) {
	t.Helper()
	if _, err := fmt.Fscan(r, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// alive tells a running process from one that is gone or only a zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

func TestSealKeysFollowTheirPolicy(t *testing.T) {
	p := platform(t, vendor(t, evidence.SNP))
	base := program()
	key := func(prog Program, policy backend.SealPolicy, label string) [32]byte {
		k, err := p.SealKey(prog, policy, label)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	change := map[string]func(*Program){
		"code": func(p *Program) { p.Code = Measure([]byte("other"), nil) }, "signer": func(p *Program) { p.ReleaseKey = []byte("other") },
		"product": func(p *Program) { p.ProdID++ }, "version": func(p *Program) { p.SVN++ }, "debug": func(p *Program) { p.Debug = true },
	}
	for what, same := range map[string]map[backend.SealPolicy]bool{
		"code": {backend.SealSigner: true}, "signer": {backend.SealCode: true}, "product": {backend.SealCode: true},
		"version": {backend.SealCode: true}, "debug": {},
	} {
		for _, policy := range []backend.SealPolicy{backend.SealCode, backend.SealSigner} {
			other := base
			change[what](&other)
			if got := key(base, policy, "x") == key(other, policy, "x"); got != same[policy] {
				t.Errorf("policy %d, another %s: same key %t", policy, what, got)
			}
		}
	}
	if key(base, backend.SealCode, "x") == key(base, backend.SealCode, "y") {
		t.Error("the label makes no difference")
	}
	if _, err := p.SealKey(base, 9, "x"); !errors.Is(err, backend.ErrBadRequest) {
		t.Errorf("unknown policy: %v", err)
	}
}

func TestFaults(t *testing.T) {
	v := vendor(t, evidence.SGX)
	p := platform(t, v)
	// A short name: socket paths have few bytes.
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "c")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	m, err := Start(Config{Platform: p, Program: self(t, false), Env: []string{partVariable + "=deaf"}, Stdout: out, Control: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Wait()
	defer m.Kill()
	out.Close()
	firstNumber(t, in)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := json.NewDecoder(conn)
	do := func(c Command) (a Answer) {
		t.Helper()
		if err := json.NewEncoder(conn).Encode(c); err != nil {
			t.Fatal(err)
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	fine := func(c Command) Answer {
		t.Helper()
		a := do(c)
		if a.Error != "" {
			t.Fatalf("%+v: %s", c, a.Error)
		}
		return a
	}

	for range 5 {
		if _, err := p.IncrementCounter("boots"); err != nil {
			t.Fatal(err)
		}
	}
	fine(Command{Do: "counter", Name: "boots", Value: 2})
	if n, err := m.hw.ReadCounter("boots"); err != nil || n != 2 {
		t.Errorf("after a rollback: %d, %v", n, err)
	}

	fine(Command{Do: "clock", Rate: 0, JumpMS: 3_600_000})
	stopped, err := m.hw.Elapsed()
	if err != nil || stopped < time.Hour {
		t.Errorf("after a jump: %v, %v", stopped, err)
	}
	if again, err := m.hw.Elapsed(); err != nil || again != stopped {
		t.Errorf("a stopped clock went from %v to %v, %v", stopped, again, err)
	}

	attested := func() evidence.Result {
		t.Helper()
		e, err := m.hw.Attest([64]byte{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := intel.Verify(e, source(t, now, v), now.Unix())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	fine(Command{Do: "tcb", Level: 1})
	if r := attested(); r.Status != evidence.OutOfDate {
		t.Errorf("on level 1: %s", r.Status)
	}
	fine(Command{Do: "debug", On: true})
	if !attested().Debug {
		t.Error("debugging does not show")
	}

	victim := Measure([]byte("the approved program"), nil)
	a := fine(Command{Do: "attest", Enclave: victim.Enclave[:], ReleaseKey: []byte("key"), ReportData: bytes.Repeat([]byte{5}, 64), SVN: 9})
	e, err := evidence.Decode(a.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := intel.Verify(e, source(t, now, v), now.Unix()); err != nil || r.Code != victim.CodeID(evidence.SGX) || r.SVN != 9 || r.ReportData[63] != 5 || r.Debug {
		t.Errorf("with the leaked key: %+v, %v", r, err)
	}

	fine(Command{Do: "revoke", Vendor: v.dir})
	if _, err := intel.Verify(e, source(t, now, v), now.Unix()); wire.CodeOf(err) != wire.ErrEvidenceRevoked {
		t.Errorf("revoked: %v", err)
	}

	for _, c := range []Command{
		{Do: "explode"}, {Do: "counter"}, {Do: "clock", Rate: -1}, {Do: "clock", Rate: 1 << 40}, {Do: "tcb"}, {Do: "tcb", Level: 99},
		{Do: "attest", Enclave: []byte{1}}, {Do: "revoke", Vendor: dir},
	} {
		if do(c).Error == "" {
			t.Errorf("%+v was carried out", c)
		}
	}
	if _, err := conn.Write([]byte("{\"do\":\"tcb\",\"unknown\":1}\n")); err != nil {
		t.Fatal(err)
	}
	var refused Answer
	if err := answers.Decode(&refused); err != nil || refused.Error == "" {
		t.Errorf("an unknown field was passed over: %v", err)
	}
}

func TestTheClockRunsAsItIsSet(t *testing.T) {
	var real time.Duration
	c := newClock(func() time.Duration { return real })
	step := func(d, want time.Duration) {
		t.Helper()
		real += d
		if got := c.elapsed(); got != want {
			t.Errorf("elapsed %v, want %v", got, want)
		}
	}
	step(10*time.Second, 10*time.Second)
	c.set(200, 0)
	step(10*time.Second, 30*time.Second)
	c.set(50, time.Minute)
	step(10*time.Second, 95*time.Second)
	c.set(0, 0)
	step(time.Hour, 95*time.Second)
	c.set(100, -time.Hour)
	step(time.Second, time.Second)
}

func FuzzCommand(f *testing.F) {
	f.Add([]byte(`{"do":"clock","rate":0,"jump_ms":-5}`))
	f.Add([]byte(`{"do":"attest","enclave":"00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd, err := parseCommand(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseCommand(again); err != nil || fmt.Sprint(back) != fmt.Sprint(cmd) {
			t.Errorf("%s is read as %+v, %v", again, back, err)
		}
	})
}
