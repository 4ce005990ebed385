package attest

import (
	"errors"
	"fmt"
	"io"
)

// Options are what a program can offer Select.
type Options struct {
	Files  Files     // the device files
	Random io.Reader // the system's source of random numbers
	// Channel leads to simulated hardware; nil if nobody offered any. Select owns
	// it, whatever it selects.
	Channel io.ReadWriteCloser
	// Leaf is the SNP certificate for platforms that give none (NewTSM).
	Leaf []byte
}

// simulator makes the backend of simulated hardware; nil in builds without it.
var simulator func(io.ReadWriteCloser) (Backend, error)

// SimulatorBuilt reports whether this build can run on simulated hardware.
func SimulatorBuilt() bool { return simulator != nil }

// Select finds the hardware under the program: SGX, then TDX or SNP, then
// simulated hardware, if it is offered and this build knows it (TEE
// specification §9). A TPM isolates nothing and is never selected. Errors wrap
// ErrNoBackend if there is none, and say what was looked for.
func Select(o Options) (Backend, error) {
	b, err := hardware(o)
	if err == nil || !errors.Is(err, ErrNoBackend) {
		// A platform that is there but does not work is never replaced by a
		// simulated one: that would be a way to talk a program out of its hardware.
		drop(o.Channel)
		return b, err
	}
	switch {
	case o.Channel == nil:
		return nil, err
	case simulator == nil:
		drop(o.Channel)
		return nil, fmt.Errorf("%w; simulated hardware was offered, but this is a release build", err)
	}
	return simulator(o.Channel)
}

// hardware finds real hardware.
func hardware(o Options) (Backend, error) {
	g, sgx := NewGramine(o.Files, o.Random)
	if sgx == nil {
		return g, nil
	}
	if !errors.Is(sgx, ErrNoBackend) {
		return nil, sgx
	}
	t, tsm := NewTSM(o.Files, o.Random, o.Leaf)
	if tsm == nil {
		return t, nil
	}
	if !errors.Is(tsm, ErrNoBackend) {
		return nil, tsm
	}
	return nil, errors.Join(sgx, tsm)
}

func drop(c io.Closer) {
	if c != nil {
		_ = c.Close()
	}
}
