package receipt

import (
	"fmt"
	"time"

	"cloister/wire"
)

// Kind says how much a receipt proves.
type Kind string

// Kinds of receipt.
const (
	Ordered  Kind = "ordered"  // the transaction stands at this place of the ledger for ever
	Executed Kind = "executed" // and had this result
)

// Verified is what a receipt proved.
type Verified struct {
	Kind    Kind      `json:"kind"`
	ChainID wire.Hash `json:"chain_id"`
	TxID    wire.Hash `json:"tx_id"`
	Height  uint64    `json:"height"`
	Block   wire.Hash `json:"block"`   // header hash
	TimeMs  uint64    `json:"time_ms"` // block time
	Index   uint32    `json:"index"`   // within the block
	Family  string    `json:"family"`
	// Signers are whose signatures were checked: the payer's, or those of the
	// message that the transaction carries, in its order. A reveal has none.
	Signers []wire.PublicKey `json:"signers"`
	// Payer and Address are those of the first of them, who pays alone unless
	// it is a factoid transaction with more inputs; nil and empty for a reveal.
	Payer   *wire.PublicKey `json:"payer"`
	Address string          `json:"address"`
	// Entry is set for what shows an entry: a reveal, and a pair.
	Entry *Entry `json:"entry"`
	// Commit is set for what pays for an entry: a commit, and a pair.
	Commit *Commit `json:"commit"`
	// Result is set in an executed receipt.
	Result *Result `json:"result"`
	// SealedHeight is the height of the header that was signed, by Signatures
	// of Voters.
	SealedHeight uint64 `json:"sealed_height"`
	Signatures   int    `json:"signatures"`
	Voters       int    `json:"voters"`
	Policy       Policy `json:"policy"`
	// Facts says all this in sentences, and what is not proved.
	Facts []string `json:"facts"`
}

// Entry is what a record transaction asks to write.
type Entry struct {
	Chain wire.Hash `json:"chain"`
	Hash  wire.Hash `json:"hash"`
	// Recorded is true only if the receipt is executed and its code is OK.
	Recorded bool `json:"recorded"`
}

// Commit is a payment for an entry by its hash, as a record transaction asks to make it.
type Commit struct {
	TXID    wire.Hash `json:"txid"` // Factom's name of it: SHA-256 of the signed part
	Entry   wire.Hash `json:"entry"`
	Chain   bool      `json:"chain"` // pays for a new chain with its first entry
	Credits uint64    `json:"credits"`
	TimeMs  uint64    `json:"time_ms"` // the signer's clock
}

// Result is what execution did.
type Result struct {
	Code    wire.Code `json:"code"`
	Name    string    `json:"name"`
	Credits uint64    `json:"credits"`
	Fee     uint64    `json:"fee"` // factoshis
	Output  wire.Hex  `json:"output"`
	// ExecHeight is how far the chain was executed when ProvedAt committed to it.
	ExecHeight uint64 `json:"exec_height"`
	ProvedAt   uint64 `json:"proved_at"`
}

func (v *Verified) say(format string, args ...any) {
	v.Facts = append(v.Facts, fmt.Sprintf(format, args...))
}

// describe says what an ordered receipt proved.
func describe(c *checker, r *Receipt, tx *wire.Tx, m *message) *Verified {
	v := &Verified{
		Kind: Ordered, ChainID: c.chain, TxID: tx.ID(),
		Height: c.block.Height, Block: c.blockHash, TimeMs: c.block.TimeMs, Index: r.Index,
		Family: tx.Family, Signers: m.signers(), Entry: m.entry(), Commit: m.commit(),
		SealedHeight: c.sealed.Height, Signatures: c.signatures, Voters: c.voters, Policy: r.Policy,
	}
	if len(v.Signers) > 0 {
		v.Payer, v.Address = &v.Signers[0], wire.FactoidAddress(wire.AccountOf(v.Signers[0]))
	}
	v.say("%s", m.what(tx))
	v.say("It stands at position %d of block %d (%s) of chain %q (%s), with block time %s.",
		v.Index, v.Height, v.Block, c.genesis.Name, v.ChainID, time.UnixMilli(int64(v.TimeMs)).UTC().Format("2006-01-02 15:04:05.000 UTC"))
	if v.SealedHeight == v.Height {
		v.say("%d of %d voters signed that block.", v.Signatures, v.Voters)
	} else {
		v.say("%d of %d voters signed block %d, whose history holds that block.", v.Signatures, v.Voters, v.SealedHeight)
	}
	v.say("%s", meaning(r.Policy))
	if r.Execution == nil {
		v.say("Not proved: what executing it did. Its family may have refused it; an executed receipt tells.")
	}
	return v
}

// meaning says what the seal is worth under a policy.
func meaning(p Policy) string {
	if p.TEE == "none" {
		return "The members claim no trusted hardware (development): the seal is worth the word of a majority of their operators."
	}
	return fmt.Sprintf("The members claim to run on %q, order blocks by %s, and restart by rule %s.", p.TEE, p.Engine, p.Restart)
}

// executed adds what the result proved.
func (v *Verified) executed(c *checker, result *wire.Result) {
	v.Kind = Executed
	v.Result = &Result{
		Code: result.Code, Name: result.Code.String(), Credits: result.Credits, Fee: result.Fee, Output: result.Output,
		ExecHeight: c.commitment.ExecHeight, ProvedAt: c.commitment.Height,
	}
	cost := fmt.Sprintf("It cost %d entry credits and %d factoshis.", result.Credits, result.Fee)
	if result.Code != wire.OK {
		v.say("Executing it was refused with %s and changed nothing but the fee. %s", result.Code, cost)
		return
	}
	v.say("Executing it succeeded. %s", cost)
	if v.Entry != nil {
		v.Entry.Recorded = true
		v.say("Entry %s is recorded in chain %s.", v.Entry.Hash, v.Entry.Chain)
	}
}
