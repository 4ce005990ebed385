// Package token keeps money: balances of the one transferable token, entry
// credits bought with it, and the charging of both for every transaction.
//
// It must never create factoids after the genesis but by the coinbase, or let
// credits change hands.
//
// # Invariants
//
//   - The factoids of all accounts sum to Supply.Factoshis, their credits to
//     Supply.Credits.
//   - Supply.Factoshis + Supply.Burnt - Supply.Minted is what the genesis
//     allocated, for ever; Supply.Spent never falls.
//   - No sum overflows: there are at most MaxAmount factoshis and MaxAmount
//     credits, and a credit costs at least one factoshi.
//   - The rate is the same throughout a period of the data layer.
//
// Public face, with fees: wire/token, wire/factom. Design §4 "Money"; factom
// specification §5, §7.
package token
