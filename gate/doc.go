// Package gate is the one boundary between the trusted core and the untrusted
// host, with both of its ends (gate.md §2–§5 and §7).
//
// Three connections, called lanes, carry the same frame: control (start,
// submit, query, final blocks), storage (numbered append-only objects) and
// streams (bytes between cores). No lane can block another. Core is the end
// inside the enclave, Host the end outside.
//
// Each end treats the other's bytes as hostile: the core because the host is
// the adversary, the host because a compromised core must not get more than its
// objects and its sockets. So a length is checked before anything is allocated,
// every queue has a bound (limits.go), and a frame that breaks a rule ends all
// three lanes with ErrProtocol. Nothing is resynchronised and a lane is never
// reconnected: a new host means a new core process.
//
// The package must never: carry a path or a file name; read an environment
// variable; retry; judge what a payload means (the vault and the ledger do);
// exit the process (callers do, with ExitCode of Core.Err); wait for the other
// side inside a reader goroutine.
//
// Invariants:
//   - Each lane has one reader goroutine. It never writes to its connection
//     itself, so two ends that both have full socket buffers still drain them.
//   - Frames leave in the order they were put in the pending buffer; request
//     ids are given out under the same lock and so are increasing on the wire.
//   - A call ends exactly once: by its answer, or by the reader when the lane
//     is gone. A caller's buffer is written only by the reader, before that.
//
// Frame types 0x04 Ready, 0x08 Done, 0x09 Data and 0x0a Fail are the answers on
// the control and storage lanes. Final, Event, Undo, Fatal and Archived are
// one-way. Only one-way storage frames are held back to leave together.
package gate
