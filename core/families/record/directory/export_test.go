package directory

import "cloister/core/ledger"

// Limits are what a test lets one block do; see limits.
type Limits struct{ Rows, Bytes, Blocks, Body int }

// Usual are those of a node.
var Usual = Limits{usual.rows, usual.bytes, usual.blocks, usual.body}

// CloseWithin is Close with other limits.
func CloseWithin(e *ledger.End, l Limits) error {
	return closeWithin(e, limits{rows: l.Rows, bytes: l.Bytes, blocks: l.Blocks, body: l.Body})
}
