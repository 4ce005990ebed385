package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Hash is 32 bytes: a SHA-256, an identifier made of one, or a public key's digest.
type Hash [32]byte

// TH is the tagged hash, the only form for new derived values:
// SHA-256(label ‖ 0x00 ‖ Σ u32be(len pᵢ) ‖ pᵢ). Labels are ASCII
// "cloister/<thing>/v1"; integers enter as U64, U32 or U16.
func TH(label string, parts ...[]byte) (h Hash) {
	n := len(label) + 1
	for _, p := range parts {
		n += 4 + len(p)
	}
	var stack [512]byte
	b := stack[:0]
	if n > len(stack) {
		b = make([]byte, 0, n)
	}
	b = append(append(b, label...), 0)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// U64 is the fixed-width big-endian form of an integer inside a tagged hash or a key.
func U64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// U32 is U64 for 32-bit integers.
func U32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// U16 is U64 for 16-bit integers.
func U16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// String is the lower-case hex form, used everywhere a person or JSON sees a hash.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

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

// ParseHash reads 64 hex digits.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%w: a hash is 64 hex digits, got %q", ErrEncoding, clip(s))
	}
	return Hash(b), nil
}

// clip shortens input that is quoted back in an error.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
