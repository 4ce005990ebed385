//go:build unix

package gate

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// ChildFD is the first descriptor of exec.Cmd.ExtraFiles in the child.
const ChildFD = 3

// NewChild makes three connected socket pairs for a core that is about to be
// started as a child process. host is for Serve; child is for
// exec.Cmd.ExtraFiles, where descriptor 4 is the null device: its place is for
// the backend of simulated hardware. variable is the value of Variable.
// Close the files of child once the process runs.
func NewChild() (host []net.Conn, child []*os.File, variable string, err error) {
	defer func() {
		if err != nil {
			closeAll(host)
			for _, f := range child {
				f.Close()
			}
			host, child = nil, nil
		}
	}()
	for i := range int(laneCount) {
		if i == 1 {
			hole, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				return host, child, "", fmt.Errorf("gate: the place of the backend: %w", err)
			}
			child = append(child, hole)
		}
		conn, file, err := pair()
		if err != nil {
			return host, child, "", fmt.Errorf("gate: connection for the %v lane: %w", Lane(i), err)
		}
		host, child = append(host, conn), append(child, file)
	}
	return host, child, "fd:3,5,6", nil
}

// pair returns the two ends of a stream socket pair, neither inherited unless
// asked for.
func pair() (net.Conn, *os.File, error) {
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
	ours, theirs := os.NewFile(uintptr(fds[0]), "gate-host"), os.NewFile(uintptr(fds[1]), "gate-core")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// Pairs returns three connections between a core and a host in one process,
// for tests and in-process use.
func Pairs() (core, host [3]net.Conn, err error) {
	for i := range core {
		var f *os.File
		if host[i], f, err = pair(); err == nil {
			core[i], err = net.FileConn(f)
			f.Close()
		}
		if err != nil {
			closeAll(core[:])
			closeAll(host[:])
			return core, host, fmt.Errorf("gate: connection for the %v lane: %w", Lane(i), err)
		}
	}
	return core, host, nil
}
