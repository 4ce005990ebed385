package record

import (
	"encoding/binary"

	"cloister/wire"
	"cloister/wire/factom"
)

// Name is the family's name in transactions.
const Name = "record"

// Kinds, the first byte of a payload. All but KindSign carry their own
// signatures (wire.Carry); what follows the byte is in Factom's layouts.
const (
	KindCommit    byte = 1 // entry commit (136) or chain commit (200)
	KindReveal    byte = 2 // entry
	KindEntryPair byte = 3 // entry commit ‖ entry
	KindChainPair byte = 4 // chain commit ‖ first entry
	KindSign      byte = 5 // directory height (4) ‖ signature (64): a server's word for a directory block
)

// Commit makes the payload of a commit's bytes.
func Commit(commit []byte) []byte { return payload(KindCommit, commit) }

// Reveal makes the payload of an entry's bytes.
func Reveal(entry []byte) []byte { return payload(KindReveal, entry) }

// CreateChain makes the payload that pays for a chain and creates it with its
// first entry. timeMs is the signer's time, Unix milliseconds: one key pays at
// most once with one time.
func CreateChain(entry []byte, timeMs uint64, key wire.PrivateKey) ([]byte, error) {
	c, err := factom.NewChainCommit(entry, timeMs, key)
	if err != nil {
		return nil, err
	}
	return payload(KindChainPair, c.Bytes(), entry), nil
}

// AddEntry makes the payload that pays for an entry and adds it to its chain;
// timeMs as with CreateChain.
func AddEntry(entry []byte, timeMs uint64, key wire.PrivateKey) ([]byte, error) {
	c, err := factom.NewEntryCommit(entry, timeMs, key)
	if err != nil {
		return nil, err
	}
	return payload(KindEntryPair, c.Bytes(), entry), nil
}

// SignDirectory makes the payload with which a validator vouches for a directory
// block; its transaction is signed by the validator's identity key. header is
// the block's first 113 bytes.
func SignDirectory(height uint32, header []byte, key wire.PrivateKey) []byte {
	sig := key.SignMessage(header)
	return payload(KindSign, binary.BigEndian.AppendUint32(nil, height), sig[:])
}

func payload(kind byte, parts ...[]byte) []byte {
	b := []byte{kind}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Payload is a decoded payload. It aliases the payload's bytes.
type Payload struct {
	Kind   byte
	Commit *factom.Commit // of commits and pairs
	Paid   []byte         // the commit's bytes
	Entry  *factom.Entry  // of reveals and pairs
	Bytes  []byte         // the entry as hashed
	Hash   wire.Hash      // the entry's
	Sign   *Signature     // of KindSign
}

// Signature is a validator's word for a directory block.
type Signature struct {
	Height    uint32
	Signature wire.Signature // over the block's header
}

// Decode reads a payload strictly. A pair's halves have to belong together: the
// commit pays for this entry, enough of it, and for a chain of this name.
func Decode(payload []byte) (*Payload, error) {
	if len(payload) == 0 || payload[0] < KindCommit || payload[0] > KindSign {
		return nil, wire.Faultf(wire.ErrMalformed, "a record payload starts with its kind, 1 to 5")
	}
	p := &Payload{Kind: payload[0]}
	if err := p.read(payload[1:]); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Payload) read(b []byte) error {
	switch p.Kind {
	case KindCommit:
		return p.readCommit(b)
	case KindReveal:
		return p.readEntry(b)
	case KindEntryPair:
		return p.readPair(b, factom.EntryCommitSize)
	case KindChainPair:
		return p.readPair(b, factom.ChainCommitSize)
	}
	return p.readSign(b)
}

// readPair reads a commit of size bytes and the entry behind it.
func (p *Payload) readPair(b []byte, size int) error {
	if len(b) < size {
		return wire.Faultf(wire.ErrCommitMalformed, "a pair begins with a commit of %d bytes, this has %d", size, len(b))
	}
	if err := p.readCommit(b[:size]); err != nil {
		return err
	}
	if err := p.readEntry(b[size:]); err != nil {
		return err
	}
	return p.PaidBy(p.Commit)
}

func (p *Payload) readCommit(b []byte) (err error) {
	p.Paid = b
	p.Commit, err = factom.ParseCommit(b)
	return err
}

func (p *Payload) readEntry(b []byte) (err error) {
	if p.Entry, err = factom.ParseEntry(b); err != nil {
		return err
	}
	p.Bytes, p.Hash = b, factom.EntryHash(b)
	return nil
}

func (p *Payload) readSign(b []byte) error {
	if len(b) != 4+64 {
		return wire.Faultf(wire.ErrMalformed, "a signature of a directory block has 68 bytes, this %d", len(b))
	}
	p.Sign = &Signature{binary.BigEndian.Uint32(b), wire.Signature(b[4:])}
	return nil
}

// PaidBy says why a commit does not pay for this entry, nil if it does: see
// factom.Commit.Covers.
func (p *Payload) PaidBy(c *factom.Commit) error {
	return c.CoversParsed(p.Entry, p.Hash, factom.EntryCost(p.Bytes))
}

// Leaf is what the data layer's tree (Header.DataRoot) holds per entry.
func Leaf(chain, entry wire.Hash) []byte { return append(append([]byte{}, chain[:]...), entry[:]...) }

// Chain is the state of a chain, stored under ChainKey.
type Chain struct {
	_       struct{} `cbor:",toarray"`
	Entries uint64
	// Head binds every entry of the chain in order: NextHead folded over them
	// from the zero hash. Whoever is given a list of entries can tell from a
	// proof of this that none is missing, added or moved.
	Head        wire.Hash
	CreatedAtMs uint64 // block time
	UpdatedAtMs uint64
	Created     uint64 // height
	Updated     uint64
}

// ChainKey is the state key of a chain within the family.
func ChainKey(chain wire.Hash) []byte { return append([]byte("c"), chain[:]...) }

// NextHead folds one entry into a chain's head; seq counts from 0.
func NextHead(head wire.Hash, seq uint64, entry wire.Hash) wire.Hash {
	return wire.TH("cloister/chain-head/v1", head[:], wire.U64(seq), entry[:])
}
