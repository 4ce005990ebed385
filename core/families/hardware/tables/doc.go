// Package tables keeps what the ledger trusts in state and applies the rules by
// which it changes: makers' roots, revoked keys, collateral, approved code, and
// a policy per role. It lets verifiers read that state, and judges what they
// find for the rest of the hardware family and for whoever admits nodes.
//
// Everything works on the state of family "hardware" below the prefix "t/"; the
// functions that change it are called while a transaction or the genesis is
// executed, the others at any time. It must never trust an argument more than
// the state: evidence, items and orders come from anybody.
//
// # Invariants
//
//   - Trust that was taken away never comes back: revocations only go further
//     and to earlier heights, and never change what was valid below the block
//     that decides them.
//   - The roots in force of one vendor are all simulated or all real; simulated
//     ones exist on test networks only.
//   - The item under a key of collateral is replaced by a newer one only, unless
//     nobody can rely on it any more.
//   - A mandatory component always has a version in force, unless the
//     authorities forced the last one out.
//   - Summary.Revision rises with every change. What changes with height alone is
//     told by Due and Measurement.ValidAt.
//   - Every list has a bound, with ErrTrustFull behind it.
//
// Public face: evidence/trust. Hardware registry specification §3.1, §3.4, §4;
// TEE specification §2.7, §5.
package tables
