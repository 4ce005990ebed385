package wire

import (
	"fmt"
	"math"
)

// Bounds of a transaction.
const (
	MaxPayload  = 16_384           // bytes of Tx.Payload; families may allow less
	MaxFamily   = 32               // bytes of Tx.Family
	MaxTx       = MaxPayload + 512 // bytes of an encoded transaction
	MaxValidity = 10 * 60 * 1000   // ms a transaction may stay valid: how long its id is remembered
)

// IsFamily reports whether a family can have this name: 1 to MaxFamily of a-z,
// 0-9 and hyphen. Names go into logs, keys of state and the outside world's
// addresses as they are, so they hold nothing that needs escaping.
func IsFamily(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != "" && len(name) <= MaxFamily
}

// Tx is a signed request to one family. Field order is the encoding.
type Tx struct {
	_          struct{} `cbor:",toarray"`
	ChainID    Hash
	Family     string
	Payload    []byte
	NotAfterMs uint64 // block time after which it can no longer be recorded
	Nonce      [12]byte
	Payer      PublicKey
	Signature  Signature
}

// ID is what the payer signs and what the transaction is known by everywhere.
// It covers every field but the signature, so a second valid signature of the
// same content is the same transaction.
func (t *Tx) ID() Hash {
	return TH("cloister/tx/v1", t.ChainID[:], []byte(t.Family), t.Payload, U64(t.NotAfterMs), t.Nonce[:], t.Payer[:])
}

// Carry makes the transaction that carries a message which has its own
// signatures, in a format that has no room for the ledger's. All fields but chain,
// family and payload stay zero, so one message has one encoding and one id.
func Carry(chain Hash, family string, payload []byte) *Tx {
	return &Tx{ChainID: chain, Family: family, Payload: payload}
}

// Carries reports whether the transaction is one that Carry makes.
func (t *Tx) Carries() bool {
	return t.NotAfterMs == 0 && t.Nonce == [12]byte{} && t.Payer == PublicKey{} && t.Signature == Signature{}
}

// Sign fills Payer and Signature.
func (t *Tx) Sign(k PrivateKey) {
	t.Payer = k.Public()
	t.Signature = k.Sign(t.ID())
}

// Bytes is the encoding that travels, is ordered, and is the leaf of tx_root.
// It is written by hand because every transaction pays for it several times.
func (t *Tx) Bytes() []byte {
	const fixed = 1 + 34 + 3 + 5 + 9 + 13 + 34 + 66 // heads, and the fields of fixed size
	b := append(make([]byte, 0, fixed+len(t.Family)+len(t.Payload)), 4<<5|7)
	b = appendBytes(b, t.ChainID[:])
	b = append(appendHead(b, 3, uint64(len(t.Family))), t.Family...)
	b = appendBytes(b, t.Payload)
	b = appendHead(b, 0, t.NotAfterMs)
	b = appendBytes(b, t.Nonce[:])
	b = appendBytes(b, t.Payer[:])
	return appendBytes(b, t.Signature[:])
}

// DecodeTx reads one transaction strictly. It does not verify the signature,
// and does not keep b. Errors wrap ErrEncoding.
func DecodeTx(b []byte) (*Tx, error) {
	t, r := new(Tx), reader{rest: b}
	r.limit(MaxTx)
	r.array(7)
	r.fixed(t.ChainID[:])
	t.Family = r.text(MaxFamily)
	t.Payload = r.bytes(MaxPayload)
	t.NotAfterMs = r.uint(math.MaxUint64)
	r.fixed(t.Nonce[:])
	r.fixed(t.Payer[:])
	r.fixed(t.Signature[:])
	switch err := r.end(); {
	case err != nil:
		return nil, fmt.Errorf("transaction: %w", err)
	case !IsFamily(t.Family):
		return nil, fmt.Errorf("transaction: %w: a family's name is 1 to %d of a-z, 0-9 and hyphen", ErrEncoding, MaxFamily)
	}
	return t, nil
}
