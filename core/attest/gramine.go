package attest

import (
	"fmt"
	"io"
	"sync"
	"time"

	"cloister/evidence"
)

// Files of Gramine (TEE specification §9).
const (
	gramineType      = "/dev/attestation/attestation_type"
	gramineData      = "/dev/attestation/user_report_data"
	gramineQuote     = "/dev/attestation/quote"
	gramineCodeKey   = "/dev/attestation/keys/_sgx_mrenclave"
	gramineSignerKey = "/dev/attestation/keys/_sgx_mrsigner"

	gramineKeySize = 16
)

// graminePair is the process's one pair of report data and quote: Gramine has
// no other, whoever opens the files.
var graminePair sync.Mutex

// Gramine is an SGX enclave run by Gramine. It has no counter and no clock:
// every clock an enclave can read is the host's.
type Gramine struct {
	files  Files
	random io.Reader
}

// NewGramine returns the backend if Gramine offers DCAP attestation; otherwise
// the error wraps ErrNoBackend. random is the system's source.
func NewGramine(files Files, random io.Reader) (*Gramine, error) {
	kind, err := line(files, gramineType, 64)
	if missing(err) {
		return nil, fmt.Errorf("%w: no %s", ErrNoBackend, gramineType)
	}
	if err != nil {
		return nil, err
	}
	if kind != "dcap" {
		return nil, fmt.Errorf("%w: Gramine's attestation type is %q, not dcap", ErrNoBackend, kind)
	}
	return &Gramine{files, random}, nil
}

// Kind implements Backend.
func (g *Gramine) Kind() evidence.Kind { return evidence.SGX }

// Caps implements Backend.
func (g *Gramine) Caps() Cap {
	return CapIsolated | CapEvidence | CapSealCode | CapSealSigner | CapRandom
}

// Simulated implements Backend.
func (g *Gramine) Simulated() bool { return false }

// Attest implements Backend: the data is written, then the quote over it read.
func (g *Gramine) Attest(data [64]byte) (*evidence.Evidence, error) {
	graminePair.Lock()
	defer graminePair.Unlock()
	if err := g.files.WriteFile(gramineData, data[:]); err != nil {
		return nil, fmt.Errorf("attest: report data: %w", err)
	}
	b, err := g.files.ReadFile(gramineQuote, maxPadding)
	if err != nil {
		return nil, fmt.Errorf("attest: quote: %w", err)
	}
	q, err := trimQuote(b)
	if err != nil {
		return nil, err
	}
	return &evidence.Evidence{Kind: evidence.SGX, Quote: q}, nil
}

// SealKey implements Backend.
func (g *Gramine) SealKey(p SealPolicy, label string) (key [32]byte, err error) {
	name := map[SealPolicy]string{SealCode: gramineCodeKey, SealSigner: gramineSignerKey}[p]
	if name == "" {
		return key, fmt.Errorf("attest: seal policy %d: %w", p, ErrUnsupported)
	}
	secret, err := g.files.ReadFile(name, gramineKeySize)
	if err != nil {
		return key, fmt.Errorf("attest: seal key: %w", err)
	}
	if len(secret) != gramineKeySize {
		return key, fmt.Errorf("%w: seal key of %d bytes", ErrPlatform, len(secret))
	}
	return sealKey(secret, evidence.SGX, p, label)
}

// Counter implements Backend.
func (g *Gramine) Counter(string) (Counter, error) {
	return nil, fmt.Errorf("attest: SGX has no counter: %w", ErrUnsupported)
}

// Elapsed implements Backend.
func (g *Gramine) Elapsed() (time.Duration, error) {
	return 0, fmt.Errorf("attest: SGX has no clock: %w", ErrUnsupported)
}

// Random implements Backend.
func (g *Gramine) Random(p []byte) error { return randomFrom(g.random, p) }
