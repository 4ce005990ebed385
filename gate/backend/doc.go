// Package backend is the protocol between a trusted program and the hardware
// under it, when that hardware is simulated and therefore another process
// (TEE specification §1, §7.4; descriptor 4 of gate specification §2).
//
// Client is the program's end, Serve the hardware's. Real hardware is reached
// through device files instead and never speaks this protocol; package
// core/attest has both behind one interface.
//
// One connection, one frame per message: length u32, type u8, payload, all
// integers big-endian. The program asks, the hardware answers, one request at a
// time. Payloads are strict deterministic CBOR.
//
// The package must never: choose what is attested or measured (the hardware
// measured the program when it started it); carry a platform's keys; start a
// program; retry.
//
// Invariants:
//   - A length is checked against what its type may have before anything is
//     allocated. A frame that breaks a rule ends the connection: ErrProtocol.
//   - The client's reader goroutine is its only one and ends with the connection;
//     Gone is closed then, so a program notices the loss of its hardware at once.
//   - The connection is the caller's only way to ask, and what it was given is
//     bound to one program: a request names no program.
package backend
