// Package channel is the connection between two trusted cores: TLS 1.3 that
// ends inside both of them, over a byte stream their hosts carry.
//
// The ledger is the PKI: a certificate is self-signed and says only which
// identity key holds the connection; whether that key may talk is decided by
// the member set. It must never accept a peer by name, address or certificate
// authority, resume a session, or speak an older TLS.
//
// Invariants: after Open returns, the peer has proved possession of the key of
// the named member, on this chain; every frame is bounded before it is read.
//
// Consensus specification §4; gate specification §4.2, §7.
package channel
