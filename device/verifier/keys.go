package verifier

import (
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/wire"
)

// Keys are a device's node key and VRF key, wherever they are kept.
type Keys interface {
	Node() wire.PublicKey
	VRF() wire.PublicKey
	// Sign signs with the node key.
	Sign(statement wire.Hash) (wire.Signature, error)
	// Prove makes a proof of hardware.ProofSize bytes by RFC 9381
	// ECVRF-EDWARDS25519-SHA512-ELL2.
	Prove(alpha wire.Hash) ([]byte, error)
	// Derive gives 32 bytes that follow from the node key and nobody else can
	// compute: the same at each call, others for each label and parts. Wrongly
	// implemented, votes can be read before they are revealed, or never revealed.
	Derive(label string, parts ...[]byte) ([32]byte, error)
}

// soft are keys in memory.
type soft struct{ node, vrf wire.PrivateKey }

// NewKeys makes Keys of two private keys, which must differ.
func NewKeys(node, vrf wire.PrivateKey) Keys { return soft{node, vrf} }

func (k soft) Node() wire.PublicKey { return k.node.Public() }
func (k soft) VRF() wire.PublicKey  { return k.vrf.Public() }

func (k soft) Sign(statement wire.Hash) (wire.Signature, error) { return k.node.Sign(statement), nil }

func (k soft) Prove(alpha wire.Hash) ([]byte, error) {
	return ecvrf.Prove(ed25519.PrivateKey(k.vrf.Crypto()), alpha[:]), nil
}

func (k soft) Derive(label string, parts ...[]byte) ([32]byte, error) {
	seed := k.node.Seed()
	return wire.TH(label, append([][]byte{seed[:]}, parts...)...), nil
}
