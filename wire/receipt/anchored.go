package receipt

import (
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// AnchoredKind is the first field of an anchored receipt, which tells it from
// other files.
const AnchoredKind = "cloister-anchored-receipt/v1"

// MaxAnchored bounds the file of an anchored receipt.
const MaxAnchored = 1 << 20

// Anchored leads from an entry through its entry block and its directory block into
// a block of Bitcoin. It needs no genesis file and no member's signature: whoever
// trusts Bitcoin's headers can verify that the entry is at least as old as the
// block. The file is JSON.
type Anchored struct {
	Kind string `json:"kind"`
	// Receipt has the raw entry, and the path to the directory block's key.
	Receipt *factom.Receipt `json:"receipt"`
	// Header is the directory block's header, which says its height and time.
	Header wire.Hex `json:"directory_header"`
	// Network is Bitcoin's, by name; Proof is a bitcoin.Proof.
	Network string   `json:"bitcoin_network"`
	Proof   wire.Hex `json:"bitcoin_proof"`
}

// Encode is the receipt's file.
func (a *Anchored) Encode() []byte { return wire.EncodeJSON(a) }

// DecodeAnchored reads a file strictly. Errors carry ErrReceiptInvalid.
func DecodeAnchored(b []byte) (*Anchored, error) {
	bad := func(format string, args ...any) (*Anchored, error) {
		return nil, wire.Faultf(wire.ErrReceiptInvalid, format, args...)
	}
	a := new(Anchored)
	if err := wire.DecodeJSON(b, a, MaxAnchored); err != nil {
		return bad("%v", err)
	}
	if a.Kind != AnchoredKind || a.Receipt == nil {
		return bad("it is no anchored receipt")
	}
	return a, nil
}

// ProvedAnchor is what an anchored receipt proves.
type ProvedAnchor struct {
	Entry     *factom.Entry
	EntryHash wire.Hash
	ChainID   wire.Hash
	Directory factom.DirectoryBlockHeader
	KeyMR     wire.Hash // of the directory block
	Bitcoin   bitcoin.Anchored
	// Trusted says that the block is in a chain of headers the verifier gave;
	// otherwise it has its own work, and nothing says that Bitcoin went on with it.
	Trusted bool
}

// Verify follows the whole path. chain are Bitcoin's headers as the verifier
// trusts them, in which the block has to be depth deep; nil if there are none.
// Errors carry ErrReceiptInvalid, ErrProof, or ErrNotCovered where the headers
// end too early.
func (a *Anchored) Verify(chain *bitcoin.Chain, depth uint32) (*ProvedAnchor, error) {
	proved, err := a.Receipt.Verify()
	if err != nil {
		return nil, err
	}
	if proved.Entry == nil {
		return nil, wire.Faultf(wire.ErrReceiptInvalid, "it does not have the entry")
	}
	header, err := factom.ParseDirectoryBlockHeader(a.Header)
	if err != nil {
		return nil, err
	}
	if err := a.Receipt.CheckHeader(header); err != nil {
		return nil, err
	}
	p := &ProvedAnchor{
		Entry: proved.Entry, EntryHash: proved.EntryHash, ChainID: proved.ChainID,
		Directory: *header, KeyMR: proved.DirectoryBlockKeyMR, Trusted: chain != nil,
	}
	proof, err := bitcoin.ParseProof(a.Proof)
	if err != nil {
		return nil, err
	}
	script := factom.AnchorScript(header.Height, p.KeyMR)
	if chain != nil {
		p.Bitcoin, err = proof.VerifyIn(chain, script[:], depth)
		return p, err
	}
	network, err := bitcoin.NetworkNamed(a.Network)
	if err != nil {
		return nil, err
	}
	p.Bitcoin, err = proof.Verify(network, script[:])
	return p, err
}
