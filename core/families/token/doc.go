// Package token keeps money: balances of the one transferable token, entry
// credits bought with it, and the charging of both for every transaction.
//
// It must never create factoids after the genesis, or let credits change hands.
//
// # Invariants
//
//   - The factoids of all accounts sum to Supply.Factoshis, their credits to
//     Supply.Credits.
//   - Supply.Factoshis + Supply.Burnt is what the genesis allocated, for ever;
//     Supply.Spent never falls.
//   - No sum overflows: the genesis allocates at most MaxAmount factoshis and
//     MaxAmount credits, and a credit costs at least one factoshi.
//
// Public face, with the fee formula: wire/token. Design §4 "Money"; factom
// specification §5, §7.
package token
