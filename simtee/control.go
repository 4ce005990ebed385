package simtee

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"cloister/wire"
)

// maxCommand bounds one command on the control socket in bytes.
const maxCommand = 64 << 10

// Command is one fault for the platform, one JSON object a line. The control
// socket is for tests; whoever can open it is the hardware.
type Command struct {
	// Do is one of:
	//
	//	counter  set counter Name to Value: a rollback
	//	clock    set the rate of elapsed time to Rate percent (0 freezes it) and
	//	         move it by JumpMS milliseconds
	//	tcb      put the platform on level Level
	//	debug    run the program in debug mode if On, from now on
	//	attest   make evidence for code Enclave (SGX, TPM) or Launch (SNP), released
	//	         under ReleaseKey, binding ReportData: the leaked attestation key
	//	revoke   put the platform on the list of the vendor in folder Vendor
	Do string `json:"do"`

	Name       string   `json:"name,omitempty"`
	Value      uint64   `json:"value,omitempty"`
	Rate       int64    `json:"rate,omitempty"`
	JumpMS     int64    `json:"jump_ms,omitempty"`
	Level      int      `json:"level,omitempty"`
	On         bool     `json:"on,omitempty"`
	Enclave    wire.Hex `json:"enclave,omitempty"`
	Launch     wire.Hex `json:"launch,omitempty"`
	ReleaseKey wire.Hex `json:"release_key,omitempty"`
	ProdID     uint16   `json:"prod_id,omitempty"`
	SVN        uint16   `json:"svn,omitempty"`
	ReportData wire.Hex `json:"report_data,omitempty"`
	Vendor     string   `json:"vendor,omitempty"`
}

// Answer is the reply to a Command, one JSON object a line.
type Answer struct {
	Error    string   `json:"error,omitempty"`
	Evidence wire.Hex `json:"evidence,omitempty"` // attest: evidence.Evidence, encoded
}

// control serves the control socket. A nil one does nothing.
type control struct {
	l  net.Listener
	hw *hardware

	mu    sync.Mutex
	open  map[net.Conn]bool
	ended bool
	group sync.WaitGroup
}

func listenControl(path string, hw *hardware) (*control, error) {
	if s, err := os.Lstat(path); err == nil && s.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // of a machine that was killed
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("simtee: control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("simtee: control socket: %w", err)
	}
	c := &control{l: l, hw: hw, open: map[net.Conn]bool{}}
	c.group.Go(c.accept)
	return c, nil
}

// close ends the socket and everything on it.
func (c *control) close() {
	if c == nil {
		return
	}
	c.l.Close()
	c.mu.Lock()
	c.ended = true
	for conn := range c.open {
		conn.Close()
	}
	c.mu.Unlock()
	c.group.Wait()
}

func (c *control) accept() {
	for {
		conn, err := c.l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.ended {
			conn.Close()
		}
		c.open[conn] = true
		c.mu.Unlock()
		c.group.Go(func() {
			c.serve(conn)
			conn.Close()
			c.mu.Lock()
			delete(c.open, conn)
			c.mu.Unlock()
		})
	}
}

func (c *control) serve(conn io.ReadWriter) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxCommand)
	for lines.Scan() {
		var a Answer
		cmd, err := parseCommand(lines.Bytes())
		if err == nil {
			a, err = c.hw.suffer(cmd)
		}
		if err != nil {
			a = Answer{Error: err.Error()}
		}
		b, err := json.Marshal(a)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(b, '\n')); err != nil {
			return
		}
	}
}

func parseCommand(line []byte) (cmd Command, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&cmd); err != nil {
		return cmd, fmt.Errorf("simtee: command: %w", err)
	}
	if d.More() {
		return cmd, errors.New("simtee: command: one object a line")
	}
	return cmd, nil
}

// suffer carries out one fault.
func (h *hardware) suffer(cmd Command) (a Answer, err error) {
	switch cmd.Do {
	case "counter":
		if cmd.Name == "" {
			return a, errors.New("simtee: counter: which one")
		}
		return a, h.platform.RollBackCounter(cmd.Name, cmd.Value)
	case "clock":
		if cmd.Rate < 0 || cmd.Rate > 10_000 {
			return a, fmt.Errorf("simtee: clock: rate %d percent, 0 to 10000 are possible", cmd.Rate)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.clock.set(cmd.Rate, time.Duration(cmd.JumpMS)*time.Millisecond)
		return a, nil
	case "tcb":
		return a, h.platform.SetTCB(cmd.Level)
	case "debug":
		h.mu.Lock()
		defer h.mu.Unlock()
		h.program.Debug = cmd.On
		return a, nil
	case "attest":
		return h.oracle(cmd)
	case "revoke":
		v, err := OpenVendor(cmd.Vendor)
		if err != nil {
			return a, err
		}
		return a, v.Revoke(h.platform)
	}
	return a, fmt.Errorf("simtee: unknown command %q", cmd.Do)
}

// oracle attests whatever is asked: an attacker has the attestation key.
func (h *hardware) oracle(cmd Command) (a Answer, err error) {
	p := Program{ReleaseKey: cmd.ReleaseKey, ProdID: cmd.ProdID, SVN: cmd.SVN, Debug: cmd.On}
	var data [64]byte
	for _, f := range []struct {
		name     string
		to, from []byte
	}{
		{"enclave", p.Code.Enclave[:], cmd.Enclave}, {"launch", p.Code.Launch[:], cmd.Launch}, {"report_data", data[:], cmd.ReportData},
	} {
		if len(f.from) != 0 && len(f.from) != len(f.to) {
			return a, fmt.Errorf("simtee: attest: %s of %d bytes, not %d", f.name, len(f.from), len(f.to))
		}
		copy(f.to, f.from)
	}
	e, err := h.platform.Attest(p, data)
	if err != nil {
		return a, err
	}
	return Answer{Evidence: e.Bytes()}, nil
}
