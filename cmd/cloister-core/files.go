package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"cloister/core/attest"
	"cloister/gate"
)

// backendFD is where simulated hardware is found (gate specification §2). A host
// without any puts the null device there.
const backendFD = 4

// deviceFiles are the system's files for attest: the devices of the platform.
type deviceFiles struct{}

var _ attest.Files = deviceFiles{}

// ReadFile implements attest.Files. Device files have no size to go by.
func (deviceFiles) ReadFile(name string, max int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(max)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > max {
		return nil, fmt.Errorf("%s has more than %d bytes", name, max)
	}
	return b, nil
}

// WriteFile implements attest.Files. It makes no file: these are devices.
func (deviceFiles) WriteFile(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// Mkdir implements attest.Files.
func (deviceFiles) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// Remove implements attest.Files.
func (deviceFiles) Remove(name string) error { return os.Remove(name) }

// simulatedChannel is the connection to simulated hardware, nil if the host
// offers none. Only a core with inherited lanes has one. A host that leaves the
// descriptor open to be taken gets the Go runtime's own files there, none of
// which is a socket: they are left alone.
func simulatedChannel() io.ReadWriteCloser {
	if !strings.HasPrefix(os.Getenv(gate.Variable), "fd:") || !isSocket(backendFD) {
		return nil
	}
	f := os.NewFile(backendFD, "hardware")
	if f == nil {
		return nil
	}
	defer f.Close() // FileConn works on a copy
	conn, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	return conn
}

func isSocket(fd int) bool {
	var s syscall.Stat_t
	return syscall.Fstat(fd, &s) == nil && s.Mode&syscall.S_IFMT == syscall.S_IFSOCK
}
