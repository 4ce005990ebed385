package supervise

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"cloister/gate"
)

// maxSaid bounds what is kept of a core's standard error: the few words it has
// before its gate is up.
const maxSaid = 4096

// process is one running core.
type process struct {
	cmd    *exec.Cmd
	said   firstBytes
	exited chan struct{} // closed when it is gone and code is set
	code   int           // exit code, -1 if a signal ended it
}

// launch starts the core, or the hardware that starts it, with a gate and
// nothing else in its environment: no other variable, no open file, a process
// group of its own. A core has no arguments; simulated hardware has those that
// say where it keeps its keys.
func launch(path string, args []string) (p *process, lanes []net.Conn, err error) {
	lanes, files, variable, err := gate.NewChild()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	p = &process{cmd: exec.Command(path, args...), exited: make(chan struct{})}
	p.cmd.Env = []string{gate.Variable + "=" + variable}
	p.cmd.Dir = "/"
	p.cmd.ExtraFiles = files
	p.cmd.Stderr = &p.said
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = dieTime
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		for _, c := range lanes {
			c.Close()
		}
		return nil, nil, fmt.Errorf("supervise: starting the core: %w", err)
	}
	return p, lanes, nil
}

// run starts the process and waits for it. The system sends the signal that
// makes the core die with its host when the starting thread ends, so that
// thread is kept for as long as the core runs.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // the state below says more
	p.code = p.cmd.ProcessState.ExitCode()
	close(p.exited)
}

// end waits for the core to exit by itself, and kills it after a while. It
// returns the exit code.
func (p *process) end(patience time.Duration) int {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.kill()
		<-p.exited
	}
	return p.code
}

// kill ends the core's process group.
func (p *process) kill() {
	select {
	case <-p.exited: // its number may be somebody else's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (f *firstBytes) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b.Write(p[:min(len(p), maxSaid-f.b.Len())])
	return len(p), nil
}

func (f *firstBytes) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.b.String()
}
