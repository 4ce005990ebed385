// Package ledger executes decided blocks: it folds them into public state,
// commits to that state, and answers reads and proofs about it.
//
// Rules live in families (core/families), one per folder. The package gives
// them state, charges their prices, undoes what they refuse, and binds the
// outcome: results, data-layer leaves, and the sparse Merkle root of state.
//
// It must never decide which block comes next, verify a seal, read a clock, or
// let anything but blocks and the genesis change state. It starts no goroutine.
//
// # A transaction
//
//	decoded, signature good        CheckTxs, before a block is voted for
//	time window, replay, price     else a result with the code, and nothing changes
//	price charged                  else ErrInsufficientCredits or -Funds, and nothing changes
//	executed                       else a result with the code; only the price stays charged
//
// Its id is remembered from the moment its price is charged until it expires:
// such a transaction has had its outcome, and appearing again it is ErrReplayed.
// One that was refused before that changed nothing and may come again. One that
// would make the block's batch too large for the store is ErrBusy, as if it had
// not been in the block.
//
// A message with its own signatures in a foreign format comes in a transaction
// with nothing else in it (Carrier). Nobody but its family charges for it (Call.Charged)
// and knows it again (Call.Once); what that remembers goes back with a refusal.
//
// A family may also act at both ends of a block (Beginner, Ender), within bounds, and
// say when it needs the next one (Timed, Tip.DueMs).
//
// # What a block leaves behind
//
// One batch of the store: values, tree pages, replay ids, the tip, the block's
// outcome until it is archived (Prune), and what is needed to read and prove
// state as of each of the last Kept heights. A crash brings back the state after some
// earlier block; executing the blocks above it again gives the same bytes.
//
// # Invariants
//
//   - Results, roots and leaves depend on the genesis and the blocks alone: not
//     on the store's driver, on restarts, or on what views are open.
//   - A family sees and changes state through State only. A panic in a family,
//     damaged state or a failing store makes Execute fail; the Ledger then refuses
//     all further work, and the store is as it was before the block.
//   - The tree commits to family state and nothing else, unproved state
//     (State.Aside) not included. A key's place in it is SHA-256(family ‖ 0x00 ‖ key).
//   - Execute, Flush and Prune belong to one goroutine. View may be called from
//     any, and a View is safe for concurrent use.
//
// Design §2, §4; consensus specification §8; gate specification §6.4.
package ledger
