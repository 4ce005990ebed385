package factom

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"

	"cloister/wire"
)

// Digest is a SHA-256 that can be written down unfinished and go on later: a
// body too large for memory is hashed a piece at a time. FullHash of a large
// block is a Digest of its header's bytes with its body written to it.
//
// It must not be copied after first use.
type Digest struct {
	h hash.Hash
	n uint64 // bytes written
}

// NewDigest starts a digest with what is known already.
func NewDigest(start ...[]byte) *Digest {
	d := &Digest{h: sha256.New()}
	for _, b := range start {
		d.Write(b)
	}
	return d
}

// Write adds bytes. It returns nothing, because it cannot fail.
func (d *Digest) Write(b []byte) {
	d.n += uint64(len(b))
	_, _ = d.h.Write(b)
}

// Size is how many bytes were written.
func (d *Digest) Size() uint64 { return d.n }

// Sum is the SHA-256 of what was written; the digest can go on.
func (d *Digest) Sum() wire.Hash { return wire.Hash(d.h.Sum(nil)) }

// The standard library's own form of an unfinished SHA-256: a mark, the
// chaining value, the bytes of the block begun padded with zeros, the length.
// It is the library's to change, so what is written down is our own form, and
// both ways of the translation stop the program if the library's changed.
const (
	chaining    = 32
	libraryMark = "sha\x03"
	librarySize = len(libraryMark) + chaining + sha256.BlockSize + 8
)

// maxDigest bounds the length an encoded digest may claim: SHA-256 counts bits.
const maxDigest = 1 << 60

// AppendBinary appends the state: bytes written(8) ‖ chaining value(32) ‖ the
// bytes of the 64-byte block that is begun.
func (d *Digest) AppendBinary(b []byte) []byte {
	state, err := d.h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(state) != librarySize || !bytes.HasPrefix(state, []byte(libraryMark)) ||
		binary.BigEndian.Uint64(state[librarySize-8:]) != d.n {
		panic("factom: the standard library's SHA-256 has another state")
	}
	b = binary.BigEndian.AppendUint64(b, d.n)
	return append(b, state[len(libraryMark):len(libraryMark)+chaining+int(d.n%sha256.BlockSize)]...)
}

// ParseDigest reads what AppendBinary wrote, and nothing after it. Errors carry
// ErrMalformed. A state that no input leads to cannot be told from one that has
// an input: only one's own states may be trusted.
func ParseDigest(b []byte) (*Digest, error) {
	c := &cursor{rest: b, code: wire.ErrMalformed, what: "digest"}
	d := c.digest()
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return d, nil
}

func (c *cursor) digest() *Digest {
	d := &Digest{h: sha256.New(), n: c.u64()}
	if d.n > maxDigest {
		c.failf("digest of %d bytes", d.n)
		return d
	}
	state := append(make([]byte, 0, librarySize), libraryMark...)
	state = append(state, c.take(chaining+d.n%sha256.BlockSize)...)
	if c.err != nil {
		return d
	}
	state = append(state, make([]byte, librarySize-8-len(state))...)
	state = binary.BigEndian.AppendUint64(state, d.n)
	if err := d.h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("factom: the standard library's SHA-256 has another state: " + err.Error())
	}
	return d
}
