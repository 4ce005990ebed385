// Package factom answers factomd's JSON-RPC v2, so that existing Factom clients
// and wallets work with a Cloister host unchanged. Server is a handler to be
// mounted at /v2 of the host's API (api.Config.Mount), told of every block by
// Ordered; what it needs is in needs.go: Source, the data layer as this host
// holds it, and State, the trusted core.
//
// It must never judge what only the ledger may judge, keep ledger data of its
// own, or say that something is ordered which Source does not have. Like factomd
// it is believed at one's own risk: whoever wants proof asks for receipts, or
// uses the ledger's own interface.
//
// A message that the ledger cannot order yet, because credits, its commit or its
// chain are not there, is held here and tried again when a block brings what it
// waits for (holding.go); of messages on their way it is remembered that they
// are (fates.go). Both are in memory only, as with factomd.
//
// Invariants: whatever a body holds, the answer is JSON-RPC with status 200 or
// 400 (401 without the password that an operator may set); what is held,
// remembered, listed or rendered has a bound (limits.go); form and signatures
// are checked before the core is asked; block time alone ends waiting; errors
// are factomd's words, because clients compare them (reply.go).
//
// What factomd answers otherwise, on purpose:
//
//   - The id keeps its digits; factomd turns numbers into floats. Bodies have at
//     most 64 KiB.
//   - Trailing bytes after a commit or a factoid transaction, and external ids
//     that do not fit their area, are refused; factomd ignores or repairs them,
//     and acknowledges another hash than the sender's.
//   - factoid-submit refuses what cannot be executed with "Invalid Transaction";
//     factomd reports success and drops it. Likewise commits and reveals that no
//     wait can help, and everything while the node is unavailable (-32603).
//   - The same message again is "Repeated Commit" for commits and success for
//     reveals and factoid transactions.
//   - Status texts are those of factomd; 1Minute, which clients know but factomd
//     never says, is not said here either. In answers about a commit, the
//     entry's state is the entry's own; factomd repeats the commit's. Entries
//     have as date the block time that ordered them; factomd gives none.
//   - Dates are written in UTC; factomd uses the machine's zone.
//   - Pending commits have no chain, also those to chains.
//   - blockheight of factoid transactions is their height; factomd often says 0.
//   - Addresses are accepted as hex digits wherever they are as text.
//   - stalldetected is always false: a ledger with nothing to order makes no
//     blocks. faulttimeout and roundtimeout are the time-out period of §9.
//     Authorities have no management chain and no M-hash: zeros. Diagnostics
//     have no process lists, and no hash of balances: the ledger's headers have
//     state roots.
//   - tps-rate counts what was ordered, since this host runs.
//   - Bitcoin anchors come with the name of the network and a proof that the
//     transaction is in its block. Ethereum anchors are not made: false.
//   - send-raw-message and replay-from-height are no methods.
//
// Factom specification §15 and §16, with §4, §5, §7 and §12 behind them.
package factom
