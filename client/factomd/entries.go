package factomd

import (
	"context"
	"encoding/json"

	"cloister/wire"
	"cloister/wire/factom"
)

// Entry is method entry. Its bytes hash to what was asked for; errors carry
// ErrNotFound, or ErrProof if the node's answer does not.
func (c *Client) Entry(ctx context.Context, hash wire.Hash) (*factom.Entry, error) {
	var r struct {
		ChainID wire.Hash  `json:"chainid"`
		Content wire.Hex   `json:"content"`
		ExtIDs  []wire.Hex `json:"extids"`
	}
	if err := c.Call(ctx, "entry", map[string]any{"hash": hash}, &r); err != nil {
		return nil, err
	}
	e := &factom.Entry{ChainID: r.ChainID, Content: r.Content}
	for _, x := range r.ExtIDs {
		e.ExtIDs = append(e.ExtIDs, x)
	}
	b, err := e.Marshal()
	if err != nil || factom.EntryHash(b) != hash {
		return nil, lie("entry: the answer is not entry %s", hash)
	}
	return e, nil
}

// Committed is what a node says of a commit it took.
type Committed struct {
	Message     string    `json:"message"`
	TXID        wire.Hash `json:"txid"`
	EntryHash   wire.Hash `json:"entryhash"`
	ChainIDHash wire.Hash `json:"chainidhash"` // of chain commits
}

// Commit is method commit-entry or commit-chain, as the commit is. The node has
// taken it and not ordered it yet: AckCommit. Errors carry ErrRepeatedCommit if
// the entry is paid for already, so that it can be revealed.
func (c *Client) Commit(ctx context.Context, k *factom.Commit) (*Committed, error) {
	method := "commit-entry"
	if k.Chain {
		method = "commit-chain"
	}
	r := new(Committed)
	if err := c.Call(ctx, method, map[string]any{"message": wire.Hex(k.Bytes())}, r); err != nil {
		return nil, err
	}
	if r.TXID != k.TXID() || r.EntryHash != k.EntryHash || k.Chain && r.ChainIDHash != k.ChainIDHash {
		return nil, lie("%s: the node took another commit than the one sent", method)
	}
	return r, nil
}

// Revealed is what a node says of an entry it took.
type Revealed struct {
	Message   string    `json:"message"`
	EntryHash wire.Hash `json:"entryhash"`
	ChainID   wire.Hash `json:"chainid"`
}

// RevealEntry is method reveal-entry with an entry's bytes. The node has taken it
// and not ordered it yet: AckEntry.
func (c *Client) RevealEntry(ctx context.Context, entry []byte) (*Revealed, error) {
	return c.reveal(ctx, "reveal-entry", entry)
}

// RevealChain is method reveal-chain with the bytes of the chain's first entry.
func (c *Client) RevealChain(ctx context.Context, entry []byte) (*Revealed, error) {
	return c.reveal(ctx, "reveal-chain", entry)
}

func (c *Client) reveal(ctx context.Context, method string, entry []byte) (*Revealed, error) {
	e, err := factom.ParseEntry(entry)
	if err != nil {
		return nil, err
	}
	r := new(Revealed)
	if err := c.Call(ctx, method, map[string]any{"entry": wire.Hex(entry)}, r); err != nil {
		return nil, err
	}
	// A node that reads the entry otherwise would acknowledge another hash.
	if r.EntryHash != factom.EntryHash(entry) || r.ChainID != e.ChainID {
		return nil, lie("%s: the node took another entry than the one sent", method)
	}
	return r, nil
}

// SubmitFactoid is method factoid-submit. It returns the TXID; the node has taken
// the transaction and not ordered it yet: AckFactoid.
func (c *Client) SubmitFactoid(ctx context.Context, t *factom.Transaction) (wire.Hash, error) {
	var r struct {
		TXID wire.Hash `json:"txid"`
	}
	if err := c.Call(ctx, "factoid-submit", map[string]any{"transaction": wire.Hex(t.Bytes())}, &r); err != nil {
		return wire.Hash{}, err
	}
	if r.TXID != t.TXID() {
		return wire.Hash{}, lie("factoid-submit: the node took another transaction than the one sent")
	}
	return r.TXID, nil
}

// Receipt is method receipt: the path from an entry to a directory block's KeyMR,
// verified; raw asks for the entry's bytes with it. Whether that KeyMR is the
// ledger's is for the caller to know. Errors carry ErrNotFound if the entry is in
// no block, or ErrReceiptInvalid.
func (c *Client) Receipt(ctx context.Context, entry wire.Hash, raw bool) (*factom.Receipt, error) {
	var r struct {
		Receipt *factom.Receipt `json:"receipt"`
	}
	params := map[string]any{"hash": entry}
	if raw {
		params["includerawentry"] = true
	}
	if err := c.Call(ctx, "receipt", params, &r); err != nil {
		return nil, err
	}
	if r.Receipt == nil {
		return nil, notOne("receipt: its answer has none")
	}
	proved, err := r.Receipt.Verify()
	if err != nil {
		return nil, err
	}
	if proved.EntryHash != entry || raw && proved.Entry == nil {
		return nil, wire.Faultf(wire.ErrReceiptInvalid, "it is of entry %s, not %s, or lacks its bytes", proved.EntryHash, entry)
	}
	return r.Receipt, nil
}

// AnchoredBlock says where a directory block is anchored, as the node knows.
type AnchoredBlock struct {
	Height   uint32          `json:"directoryblockheight"`
	KeyMR    wire.Hash       `json:"directoryblockkeymr"`
	Bitcoin  *BitcoinPlace   `json:"bitcoin"`  // nil: not yet
	Ethereum json.RawMessage `json:"ethereum"` // as it came; nil: not
}

// BitcoinPlace is a transaction in Bitcoin; hashes are as Bitcoin shows them.
type BitcoinPlace struct {
	TransactionHash string `json:"transactionhash"`
	BlockHash       string `json:"blockhash"`
	// Network and Proof are what Cloister's nodes add: the network's name and a
	// bitcoin.Proof that the transaction is in the block. Empty elsewhere.
	Network string   `json:"network,omitempty"`
	Proof   wire.Hex `json:"proof,omitempty"`
}

// UnmarshalJSON takes false, which a node says where it has no anchor.
func (a *AnchoredBlock) UnmarshalJSON(b []byte) error {
	type plain AnchoredBlock
	var r struct {
		plain
		Bitcoin json.RawMessage `json:"bitcoin"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	*a = AnchoredBlock(r.plain)
	if text := string(a.Ethereum); text == "false" || text == "null" {
		a.Ethereum = nil
	}
	if text := string(r.Bitcoin); text == "" || text == "false" || text == "null" {
		return nil
	}
	a.Bitcoin = new(BitcoinPlace)
	return json.Unmarshal(r.Bitcoin, a.Bitcoin)
}

// Anchors is method anchors, by directory height. It is the node's word: the
// transaction in Bitcoin is what proves it.
func (c *Client) Anchors(ctx context.Context, height uint32) (*AnchoredBlock, error) {
	return c.anchors(ctx, heighted(height))
}

// AnchorsOf is method anchors, by the hash of an entry or the key of a block.
func (c *Client) AnchorsOf(ctx context.Context, hash wire.Hash) (*AnchoredBlock, error) {
	return c.anchors(ctx, map[string]any{"hash": hash})
}

func (c *Client) anchors(ctx context.Context, params any) (*AnchoredBlock, error) {
	a := new(AnchoredBlock)
	if err := c.Call(ctx, "anchors", params, a); err != nil {
		return nil, err
	}
	return a, nil
}
