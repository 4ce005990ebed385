package factomd

import (
	"context"

	"cloister/wire"
	"cloister/wire/factom"
)

// Raw is method raw-data: the bytes of an entry, a transaction or a block, by its
// hash or key. What they are is for the caller to check, who knows what it asked
// for; the methods below do. Errors carry ErrNotFound if the node has none.
func (c *Client) Raw(ctx context.Context, hash wire.Hash) ([]byte, error) {
	var r struct {
		Data wire.Hex `json:"data"`
	}
	err := c.Call(ctx, "raw-data", map[string]any{"hash": hash}, &r)
	return r.Data, err
}

// RawEntry is an entry's bytes, which hash to what was asked for. Errors carry
// ErrProof if the node's do not.
func (c *Client) RawEntry(ctx context.Context, hash wire.Hash) ([]byte, error) {
	b, err := c.Raw(ctx, hash)
	if err == nil && (len(b) > factom.MaxEntry || factom.EntryHash(b) != hash) {
		err = lie("raw-data: the answer is not entry %s", hash)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// block is what a block's parser gives.
type block interface{ Bytes() []byte }

// judged parses a block and holds it against the key that was asked for.
func judged[B block](b []byte, parse func([]byte) (B, error), key func(B) wire.Hash, want wire.Hash) (B, error) {
	parsed, err := parse(b)
	if err != nil {
		var none B
		return none, lie("the answer is no such block: %v", err)
	}
	if got := key(parsed); got != want {
		var none B
		return none, lie("the answer is block %s, not %s", got, want)
	}
	return parsed, nil
}

// RawDirectoryBlock is a directory block by its KeyMR, of raw-data. Errors carry
// ErrProof if the node's bytes are another block or none.
func (c *Client) RawDirectoryBlock(ctx context.Context, keyMR wire.Hash) (*factom.DirectoryBlock, error) {
	b, err := c.Raw(ctx, keyMR)
	if err != nil {
		return nil, err
	}
	return judged(b, factom.ParseDirectoryBlock, (*factom.DirectoryBlock).KeyMR, keyMR)
}

// RawEntryBlock is an entry block by its KeyMR, of raw-data. Errors as
// RawDirectoryBlock.
func (c *Client) RawEntryBlock(ctx context.Context, keyMR wire.Hash) (*factom.EntryBlock, error) {
	b, err := c.Raw(ctx, keyMR)
	if err != nil {
		return nil, err
	}
	return judged(b, factom.ParseEntryBlock, (*factom.EntryBlock).KeyMR, keyMR)
}

// rawBlock is the part that methods giving a block as JSON and as bytes share.
type rawBlock struct {
	RawData wire.Hex `json:"rawdata"`
}

func (c *Client) raw(ctx context.Context, method string, params any) ([]byte, error) {
	var r rawBlock
	err := c.Call(ctx, method, params, &r)
	return r.RawData, err
}

func keyed(key wire.Hash) map[string]any    { return map[string]any{"keymr": key} }
func heighted(height uint32) map[string]any { return map[string]any{"height": height} }

// AdminBlock is method admin-block, by the block's lookup hash. Errors as
// RawDirectoryBlock.
func (c *Client) AdminBlock(ctx context.Context, lookup wire.Hash) (*factom.AdminBlock, error) {
	b, err := c.raw(ctx, "admin-block", keyed(lookup))
	if err != nil {
		return nil, err
	}
	return judged(b, factom.ParseAdminBlock, (*factom.AdminBlock).LookupHash, lookup)
}

// ECBlock is method entrycredit-block, by the hash of the block's header. Errors
// as RawDirectoryBlock.
func (c *Client) ECBlock(ctx context.Context, header wire.Hash) (*factom.ECBlock, error) {
	b, err := c.raw(ctx, "entrycredit-block", keyed(header))
	if err != nil {
		return nil, err
	}
	return judged(b, factom.ParseECBlock, (*factom.ECBlock).HeaderHash, header)
}

// FactoidBlock is method factoid-block, by KeyMR. Errors as RawDirectoryBlock.
func (c *Client) FactoidBlock(ctx context.Context, keyMR wire.Hash) (*factom.FactoidBlock, error) {
	b, err := c.raw(ctx, "factoid-block", keyed(keyMR))
	if err != nil {
		return nil, err
	}
	return judged(b, factom.ParseFactoidBlock, (*factom.FactoidBlock).KeyMR, keyMR)
}

// ofHeight parses a block and holds it against the height that was asked for. That
// it is the ledger's block of that height is the node's word.
func ofHeight[B block](b []byte, parse func([]byte) (B, error), height func(B) uint32, want uint32) (B, error) {
	parsed, err := parse(b)
	if err != nil {
		var none B
		return none, lie("the answer is no such block: %v", err)
	}
	if got := height(parsed); got != want {
		var none B
		return none, lie("the answer is the block of height %d, not %d", got, want)
	}
	return parsed, nil
}

// DirectoryBlockByHeight is method dblock-by-height. Errors carry ErrNotFound, or
// ErrProof if the answer is of another height or no directory block.
func (c *Client) DirectoryBlockByHeight(ctx context.Context, height uint32) (*factom.DirectoryBlock, error) {
	b, err := c.raw(ctx, "dblock-by-height", heighted(height))
	if err != nil {
		return nil, err
	}
	return ofHeight(b, factom.ParseDirectoryBlock, func(b *factom.DirectoryBlock) uint32 { return b.Header.Height }, height)
}

// AdminBlockByHeight is method ablock-by-height. Errors as DirectoryBlockByHeight.
func (c *Client) AdminBlockByHeight(ctx context.Context, height uint32) (*factom.AdminBlock, error) {
	b, err := c.raw(ctx, "ablock-by-height", heighted(height))
	if err != nil {
		return nil, err
	}
	return ofHeight(b, factom.ParseAdminBlock, func(b *factom.AdminBlock) uint32 { return b.Header.Height }, height)
}

// ECBlockByHeight is method ecblock-by-height. Errors as DirectoryBlockByHeight.
func (c *Client) ECBlockByHeight(ctx context.Context, height uint32) (*factom.ECBlock, error) {
	b, err := c.raw(ctx, "ecblock-by-height", heighted(height))
	if err != nil {
		return nil, err
	}
	return ofHeight(b, factom.ParseECBlock, func(b *factom.ECBlock) uint32 { return b.Header.Height }, height)
}

// FactoidBlockByHeight is method fblock-by-height. Errors as DirectoryBlockByHeight.
func (c *Client) FactoidBlockByHeight(ctx context.Context, height uint32) (*factom.FactoidBlock, error) {
	b, err := c.raw(ctx, "fblock-by-height", heighted(height))
	if err != nil {
		return nil, err
	}
	return ofHeight(b, factom.ParseFactoidBlock, func(b *factom.FactoidBlock) uint32 { return b.Header.Height }, height)
}
