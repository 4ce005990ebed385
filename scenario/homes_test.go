package scenario

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/client"
	"cloister/wire"
)

// command runs the command line in the network's home and reads its JSON into
// out, unless that is nil. A refusal comes back with its code.
func (n *network) command(out any, args ...string) error {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(n.t), append([]string{"--home", n.home, "--json"}, args...)...)
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	err := cmd.Run()
	if err == nil {
		if out != nil {
			err = json.Unmarshal(said.Bytes(), out)
		}
		return err
	}
	var shown struct {
		Problem struct {
			Error string    `json:"error"`
			Code  wire.Code `json:"code"`
		} `json:"problem"`
	}
	if json.Unmarshal(complained.Bytes(), &shown) == nil && shown.Problem.Code != wire.OK {
		return &wire.Fault{Code: shown.Problem.Code, Detail: shown.Problem.Error}
	}
	return fmt.Errorf("cloister %s: %w: %s", strings.Join(args, " "), err, complained.String())
}

// must is command for what has to succeed.
func (n *network) must(out any, args ...string) {
	n.t.Helper()
	if err := n.command(out, args...); err != nil {
		n.t.Fatalf("cloister %s: %v", strings.Join(args, " "), err)
	}
}

// home is a validator's folder beside those of the development network, and the
// host that runs in it, if one does.
type home struct {
	n      *network
	folder string
	api    string // host:port
	peer   string // host:port
	stop   func() // ends the host in good order and returns when it has ended
	exit   chan error
	pid    int
}

func (h *home) endpoint() string { return "http://" + h.api }

// dial makes a client of this host alone.
func (h *home) dial() *client.Client {
	h.n.t.Helper()
	c, err := client.Dial([]string{h.endpoint()}, h.n.genesis, client.Options{})
	if err != nil {
		h.n.t.Fatal(err)
	}
	h.n.t.Cleanup(c.Close)
	return c
}

// newcomer prepares a home on a new machine of a vendor ("sgx" or "snp"), whose
// host follows the network. core is the trusted program.
func (n *network) newcomer(name, vendor, core string) *home {
	n.t.Helper()
	hardware := filepath.Join(n.home, "hardware")
	tool := filepath.Join(filepath.Dir(program(n.t)), "cloister-simtee")
	if out, err := exec.Command(tool, "new-platform", filepath.Join(hardware, vendor), filepath.Join(hardware, "of-"+name)).CombinedOutput(); err != nil {
		n.t.Fatalf("new-platform: %v: %s", err, out)
	}
	h := &home{n: n, folder: filepath.Join(n.home, name), api: freeAddress(n.t), peer: freeAddress(n.t)}
	platform := "{home}/../hardware/of-" + name
	launcher := []string{"cloister-simtee", "--platform", platform, "--control", platform + "/control", "--"}
	var endpoints []string
	for _, v := range n.Validators {
		endpoints = append(endpoints, v.Endpoint)
	}
	file := fmt.Sprintf("[core]\npath = %q\n[hardware]\nlauncher = %s\n[api]\nlisten = %q\n[peer]\nlisten = %q\n[follow]\nendpoints = %s\n",
		core, list(launcher), h.api, h.peer, list(endpoints))
	if err := os.MkdirAll(h.folder, 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.folder, "node.toml"), []byte(file), 0o644); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.folder, "genesis.json"), n.genesis.File(), 0o644); err != nil {
		n.t.Fatal(err)
	}
	return h
}

// list writes texts as a list of TOML.
func list(texts []string) string {
	var quoted []string
	for _, t := range texts {
		quoted = append(quoted, fmt.Sprintf("%q", t))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// validator is the home of one of the network's validators, counted from 0,
// which the network's own process runs.
func (n *network) validator(i int) *home {
	return &home{n: n, folder: filepath.Dir(n.Validators[i].Log), api: strings.TrimPrefix(n.Validators[i].Endpoint, "http://")}
}

// edit changes the home's node.toml.
func (h *home) edit(from, to string) {
	h.n.t.Helper()
	name := filepath.Join(h.folder, "node.toml")
	b, err := os.ReadFile(name)
	if err != nil {
		h.n.t.Fatal(err)
	}
	found := regexp.MustCompile(from)
	if !found.Match(b) {
		h.n.t.Fatalf("%s has no %s", name, from)
	}
	if err := os.WriteFile(name, found.ReplaceAll(b, []byte(to)), 0o644); err != nil {
		h.n.t.Fatal(err)
	}
}

// follow has the home's host take blocks from another, whoever it took them from.
func (h *home) follow(endpoint string) {
	h.n.t.Helper()
	h.edit(`(?m)^\[follow\]\n(endpoints = .*\n)?`, fmt.Sprintf("[follow]\nendpoints = [%q]\n", endpoint))
}

// start runs a host in the home until the test ends.
func (h *home) start() {
	h.n.t.Helper()
	log, err := os.OpenFile(h.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		h.n.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program(h.n.t), "start", "--until-stdin-ends", "--home", h.folder)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.n.t.Fatal(err)
	}
	h.pid, h.exit = cmd.Process.Pid, make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		h.exit <- cmd.Wait()
		close(gone)
	}()
	h.stop = sync.OnceFunc(func() {
		stdin.Close()
		<-gone
	})
	h.n.t.Cleanup(h.stop)
}

func (h *home) log() string { return filepath.Join(h.folder, "validator.log") }

// logged reports whether the home's log has such text.
func (h *home) logged(text string) bool {
	b, _ := os.ReadFile(h.log())
	return bytes.Contains(b, []byte(text))
}

// ends waits until the host has ended by itself and returns how.
func (h *home) ends() error {
	h.n.t.Helper()
	select {
	case err := <-h.exit:
		return err
	case <-time.After(patience):
		h.n.t.Fatalf("the host of %s goes on", h.folder)
		return nil
	}
}

// retire ends a validator that the network's own process runs, in good order, so
// that it is not started again.
func (n *network) retire(i int) *home {
	n.t.Helper()
	h := n.validator(i)
	pid := n.hostOf(h)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		n.t.Fatal(err)
	}
	eventually(n.t, "the host ends", func(context.Context) error {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
			if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); !strings.Contains(string(b), ") Z ") {
				return errors.New("it runs")
			}
		}
		return nil
	})
	return h
}

// hostOf finds the process of a validator of the network's own process.
func (n *network) hostOf(h *home) int {
	n.t.Helper()
	hosts, _ := n.processes()
	for _, pid := range hosts {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		for _, a := range strings.Split(string(args), "\x00") {
			if filepath.Base(a) == filepath.Base(h.folder) {
				return pid
			}
		}
	}
	n.t.Fatalf("no host runs in %s", h.folder)
	return 0
}

// signalAll sends a signal to a process and all below it.
func signalAll(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s) // it may have ended just now
	}
}

// suffer sends a command to the switches for faults of a home's machine.
func (n *network) suffer(machine string, command map[string]any) {
	n.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(n.home, "hardware", machine, "control"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	b, err := json.Marshal(command)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := conn.Write(append(b, '\n')); err != nil {
		n.t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil || bytes.Contains(line, []byte(`"error"`)) {
		n.t.Fatalf("%s: %s, %v", b, line, err)
	}
}

// freeAddress is a loopback address nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// copyFolder copies files and folders; sockets and locks stay.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

// tail is how a file ends.
func tail(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 12_000 {
		_, _ = f.Seek(-12_000, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
