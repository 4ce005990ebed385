package archive

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/archived"
)

// Item is one transaction of a block, with its result. Both alias the block.
type Item struct {
	Bytes  []byte // as ordered
	Result []byte // encoded wire.Result
	// At is where Bytes begin within the block's encoding; who keeps it can read
	// them again, or a part of them, by Archive.Bytes.
	At uint32
}

// Items takes a block's transactions and their results apart; block 0 has none.
// Errors: ErrCorrupt, which what Append took cannot be.
func (b *Block) Items() ([]Item, error) {
	if len(b.Outcome) == 0 {
		return nil, nil
	}
	bad := func(what string, err error) ([]Item, error) {
		return nil, fmt.Errorf("%w: block %d: %s: %w", ErrCorrupt, b.Height, what, err)
	}
	bodies, err := wire.DecodeList(b.Body, wire.MaxBodyItems, wire.MaxTx)
	if err != nil {
		return bad("body", err)
	}
	var outcome wire.Outcome
	if err := wire.Unmarshal(b.Outcome, &outcome, archived.MaxOutcome); err != nil {
		return bad("outcome", err)
	}
	results, err := wire.DecodeList(outcome.Results, wire.MaxBodyItems, wire.MaxResult)
	if err == nil && len(results) != len(bodies) {
		err = fmt.Errorf("%d results of %d transactions", len(results), len(bodies))
	}
	if err != nil {
		return bad("results", err)
	}
	at, _ := listOffsets(bodyAt(b.SealedHeader.Header, b.Seal, b.Body), bodies)
	items := make([]Item, len(bodies))
	for i := range items {
		items[i] = Item{bodies[i], results[i], at[i]}
	}
	return items, nil
}

// bodyAt is where the body begins within the encoding of a block.
func bodyAt(header, seal, body []byte) int {
	return 1 + stringSize(header) + stringSize(seal) + headSize(len(body))
}

// Bytes reads n bytes of a block's encoding from an offset on: what an Item, or
// a part of one, was. They are not covered by a checksum of their own: callers
// hold them against an identifier. Errors: ErrNotFound (wire) above Height, ErrCorrupt.
func (a *Archive) Bytes(height uint64, from, n uint32) ([]byte, error) {
	row, err := a.visible(height)
	if err != nil {
		return nil, err
	}
	return a.slice(row, from, n)
}
