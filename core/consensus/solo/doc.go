// Package solo is the engine of a chain with one member, for tests and
// one-node demonstrations: the member orders alone and its signature is the seal.
//
// It must never decide a block before it is durable and checked. It tolerates
// no fault, and its receipts say so.
//
// Consensus specification §1 (4), §3.
package solo
