package simtee

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"cloister/gate/backend"
)

// BackendFD is the descriptor on which a program finds its hardware.
const BackendFD = 4

// maxProgram bounds a measured file in bytes.
const maxProgram = 256 << 20

// Config says what a machine runs.
type Config struct {
	Platform *Platform
	Program  string   // path of the program's file, which is measured
	Args     []string // its command line after the name; not measured
	Env      []string // its whole environment; not measured
	// Measured is the configuration that is part of the measurement; the program
	// does not get it from here.
	Measured   []byte
	ReleaseKey []byte // DevelopmentKey if nil
	ProdID     uint16
	SVN        uint16
	// Files become descriptors 3, 5, 6 … of the program; descriptor 4 is its
	// hardware. Start closes them here.
	Files          []*os.File
	Stdout, Stderr io.Writer
	Control        string // path of the control socket; none if empty
}

// Machine is a platform with a program running on it.
type Machine struct {
	hw     *hardware
	ctl    *control // nil without a control socket
	cmd    *exec.Cmd
	exited chan struct{} // closed when the program has ended
	served chan struct{} // closed when nobody asks the hardware any more
	broken error         // what the program did wrong; set before served is closed
}

// Start measures the program and starts it as a child that dies with this
// process. The file is read once and then started by its path: whoever can
// replace it between the two can also read the platform's keys.
func Start(cfg Config) (m *Machine, err error) {
	defer func() {
		for _, f := range cfg.Files {
			f.Close() // ours would keep a gate open that the program has lost
		}
	}()
	bin, err := readProgram(cfg.Program)
	if err != nil {
		return nil, err
	}
	if cfg.ReleaseKey == nil {
		cfg.ReleaseKey = DevelopmentKey
	}
	begun := time.Now()
	m = &Machine{exited: make(chan struct{}), served: make(chan struct{}), hw: &hardware{
		platform: cfg.Platform,
		program:  Program{Code: Measure(bin, cfg.Measured), ReleaseKey: cfg.ReleaseKey, ProdID: cfg.ProdID, SVN: cfg.SVN},
		clock:    newClock(func() time.Duration { return time.Since(begun) }),
	}}
	if cfg.Control != "" {
		if m.ctl, err = listenControl(cfg.Control, m.hw); err != nil {
			return nil, err
		}
	}
	if err := m.launch(cfg); err != nil {
		m.ctl.close()
		return nil, err
	}
	return m, nil
}

func readProgram(path string) ([]byte, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("simtee: program: %w", err)
	}
	if !s.Mode().IsRegular() || s.Size() > maxProgram {
		return nil, fmt.Errorf("simtee: %s is no program of at most %d bytes", path, maxProgram)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("simtee: program: %w", err)
	}
	return b, nil
}

// launch starts the child and what serves it.
func (m *Machine) launch(cfg Config) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return fmt.Errorf("simtee: connection to the program: %w", err)
	}
	defer theirs.Close()
	m.cmd = exec.Command(cfg.Program, cfg.Args...)
	m.cmd.Env = cfg.Env
	if m.cmd.Env == nil {
		m.cmd.Env = []string{} // nil would pass on ours
	}
	m.cmd.Stdout, m.cmd.Stderr = cfg.Stdout, cfg.Stderr
	m.cmd.SysProcAttr = attributes()
	m.cmd.ExtraFiles = descriptors(cfg.Files, theirs)
	started := make(chan error)
	go m.run(started, ours)
	if err := <-started; err != nil {
		ours.Close()
		return fmt.Errorf("simtee: starting the program: %w", err)
	}
	go m.serve(ours)
	return nil
}

// descriptors puts the hardware's connection at its place among the others.
func descriptors(files []*os.File, hardware *os.File) []*os.File {
	const at = BackendFD - 3
	out := make([]*os.File, at, at+1+len(files))
	n := copy(out, files)
	return append(append(out, hardware), files[n:]...)
}

// run starts the child and waits for it. The system sends the signal that makes
// the child die with this process when the starting thread ends, so that thread
// is kept for as long as the child runs.
func (m *Machine) run(started chan<- error, ours net.Conn) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := m.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = m.cmd.Wait() // the state says more
	ours.Close()     // a grandchild may hold the other end
	m.ctl.close()
	close(m.exited)
}

// serve answers the program. One that breaks the protocol is ended: hardware
// does not argue.
func (m *Machine) serve(ours net.Conn) {
	defer close(m.served)
	if err := backend.Serve(ours, m.hw); err != nil {
		m.broken = fmt.Errorf("simtee: the program: %w", err)
		m.Kill()
	}
	ours.Close()
}

// Program is what the platform sees running.
func (m *Machine) Program() Program { return m.hw.running() }

// Pid is the program's process id.
func (m *Machine) Pid() int { return m.cmd.Process.Pid }

// Kill ends the program.
func (m *Machine) Kill() {
	select {
	case <-m.exited:
	default:
		_ = m.cmd.Process.Kill()
	}
}

// Wait waits until the program has ended and returns its exit code, 128 plus
// the signal's number if a signal ended it. The error says that the program
// broke the rules of the backend and was killed for it.
func (m *Machine) Wait() (code int, err error) {
	<-m.exited
	<-m.served
	state := m.cmd.ProcessState
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), m.broken
	}
	return state.ExitCode(), m.broken
}

// socketPair is a connection between the hardware and a program to be started.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fds[0]), "backend")
	defer f.Close()
	theirs = os.NewFile(uintptr(fds[1]), "hardware")
	if ours, err = net.FileConn(f); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}
