package backend

import (
	"errors"
	"fmt"
	"io"
	"time"

	"cloister/evidence"
)

// Serve answers the program at the other end of conn until it is gone, which is
// no error, or breaks a rule (ErrProtocol). It does not close conn.
func Serve(conn io.ReadWriter, hw Hardware) error {
	request := func(k kind) bool { return k&answer == 0 }
	for {
		k, p, err := readFrame(conn, request)
		if errors.Is(err, ErrProtocol) {
			return err
		}
		if err != nil {
			return nil // closed or reset: the program has ended
		}
		body, err := serve(hw, k, p)
		if errors.Is(err, ErrProtocol) {
			return err
		}
		kind := answer | k
		if err != nil {
			kind, body = refuse, &refusal{Code: failureCode(err)}
		}
		if err := writeFrame(conn, kind, body); err != nil {
			return nil
		}
	}
}

// serve carries out one request. Only ErrProtocol ends the connection.
func serve(hw Hardware, k kind, p []byte) (any, error) {
	switch k {
	case askInfo:
		info := hw.Info()
		info.Version = Version
		return &info, decode(p, nil)
	case askAttest:
		var b attestBody
		if err := decode(p, &b); err != nil {
			return nil, err
		}
		e, err := hw.Attest(b.Data)
		if err != nil {
			return nil, err
		}
		if len(e.Bytes()) > maxAnswer {
			return nil, fmt.Errorf("%w: evidence too large", ErrFailed)
		}
		return e, nil
	case askSealKey:
		var b sealBody
		if err := decode(p, &b); err != nil {
			return nil, err
		}
		if err := checkSeal(b.Policy, b.Label); err != nil {
			return nil, err
		}
		key, err := hw.SealKey(b.Policy, b.Label)
		return &keyBody{Key: key}, err
	case askRead, askIncrement:
		var b nameBody
		if err := decode(p, &b); err != nil {
			return nil, err
		}
		if err := checkName(b.Name); err != nil {
			return nil, err
		}
		use := hw.ReadCounter
		if k == askIncrement {
			use = hw.IncrementCounter
		}
		n, err := use(b.Name)
		return &numberBody{N: n}, err
	case askElapsed:
		if err := decode(p, nil); err != nil {
			return nil, err
		}
		d, err := hw.Elapsed()
		return &numberBody{N: uint64(max(d, 0) / time.Nanosecond)}, err
	case askRandom:
		var b randomBody
		if err := decode(p, &b); err != nil {
			return nil, err
		}
		if b.N == 0 || b.N > MaxRandom {
			return nil, fmt.Errorf("%w: %d random bytes", ErrBadRequest, b.N)
		}
		out := make([]byte, b.N)
		err := hw.Random(out)
		return &bytesBody{Bytes: out}, err
	}
	return nil, fmt.Errorf("%w: unexpected frame %#02x", ErrProtocol, uint8(k))
}

func checkSeal(p SealPolicy, label string) error {
	if p != SealCode && p != SealSigner {
		return fmt.Errorf("%w: seal policy %d", ErrBadRequest, p)
	}
	if label == "" || len(label) > MaxLabel {
		return fmt.Errorf("%w: label of %d bytes", ErrBadRequest, len(label))
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: counter name of %d bytes", ErrBadRequest, len(name))
	}
	return nil
}

// decodeEvidence reads an answer to Attest of hardware of a kind.
func decodeEvidence(p []byte, want evidence.Kind) (*evidence.Evidence, error) {
	e, err := evidence.Decode(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if e.Kind != want {
		return nil, fmt.Errorf("%w: %s evidence from %s hardware", ErrProtocol, e.Kind, want)
	}
	return e, nil
}

// checkInfo judges what the hardware says about itself.
func checkInfo(i Info) error {
	if i.Version != Version {
		return fmt.Errorf("%w: version %d, this program has %d", ErrProtocol, i.Version, Version)
	}
	if i.Kind.Vendor() == 0 {
		return fmt.Errorf("%w: hardware of %s", ErrProtocol, i.Kind)
	}
	return nil
}
