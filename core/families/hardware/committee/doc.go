// Package committee is the arithmetic of remote attestation by committee: which
// devices judge a device, what their votes amount to, who is paid and who pays,
// what a lost dispute costs, and how credit is scaled back to its cap.
//
// It must never hold state, read a clock, draw a random number or depend on the
// order in which messages came: every function gives the same result for the
// same arguments on every node, in integers only. It decides nothing about
// phases, deadlines or who may send what; that is the hardware family's.
//
// # Invariants
//
//   - A PASS or a FAIL needs more than two thirds of all seats; whoever holds
//     less than a third can neither make a verdict nor prevent one.
//   - At most Params.K seats are given, at most Params.OwnerSeatCap to one owner
//     and at most its cap to one root, whatever the order of the claims.
//   - A ticket's number depends on its own proof alone. As long as no owner has
//     devices under several capped roots, withholding a claim can only move
//     others up.
//   - A pay-out never takes more than a device has, and what it burns is what it
//     took. Gas is moved, never made.
//   - Normalization gives exactly the cap, raises no balance and keeps the order
//     of balances.
//   - Under parameters that Params.Check accepts nothing overflows.
//
// Arguments are the family's own state, or input that it has checked: a caller
// that breaks a stated precondition meets a panic, never a wrong result. The one
// thing that comes from outside as it is, a VRF proof, goes to VerifyClaim.
//
// Hardware registry specification §3 (ids), §6 to §10, §12, §14.
package committee
