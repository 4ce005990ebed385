package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cloister/cmd/cloister/devnet"
)

// programs is the folder with both programs: CLOISTER_BIN, as `make test` sets
// it, or a folder they are built into once.
var programs = os.Getenv("CLOISTER_BIN")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, name := range os.Environ() { // the user's own network is none of a test's business
			if key, _, _ := strings.Cut(name, "="); strings.HasPrefix(key, "CLOISTER_") {
				if err := os.Unsetenv(key); err != nil {
					panic(err)
				}
			}
		}
		if programs == "" {
			dir, err := os.MkdirTemp("", "cloister-bin-")
			if err != nil {
				panic(err)
			}
			defer os.RemoveAll(dir)
			build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", dir+"/", "cloister/cmd/...")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				panic(string(out))
			}
			programs = dir
		}
		return m.Run()
	}())
}

// shell is a folder in which commands are typed as a user would.
type shell struct {
	t   *testing.T
	dir string
}

func newShell(t *testing.T) *shell { return &shell{t, t.TempDir()} }

func (s *shell) command(line string) *exec.Cmd {
	c := exec.Command("sh", "-c", line)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "HOME="+s.dir)
	return c
}

// run types a line and returns what it printed and its exit code.
func (s *shell) run(line string) outcome {
	s.t.Helper()
	c := s.command(line)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return outcome{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// ok types a line that must succeed.
func (s *shell) ok(line string) string {
	s.t.Helper()
	o := s.run(line)
	if o.code != 0 {
		s.t.Fatalf("%s: exit %d\n%s%s", line, o.code, o.out, o.errs)
	}
	return o.out
}

// network is a running `cloister dev`.
type network struct {
	shownDev
	cmd    *exec.Cmd
	errs   *bytes.Buffer
	exited bool
}

// dev starts a network and returns when it is ready. Ports are drawn below
// those of outgoing connections, so that networks of other tests keep out of
// the way.
func (s *shell) dev(flags string) *network {
	s.t.Helper()
	n := &network{errs: new(bytes.Buffer)}
	n.cmd = s.command("exec cloister dev --json --first-port " + strconv.Itoa(15_000+rand.IntN(15_000)) + " " + flags)
	n.cmd.Stderr = n.errs
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		n.stop(s.t)
		if s.t.Failed() {
			s.t.Logf("what the network said:\n%s%s", n.errs, s.logs())
		}
	})
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&n.shownDev); err != nil {
		n.stop(s.t)
		s.t.Fatalf("the network did not start: %v\n%s%s", err, n.errs, s.logs())
	}
	return n
}

// stop interrupts the network and waits for it, once.
func (n *network) stop(t *testing.T) {
	if n.exited {
		return
	}
	n.exited = true
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := n.cmd.Wait(); err != nil {
		t.Errorf("cloister dev ended with %v\n%s", err, n.errs)
	}
}

// logs are the last words of every validator under the folder.
func (s *shell) logs() string {
	names, err := filepath.Glob(filepath.Join(s.dir, "*", "*", devnet.LogFile))
	if err != nil {
		s.t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(s.dir, ".*", "*", devnet.LogFile))
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range append(names, hidden...) {
		if b, err := os.ReadFile(name); err == nil {
			all.WriteString(name + "\n" + string(b[max(0, len(b)-2000):]))
		}
	}
	return all.String()
}

// alive reports whether a process exists that is not merely waited for.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z'
}

// started lists the processes that pid started, and those that they started.
func started(pid int) (list []int) {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(word); err == nil {
				list = append(append(list, child), started(child)...)
			}
		}
	}
	return list
}
