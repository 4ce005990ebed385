package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Machine is a computer with an emulated TPM, on or off. Its methods may be
// called from many goroutines at a time.
type Machine struct {
	folder string
	maker  *Manufacturer

	mu      sync.Mutex // guards all below
	sockets string     // folder of the sockets while it is on, if it is not folder
	process *emulator  // nil while it is off
	log     *BootLog   // of this boot
}

func (m *Machine) state() string     { return filepath.Join(m.folder, "tpm") }
func (m *Machine) stateFile() string { return filepath.Join(m.state(), "tpm2-00.permall") }

// Manufacturer is who made the machine.
func (m *Machine) Manufacturer() *Manufacturer { return m.maker }

// Folder is where the machine is kept. Other files of it may lie there.
func (m *Machine) Folder() string { return m.folder }

// BootLogFile is where the log of the last Boot is, as the kernel of a real
// machine shows it.
func (m *Machine) BootLogFile() string { return filepath.Join(m.folder, "boot.log") }

// Socket is the path of the TPM of a machine that is on; empty while it is off.
func (m *Machine) Socket() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return ""
	}
	return m.process.socket
}

// maxSocket is how long a socket's path may be: sun_path has 108 bytes, and the
// emulator's control socket a longer name.
const maxSocket = 100

// place finds a folder for the sockets whose path is short enough.
func (m *Machine) place() (string, error) {
	if len(filepath.Join(m.folder, "s.ctrl")) < maxSocket {
		return m.folder, nil
	}
	for _, under := range []string{"", "/tmp"} {
		folder, err := os.MkdirTemp(under, "tpm-")
		if err != nil {
			return "", err
		}
		if len(filepath.Join(folder, "s.ctrl")) < maxSocket {
			m.sockets = folder
			return folder, nil
		}
		if err := os.Remove(folder); err != nil {
			return "", err
		}
	}
	return "", errors.New("no folder has a path short enough for a socket")
}

// Start switches the machine on: its PCRs are zero and its reset count is one
// higher. It does nothing if the machine is on.
func (m *Machine) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil {
		return nil
	}
	folder, err := m.place()
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	p, err := launch(m.maker.programs.swtpm, m.state(), filepath.Join(folder, "s"))
	if err != nil {
		m.tidy()
		return fmt.Errorf("lab: switching %s on: %w", m.folder, err)
	}
	m.process, m.log = p, NewBootLog()
	return nil
}

// Stop switches the machine off in good order.
func (m *Machine) Stop() { m.end(os.Interrupt) }

// Kill is Stop without warning, as when the power fails.
func (m *Machine) Kill() { m.end(os.Kill) }

func (m *Machine) end(how os.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return
	}
	m.process.end(how)
	m.process, m.log = nil, nil
	m.tidy()
}

func (m *Machine) tidy() {
	if m.sockets != "" {
		_ = os.RemoveAll(m.sockets) // a temporary folder; the system clears what stays
		m.sockets = ""
	}
}

// Clone copies the machine into another folder: the same keys, the same counter,
// the same identity. The copy is off.
func (m *Machine) Clone(folder string) (*Machine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	c := &Machine{folder: folder, maker: m.maker}
	state, err := os.ReadFile(m.stateFile())
	if err == nil {
		err = os.MkdirAll(c.state(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(c.stateFile(), state, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: copying %s: %w", m.folder, err)
	}
	return c, nil
}

// emulator is a running swtpm.
type emulator struct {
	cmd    *exec.Cmd
	socket string
	said   lastBytes
	exited chan struct{} // closed when it is gone
}

// patience is how long an emulator may take to come up, or to go in good order.
const patience = 15 * time.Second

func launch(program, state, socket string) (*emulator, error) {
	for _, s := range []string{socket, socket + ".ctrl"} { // left by one that was killed
		if err := os.Remove(s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	e := &emulator{socket: socket, exited: make(chan struct{}), cmd: exec.Command(program, "socket", "--tpm2",
		"--tpmstate", "dir="+state, "--server", "type=unixio,path="+socket,
		"--ctrl", "type=unixio,path="+socket+".ctrl", "--flags", "not-need-init,startup-clear")}
	e.cmd.Stderr = &e.said
	e.cmd.SysProcAttr = attributes()
	e.cmd.WaitDelay = patience
	started := make(chan error)
	go e.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	if err := e.ready(); err != nil {
		e.end(os.Kill)
		return nil, err
	}
	return e, nil
}

// run starts the process and waits for it. The system sends the signal that
// ends it with its parent when the starting thread ends, so that thread is kept.
func (e *emulator) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := e.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = e.cmd.Wait() // how it ended does not matter
	close(e.exited)
}

// ready waits until the emulator listens.
func (e *emulator) ready() error {
	ticker, late := time.NewTicker(5*time.Millisecond), time.NewTimer(patience)
	defer ticker.Stop()
	defer late.Stop()
	for {
		if c, err := net.Dial("unix", e.socket); err == nil {
			return c.Close()
		}
		select {
		case <-ticker.C:
		case <-late.C:
			return fmt.Errorf("swtpm does not listen on %s: %s", e.socket, e.said.text())
		case <-e.exited:
			return fmt.Errorf("swtpm ended: %s", e.said.text())
		}
	}
}

// end sends a signal, waits, and kills what does not go.
func (e *emulator) end(how os.Signal) {
	_ = e.cmd.Process.Signal(how) // it may be gone already
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-e.exited:
	case <-late.C:
		_ = e.cmd.Process.Kill()
		<-e.exited
	}
}

// lastBytes keeps the end of what an emulator says on its standard error.
type lastBytes struct {
	mu sync.Mutex
	b  []byte
}

const maxSaid = 2 << 10

func (l *lastBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	l.b = l.b[max(0, len(l.b)-maxSaid):]
	return len(p), nil
}

func (l *lastBytes) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.b))
}
