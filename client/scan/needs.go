package scan

import (
	"context"
	"fmt"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Kind says what an object is, and so how it is named.
type Kind uint8

// Kinds of object.
const (
	Directory    Kind = iota // by KeyMR
	Admin                    // by lookup hash
	EntryCredits             // by the hash of its header
	Factoids                 // by KeyMR
	EntryBlock               // by KeyMR
	Entry                    // by entry hash
)

var kindNames = [...]string{"directory block", "admin block", "entry credit block", "factoid block", "entry block", "entry"}

// String names the kind for people.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Peer is somebody who has the data layer's bytes. It is not trusted: what it
// gives is hashed, what it proposes is judged. One that answers nothing, or
// wrongly, costs time; if no peer is honest and complete, the scan stops early and
// says so. Methods are called from many goroutines and end with their context.
type Peer interface {
	// Name tells peers apart in reports.
	Name() string
	// Head proposes the KeyMR of the newest directory block.
	Head(ctx context.Context) (wire.Hash, error)
	// DirectoryAt gives the bytes of the directory block of a height. It only saves
	// round trips: blocks are linked by Object where it fails or differs.
	DirectoryAt(ctx context.Context, height uint32) ([]byte, error)
	// Object gives an object's bytes, at most as many as the kind's parser takes.
	Object(ctx context.Context, kind Kind, key wire.Hash) ([]byte, error)
}

// Bitcoin is the user's own view of Bitcoin, and is believed: one that hides
// transactions keeps blocks from being anchored and forks from being seen, one
// that makes them up can do the opposite.
type Bitcoin interface {
	// Anchors calls found with every output that begins with OP_RETURN, a push of 40
	// bytes and "Fa", in blocks of the best chain from a height on, in any order,
	// and returns the height of the tip it went up to. It ends with found's error.
	Anchors(ctx context.Context, from uint32, found func(Anchor) error) (tip uint32, err error)
}

// Anchor is one such output.
type Anchor struct {
	TXID        bitcoin.Hash
	BlockHash   bitcoin.Hash
	BlockHeight uint32 // in Bitcoin
	Depth       uint32 // blocks from this one to the tip, 1 for the tip itself
	// SpentFrom is of the transaction's first input: HASH160 of the public key
	// (P2PKH, P2WPKH) or of the script (P2SH).
	SpentFrom Spender
	Script    []byte // of the output
}

// Spender is who can spend an output: the hash and its type as an admin block
// writes them.
type Spender struct {
	_       struct{} `cbor:",toarray"`
	Type    uint8    // 0 public key hash, 1 script hash
	Hash160 [20]byte
}

// String is the type and the hash in hex.
func (s Spender) String() string { return fmt.Sprintf("%d:%x", s.Type, s.Hash160) }

// MarshalText implements encoding.TextMarshaler.
func (s Spender) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
