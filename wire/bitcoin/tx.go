package bitcoin

import (
	"crypto/sha256"
	"math"
)

// MaxTx bounds a transaction on its own, in bytes. Those that nodes relay are
// smaller, and anchors much smaller.
const MaxTx = 100_000

// MaxMoney is all there will ever be, in satoshi.
const MaxMoney = 21_000_000 * 100_000_000

// Smallest sizes of parts of a transaction, in bytes.
const (
	leastInput  = 32 + 4 + 1 + 4
	leastOutput = 8 + 1
	leastTx     = 4 + 1 + leastInput + 1 + leastOutput + 4
)

// nodeSize is the size of an inner node of the Merkle tree. A transaction of
// that size could be taken for one.
const nodeSize = 64

// Outpoint names an output.
type Outpoint struct {
	_     struct{} `cbor:",toarray"`
	Tx    Hash
	Index uint32
}

// Input spends an output. Witnesses are read and left out.
type Input struct {
	Prev     Outpoint
	Script   []byte
	Sequence uint32
}

// Output is an amount in satoshi and the script that says who may spend it.
type Output struct {
	Value  uint64
	Script []byte
}

// Tx is a transaction. Scripts alias the bytes it was read from.
type Tx struct {
	Version  int32
	Inputs   []Input
	Outputs  []Output
	LockTime uint32

	id       Hash
	raw      []byte // as it was read
	stripped int    // in bytes, without witnesses
}

// ParseTx reads exactly one transaction of at most MaxTx bytes, with witnesses or
// without. Errors carry ErrMalformed.
func ParseTx(b []byte) (*Tx, error) {
	if len(b) > MaxTx {
		return nil, malformed("transaction of %d bytes, at most %d", len(b), MaxTx)
	}
	r := reader{b: b}
	t := r.tx()
	if r.left() > 0 {
		r.fail("%d bytes after the transaction", r.left())
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// ID is the hash of the transaction without its witnesses, by which it is named
// and which is its leaf of the Merkle tree.
func (t *Tx) ID() Hash { return t.id }

// StrippedSize is its length without witnesses in bytes, by which fees count less.
func (t *Tx) StrippedSize() int { return t.stripped }

// Bytes is the transaction as it was read. The caller does not change them.
func (t *Tx) Bytes() []byte { return t.raw }

// VirtualSize is what fees are counted by: a byte of witness is a quarter.
func (t *Tx) VirtualSize() int { return (3*t.stripped + len(t.raw) + 3) / 4 }

// IsCoinbase reports whether it makes new money: its one input spends nothing.
func (t *Tx) IsCoinbase() bool {
	return len(t.Inputs) == 1 && t.Inputs[0].Prev == Outpoint{Index: math.MaxUint32}
}

// tx reads a transaction where the reader stands.
func (r *reader) tx() *Tx {
	start := r.off
	t := &Tx{Version: int32(r.uint32())}
	body := r.off
	segwit := r.left() >= 2 && r.b[r.off] == 0 && r.b[r.off+1] == 1
	if segwit {
		r.off += 2
		body = r.off
	}
	r.inputs(t)
	r.outputs(t)
	end := r.off
	if segwit {
		r.witnesses(len(t.Inputs))
	}
	t.LockTime = r.uint32()
	if r.err != nil {
		return nil
	}
	once := sha256.New()
	once.Write(r.b[start : start+4])
	once.Write(r.b[body:end])
	once.Write(r.b[r.off-4 : r.off])
	t.id = sha256.Sum256(once.Sum(nil))
	t.raw, t.stripped = r.b[start:r.off:r.off], 4+end-body+4
	return t
}

func (r *reader) inputs(t *Tx) {
	n := r.count(leastInput)
	if n == 0 {
		r.fail("a transaction without inputs")
		return
	}
	t.Inputs = make([]Input, n)
	for i := range t.Inputs {
		in := &t.Inputs[i]
		copy(in.Prev.Tx[:], r.take(len(in.Prev.Tx)))
		in.Prev.Index = r.uint32()
		in.Script = r.bytes()
		in.Sequence = r.uint32()
	}
}

func (r *reader) outputs(t *Tx) {
	n := r.count(leastOutput)
	if n == 0 {
		r.fail("a transaction without outputs")
		return
	}
	t.Outputs = make([]Output, n)
	for i := range t.Outputs {
		out := &t.Outputs[i]
		if out.Value = r.uint64(); out.Value > MaxMoney {
			r.fail("an output of more than all money")
		}
		out.Script = r.bytes()
	}
}

// witnesses reads those of n inputs. One that has none at all must come in the
// form without: else a transaction would have two encodings.
func (r *reader) witnesses(n int) {
	some := false
	for range n {
		items := r.count(1)
		some = some || items > 0
		for range items {
			r.bytes()
		}
	}
	if !some {
		r.fail("a transaction with witnesses has none")
	}
}
