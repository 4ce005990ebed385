// Package archived is the form in which a host keeps a final block and hands
// it to a core that fetches it: header, seal, body and outcome in one encoding.
//
// It must never judge a block. Whoever decodes one checks it against a header
// hash or a seal it already trusts; the decoder promises shape and size only.
//
// Invariants: Decode accepts exactly what Encode wrote; header and seal come
// first, so that both are read without the body.
//
// Gate specification §4.3 (Fetch, kind 1).
package archived
