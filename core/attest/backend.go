package attest

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"cloister/evidence"
	"cloister/gate/backend"
	"cloister/wire"
)

// Backend is the platform the program runs on. Methods are safe for concurrent
// use; a method whose capability is missing returns ErrUnsupported.
type Backend interface {
	Kind() evidence.Kind
	Caps() Cap
	// Simulated reports whether the platform is a program that plays hardware.
	Simulated() bool
	// Attest makes evidence that binds data, which the caller computed from its
	// claims. A TPM binds the first 32 bytes and refuses any others.
	Attest(data [64]byte) (*evidence.Evidence, error)
	// SealKey derives the key for a label that only this program (SealCode), or
	// programs of its signer (SealSigner), can derive on this platform again.
	SealKey(p SealPolicy, label string) ([32]byte, error)
	// Counter opens the durable counter of a name, which begins at 0.
	Counter(name string) (Counter, error)
	// Elapsed is the time since some start of the platform; only differences
	// within one run of the program mean something.
	Elapsed() (time.Duration, error)
	// Random fills p. Callers mix it with another source.
	Random(p []byte) error
}

// Counter is a monotonic counter the host cannot turn back. Values are those
// after the call; Increment returns once the value is durable.
type Counter interface {
	Read() (uint64, error)
	Increment() (uint64, error)
}

// Cap, SealPolicy and their values are those of the protocol with simulated
// hardware, so that both say the same.
type (
	Cap        = backend.Cap
	SealPolicy = backend.SealPolicy
)

// Values of Cap and SealPolicy.
const (
	CapIsolated   = backend.CapIsolated
	CapEvidence   = backend.CapEvidence
	CapSealCode   = backend.CapSealCode
	CapSealSigner = backend.CapSealSigner
	CapCounter    = backend.CapCounter
	CapElapsed    = backend.CapElapsed
	CapRandom     = backend.CapRandom

	SealCode   = backend.SealCode
	SealSigner = backend.SealSigner
)

// MaxLabel bounds a seal key's label in bytes.
const MaxLabel = backend.MaxLabel

// Errors.
var (
	// ErrNoBackend: this machine offers no hardware the program knows.
	ErrNoBackend = errors.New("attest: no trusted hardware found")
	// ErrUnsupported: the platform lacks the capability.
	ErrUnsupported = backend.ErrUnsupported
	// ErrPlatform: a device answered in a way it must not.
	ErrPlatform = errors.New("attest: the platform's answer is malformed")
	// ErrContended: somebody else used the report entry; ask again.
	ErrContended = errors.New("attest: the report was changed by somebody else")
)

// sealLabel opens the derivation of every seal key.
const sealLabel = "cloister/seal-key/v1"

// sealKey derives a key for our purpose from what a platform gave: HKDF-SHA256
// with info TH(sealLabel, u8 kind, u8 policy, label).
func sealKey(secret []byte, k evidence.Kind, p SealPolicy, label string) (key [32]byte, err error) {
	if label == "" || len(label) > MaxLabel {
		return key, fmt.Errorf("attest: label of %d bytes, 1 to %d are accepted", len(label), MaxLabel)
	}
	if zeros(secret) {
		return key, fmt.Errorf("%w: a seal key of zeros", ErrPlatform)
	}
	info := wire.TH(sealLabel, []byte{byte(k)}, []byte{byte(p)}, []byte(label))
	b, err := hkdf.Key(sha256.New, secret, nil, string(info[:]), len(key))
	if err != nil {
		return key, fmt.Errorf("attest: %w", err)
	}
	return [32]byte(b), nil
}

// zeros reports whether b has no other bytes.
func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// randomFrom fills p from the source a backend was given: inside an isolated
// platform the system's own is fed by the processor.
func randomFrom(r io.Reader, p []byte) error {
	if r == nil {
		return fmt.Errorf("attest: random numbers: %w", ErrUnsupported)
	}
	if _, err := io.ReadFull(r, p); err != nil {
		return fmt.Errorf("attest: random numbers: %w", err)
	}
	return nil
}
