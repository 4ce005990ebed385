package backend

import (
	"errors"
	"time"

	"cloister/evidence"
)

// Cap says what a platform offers beyond running the program.
type Cap uint32

// Capabilities. Wire values, never reused.
const (
	CapIsolated   Cap = 1 << iota // memory is confidential and integral against the host
	CapEvidence                   // evidence that collateral alone verifies
	CapSealCode                   // a seal key bound to the exact code
	CapSealSigner                 // a seal key bound to signer and product
	CapCounter                    // durable monotonic counters out of the host's control
	CapElapsed                    // elapsed time the host cannot speed up
	CapRandom                     // random numbers without trusting the host
)

// SealPolicy says what a seal key is bound to.
type SealPolicy uint8

// Policies. Wire values, never reused.
const (
	SealCode   SealPolicy = 1 // this exact code
	SealSigner SealPolicy = 2 // this signer and product, at this security version
)

// Info describes the hardware.
type Info struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16   // of the protocol: Version
	Kind      evidence.Kind
	Caps      Cap
	Simulated bool
}

// Hardware is what a trusted program may ask of the platform under it. The
// methods are safe for concurrent use. Errors wrap one of those below.
type Hardware interface {
	Info() Info
	// Attest makes evidence that binds data to the running program.
	Attest(data [64]byte) (*evidence.Evidence, error)
	// SealKey derives a key for a label of at most MaxLabel bytes.
	SealKey(p SealPolicy, label string) ([32]byte, error)
	// ReadCounter and IncrementCounter use a counter by its name, at most MaxName
	// bytes; it begins at 0. Increment returns the new value once it is durable.
	ReadCounter(name string) (uint64, error)
	IncrementCounter(name string) (uint64, error)
	// Elapsed is the time since the hardware started the program.
	Elapsed() (time.Duration, error)
	// Random fills p, at most MaxRandom bytes.
	Random(p []byte) error
}

// Errors of Hardware that cross the connection.
var (
	ErrUnsupported = errors.New("this hardware cannot do that")
	ErrBadRequest  = errors.New("hardware request malformed")
	ErrLimit       = errors.New("hardware limit reached")
	ErrFailed      = errors.New("the hardware failed")
)

// Errors of the connection.
var (
	ErrProtocol = errors.New("backend protocol violated")
	ErrGone     = errors.New("the hardware is gone")
)

// failures are the codes of a refusal, in order from 1.
var failures = []error{ErrUnsupported, ErrBadRequest, ErrLimit, ErrFailed}

func failureCode(err error) uint16 {
	for i, e := range failures {
		if errors.Is(err, e) {
			return uint16(i + 1)
		}
	}
	return failureCode(ErrFailed) // the text of another error might say too much
}

func failure(code uint16) error {
	if code >= 1 && int(code) <= len(failures) {
		return failures[code-1]
	}
	return ErrFailed
}
