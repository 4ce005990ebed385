package evidence

import (
	"crypto/sha256"
	"encoding/binary"

	"cloister/wire"
)

// Purpose is why evidence was made.
type Purpose uint8

// Purposes. Wire values, never reused.
const (
	Register  Purpose = 1
	Renew     Purpose = 2
	Channel   Purpose = 3
	Challenge Purpose = 4
)

// Claims is what a core binds into its evidence. Only a core computes it; the
// gate has no call that attests what a host chose. Unused fields are zero
// (TEE specification §6.1).
type Claims struct {
	_              struct{} `cbor:",toarray"`
	Purpose        Purpose
	ChainID        wire.Hash
	Height         uint64    // a recent block
	BlockHash      wire.Hash // its hash
	Identity       wire.PublicKey
	Box            [32]byte  // X25519
	VRF            [32]byte  // the node's VRF key, Ed25519 form
	TLSKey         wire.Hash // SHA-256 of the SubjectPublicKeyInfo
	ChannelBinding wire.Hash
	Challenge      wire.Hash
	Operator       wire.Hash // account of who runs the node
	BootID         wire.Hash // of this run of the core
	CodeVersion    uint32
}

// claimsLabel opens the hashed form.
const claimsLabel = "cloister/claims/v1"

// Bytes is the hashed form: the label, then every field in order, integers
// big-endian. It has one length, so there is no ambiguity to guard against.
func (c *Claims) Bytes() []byte {
	b := make([]byte, 0, len(claimsLabel)+1+8+4+11*32)
	b = append(append(b, claimsLabel...), byte(c.Purpose))
	b = append(b, c.ChainID[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Height)
	for _, f := range [][]byte{
		c.BlockHash[:], c.Identity[:], c.Box[:], c.VRF[:], c.TLSKey[:], c.ChannelBinding[:],
		c.Challenge[:], c.Operator[:], c.BootID[:],
	} {
		b = append(b, f...)
	}
	return binary.BigEndian.AppendUint32(b, c.CodeVersion)
}

// ReportData is what the evidence must carry: SHA-256 of Bytes, then zeros.
// In a TPM quote the first 32 bytes are extraData.
func (c *Claims) ReportData() (d [64]byte) {
	h := sha256.Sum256(c.Bytes())
	copy(d[:], h[:])
	return d
}
