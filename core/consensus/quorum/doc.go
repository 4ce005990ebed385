// Package quorum is the seal of every engine whose proof is "a majority of
// voters signed this header": what a voter signs, how a seal is checked, and
// how one set of members hands over to the next.
//
// It is pure and imports nothing but wire, so clients and auditors link it. It
// must never accept a seal with a signature that does not hold, even when the
// others would be enough: a proof has no unchecked bytes.
//
// Consensus specification §3 (Rules), §4.2, §4.4.
package quorum
