package anchor

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Kinds of address.
const (
	P2WPKH = "p2wpkh" // segwit: smaller fees, the default
	P2PKH  = "p2pkh"
)

// maxKeyFile bounds a key file in bytes.
const maxKeyFile = 256

// Key is the hot key that pays for anchors.
type Key struct {
	private *btcec.PrivateKey
	public  []byte // compressed
	kind    string
	address string
	script  []byte // of its address
}

// ReadKey reads a private key from a file that only its owner can read: wallet
// import format, or 32 bytes in hex. Errors carry ErrBadRequest and never show
// the content.
func ReadKey(path, kind string, n *bitcoin.Network) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("anchor: key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("anchor: key: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, wire.Faultf(wire.ErrBadRequest, "anchor: key: others can read %s; run: chmod 600 %s", path, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("anchor: key: %w", err)
	}
	k, err := ParseKey(string(b), kind, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// ParseKey is ReadKey for the file's content.
func ParseKey(text, kind string, n *bitcoin.Network) (*Key, error) {
	bad := func(what string) (*Key, error) {
		return nil, wire.Faultf(wire.ErrBadRequest, "anchor: key: %s", what)
	}
	params, err := paramsOf(n)
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return bad("longer than a private key")
	}
	var private *btcec.PrivateKey
	text = strings.TrimSpace(text)
	if b, err := hex.DecodeString(text); err == nil {
		if len(b) != btcec.PrivKeyBytesLen {
			return bad("a private key in hex has 64 digits")
		}
		var overflow bool
		if private, overflow = privateKey([32]byte(b)); overflow {
			return bad("the number is no private key")
		}
	} else {
		wif, err := btcutil.DecodeWIF(text)
		switch {
		case err != nil:
			return bad("neither 64 hex digits nor wallet import format")
		case !wif.IsForNet(params):
			return bad("it is of another network than " + n.Name)
		case !wif.CompressPubKey:
			return bad("it is for an uncompressed public key; export it as compressed")
		}
		private = wif.PrivKey
		if private.Key.IsZero() {
			return bad("the number is no private key")
		}
	}
	return newKey(private, kind, params)
}

// privateKey reads a number; it is none if it is 0 or not below the curve's order.
func privateKey(b [32]byte) (key *btcec.PrivateKey, bad bool) {
	var k btcec.ModNScalar
	overflow := k.SetBytes(&b)
	return btcec.PrivKeyFromScalar(&k), overflow != 0 || k.IsZero()
}

func newKey(private *btcec.PrivateKey, kind string, params *chaincfg.Params) (*Key, error) {
	k := &Key{private: private, public: private.PubKey().SerializeCompressed(), kind: kind}
	var to address.Address
	var err error
	hash := address.Hash160(k.public)
	switch kind {
	case P2WPKH:
		to, err = address.NewAddressWitnessPubKeyHash(hash, params)
	case P2PKH:
		to, err = address.NewAddressPubKeyHash(hash, params)
	default:
		return nil, wire.Faultf(wire.ErrBadRequest, "anchor: key: no kind of address %q; there are %s and %s", kind, P2WPKH, P2PKH)
	}
	if err == nil {
		k.address = to.EncodeAddress()
		k.script, err = txscript.PayToAddrScript(to)
	}
	if err != nil {
		return nil, fmt.Errorf("anchor: key: %w", err)
	}
	return k, nil
}

// Address is where money for anchors has to be sent.
func (k *Key) Address() string { return k.address }

// Script is the address's script: what outputs to it carry. It is the caller's.
func (k *Key) Script() []byte { return bytes.Clone(k.script) }

// paramsOf finds the library's network.
func paramsOf(n *bitcoin.Network) (*chaincfg.Params, error) {
	for _, p := range []*chaincfg.Params{
		&chaincfg.MainNetParams, &chaincfg.TestNet3Params, &chaincfg.TestNet4Params,
		&chaincfg.SigNetParams, &chaincfg.RegressionNetParams, &chaincfg.SimNetParams,
	} {
		if n.Genesis == bitcoin.Hash(*p.GenesisHash) {
			return p, nil
		}
	}
	return nil, wire.Faultf(wire.ErrBadRequest, "anchor: cannot make addresses of network %s", n.Name)
}

// Hash160 is the hash of the public key, which an admin block names to allow it.
func (k *Key) Hash160() [20]byte { return [20]byte(address.Hash160(k.public)) }
