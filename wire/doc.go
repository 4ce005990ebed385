// Package wire holds what every part of Cloister and every outside user must
// agree on byte for byte: the deterministic encoding and its strict decoder,
// the tagged hash, Ed25519 with one verification rule, addresses and key
// files, the error registry, and the ledger's public structures (transaction,
// header, member set, seal, genesis).
//
// It must never do I/O beyond reading and writing a key file it is given the
// bytes of, keep state, read a clock, or depend on another package of the
// project. Its folders merkle, smt, factom and receipt stand on it.
//
// Invariants: a value has exactly one encoding (Unmarshal refuses every
// other); nothing is signed or hashed except through TH; every signature in
// the system is judged by PublicKey.Verify or Batch, both ZIP-215; a file for
// people that programs verify has one form but for white space (DecodeJSON),
// except the genesis, which people edit and whose canonical form is hashed; no
// error quotes what may be a secret.
//
// Encodings go through the one general encoder. Transactions and results,
// which every node encodes and decodes several times each, are also written by
// hand (head.go), and fuzzed against it.
//
// Design §4; header, seal and receipt: consensus specification §3, §4.2, §8;
// addresses: factom specification §2.
package wire
