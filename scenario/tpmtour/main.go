package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"cloister/device/lab"
	"cloister/device/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
)

// patience bounds every wait for something that must happen.
const patience = 2 * time.Minute

func main() {
	t := &tour{}
	flag.StringVar(&t.cloister, "cloister", "bin/cloister", "the command line")
	flag.StringVar(&t.home, "home", ".cloister-dev", "home of the running development network")
	flag.Parse()
	if err := t.run(); err != nil {
		fmt.Fprintln(os.Stderr, "  BROKEN:", err)
		os.Exit(1)
	}
}

type tour struct {
	cloister, home, work string
	makers               []*lab.Manufacturer
	computers            []*computer
}

// software is what all machines boot, and what the authorities approve.
var software = lab.Software{Firmware: "Lab 1.0", Loader: []byte("loader 1"), Kernel: []byte("kernel 1"), Command: "ro quiet"}

func (t *tour) run() (err error) {
	if t.work, err = os.MkdirTemp("", "cloister-tpm-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.work)
	defer func() {
		for _, c := range t.computers {
			c.off()
		}
	}()
	for _, step := range []func() error{t.manufacture, t.approve, t.join, t.attest, t.changed, t.copied} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func proved(format string, args ...any) { fmt.Printf("  proved: "+format+"\n", args...) }

// computer is a machine, its agent and its device on the ledger.
type computer struct {
	t       *tour
	name    string
	machine *lab.Machine
	device  string
	agent   *exec.Cmd
	ended   chan struct{}
}

func (c *computer) folder(name string) string { return filepath.Join(c.t.work, c.name, name) }

// boot switches a computer on and has it measure what it boots.
func (c *computer) boot() error {
	return errors.Join(c.machine.Start(), c.machine.Boot(software.Events()...))
}

func (t *tour) manufacture() error {
	for i, name := range []string{"MakerOne", "MakerTwo"} {
		m, err := lab.NewManufacturer(filepath.Join(t.work, name), name)
		if err != nil {
			return err
		}
		t.makers = append(t.makers, m)
		root, err := m.Root()
		if err != nil {
			return err
		}
		issuing, err := m.Issuing()
		if err != nil {
			return err
		}
		for file, der := range map[string][]byte{name + ".root": root, name + ".issuing": issuing} {
			if err := os.WriteFile(filepath.Join(t.work, file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
				return err
			}
		}
		if err := t.cli(nil, "hardware", "roots", "add", filepath.Join(t.work, name+".root"), "--vendor", "tpm", "--class", "emulated", "--simulated", "--name", name); err != nil {
			return err
		}
		for n := range 2 - i {
			c := &computer{t: t, name: fmt.Sprintf("%s-%d", name, n+1)}
			if c.machine, err = m.Make(filepath.Join(t.work, c.name)); err != nil {
				return err
			}
			if err := c.boot(); err != nil {
				return err
			}
			t.computers = append(t.computers, c)
		}
	}
	proved("two makers are trusted by order of the authorities; their three machines run")
	return nil
}

// approve orders that the machines' software may run.
func (t *tour) approve() error {
	program, err := os.ReadFile(t.cloister)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		component trust.Component
		name      string
		content   []byte
		pcr       uint8
	}{
		{trust.BootLoader, "loader 1", software.Loader, 4}, {trust.Kernel, "kernel 1", software.Kernel, 9},
		{trust.Kernel, "command line", []byte(software.Command), 8}, {trust.NodeBinary, "cloister", program, 13},
	} {
		digest := sha256.Sum256(m.content)
		order := trust.MeasurementApprove{Emergency: true, Measurement: trust.Measurement{
			Component: m.component, Version: m.name, Alg: trust.SHA256, Digest: digest[:], PCRs: []uint8{m.pcr}, Activation: t.height() + 8,
		}}
		file := filepath.Join(t.work, "approve.order")
		if err := os.WriteFile(file, order.Bytes(), 0o600); err != nil {
			return err
		}
		if err := t.cli(nil, "governance", "propose", "hardware", file, "--unanimous"); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) height() uint64 {
	var b struct {
		Height uint64 `json:"height"`
	}
	_ = t.cli(&b, "block", "show") // without an answer the order is refused, and says so
	return b.Height
}

func (t *tour) join() error {
	for _, c := range t.computers {
		if err := c.serve(); err != nil {
			return err
		}
	}
	for _, c := range t.computers {
		if err := c.await("active", 1); err != nil {
			return err
		}
	}
	proved("three machines proved to a committee that they hold the keys their makers certified, and are active")
	return nil
}

// serve starts the computer's agent and learns its device's id from what it says.
func (c *computer) serve() error {
	maker := c.machine.Manufacturer().Name
	c.agent = exec.Command(c.t.cloister, "--home", c.t.home, "--json", "hardware", "agent", "--tpm", "unix:"+c.machine.Socket(),
		"--boot-log", c.machine.BootLogFile(), "--issuing", filepath.Join(c.t.work, maker+".issuing"),
		"--folder", c.folder("device"), "--program", c.t.cloister)
	said, err := c.agent.StderrPipe()
	if err != nil {
		return err
	}
	c.ended = make(chan struct{})
	if err := c.agent.Start(); err != nil {
		return err
	}
	named := make(chan string, 1)
	go func() { // ends with the agent
		defer close(c.ended)
		lines := json.NewDecoder(said)
		for {
			var line struct {
				Msg    string `json:"msg"`
				Device string `json:"device"`
				Error  string `json:"error"`
			}
			if lines.Decode(&line) != nil {
				_ = c.agent.Wait() // how it ended, its last words say
				return
			}
			if line.Msg == "device.agent" {
				named <- line.Device
			}
		}
	}()
	select {
	case c.device = <-named:
		return nil
	case <-c.ended:
		return fmt.Errorf("the agent of %s ended", c.name)
	case <-time.After(patience):
		return fmt.Errorf("the agent of %s says nothing", c.name)
	}
}

// rest stops the agent; the machine runs on.
func (c *computer) rest() {
	if c.agent != nil {
		_ = c.agent.Process.Signal(os.Interrupt)
		<-c.ended
		c.agent = nil
	}
}

func (c *computer) off() {
	c.rest()
	c.machine.Stop()
}

// device is what the ledger says of a device.
type device struct {
	Status  string `json:"status"`
	Results uint64 `json:"results"` // attestations that ended
}

func (c *computer) look() (d device, err error) {
	err = c.t.cli(&d, "hardware", "devices", "show", c.device)
	return d, err
}

// await waits until the device has a status after so many attestations.
func (c *computer) await(status string, results uint64) error {
	var last device
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(300 * time.Millisecond) {
		if last, err = c.look(); err == nil && last.Status == status && last.Results >= results {
			return nil
		}
	}
	return fmt.Errorf("%s did not become %s: %+v, %v", c.name, status, last, err)
}

// challenge has the device attested and waits for the verdict.
func (c *computer) challenge(status string) error {
	before, err := c.look()
	if err != nil {
		return err
	}
	if err := c.ask(); err != nil {
		return err
	}
	return c.await(status, before.Results+1)
}

// ask has the device attested. Right after an attestation it has to rest a while.
func (c *computer) ask() (err error) {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(300 * time.Millisecond) {
		if err = c.t.cli(nil, "hardware", "attest", c.device); err == nil || !strings.Contains(err.Error(), "ErrTooSoon") {
			return err
		}
	}
	return err
}

func (t *tour) attest() error {
	if err := t.computers[0].challenge("active"); err != nil {
		return err
	}
	proved("a challenged machine answered with a fresh quote, and the committee passed it")
	return nil
}

func (t *tour) changed() error {
	c := t.computers[1]
	if err := c.machine.Boot(lab.Event{PCR: 4, Type: 0x80000003, Digest: wire.Hash{6}, Text: []byte("another loader")}); err != nil {
		return err
	}
	if err := c.challenge("suspended"); err != nil {
		return err
	}
	proved("a machine that booted what nobody approved is suspended")
	return nil
}

func (t *tour) copied() error {
	c := t.computers[2]
	c.rest()
	twin, err := c.machine.Clone(filepath.Join(t.work, "thief"))
	if err != nil {
		return err
	}
	thief := &computer{t: t, name: "thief", machine: twin}
	t.computers = append(t.computers, thief)
	if err := os.CopyFS(thief.folder("device"), os.DirFS(c.folder("device"))); err != nil {
		return err
	}
	if err := thief.boot(); err != nil {
		return err
	}
	chip, err := tpm.Open(twin.Socket())
	if err != nil {
		return err
	}
	for range 20 { // ahead of whatever the real one counts meanwhile
		if err := chip.Increment(); err != nil {
			return err
		}
	}
	chip.Close()
	if err := thief.serve(); err != nil {
		return err
	}
	if err := thief.challenge("active"); err != nil {
		return err
	}
	thief.rest()
	if err := c.serve(); err != nil {
		return err
	}
	if err := c.ask(); err != nil {
		return err
	}
	if err := c.await("suspended", 0); err != nil {
		return err
	}
	proved("of a machine and its copy, the second to answer gave both away, and the device is suspended")
	return nil
}

// cli runs the command line and reads its JSON.
func (t *tour) cli(out any, args ...string) error {
	cmd := exec.Command(t.cloister, append([]string{"--home", t.home, "--json"}, args...)...)
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cloister %s: %w: %s", strings.Join(args, " "), err, complained.String())
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(said.Bytes(), out)
}
