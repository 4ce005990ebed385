// Package anchor writes the KeyMR of every closed directory block into Bitcoin
// and follows it until it is deep, so that nobody, not even all members of the
// network together, can rewrite what is older.
//
// For every height in turn: a transaction with one output OP_RETURN ‖ payload is
// paid from a hot key of this host and sent; once its block is Config.Depth deep,
// the ledger gets the proof and writes the anchor record. Then the height is
// watched until Config.Settle, because Bitcoin may still change its mind: what
// falls out of the best chain is sent again, and recorded again.
//
// It must never send two different KeyMRs for a height, never let go of a height
// that is not recorded, never pay more than the configured ceiling for a
// transaction, and never hold the key anywhere but in memory. It need not be
// trusted for what it reports: the core checks every proof before it signs a
// record.
//
// # How it decides
//
// machine is a pure step machine: events in, actions out, with no I/O, clock or
// randomness (its signatures are deterministic). All it knows of Bitcoin is the
// fold of blocks from the wallet's birth to the tip, with the newest trail of
// them undoable. So there is nothing to ask about a transaction: it is in a
// followed block, or it is not mined. Anchorer is the thin loop around it: it
// follows a node block by block, makes the state durable, and only then does what
// the machine asks for. A transaction's bytes are durable before they are sent,
// and sending them again is harmless; so a crash at any instant loses nothing and
// doubles nothing.
//
// # Lineage
//
// The transactions made for one height are its versions: replaced by fee (BIP
// 125), or rebuilt because what they spend is gone. Every new version conflicts
// with those before it, itself or through an ancestor, unless they can no longer
// be mined; so at most one ends in the chain, and whichever it is counts.
// Anchors may spend the change of unconfirmed anchors, Config.MaxChain deep.
//
// # Invariants
//
//   - Heights enter once, in order, without gaps (state.Next).
//   - Everything is bounded: Config.Queue heights, maxVersions versions of each,
//     maxCoins coins, trailLength blocks. Heights beyond the queue wait in the
//     ledger.
//   - A recorded height's block is in the best chain, or the record is made again.
//   - Money: inputs are this key's alone; the change returns to it; dust is not
//     made.
//
// Goroutines: Run's own and one that waits for the ledger; both have ended when
// Run returns.
//
// Factom specification §12, §13.10.
package anchor
