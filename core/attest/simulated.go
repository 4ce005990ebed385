//go:build !release

package attest

import (
	"fmt"
	"io"
	"time"

	"cloister/evidence"
	"cloister/gate/backend"
)

// This file alone reaches simulated hardware. Release builds leave it out.

func init() {
	simulator = func(c io.ReadWriteCloser) (Backend, error) {
		s, err := NewSimulated(c)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Simulated is hardware played by another process.
type Simulated struct{ client *backend.Client }

// NewSimulated asks the process at the other end of a connection what it plays.
// It owns conn, also when it fails.
func NewSimulated(conn io.ReadWriteCloser) (*Simulated, error) {
	c, err := backend.NewClient(conn)
	if err != nil {
		return nil, fmt.Errorf("attest: simulated hardware: %w", err)
	}
	return &Simulated{c}, nil
}

// Gone is closed when the simulated hardware has ended. A program without its
// hardware ends too.
func (s *Simulated) Gone() <-chan struct{} { return s.client.Gone() }

// Close ends the connection.
func (s *Simulated) Close() error { return s.client.Close() }

// Kind implements Backend.
func (s *Simulated) Kind() evidence.Kind { return s.client.Info().Kind }

// Caps implements Backend.
func (s *Simulated) Caps() Cap { return s.client.Info().Caps }

// Simulated implements Backend: true, whatever the process says of itself.
func (s *Simulated) Simulated() bool { return true }

// Attest implements Backend.
func (s *Simulated) Attest(data [64]byte) (*evidence.Evidence, error) { return s.client.Attest(data) }

// SealKey implements Backend.
func (s *Simulated) SealKey(p SealPolicy, label string) ([32]byte, error) {
	secret, err := s.client.SealKey(p, label)
	if err != nil {
		return secret, err
	}
	return sealKey(secret[:], s.Kind(), p, label)
}

// Counter implements Backend.
func (s *Simulated) Counter(name string) (Counter, error) {
	if s.Caps()&CapCounter == 0 {
		return nil, fmt.Errorf("attest: counter %q: %w", name, ErrUnsupported)
	}
	return &simulatedCounter{s.client, name}, nil
}

// Elapsed implements Backend.
func (s *Simulated) Elapsed() (time.Duration, error) { return s.client.Elapsed() }

// Random implements Backend.
func (s *Simulated) Random(p []byte) error { return s.client.Random(p) }

type simulatedCounter struct {
	client *backend.Client
	name   string
}

func (c *simulatedCounter) Read() (uint64, error)      { return c.client.ReadCounter(c.name) }
func (c *simulatedCounter) Increment() (uint64, error) { return c.client.IncrementCounter(c.name) }
