// Package apitest is a small ledger in memory that satisfies everything
// host/api needs: blocks with real seals, histories, state proofs and receipts,
// made from what is submitted. Tests of the API and of the client stand on it,
// and make it lie.
//
// It must never be linked into a program. It executes only what tests need:
// entries that anybody can pay for, and transfers that create what they pay.
//
// Seals are written here from the specification and not by core's code, so a
// client that accepts them agrees with a second author.
//
// Consensus specification §4.2, §8.
package apitest
