package factom

import (
	"crypto/sha256"
	"math"
	"math/bits"

	"cloister/wire"
)

// Bounds of a factoid transaction.
const (
	MaxTransaction = 10_240        // bytes, whole
	MaxAmount      = math.MaxInt64 // factoshis, of one address and of all inputs or outputs together

	transactionVersion = 2
	maxAddresses       = 255     // of each kind: counts have one byte
	rcdSize            = 33 + 64 // condition and signature of one input
)

// TransAddress is an amount at an address: of inputs and outputs the RCD hash,
// of entry credit outputs the public key. Amounts are factoshis, 10⁻⁸ factoid,
// also of entry credit outputs.
type TransAddress struct {
	Amount  uint64
	Address wire.Hash
}

// Transaction moves factoids and buys entry credits (specification §5). RCDs
// and Signatures have one element per input, in order.
type Transaction struct {
	TimestampMs uint64
	Inputs      []TransAddress
	Outputs     []TransAddress
	ECOutputs   []TransAddress
	RCDs        []wire.PublicKey
	Signatures  []wire.Signature
}

// AddInput takes amount from an account.
func (t *Transaction) AddInput(amount uint64, from wire.Account) {
	t.Inputs = append(t.Inputs, TransAddress{amount, wire.Hash(from)})
}

// AddOutput gives amount to an account.
func (t *Transaction) AddOutput(amount uint64, to wire.Account) {
	t.Outputs = append(t.Outputs, TransAddress{amount, wire.Hash(to)})
}

// AddCredits spends amount on entry credits for a key, at the rate in force.
func (t *Transaction) AddCredits(amount uint64, to wire.PublicKey) {
	t.ECOutputs = append(t.ECOutputs, TransAddress{amount, wire.Hash(to)})
}

// Sign gives each input its key's redeem condition and signature; keys come in
// the order of the inputs. Errors carry ErrTransactionMalformed.
func (t *Transaction) Sign(keys ...wire.PrivateKey) error {
	t.RCDs, t.Signatures = nil, nil
	for _, k := range keys {
		t.RCDs = append(t.RCDs, k.Public())
	}
	if err := t.check(); err != nil {
		return err
	}
	ledger := t.Ledger()
	for _, k := range keys {
		t.Signatures = append(t.Signatures, k.SignMessage(ledger))
	}
	return nil
}

// check judges everything but signatures and what was parsed by its form.
func (t *Transaction) check() error {
	bad := func(format string, args ...any) error {
		return wire.Faultf(wire.ErrTransactionMalformed, format, args...)
	}
	switch {
	case len(t.Inputs) == 0:
		return bad("no input")
	case len(t.RCDs) != len(t.Inputs):
		return bad("%d inputs, %d redeem conditions", len(t.Inputs), len(t.RCDs))
	}
	for i, in := range t.Inputs {
		if RCDHash(t.RCDs[i]) != in.Address {
			return bad("redeem condition %d is not that of its input", i)
		}
	}
	return t.checkAmounts()
}

// checkAmounts judges what coinbases share with other transactions.
func (t *Transaction) checkAmounts() error {
	bad := func(format string, args ...any) error {
		return wire.Faultf(wire.ErrTransactionMalformed, format, args...)
	}
	for _, list := range [][]TransAddress{t.Inputs, t.Outputs, t.ECOutputs} {
		if len(list) > maxAddresses {
			return bad("%d addresses of one kind, at most %d", len(list), maxAddresses)
		}
	}
	if !within(t.Inputs) || !within(t.Outputs, t.ECOutputs) {
		return bad("amounts add up to more than %d", uint64(MaxAmount))
	}
	if t.TimestampMs > MaxTimestampMs {
		return bad("time %d ms does not fit into six bytes", t.TimestampMs)
	}
	if n := t.Size(); n > MaxTransaction {
		return bad("%d bytes, at most %d", n, MaxTransaction)
	}
	return nil
}

// within reports whether amounts stay within MaxAmount, each and together.
func within(lists ...[]TransAddress) bool {
	left := uint64(MaxAmount)
	for _, list := range lists {
		for _, a := range list {
			if a.Amount > left {
				return false
			}
			left -= a.Amount
		}
	}
	return true
}

func sum(list []TransAddress) (n uint64) {
	for _, a := range list {
		n += a.Amount
	}
	return n
}

// TotalInputs is what the transaction takes, in factoshis.
func (t *Transaction) TotalInputs() uint64 { return sum(t.Inputs) }

// TotalOutputs is what accounts get, in factoshis.
func (t *Transaction) TotalOutputs() uint64 { return sum(t.Outputs) }

// TotalECOutputs is what is spent on entry credits, in factoshis.
func (t *Transaction) TotalECOutputs() uint64 { return sum(t.ECOutputs) }

// Size is the number of bytes of the transaction with a signature per input,
// given or not yet.
func (t *Transaction) Size() int { return len(t.Ledger()) + rcdSize*len(t.Inputs) }

// Fee is the least by which inputs must exceed outputs, in factoshis, at a rate
// of factoshis per entry credit: one credit per KiB begun, ten per output, one
// per signature. It is math.MaxUint64, which nobody can pay, beyond 64 bits.
func (t *Transaction) Fee(rate uint64) uint64 {
	units := uint64((t.Size()+1023)/1024 + 10*(len(t.Outputs)+len(t.ECOutputs)) + len(t.Inputs))
	if over, fee := bits.Mul64(units, rate); over == 0 {
		return fee
	}
	return math.MaxUint64
}

// Ledger is the signed part: everything before the redeem conditions.
func (t *Transaction) Ledger() []byte {
	b := appendTimestamp(AppendVarInt(nil, transactionVersion), t.TimestampMs)
	b = append(b, byte(len(t.Inputs)), byte(len(t.Outputs)), byte(len(t.ECOutputs)))
	for _, list := range [][]TransAddress{t.Inputs, t.Outputs, t.ECOutputs} {
		for _, a := range list {
			b = append(AppendVarInt(b, a.Amount), a.Address[:]...)
		}
	}
	return b
}

// Bytes are the signed transaction's bytes.
func (t *Transaction) Bytes() []byte {
	b := t.Ledger()
	for i, s := range t.Signatures {
		rcd := RCD1(t.RCDs[i])
		b = append(append(b, rcd[:]...), s[:]...)
	}
	return b
}

// TXID is SHA-256 of the signed part.
func (t *Transaction) TXID() wire.Hash { return sha256.Sum256(t.Ledger()) }

// FullHash is SHA-256 of the whole transaction.
func (t *Transaction) FullHash() wire.Hash { return sha256.Sum256(t.Bytes()) }

// Signed lists what each input's key must have signed. The elements share one message.
func (t *Transaction) Signed() []wire.Signed {
	ledger, list := t.Ledger(), make([]wire.Signed, 0, len(t.Signatures))
	for i, s := range t.Signatures {
		list = append(list, wire.Signed{Key: t.RCDs[i], Message: ledger, Signature: s})
	}
	return list
}

// ParseTransaction reads one transaction from the front of b strictly: at least
// one input, one condition of type 1 per input that hashes to its address,
// amounts and their sums within MaxAmount. It does not verify signatures
// (Signed), nor that inputs cover outputs and fee. Errors carry
// ErrTransactionMalformed.
func ParseTransaction(b []byte) (t *Transaction, rest []byte, err error) {
	return parseTransaction(b, false)
}

// ParseCoinbase reads the first transaction of a factoid block, which only
// makes outputs, from the front of b. Nobody may submit one. Errors carry
// ErrTransactionMalformed.
func ParseCoinbase(b []byte) (t *Transaction, rest []byte, err error) {
	return parseTransaction(b, true)
}

func parseTransaction(b []byte, coinbase bool) (*Transaction, []byte, error) {
	// What follows the transaction is not its concern, unless it seems to be
	// longer than one may be.
	c := &cursor{rest: b[:min(len(b), MaxTransaction)], code: wire.ErrTransactionMalformed, what: "transaction"}
	t := c.transaction(coinbase)
	if c.err != nil {
		return nil, nil, c.err
	}
	check := t.check
	if coinbase {
		check = t.checkAmounts
	}
	if err := check(); err != nil {
		return nil, nil, err
	}
	return t, b[min(len(b), MaxTransaction)-len(c.rest):], nil
}

func (c *cursor) transaction(coinbase bool) *Transaction {
	if version := c.varint(); version != transactionVersion {
		c.failf("version %d", version)
	}
	t := &Transaction{TimestampMs: c.timestamp()}
	inputs, outputs, credits := c.u8(), c.u8(), c.u8()
	if coinbase && (inputs > 0 || credits > 0) {
		c.failf("a coinbase has only outputs")
	}
	t.Inputs, t.Outputs, t.ECOutputs = c.addresses(inputs), c.addresses(outputs), c.addresses(credits)
	for range inputs {
		if kind := c.u8(); kind != 1 {
			c.failf("redeem condition of type %d", kind)
		}
		t.RCDs, t.Signatures = append(t.RCDs, c.key()), append(t.Signatures, c.signature())
	}
	return t
}

func (c *cursor) addresses(n uint8) (list []TransAddress) {
	for range n {
		list = append(list, TransAddress{c.varint(), c.hash()})
	}
	return list
}
