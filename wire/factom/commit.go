package factom

import (
	"crypto/sha256"

	"cloister/wire"
)

// Sizes of commits in bytes. The length says the kind.
const (
	EntryCommitSize = 136
	ChainCommitSize = 200
)

// MaxTimestampMs is the last time a commit or transaction can carry in its six
// bytes, in milliseconds since 1970-01-01 UTC.
const MaxTimestampMs = 1<<48 - 1

// ChainCreation is what creating a chain costs on top of its first entry, in credits.
const ChainCreation = 10

// MaxEntryCost is the cost of the largest entry, in credits.
const MaxEntryCost = 10

// Commit pays for an entry, or for a chain with its first entry, without
// showing it (specification §4).
type Commit struct {
	Chain       bool // pays for a chain
	TimestampMs uint64
	ChainIDHash wire.Hash // chain commits only
	Weld        wire.Hash // chain commits only
	EntryHash   wire.Hash
	Credits     uint8 // 1 to 10, for a chain 11 to 20
	Payer       wire.PublicKey
	Signature   wire.Signature
}

// EntryCost is what an entry costs, in credits: one for each KiB of payload
// begun, at least one. Its chain's creation is not counted.
func EntryCost(entry []byte) uint64 { return uint64(max(1, (PayloadSize(entry)+1023)/1024)) }

// ParseCommit reads a commit strictly: exactly 136 or 200 bytes, version 0,
// credits within the kind's range. It does not verify the signature: Signed.
// Errors carry ErrCommitMalformed.
func ParseCommit(b []byte) (*Commit, error) {
	c := &cursor{rest: b, code: wire.ErrCommitMalformed, what: "commit"}
	if len(b) != EntryCommitSize && len(b) != ChainCommitSize {
		c.failf("%d bytes", len(b))
		return nil, c.err
	}
	k := c.commit(len(b) == ChainCommitSize)
	if c.err != nil {
		return nil, c.err
	}
	return k, nil
}

func (c *cursor) commit(chain bool) *Commit {
	if version := c.u8(); version != 0 {
		c.failf("version %d", version)
	}
	k := &Commit{Chain: chain, TimestampMs: c.timestamp()}
	if chain {
		k.ChainIDHash, k.Weld = c.hash(), c.hash()
	}
	k.EntryHash, k.Credits, k.Payer, k.Signature = c.hash(), c.u8(), c.key(), c.signature()
	if c.err == nil && !k.creditsInRange() {
		c.failf("pays %d credits", k.Credits)
	}
	return k
}

func (k *Commit) creditsInRange() bool {
	n := uint64(k.Credits)
	if k.Chain {
		n -= ChainCreation // wraps for less
	}
	return n >= 1 && n <= MaxEntryCost
}

// NewEntryCommit pays exactly what an entry of an existing chain costs.
// Errors are those of ParseEntry.
func NewEntryCommit(entry []byte, timestampMs uint64, key wire.PrivateKey) (*Commit, error) {
	if _, err := ParseEntry(entry); err != nil {
		return nil, err
	}
	k := &Commit{TimestampMs: timestampMs, EntryHash: EntryHash(entry), Credits: uint8(EntryCost(entry))}
	return k, k.sign(key)
}

// NewChainCommit pays exactly what a chain with this first entry costs. Errors
// are those of ParseEntry, and ErrWrongChainID if the entry's external ids are
// not the name of its chain: revealing it would lose the credits.
func NewChainCommit(entry []byte, timestampMs uint64, key wire.PrivateKey) (*Commit, error) {
	e, err := ParseEntry(entry)
	if err != nil {
		return nil, err
	}
	if e.ChainID != ChainID(e.ExtIDs) {
		return nil, wire.Faultf(wire.ErrWrongChainID, "chain id %s is not the one its external ids hash to", e.ChainID)
	}
	hash := EntryHash(entry)
	k := &Commit{
		Chain: true, TimestampMs: timestampMs, ChainIDHash: ChainIDHash(e.ChainID), Weld: Weld(hash, e.ChainID),
		EntryHash: hash, Credits: uint8(EntryCost(entry) + ChainCreation),
	}
	return k, k.sign(key)
}

func (k *Commit) sign(key wire.PrivateKey) error {
	if k.TimestampMs > MaxTimestampMs {
		return wire.Faultf(wire.ErrCommitMalformed, "time %d ms does not fit into six bytes", k.TimestampMs)
	}
	k.Payer, k.Signature = key.Public(), key.SignMessage(k.Ledger())
	return nil
}

// Ledger is the signed part: everything before the payer, 40 or 104 bytes.
func (k *Commit) Ledger() []byte {
	b := appendTimestamp(append(make([]byte, 0, ChainCommitSize), 0), k.TimestampMs)
	if k.Chain {
		b = append(append(b, k.ChainIDHash[:]...), k.Weld[:]...)
	}
	return append(append(b, k.EntryHash[:]...), k.Credits)
}

// Bytes are the commit's bytes.
func (k *Commit) Bytes() []byte {
	return append(append(k.Ledger(), k.Payer[:]...), k.Signature[:]...)
}

// TXID is SHA-256 of the signed part. It does not name the payer: two payers'
// commits for one entry at one time share it.
func (k *Commit) TXID() wire.Hash { return sha256.Sum256(k.Ledger()) }

// FullHash is SHA-256 of the whole commit.
func (k *Commit) FullHash() wire.Hash { return sha256.Sum256(k.Bytes()) }

// Signed is what the payer's key must have signed.
func (k *Commit) Signed() wire.Signed {
	return wire.Signed{Key: k.Payer, Message: k.Ledger(), Signature: k.Signature}
}

// Covers reports why a commit does not pay for a revealed entry, nil if it
// does. For a chain commit the entry must be its chain's first by three rules,
// else anybody could make a chain under an id that its name does not hash to:
// the id is the hash of the external ids, the commit's chain id hash is of it,
// and the weld binds entry and chain (specification §3).
//
// Errors: those of ParseEntry; ErrNoCommit, it pays for another entry;
// ErrWrongChainID or ErrVoidReveal, one of the three rules; ErrUnderpaid.
func (k *Commit) Covers(entry []byte) error {
	e, err := ParseEntry(entry)
	if err != nil {
		return err
	}
	return k.CoversParsed(e, EntryHash(entry), EntryCost(entry))
}

// CoversParsed is Covers for who has the entry's hash and its cost without its
// chain's creation.
func (k *Commit) CoversParsed(e *Entry, hash wire.Hash, cost uint64) error {
	if hash != k.EntryHash {
		return wire.Faultf(wire.ErrNoCommit, "the commit pays for entry %s, not %s", k.EntryHash, hash)
	}
	if k.Chain {
		cost += ChainCreation
		switch {
		case e.ChainID != ChainID(e.ExtIDs):
			return wire.Faultf(wire.ErrWrongChainID, "chain id %s is not the one its external ids hash to", e.ChainID)
		case k.ChainIDHash != ChainIDHash(e.ChainID):
			return wire.Faultf(wire.ErrVoidReveal, "the commit pays for another chain than %s", e.ChainID)
		case k.Weld != Weld(hash, e.ChainID):
			return wire.Faultf(wire.ErrVoidReveal, "the commit's weld does not bind entry %s to chain %s", hash, e.ChainID)
		}
	}
	if uint64(k.Credits) < cost {
		return wire.Faultf(wire.ErrUnderpaid, "the entry costs %d credits, the commit pays %d", cost, k.Credits)
	}
	return nil
}
