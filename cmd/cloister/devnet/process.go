package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"cloister/wire"
)

// stopGrace is how long validators may take to stop before they are killed.
const stopGrace = 30 * time.Second

// LogFile is where a validator's output goes, in its folder.
const LogFile = "validator.log"

// Exit tells that a validator's process ended.
type Exit struct {
	Validator *Validator
	Err       error // nil for exit code 0
}

// Processes are the running validators of a network.
type Processes struct {
	home    string
	program string
	argsOf  func(folder string) []string
	exits   chan Exit

	mu   sync.Mutex
	list []*process // by validator
}

type process struct {
	v     *Validator
	cmd   *exec.Cmd
	stdin io.Closer // closing it tells the validator to stop
	done  chan struct{}
}

// Start runs one process per validator: program with the arguments that
// argsOf gives, output appended to the log in its folder. If one cannot be
// started, those that were are stopped.
func Start(home string, l *Layout, program string, argsOf func(folder string) []string) (*Processes, error) {
	ps := &Processes{home: home, program: program, argsOf: argsOf, exits: make(chan Exit, len(l.Validators))}
	for i := range l.Validators {
		p, err := ps.launch(&l.Validators[i])
		if err != nil {
			ps.Stop()
			return nil, err
		}
		ps.list = append(ps.list, p)
	}
	return ps, nil
}

// Restart runs a validator that has ended again, after pause. It does nothing
// when ctx ends first.
func (ps *Processes) Restart(ctx context.Context, v *Validator, pause time.Duration) error {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for i, old := range ps.list {
		if old.v != v {
			continue
		}
		p, err := ps.launch(v)
		if err != nil {
			return err
		}
		ps.list[i] = p
	}
	return nil
}

func (ps *Processes) launch(v *Validator) (*process, error) {
	folder := filepath.Join(ps.home, v.Name)
	p, err := launch(v, filepath.Join(folder, LogFile), ps.program, ps.argsOf(folder))
	if err != nil {
		return nil, wire.Faultf(wire.ErrUnavailable, "start %s: %v", v.Name, err)
	}
	go func() { // ends with the process
		err := p.cmd.Wait()
		close(p.done)
		ps.exits <- Exit{v, err}
	}()
	return p, nil
}

func launch(v *Validator, logName, program string, args []string) (*process, error) {
	log, err := os.OpenFile(logName, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: an interrupt typed at the terminal reaches this
	// process alone, which then stops the validators in good order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{v: v, cmd: cmd, stdin: stdin, done: make(chan struct{})}, nil
}

// Exits delivers each process that ends, once. It must be read while validators
// are restarted.
func (ps *Processes) Exits() <-chan Exit { return ps.exits }

// PID is the process id of the i-th validator.
func (ps *Processes) PID(i int) int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.list[i].cmd.Process.Pid
}

// Stop asks every validator to stop and returns when all have; it kills those
// that take longer than stopGrace.
func (ps *Processes) Stop() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var group sync.WaitGroup
	for _, p := range ps.list {
		group.Go(func() {
			p.stdin.Close()
			select {
			case <-p.done:
			case <-time.After(stopGrace):
				_ = p.cmd.Process.Kill() // fails only if it ended meanwhile
				<-p.done
			}
		})
	}
	group.Wait()
}

// Await calls ready for each validator until it returns nil, and fails when a
// process ends before that or ctx does.
func (ps *Processes) Await(ctx context.Context, ready func(context.Context, *Validator) error) error {
	for _, p := range ps.list {
		for {
			last := ready(ctx, p.v)
			if last == nil {
				break
			}
			select {
			case <-p.done:
				return wire.Faultf(wire.ErrUnavailable, "%s ended while it started; its log says why", p.v.Name)
			case <-ctx.Done():
				if errors.Is(ctx.Err(), context.Canceled) {
					return ctx.Err()
				}
				return fmt.Errorf("wait for %s: %w", p.v.Name, last)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}
