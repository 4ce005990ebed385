// Package node assembles one host: archive, object store, supervised core and
// public API, out of one folder.
//
// It must never decide anything about the ledger, print, or read the
// environment: its caller gives it a logger and says where everything is.
//
// # A home
//
//	genesis.json   the chain; the same file on every host of a network
//	node.toml      what this host needs besides (File)
//	dev-seal.key   seal key where no hardware has one, 64 hex digits, mode 0600;
//	               made on first use, only while store is empty
//	store/         the core's objects, sealed (host/objects)
//	archive/       blocks and their indexes, public (host/archive)
//
// Losing archive costs nothing where node.toml names hosts to follow: it is filled
// again. Losing store costs the node's identity. What the command line keeps in a
// home besides is its own business.
//
// # Invariants
//
//   - One process uses a home: the object store's lock says so.
//   - Nothing listens before archive and store are open; on the way out the API
//     ends first, then the core, then what follows other hosts, then the files
//     are closed.
//   - Prepare never replaces what an operator or an earlier run has put into a home.
//   - When the core needs an operator, Run ends with that error instead of
//     serving a ledger that no longer grows.
//
// Design §2, §5; gate specification §2, §5.
package node
