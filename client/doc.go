// Package client is the Go SDK: it submits transactions to a network's hosts,
// reads the ledger through them, and verifies what they answer against the
// genesis file alone. No host is trusted.
//
// It must never return ledger data that it did not verify, unless the method's
// comment says what remains the host's word; never read a private key; never
// change a transaction on a retry (the id is what makes retrying safe).
//
// Entries and payments are Factom's messages, with signatures of their own: EntryTx,
// PaymentTx and their like make them, each with a millisecond of its own (Stamps).
// NewTx signs what every other family takes.
//
// How trust flows: the genesis file names the chain and its first members; a
// seal of their majority proves a header; the header proves history, state and
// results below it. A proof that does not hold is answered by asking another
// host, and by ErrProof or ErrSealInvalid when none can prove it.
//
// One retry policy (Retry) is used for everything. Errors carry a wire.Code.
// Offline use needs VerifyReceiptFile and Trust only.
//
// Only the member set of the genesis (epoch 1) is known so far.
//
// Design §3, §4; transaction states: consensus specification §4.2, §8.
package client
