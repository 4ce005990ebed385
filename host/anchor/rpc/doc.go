// Package rpc asks a Bitcoin node, btcd or Bitcoin Core, through its JSON-RPC
// over HTTP.
//
// Client is the bare protocol; Node is what anchoring needs of it
// (anchor.Bitcoin). It must never retry on its own, keep a connection's password
// in an error, or trust an answer's length: whoever asks knows how long a try is
// worth, and an answer above MaxAnswer is refused. What the answers say is
// believed as little as their form: package anchor reads blocks with the strict
// parsers of wire/bitcoin and follows work, not words.
//
// Invariants: methods are safe for concurrent use; a request ends with its
// context; an error is Error where the node said no, and something else where it
// said nothing.
package rpc
