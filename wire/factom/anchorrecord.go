package factom

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"cloister/wire"
)

// Names of the chains that hold anchor records and the price of entry credits;
// a chain's id is ChainID of its name.
var (
	BitcoinAnchorName  = [][]byte{[]byte("FactomAnchorChain")}
	EthereumAnchorName = [][]byte{[]byte("FactomEthereumAnchorChain")}
	RateName           = [][]byte{[]byte("FCT EC Conversion Rate Chain"), []byte("1950454129")}
)

// Ids of those chains.
var (
	BitcoinAnchorChain  = ChainID(BitcoinAnchorName)
	EthereumAnchorChain = ChainID(EthereumAnchorName)
	RateChain           = ChainID(RateName)
)

// Versions of an anchor record: where its signature stands.
const (
	RecordSignedInContent = 1 // hex after the JSON
	RecordSignedInExtID   = 2 // the only external id
)

// MaxAnchorRecord bounds a record's JSON in bytes: with a proof and a signature
// it still fits into an entry.
const MaxAnchorRecord = 9 << 10

// maxOrdinal bounds heights and offsets of other ledgers: readers take them as
// signed numbers of 32 or 64 bits.
const maxOrdinal = 1<<31 - 1

// AnchorRecord says, in an entry of an anchor chain, where a directory block
// was anchored (specification §12). Exactly one of Bitcoin and Ethereum is set.
type AnchorRecord struct {
	AnchorRecordVer int
	DBHeight        uint32
	KeyMR           wire.Hash // of the directory block
	// A record for Ethereum covers the blocks of a window; WindowMR is the
	// Merkle root of their KeyMRs.
	DBHeightMax  uint32          `json:",omitempty"`
	DBHeightMin  uint32          `json:",omitempty"`
	WindowMR     *wire.Hash      `json:",omitempty"`
	RecordHeight uint32          // directory height the record was meant for
	Bitcoin      *BitcoinAnchor  `json:",omitempty"`
	Ethereum     *EthereumAnchor `json:",omitempty"`
}

// BitcoinAnchor is a place in Bitcoin. Hashes are as Bitcoin shows them: 64 hex
// digits, the last byte first.
type BitcoinAnchor struct {
	Address     string
	TXID        string
	BlockHeight uint32
	BlockHash   string
	Offset      uint32 // of the transaction in its block
	// What follows is ours; other readers pass over it. With it the record proves
	// by itself that the transaction is in the block (package wire/bitcoin).
	Network string `json:",omitempty"`
	Proof   []byte `json:",omitempty"` // bitcoin.Proof, encoded
}

// EthereumAnchor is a place in Ethereum. Hashes and addresses are 0x and hex digits.
type EthereumAnchor struct {
	ContractAddress string
	TxID            string
	BlockHeight     uint64
	BlockHash       string
	TxIndex         uint64
}

// Check refuses a record that no reader could make sense of. Errors carry
// ErrMalformed.
func (r *AnchorRecord) Check() error {
	bad := func(what string) error { return wire.Faultf(wire.ErrMalformed, "anchor record: %s", what) }
	switch {
	case r.AnchorRecordVer != RecordSignedInContent && r.AnchorRecordVer != RecordSignedInExtID:
		return bad("neither of version 1 nor 2")
	case (r.Bitcoin == nil) == (r.Ethereum == nil):
		return bad("must name one of Bitcoin and Ethereum")
	case r.Bitcoin != nil && (r.DBHeightMax != 0 || r.DBHeightMin != 0 || r.WindowMR != nil):
		return bad("a window in Bitcoin")
	case r.Ethereum != nil && (r.WindowMR == nil || r.DBHeightMin > r.DBHeightMax):
		return bad("no window in Ethereum")
	}
	if b := r.Bitcoin; b != nil {
		switch {
		case !isHex(b.TXID, 32) || !isHex(b.BlockHash, 32):
			return bad("Bitcoin hashes are 64 lower-case hex digits")
		case len(b.Address) == 0 || len(b.Address) > maxAddress || strings.Trim(b.Address, alphanumeric) != "":
			return bad("a Bitcoin address is at most 90 letters and digits")
		case len(b.Network) > 16 || strings.Trim(b.Network, alphanumeric) != "" || (b.Network == "") != (len(b.Proof) == 0):
			return bad("a proof comes with the name of its network")
		case b.BlockHeight > maxOrdinal || b.Offset > maxOrdinal:
			return bad("place in Bitcoin out of range")
		}
	}
	if e := r.Ethereum; e != nil {
		switch {
		case !isHex0x(e.TxID, 32) || !isHex0x(e.BlockHash, 32) || !isHex0x(e.ContractAddress, 20):
			return bad("Ethereum hashes and addresses are 0x and hex digits")
		case e.BlockHeight > maxOrdinal || e.TxIndex > maxOrdinal:
			return bad("place in Ethereum out of range")
		}
	}
	return nil
}

// isHex reports whether s is n bytes in lower-case hex.
func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n && hex.EncodeToString(b) == s
}

// isHex0x reports whether s is 0x and n bytes in hex. Case carries a checksum
// in Ethereum addresses, so both are taken.
func isHex0x(s string, n int) bool {
	digits, ok := strings.CutPrefix(s, "0x")
	b, err := hex.DecodeString(digits)
	return ok && err == nil && len(b) == n
}

// alphanumeric holds every character of a Bitcoin address, base58 or bech32.
const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// maxAddress is the length of the longest bech32 text.
const maxAddress = 90

// JSON is what is signed: compact, fields in order, absent ones left out.
func (r *AnchorRecord) JSON() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("factom: cannot encode an anchor record: %v", err))
	}
	return b
}

// Entry signs the record and makes the entry that carries it, in the chain of
// what it anchors in. Errors are those of Check.
func (r *AnchorRecord) Entry(key wire.PrivateKey) (*Entry, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	content := r.JSON()
	signature := key.SignMessage(content)
	e := &Entry{ChainID: r.chain(), Content: content}
	if r.AnchorRecordVer == RecordSignedInExtID {
		e.ExtIDs = [][]byte{signature[:]}
	} else {
		e.Content = hex.AppendEncode(content, signature[:])
	}
	return e, nil
}

func (r *AnchorRecord) chain() wire.Hash {
	if r.Ethereum != nil {
		return EthereumAnchorChain
	}
	return BitcoinAnchorChain
}

// ParseAnchorRecord reads the record of an entry of an anchor chain strictly.
// signed lacks the key: anybody may write into the chain, and a record counts
// only if a key that the ledger allows has signed it. The message aliases the
// entry. Errors carry ErrMalformed.
func ParseAnchorRecord(e *Entry) (r *AnchorRecord, signed wire.Signed, err error) {
	bad := func(format string, args ...any) (*AnchorRecord, wire.Signed, error) {
		return nil, wire.Signed{}, wire.Faultf(wire.ErrMalformed, "anchor record: "+format, args...)
	}
	version, text, signature := splitRecord(e)
	switch {
	case len(text) > MaxAnchorRecord:
		return bad("%d bytes, at most %d", len(text), MaxAnchorRecord)
	case len(signature) != len(signed.Signature):
		return bad("no signature")
	}
	r = new(AnchorRecord)
	if err := json.Unmarshal(text, r); err != nil {
		return bad("%v", err)
	}
	if err := r.Check(); err != nil {
		return nil, wire.Signed{}, err
	}
	switch {
	case !bytes.Equal(r.JSON(), text):
		return bad("differs from the form it is written in")
	case r.AnchorRecordVer != version:
		return bad("version %d is signed in the place of version %d", r.AnchorRecordVer, version)
	case e.ChainID != r.chain():
		return bad("does not belong into chain %s", e.ChainID)
	}
	return r, wire.Signed{Message: text, Signature: wire.Signature(signature)}, nil
}

// splitRecord finds the JSON and the signature by where the signature stands;
// that it is none is for the caller to see by its length.
func splitRecord(e *Entry) (version int, text, signature []byte) {
	end := bytes.LastIndexByte(e.Content, '}') + 1
	if text = e.Content[:end]; end < len(e.Content) {
		digits := string(e.Content[end:])
		if isHex(digits, len(wire.Signature{})) {
			signature, _ = hex.DecodeString(digits)
		}
		return RecordSignedInContent, text, signature
	}
	if len(e.ExtIDs) == 1 {
		signature = e.ExtIDs[0]
	}
	return RecordSignedInExtID, text, signature
}

// VerifyAnchorRecord is ParseAnchorRecord for whom one of the keys must have
// signed; it says which. Errors carry ErrMalformed.
func VerifyAnchorRecord(e *Entry, keys []wire.PublicKey) (*AnchorRecord, wire.PublicKey, error) {
	r, signed, err := ParseAnchorRecord(e)
	if err != nil {
		return nil, wire.PublicKey{}, err
	}
	for _, k := range keys {
		if signed.Key = k; signed.Verify() {
			return r, k, nil
		}
	}
	return nil, wire.PublicKey{}, wire.Faultf(wire.ErrMalformed, "anchor record of height %d: signed by none of %d keys", r.DBHeight, len(keys))
}
