package duty

import (
	"crypto/ecdh"
	"fmt"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"cloister/wire"
)

// Self is what a running core knows of itself.
type Self struct {
	Chain wire.Hash
	Key   wire.PrivateKey
	// Boots is the number of this run, counted from 1; BootID its id.
	Boots  uint64
	BootID wire.Hash
	// Hardware says that the core can show evidence of where it runs; without it
	// it owes none.
	Hardware bool
	// CodeVersion is the program's, as its claims say it.
	CodeVersion uint32

	vrf voi.PrivateKey
	box [32]byte // public
}

// NewSelf derives the keys that come from the identity: the same in every run,
// so that a registration stays good.
func NewSelf(chain wire.Hash, key wire.PrivateKey, boots uint64, boot wire.Hash, version uint32) (*Self, error) {
	s := &Self{Chain: chain, Key: key, Boots: boots, BootID: boot, Hardware: true, CodeVersion: version}
	seed := key.Seed()
	vrf := wire.TH("cloister/vrf-key/v1", seed[:])
	s.vrf = voi.NewKeyFromSeed(vrf[:])
	secret := wire.TH("cloister/box-key/v1", seed[:])
	box, err := ecdh.X25519().NewPrivateKey(secret[:])
	if err != nil {
		return nil, fmt.Errorf("duty: box key: %w", err)
	}
	s.box = [32]byte(box.PublicKey().Bytes())
	return s, nil
}

// ID is the node's.
func (s *Self) ID() wire.NodeID { return wire.NodeIDOf(s.Key.Public()) }

// Account pays for what the core submits.
func (s *Self) Account() wire.Account { return wire.AccountOf(s.Key.Public()) }

// VRF is the public key of the node's VRF.
func (s *Self) VRF() [32]byte { return [32]byte(s.vrf[32:]) }
