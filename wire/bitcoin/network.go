package bitcoin

import (
	"math/big"

	"cloister/wire"
)

// Every network that changes its target does so after this many blocks, by what
// they took against what they should take, in seconds, and at most fourfold.
const (
	retargetBlocks  = 2016
	retargetSeconds = 14 * 24 * 60 * 60
	retargetFactor  = 4
)

// Network is one of Bitcoin's: the real one and those for tests.
type Network struct {
	Name      string
	Genesis   Hash
	LimitBits uint32 // easiest target, compact

	// fixed means that the target never changes.
	fixed bool
	// gap, if above 0, lets a block that comes so many seconds after the one
	// before have the easiest target.
	gap uint32
	// fromFirst computes a new target from that of the first block of the last
	// 2016, which cannot have had the easiest target by gap (BIP 94).
	fromFirst bool

	// Prefixes of what people see.
	PubKeyHash byte   // first byte of a P2PKH address
	ScriptHash byte   // first byte of a P2SH address
	Witness    string // start of a segwit address
	PrivateKey byte   // first byte of a private key in wallet import format
}

func (n *Network) limit() *big.Int {
	target, err := Target(n.LimitBits)
	if err != nil {
		panic("bitcoin: network " + n.Name + " has no limit")
	}
	return target
}

// Checkpoint is the genesis block, where trust needs nobody's word.
func (n *Network) Checkpoint() Checkpoint { return Checkpoint{Hash: n.Genesis} }

// Networks known by name. That a block of signet carries its authority's
// signature is not checked: its work is.
var networks = []*Network{
	{Name: "mainnet", Genesis: genesis("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"), LimitBits: 0x1d00ffff,
		PubKeyHash: 0x00, ScriptHash: 0x05, Witness: "bc", PrivateKey: 0x80},
	{Name: "testnet3", Genesis: genesis("000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"), LimitBits: 0x1d00ffff, gap: 1200,
		PubKeyHash: 0x6f, ScriptHash: 0xc4, Witness: "tb", PrivateKey: 0xef},
	{Name: "testnet4", Genesis: genesis("00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"), LimitBits: 0x1d00ffff, gap: 1200, fromFirst: true,
		PubKeyHash: 0x6f, ScriptHash: 0xc4, Witness: "tb", PrivateKey: 0xef},
	{Name: "signet", Genesis: genesis("00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"), LimitBits: 0x1e0377ae,
		PubKeyHash: 0x6f, ScriptHash: 0xc4, Witness: "tb", PrivateKey: 0xef},
	{Name: "regtest", Genesis: genesis("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"), LimitBits: 0x207fffff, fixed: true,
		PubKeyHash: 0x6f, ScriptHash: 0xc4, Witness: "bcrt", PrivateKey: 0xef},
	{Name: "simnet", Genesis: genesis("683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6"), LimitBits: 0x207fffff, gap: 1200,
		PubKeyHash: 0x3f, ScriptHash: 0x7b, Witness: "sb", PrivateKey: 0x64},
}

func genesis(s string) Hash {
	h, err := ParseHash(s)
	if err != nil {
		panic(err)
	}
	return h
}

// NetworkNamed finds mainnet, testnet3, testnet4, signet, regtest or simnet.
// Errors carry ErrBadRequest.
func NetworkNamed(name string) (*Network, error) {
	for _, n := range networks {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, wire.Faultf(wire.ErrBadRequest, "bitcoin: no network %q; there are mainnet, testnet3, testnet4, signet, regtest and simnet", name)
}
