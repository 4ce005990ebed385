package factomd

import (
	"context"

	"cloister/wire"
)

// DirectoryBlockHead is method directory-block-head: the KeyMR of the newest
// directory block, as the node says.
func (c *Client) DirectoryBlockHead(ctx context.Context) (wire.Hash, error) {
	var r struct {
		KeyMR wire.Hash `json:"keymr"`
	}
	err := c.Call(ctx, "directory-block-head", nil, &r)
	return r.KeyMR, err
}

// ChainKey is a pair of a directory block.
type ChainKey struct {
	ChainID wire.Hash `json:"chainid"`
	KeyMR   wire.Hash `json:"keymr"` // the key, whatever the kind of block
}

// DirectoryListing is a directory block as method directory-block shows it, which
// is not enough to hash it again: RawDirectoryBlock is.
type DirectoryListing struct {
	Header struct {
		PrevBlockKeyMR wire.Hash `json:"prevblockkeymr"`
		Height         uint32    `json:"sequencenumber"`
		Timestamp      int64     `json:"timestamp"` // opening, seconds since 1970-01-01 UTC
	} `json:"header"`
	Blocks []ChainKey `json:"entryblocklist"` // all pairs, the reserved chains first
}

// DirectoryBlock is method directory-block. Errors carry ErrNotFound.
func (c *Client) DirectoryBlock(ctx context.Context, keyMR wire.Hash) (*DirectoryListing, error) {
	r := new(DirectoryListing)
	if err := c.Call(ctx, "directory-block", keyed(keyMR), r); err != nil {
		return nil, err
	}
	return r, nil
}

// EntryListing is an entry block as method entry-block shows it, without minute
// markers, which is not enough to hash it again: RawEntryBlock is.
type EntryListing struct {
	Header struct {
		Sequence  uint32    `json:"blocksequencenumber"`
		ChainID   wire.Hash `json:"chainid"`
		PrevKeyMR wire.Hash `json:"prevkeymr"` // zero in the chain's first block
		Timestamp int64     `json:"timestamp"` // opening, seconds since 1970-01-01 UTC
		Height    uint32    `json:"dbheight"`
	} `json:"header"`
	Entries []struct {
		EntryHash wire.Hash `json:"entryhash"`
		Timestamp int64     `json:"timestamp"` // of the entry's minute, seconds
	} `json:"entrylist"`
}

// EntryBlock is method entry-block. Errors carry ErrNotFound.
func (c *Client) EntryBlock(ctx context.Context, keyMR wire.Hash) (*EntryListing, error) {
	r := new(EntryListing)
	if err := c.Call(ctx, "entry-block", keyed(keyMR), r); err != nil {
		return nil, err
	}
	return r, nil
}

// Head is where a chain's newest entry block is.
type Head struct {
	KeyMR wire.Hash // zero: the chain is new and in no block yet
	// InProcess: entries that are in no block yet wait.
	InProcess bool
}

// ChainHead is method chain-head. Errors carry ErrUnknownChain.
func (c *Client) ChainHead(ctx context.Context, chain wire.Hash) (Head, error) {
	var r struct {
		Head      string `json:"chainhead"`
		InProcess bool   `json:"chaininprocesslist"`
	}
	if err := c.Call(ctx, "chain-head", map[string]any{"chainid": chain}, &r); err != nil {
		return Head{}, err
	}
	h := Head{InProcess: r.InProcess}
	if r.Head == "" {
		return h, nil
	}
	var err error
	if h.KeyMR, err = wire.ParseHash(r.Head); err != nil {
		return Head{}, notOne("chain-head: %v", err)
	}
	return h, nil
}
