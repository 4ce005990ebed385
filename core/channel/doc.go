// Package channel is the connection between two trusted cores: TLS 1.3 that
// ends inside both of them, over a byte stream their hosts carry.
//
// The ledger is the PKI. Each connection has a TLS key of its own, in memory
// only; its self-signed certificate carries the identity key's word for it: on
// which chain, in which run of the core, for how long. Whether that identity and
// that run may talk is decided by the roster. It must never accept a peer by
// name, address or certificate authority, resume a session, or speak an older
// TLS.
//
// Invariants: after Open returns, the peer has proved possession of a TLS key
// that the named identity signed for, on this chain; a run's connections cannot
// be taken over with what another run left behind; every frame is bounded
// before it is read.
//
// Consensus specification §4; TEE specification §6.3; gate specification §4.2, §7.
package channel
