package bitcoin

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"cloister/wire"
)

// Hash is a double SHA-256 in the order it was computed in. People see it the
// other way round: String, ParseHash and the text form of JSON reverse it.
type Hash [32]byte

// Sum is the hash Bitcoin names everything by: SHA-256 of SHA-256.
func Sum(b []byte) Hash {
	once := sha256.Sum256(b)
	return sha256.Sum256(once[:])
}

// String is the form people see: hex, last byte first.
func (h Hash) String() string {
	slices.Reverse(h[:])
	return hex.EncodeToString(h[:])
}

// IsZero reports whether every byte is zero.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(b []byte) error {
	v, err := ParseHash(string(b))
	*h = v
	return err
}

// ParseHash reads the form people see. Errors carry ErrMalformed.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return Hash{}, malformed("a Bitcoin hash is 64 hex digits, not %d characters", len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, malformed("a Bitcoin hash is 64 hex digits")
	}
	slices.Reverse(h[:])
	return h, nil
}

func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrMalformed, "bitcoin: "+format, args...)
}

func unproven(format string, args ...any) error {
	return wire.Faultf(wire.ErrProof, "bitcoin: "+format, args...)
}
