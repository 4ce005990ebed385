package backend

import (
	"encoding/binary"
	"fmt"
	"io"

	"cloister/evidence"
	"cloister/wire"
)

// Version of the protocol; both ends must have the same.
const Version = 1

// Bounds.
const (
	MaxLabel  = 128  // bytes of a seal key's label
	MaxName   = 64   // bytes of a counter's name
	MaxRandom = 4096 // bytes of one Random

	maxRequest = 256
	maxSmall   = 64 // an answer without evidence or random bytes
	maxAnswer  = evidence.MaxEvidence
)

// kind is a frame's type byte.
type kind uint8

const (
	askInfo      kind = 0x01
	askAttest    kind = 0x02
	askSealKey   kind = 0x03
	askRead      kind = 0x04
	askIncrement kind = 0x05
	askElapsed   kind = 0x06
	askRandom    kind = 0x07

	answer kind = 0x80 // set in the answer to a request of the same number
	refuse kind = 0xff
)

// limit is the most payload bytes a frame of this type may have; ok is false
// for types that do not exist.
func (k kind) limit() (n int, ok bool) {
	switch {
	case k >= askInfo && k <= askRandom:
		return maxRequest, true
	case k == answer|askAttest:
		return maxAnswer, true
	case k == answer|askRandom:
		return MaxRandom + 8, true
	case k > answer && k <= answer|askRandom, k == refuse:
		return maxSmall, true
	}
	return 0, false
}

// Payloads. Info and a request without arguments have none of their own.
type (
	attestBody struct {
		_    struct{} `cbor:",toarray"`
		Data [64]byte
	}
	sealBody struct {
		_      struct{} `cbor:",toarray"`
		Policy SealPolicy
		Label  string
	}
	nameBody struct {
		_    struct{} `cbor:",toarray"`
		Name string
	}
	randomBody struct {
		_ struct{} `cbor:",toarray"`
		N uint16
	}
	keyBody struct {
		_   struct{} `cbor:",toarray"`
		Key [32]byte
	}
	numberBody struct {
		_ struct{} `cbor:",toarray"`
		N uint64
	}
	bytesBody struct {
		_     struct{} `cbor:",toarray"`
		Bytes []byte
	}
	refusal struct {
		_    struct{} `cbor:",toarray"`
		Code uint16
	}
)

// writeFrame sends one frame in one write. A nil body is an empty payload.
func writeFrame(w io.Writer, k kind, body any) error {
	b := make([]byte, 5, 5+maxSmall)
	if body != nil {
		b = append(b, wire.Marshal(body)...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-5))
	b[4] = byte(k)
	_, err := w.Write(b)
	return err
}

// readFrame reads one frame of a type that accept allows. Errors wrap
// ErrProtocol if a rule was broken; all others mean that the other end is gone,
// also in the middle of a frame, for it may be killed at any moment.
func readFrame(r io.Reader, accept func(kind) bool) (kind, []byte, error) {
	var h [5]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n, k := binary.BigEndian.Uint32(h[:4]), kind(h[4])
	limit, ok := k.limit()
	if !ok || !accept(k) {
		return 0, nil, fmt.Errorf("%w: unexpected frame %#02x", ErrProtocol, h[4])
	}
	if n > uint32(limit) {
		return 0, nil, fmt.Errorf("%w: frame %#02x of %d bytes", ErrProtocol, h[4], n)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return 0, nil, err
	}
	return k, p, nil
}

// decode reads a payload strictly into body; nil stands for an empty one.
func decode(p []byte, body any) error {
	if body == nil {
		if len(p) != 0 {
			return fmt.Errorf("%w: payload where none belongs", ErrProtocol)
		}
		return nil
	}
	if err := wire.Unmarshal(p, body, maxAnswer); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}
