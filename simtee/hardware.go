package simtee

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"cloister/evidence"
	"cloister/gate/backend"
)

// hardware is what one program sees of its platform. The program is the one the
// machine measured; no request can name another.
type hardware struct {
	platform *Platform

	mu      sync.Mutex
	program Program
	clock   clock
}

var _ backend.Hardware = (*hardware)(nil)

func (h *hardware) running() Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.program
}

// Info implements backend.Hardware. Every simulated platform offers everything
// but isolation; what the real one lacks is in TEE specification §1.1.
func (h *hardware) Info() backend.Info {
	return backend.Info{
		Kind:      h.platform.Kind(),
		Caps:      backend.CapEvidence | backend.CapSealCode | backend.CapSealSigner | backend.CapCounter | backend.CapElapsed | backend.CapRandom,
		Simulated: true,
	}
}

// Attest implements backend.Hardware.
func (h *hardware) Attest(data [64]byte) (*evidence.Evidence, error) {
	return h.platform.Attest(h.running(), data)
}

// SealKey implements backend.Hardware.
func (h *hardware) SealKey(p backend.SealPolicy, label string) ([32]byte, error) {
	return h.platform.SealKey(h.running(), p, label)
}

// ReadCounter implements backend.Hardware.
func (h *hardware) ReadCounter(name string) (uint64, error) { return h.platform.ReadCounter(name) }

// IncrementCounter implements backend.Hardware.
func (h *hardware) IncrementCounter(name string) (uint64, error) {
	return h.platform.IncrementCounter(name)
}

// Elapsed implements backend.Hardware.
func (h *hardware) Elapsed() (time.Duration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock.elapsed(), nil
}

// Random implements backend.Hardware.
func (h *hardware) Random(p []byte) error {
	if _, err := rand.Read(p); err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	return nil
}

// clock is elapsed time whose rate can be set. It never goes back by itself.
type clock struct {
	now    func() time.Duration // monotonic
	since  time.Duration        // of now, when rate was last set
	before time.Duration        // elapsed by then
	rate   int64                // percent of real time; 0 stands still
}

// newClock begins at zero and runs at the rate of now.
func newClock(now func() time.Duration) clock { return clock{now: now, since: now(), rate: 100} }

func (c *clock) elapsed() time.Duration {
	return c.before + (c.now()-c.since)/100*time.Duration(c.rate)
}

// set changes the rate, and moves the time by jump, never below zero.
func (c *clock) set(rate int64, jump time.Duration) {
	c.before = max(c.elapsed()+jump, 0)
	c.since, c.rate = c.now(), rate
}
