package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/bench"
	"cloister/client"
	"cloister/wire"
)

// patience bounds every wait for something that must happen.
const patience = 2 * time.Minute

var programs struct {
	once sync.Once
	dir  string
	err  error
}

// program is the path of the command line, with the trusted program beside it.
func program(t *testing.T) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir = os.Getenv("CLOISTER_BIN"); programs.dir != "" {
			return
		}
		if programs.dir, programs.err = os.MkdirTemp("", "cloister-bin-"); programs.err != nil {
			return
		}
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", programs.dir, "cloister/cmd/...")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			programs.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, "cloister")
}

// network is a development network in a process of its own.
type network struct {
	t       *testing.T
	home    string
	cmd     *exec.Cmd
	stop    func()
	genesis *wire.Genesis
	key     wire.PrivateKey

	Validators []struct {
		Name     string `json:"name"`
		Endpoint string `json:"endpoint"`
		Anchor   string `json:"anchor"`
		Log      string `json:"log"`
	} `json:"validators"`
}

// devNetwork runs `cloister dev`, with more flags, until the test ends.
func devNetwork(t *testing.T, home string, validators int, more ...string) *network {
	t.Helper()
	n := &network{t: t, home: home}
	n.cmd = exec.Command(program(t), append([]string{"dev", "--home", home, "--validators", fmt.Sprint(validators), "--json"}, more...)...)
	n.cmd.Stderr = os.Stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.stop = sync.OnceFunc(func() {
		_ = n.cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = n.cmd.Wait()
	})
	t.Cleanup(n.stop)
	t.Cleanup(func() {
		if t.Failed() {
			n.showLogs()
		}
	})
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(n); err != nil {
		t.Fatalf("cloister dev did not say that it runs: %v", err)
	}
	file, err := os.ReadFile(filepath.Join(home, "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	if n.genesis, err = wire.ParseGenesis(file); err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(filepath.Join(home, "keys", "dev*"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("key files %v, %v", keys, err)
	}
	b, err := os.ReadFile(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	kf, err := wire.ParseKeyFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if n.key, err = kf.Open(nil); err != nil {
		t.Fatal(err)
	}
	return n
}

// showLogs prints how each log in the network's home ends, whether the network
// came up or not.
func (n *network) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(n.home, "*", "validator.log"))
	for _, name := range logs {
		n.t.Logf("%s:\n%s", name, tail(name))
	}
}

// dial makes a client of the given validators, or of all.
func (n *network) dial(which ...int) *client.Client {
	n.t.Helper()
	var endpoints []string
	for i, v := range n.Validators {
		if len(which) == 0 || slices.Contains(which, i) {
			endpoints = append(endpoints, v.Endpoint)
		}
	}
	c, err := client.Dial(endpoints, n.genesis, client.Options{})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(c.Close)
	return c
}

// processes are the network's hosts and cores that run now.
func (n *network) processes() (hosts, cores []int) {
	for _, pid := range bench.Family([]int{n.cmd.Process.Pid})[1:] {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		switch strings.TrimSpace(string(comm)) {
		case "cloister":
			hosts = append(hosts, pid)
		case "cloister-core":
			cores = append(cores, pid)
		}
	}
	return hosts, cores
}

// eventually repeats f until it returns nil.
func eventually(t *testing.T, what string, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, last)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
