package factomd

import (
	"context"
	"encoding/json"

	"cloister/wire"
	"cloister/wire/factom"
)

// Status is how far something sent has come.
type Status string

// Statuses (specification §15).
const (
	Unknown         Status = "Unknown"
	NotConfirmed    Status = "NotConfirmed"    // held
	TransactionACK  Status = "TransactionACK"  // ordered: it will be in the block
	OneMinute       Status = "1Minute"         // its minute is over
	DBlockConfirmed Status = "DBlockConfirmed" // its directory block is closed
	Invalid         Status = "Invalid"
)

// Confirmed reports whether a client may go on with its next step.
func (s Status) Confirmed() bool {
	return s == TransactionACK || s == OneMinute || s == DBlockConfirmed
}

// Fate is what a node knows of a commit, reveal or transaction. Dates are given
// as text, "2006-01-02 15:04:05", and as numbers whose unit differs between
// nodes: read the text.
type Fate struct {
	TransactionDate       int64  `json:"transactiondate"`
	TransactionDateString string `json:"transactiondatestring"`
	BlockDate             int64  `json:"blockdate"`
	BlockDateString       string `json:"blockdatestring"`
	Status                Status `json:"status"`
}

// EntryFate is what a node knows of an entry and the commit that pays for it.
type EntryFate struct {
	CommitTXID string `json:"committxid"` // hex, empty if it is not known
	EntryHash  string `json:"entryhash"`  // hex, empty if it is not known
	Commit     Fate   `json:"commitdata"`
	Entry      Fate   `json:"entrydata"`
}

// FactoidFate is what a node knows of a factoid transaction.
type FactoidFate struct {
	TXID string `json:"txid"`
	Fate
}

// anyChain asks for an entry wherever it is, as factom's own clients do.
var anyChain wire.Hash

func (c *Client) ack(ctx context.Context, hash wire.Hash, chain string, r any) error {
	return c.Call(ctx, "ack", map[string]any{"hash": hash, "chainid": chain}, r)
}

// AckCommit is method ack for a commit's TXID. What the node does not know is no
// error: its status is Unknown.
func (c *Client) AckCommit(ctx context.Context, txid wire.Hash) (*EntryFate, error) {
	r := new(EntryFate)
	return r, c.ack(ctx, txid, "c", r)
}

// AckEntry is method ack for an entry's hash.
func (c *Client) AckEntry(ctx context.Context, entry wire.Hash) (*EntryFate, error) {
	r := new(EntryFate)
	return r, c.ack(ctx, entry, anyChain.String(), r)
}

// AckFactoid is method ack for a factoid transaction's TXID.
func (c *Client) AckFactoid(ctx context.Context, txid wire.Hash) (*FactoidFate, error) {
	r := new(FactoidFate)
	return r, c.ack(ctx, txid, "f", r)
}

// EntryAck is method entry-ack, an older form of AckCommit.
func (c *Client) EntryAck(ctx context.Context, txid wire.Hash) (*EntryFate, error) {
	r := new(EntryFate)
	return r, c.Call(ctx, "entry-ack", map[string]any{"txid": txid}, r)
}

// FactoidAck is method factoid-ack, an older form of AckFactoid.
func (c *Client) FactoidAck(ctx context.Context, txid wire.Hash) (*FactoidFate, error) {
	r := new(FactoidFate)
	return r, c.Call(ctx, "factoid-ack", map[string]any{"txid": txid}, r)
}

// PendingEntry is an entry, or the commit for one, that is in no block yet.
type PendingEntry struct {
	EntryHash wire.Hash  `json:"entryhash"`
	ChainID   *wire.Hash `json:"chainid"` // nil until it is revealed
	Status    Status     `json:"status"`
}

// PendingEntries is method pending-entries.
func (c *Client) PendingEntries(ctx context.Context) (list []PendingEntry, err error) {
	err = c.Call(ctx, "pending-entries", struct{}{}, &list)
	return list, err
}

// PendingTransaction is a factoid transaction that is in no block yet. Amounts are
// factoshis.
type PendingTransaction struct {
	TXID      wire.Hash `json:"transactionid"`
	Height    uint32    `json:"dbheight"`
	Status    Status    `json:"status"`
	Inputs    []Amount  `json:"inputs"`
	Outputs   []Amount  `json:"outputs"`
	ECOutputs []Amount  `json:"ecoutputs"`
	Fees      int64     `json:"fees"`
}

// Amount is an amount at an address.
type Amount struct {
	Amount      uint64    `json:"amount"`
	Address     wire.Hash `json:"address"` // RCD hash, or the key of entry credits
	UserAddress string    `json:"useraddress"`
}

// PendingTransactions is method pending-transactions; address narrows it to those
// of one factoid address unless it is empty.
func (c *Client) PendingTransactions(ctx context.Context, address string) (list []PendingTransaction, err error) {
	params := map[string]any{}
	if address != "" {
		params["address"] = address
	}
	err = c.Call(ctx, "pending-transactions", params, &list)
	return list, err
}

// Found is where a transaction or entry is.
type Found struct {
	ECTransaction      json.RawMessage `json:"ectransaction"`      // as it came; nil if it is none
	FactoidTransaction json.RawMessage `json:"factoidtransaction"` // as it came; nil if it is none
	Entry              json.RawMessage `json:"entry"`              // as it came; nil if it is none
	TransactionBlock   string          `json:"includedintransactionblock"`
	DirectoryBlock     string          `json:"includedindirectoryblock"`
	Height             int64           `json:"includedindirectoryblockheight"` // -1: in none yet
}

// Transaction is method transaction, by TXID or entry hash. Errors carry
// ErrNotFound.
func (c *Client) Transaction(ctx context.Context, hash wire.Hash) (*Found, error) {
	r := new(Found)
	if err := c.Call(ctx, "transaction", map[string]any{"hash": hash}, r); err != nil {
		return nil, err
	}
	return r, nil
}

// RawTransaction is a factoid transaction by its TXID, of raw-data. Errors carry
// ErrProof if the node's bytes are another one or none.
func (c *Client) RawTransaction(ctx context.Context, txid wire.Hash) (*factom.Transaction, error) {
	b, err := c.Raw(ctx, txid)
	if err != nil {
		return nil, err
	}
	t, rest, err := factom.ParseTransaction(b)
	if err != nil || len(rest) > 0 || t.TXID() != txid {
		return nil, lie("raw-data: the answer is not transaction %s", txid)
	}
	return t, nil
}
