package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

type (
	// PublicKey is an Ed25519 public key, 32 bytes as in RFC 8032.
	PublicKey [32]byte
	// Signature is an Ed25519 signature R‖S, 64 bytes.
	Signature [64]byte
	// PrivateKey signs. Its zero value cannot.
	PrivateKey struct{ k ed25519.PrivateKey }
)

// zip215 accepts and refuses exactly the same signatures one by one and in a
// batch, which consensus needs; RFC 8032 leaves the edge cases open.
var zip215 = &voi.Options{Verify: voi.VerifyOptionsZIP_215}

// NewPrivateKey makes the key of a 32-byte seed.
func NewPrivateKey(seed [32]byte) PrivateKey {
	return PrivateKey{ed25519.NewKeyFromSeed(seed[:])}
}

// Seed returns the 32 secret bytes the key was made of.
func (k PrivateKey) Seed() (seed [32]byte) {
	copy(seed[:], k.k.Seed())
	return seed
}

// Public returns the key's public half.
func (k PrivateKey) Public() (p PublicKey) {
	copy(p[:], k.k[32:])
	return p
}

// Sign signs a tagged hash. Bare bodies are signed only where a foreign format
// demands it: SignMessage.
func (k PrivateKey) Sign(digest Hash) (s Signature) {
	copy(s[:], ed25519.Sign(k.k, digest[:]))
	return s
}

// SignMessage signs the bytes of a foreign format that knows no tagged hash. It
// panics on 32 bytes: such a signature could be taken for one of Sign.
func (k PrivateKey) SignMessage(message []byte) (s Signature) {
	if len(message) == len(Hash{}) {
		panic("wire: a message of 32 bytes is indistinguishable from a tagged hash")
	}
	copy(s[:], ed25519.Sign(k.k, message))
	return s
}

// Signed is a message of a foreign format with its signature.
type Signed struct {
	Key       PublicKey
	Message   []byte
	Signature Signature
}

// Verify reports whether the signature holds, by ZIP-215 rules.
func (s *Signed) Verify() bool { return s.Key.VerifyMessage(s.Message, s.Signature) }

// String names the key by its public half, so that a log cannot leak it.
func (k PrivateKey) String() string {
	if k.k == nil {
		return "no private key"
	}
	return "private key of " + k.Public().String()
}

// Crypto returns the key for standard-library use (TLS certificates).
func (k PrivateKey) Crypto() ed25519.PrivateKey { return k.k }

// Verify reports whether s signs digest under p, by ZIP-215 rules.
func (p PublicKey) Verify(digest Hash, s Signature) bool {
	return voi.VerifyWithOptions(p[:], digest[:], s[:], zip215)
}

// VerifyMessage reports whether s signs message under p, by ZIP-215 rules. No
// message of 32 bytes is accepted; see SignMessage.
func (p PublicKey) VerifyMessage(message []byte, s Signature) bool {
	return len(message) != len(Hash{}) && voi.VerifyWithOptions(p[:], message, s[:], zip215)
}

// Valid reports whether p is a point of the curve under which only the holder
// of a private key can sign: ZIP-215 accepts anybody's signature under the
// points of small order, the zero value among them. Keys that are given power
// are checked with it; Verify does not need it.
func (p PublicKey) Valid() bool {
	var point curve.EdwardsPoint
	_, err := point.SetCompressedY((*curve.CompressedEdwardsY)(&p))
	return err == nil && !point.IsSmallOrder()
}

// String is lower-case hex.
func (p PublicKey) String() string { return hex.EncodeToString(p[:]) }

// MarshalText implements encoding.TextMarshaler.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *PublicKey) UnmarshalText(b []byte) error {
	v, err := ParsePublicKey(string(b))
	*p = v
	return err
}

// ParsePublicKey reads 64 hex digits.
func ParsePublicKey(s string) (p PublicKey, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("%w: a public key is 64 hex digits, got %q", ErrEncoding, clip(s))
	}
	return PublicKey(b), nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Signature) MarshalText() ([]byte, error) {
	return []byte(hex.EncodeToString(s[:])), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Signature) UnmarshalText(b []byte) error {
	v, err := hex.DecodeString(string(b))
	if err != nil || len(v) != len(s) {
		return fmt.Errorf("%w: a signature is 128 hex digits", ErrEncoding)
	}
	*s = Signature(v)
	return nil
}

// Batch verifies many signatures at about half the cost of one by one.
type Batch struct {
	v       *voi.BatchVerifier
	digests []Hash // the verifier keeps slices of these until Verify
	keys    []PublicKey
	sigs    []Signature
}

// NewBatch makes a batch with room for n signatures; it must not be given more.
func NewBatch(n int) *Batch {
	return &Batch{
		v:       voi.NewBatchVerifierWithCapacity(n),
		digests: make([]Hash, 0, n), keys: make([]PublicKey, 0, n), sigs: make([]Signature, 0, n),
	}
}

// Add queues one signature.
func (b *Batch) Add(p PublicKey, digest Hash, s Signature) {
	i := len(b.keys)
	b.keys, b.digests, b.sigs = append(b.keys, p), append(b.digests, digest), append(b.sigs, s)
	b.v.AddWithOptions(b.keys[i][:], b.digests[i][:], b.sigs[i][:], zip215)
}

// AddMessage queues one signature over a foreign format's bytes, which must not
// change until Verify. A message of 32 bytes is refused; see SignMessage.
func (b *Batch) AddMessage(m Signed) {
	if len(m.Message) == len(Hash{}) {
		m.Signature = Signature{0xff} // of nothing
	}
	i := len(b.keys)
	b.keys, b.digests, b.sigs = append(b.keys, m.Key), append(b.digests, Hash{}), append(b.sigs, m.Signature)
	b.v.AddWithOptions(b.keys[i][:], m.Message, b.sigs[i][:], zip215)
}

// Verify judges every queued signature; ok[i] belongs to the i-th Add or AddMessage.
func (b *Batch) Verify() (all bool, ok []bool) {
	if len(b.keys) == 0 {
		return true, nil
	}
	return b.v.Verify(nil)
}
