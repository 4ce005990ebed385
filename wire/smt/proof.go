package smt

import (
	"fmt"
	"math/bits"

	"cloister/wire"
)

const (
	// MaxDepth is the number of bits of a position, hence the most siblings a
	// proof can have. With a million keys there are about 22.
	MaxDepth = 8 * len(wire.Hash{})
	// MaxProof is the size in bytes of the longest encoded proof.
	MaxProof = 1 + (3 + MaxDepth*34) + (1 + 2*34)
)

// Why a proof was refused. Each is also a wire.ErrProof.
var (
	// ErrShape: no tree has a proof of this shape (package comment).
	ErrShape = fmt.Errorf("%w: impossible shape", wire.ErrProof)
	// ErrLeaf: the leaf met does not answer the question: it is not the key's
	// with this value (inclusion), or it is the key's, or lies off its path
	// (absence).
	ErrLeaf = fmt.Errorf("%w: the leaf met proves something else", wire.ErrProof)
	// ErrRoot: the proof is well-formed and leads to another root.
	ErrRoot = fmt.Errorf("%w: path leads to another root", wire.ErrProof)
)

// Proof is the walk from the root to where a key is or would be.
type Proof struct {
	_        struct{}    `cbor:",toarray"`
	Siblings []wire.Hash // top to bottom, at most MaxDepth
	Leaf     *Leaf       // the leaf met at the end, nil if none
}

// Encode is the proof's one encoding, at most MaxProof bytes.
func (p Proof) Encode() []byte { return wire.Marshal(p) }

// DecodeProof reads what Encode wrote and nothing else. Errors wrap
// wire.ErrEncoding.
func DecodeProof(b []byte) (Proof, error) {
	var p Proof
	if err := wire.Unmarshal(b, &p, MaxProof); err != nil {
		return Proof{}, fmt.Errorf("state proof: %w", err)
	}
	if len(p.Siblings) > MaxDepth {
		return Proof{}, fmt.Errorf("state proof: %w: %d siblings", wire.ErrEncoding, len(p.Siblings))
	}
	return p, nil
}

// Verify checks that under root the application key holds the stored bytes
// value, or, if value is nil, that it is absent. An empty value that is not nil
// asks for a key that holds zero bytes: where both can occur, call
// VerifyInclusion or VerifyAbsence and the question is explicit.
func Verify(root wire.Hash, key, value []byte, p Proof) error {
	if value == nil {
		return VerifyAbsence(root, KeyHash(key), p)
	}
	return VerifyInclusion(root, Leaf{Key: KeyHash(key), Value: ValueHash(value)}, p)
}

// VerifyInclusion checks that the tree with this root holds leaf.
func VerifyInclusion(root wire.Hash, leaf Leaf, p Proof) error {
	if p.Leaf == nil || *p.Leaf != leaf {
		return fmt.Errorf("inclusion: %w", ErrLeaf)
	}
	if err := p.leadsTo(root, leaf.Key); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	return nil
}

// VerifyAbsence checks that the tree with this root holds no leaf for the key
// with this hash.
func VerifyAbsence(root, key wire.Hash, p Proof) error {
	if p.Leaf != nil {
		if shared := sharedBits(&p.Leaf.Key, &key); shared == MaxDepth || shared < len(p.Siblings) {
			return fmt.Errorf("absence: %w: it shares %d bits after %d siblings", ErrLeaf, shared, len(p.Siblings))
		}
	}
	if err := p.leadsTo(root, key); err != nil {
		return fmt.Errorf("absence: %w", err)
	}
	return nil
}

// leadsTo checks the shape and hashes from the end of the walk up to the root.
func (p *Proof) leadsTo(root, key wire.Hash) error {
	depth := len(p.Siblings)
	switch {
	case depth > MaxDepth:
		return fmt.Errorf("%w: %d siblings", ErrShape, depth)
	case depth == MaxDepth && p.Leaf == nil:
		return fmt.Errorf("%w: nothing met at full depth", ErrShape)
	case depth > 0 && p.Siblings[depth-1] == Empty:
		return fmt.Errorf("%w: the last sibling is empty", ErrShape)
	}
	h := Empty
	if p.Leaf != nil {
		h = p.Leaf.Hash()
	}
	for d := depth - 1; d >= 0; d-- {
		if Bit(&key, d) == 0 {
			h = NodeHash(h, p.Siblings[d])
		} else {
			h = NodeHash(p.Siblings[d], h)
		}
	}
	if h != root {
		return ErrRoot
	}
	return nil
}

// sharedBits counts the leading bits two positions have in common.
func sharedBits(a, b *wire.Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return MaxDepth
}
