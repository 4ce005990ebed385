// Package scan is the two-stage scan of the data layer: a fresh client that
// trusts a network's beginning, a Network, and nobody else, finds out which chain
// of directory blocks is the ledger's and how far it is good.
//
// Backward: peers propose heads; the headers from each back to the genesis are
// fetched, and a head that does not end there is dropped. Forward: every block is
// computed again from its bytes and held against the rules, signatures first, so
// that nobody can make a client fetch what no majority signed. Anchors in Bitcoin
// come last. The result is graded:
//
//   - headers: a chain of headers that begins with the genesis;
//   - signed: a majority of the servers of each height signed its header;
//   - valid: signed, and every block, commit, transaction and entry keeps the rules;
//   - anchored: valid, and in Bitcoin, spent from keys the ledger allows.
//
// It must never count peers: how many propose a head decides nothing. It must
// never guess: where signatures and anchors speak for two chains it reports a
// fork and chooses none.
//
// # Invariants
//
//   - A grade holds for every height from 0 to the one given, and anchored ≤ valid
//     ≤ signed ≤ headers, unless bodies were not asked for.
//   - What a peer answers is used only if it hashes to what was asked for. A peer
//     that withholds or lies costs time; its conduct is in the result.
//   - State is at one height at a time: what a block changes is taken back if any
//     of its rules fails. It continues exactly where it was saved.
//   - Memory: 32 bytes per height and candidate, the state of balances, chains and
//     commits of a day, and one block at a time with a few beside it.
//
// What a network keeps outside the data layer cannot be judged here: where
// factoids or credits also move by other transactions, a balance that does not
// suffice is a note and not a fault (Network.ClosedMoney).
//
// Factom specification §6.6, §7, §12, §13.
package scan
