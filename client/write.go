package client

import (
	"context"
	"fmt"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// Carry makes the transaction that carries a message with its own signatures, of
// family record or token. It needs no signature and has no time of its own.
func (t *Trust) Carry(family string, payload []byte) *wire.Tx {
	return wire.Carry(t.chain, family, payload)
}

// SignAfter gives all messages that this client signs from now on times later than
// one: for who goes on where another process with the same key ended (Stamps.After).
func (c *Client) SignAfter(timeMs uint64) { c.stamps.After(timeMs) }

// LastSigned is the newest time that a message of this client was signed with, or
// that SignAfter gave; 0 for none.
func (c *Client) LastSigned() uint64 { return c.stamps.Last() }

// ChainTx makes the transaction that creates a chain with its first entry and
// pays for both, from key's entry credits. entry is in Factom's bytes
// (factom.Entry); its external ids hash to its chain id. Errors: ErrWrongChainID,
// ErrEntryMalformed, ErrEntryTooLarge.
func (c *Client) ChainTx(ctx context.Context, key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	return c.pair(ctx, record.CreateChain, key, entry)
}

// EntryTx makes the transaction that adds an entry to a chain and pays for it,
// from key's entry credits. Errors: ErrEntryMalformed, ErrEntryTooLarge.
func (c *Client) EntryTx(ctx context.Context, key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	return c.pair(ctx, record.AddEntry, key, entry)
}

func (c *Client) pair(ctx context.Context, of func([]byte, uint64, wire.PrivateKey) ([]byte, error), key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	at, err := c.stamps.Next(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := of(entry, at, key)
	if err != nil {
		return nil, err
	}
	return c.trust.Carry(record.Name, payload), nil
}

// ChainCommitTx makes the transaction that pays for a chain with its first entry
// and shows neither: RevealTx does that later.
func (c *Client) ChainCommitTx(ctx context.Context, key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	return c.commit(ctx, factom.NewChainCommit, key, entry)
}

// EntryCommitTx makes the transaction that pays for an entry of a chain and
// shows only its hash: RevealTx shows the rest later.
func (c *Client) EntryCommitTx(ctx context.Context, key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	return c.commit(ctx, factom.NewEntryCommit, key, entry)
}

func (c *Client) commit(ctx context.Context, of func([]byte, uint64, wire.PrivateKey) (*factom.Commit, error), key wire.PrivateKey, entry []byte) (*wire.Tx, error) {
	at, err := c.stamps.Next(ctx)
	if err != nil {
		return nil, err
	}
	commit, err := of(entry, at, key)
	if err != nil {
		return nil, err
	}
	return c.trust.Carry(record.Name, record.Commit(commit.Bytes())), nil
}

// RevealTx makes the transaction that shows an entry whose commit is recorded.
// Nobody signs it. Errors: ErrEntryMalformed, ErrEntryTooLarge.
func (c *Client) RevealTx(entry []byte) (*wire.Tx, error) {
	if _, err := factom.ParseEntry(entry); err != nil {
		return nil, err
	}
	return c.trust.Carry(record.Name, record.Reveal(entry)), nil
}

// CreateChain is ChainTx, then Submit: what it returns is the word of a host.
// Chain proves that the chain is there, EntryReceipt that this entry is its first.
func (c *Client) CreateChain(ctx context.Context, key wire.PrivateKey, entry []byte) (*TxStatus, error) {
	return c.submitMade(ctx, "create a chain")(c.ChainTx(ctx, key, entry))
}

// AddEntry is EntryTx, then Submit: what it returns is the word of a host.
// EntryReceipt proves that the entry is recorded, VerifiedEntries where in its chain.
func (c *Client) AddEntry(ctx context.Context, key wire.PrivateKey, entry []byte) (*TxStatus, error) {
	return c.submitMade(ctx, "add an entry")(c.EntryTx(ctx, key, entry))
}

// CommitChain is ChainCommitTx, then Submit. For an hour from then on nobody else
// can create the chain. Receipt of the status's id proves the payment.
func (c *Client) CommitChain(ctx context.Context, key wire.PrivateKey, entry []byte) (*TxStatus, error) {
	return c.submitMade(ctx, "commit to a chain")(c.ChainCommitTx(ctx, key, entry))
}

// CommitEntry is EntryCommitTx, then Submit. The entry can be revealed for a day.
// Receipt of the status's id proves the payment.
func (c *Client) CommitEntry(ctx context.Context, key wire.PrivateKey, entry []byte) (*TxStatus, error) {
	return c.submitMade(ctx, "commit to an entry")(c.EntryCommitTx(ctx, key, entry))
}

// Reveal is RevealTx, then Submit: what it returns is the word of a host, and
// EntryReceipt proves that the entry is recorded. Errors: ErrNoCommit.
func (c *Client) Reveal(ctx context.Context, entry []byte) (*TxStatus, error) {
	return c.submitMade(ctx, "reveal an entry")(c.RevealTx(entry))
}

// submitMade submits what was made, unless that failed.
func (c *Client) submitMade(ctx context.Context, what string) func(*wire.Tx, error) (*TxStatus, error) {
	return func(tx *wire.Tx, err error) (*TxStatus, error) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return c.Submit(ctx, tx)
	}
}
