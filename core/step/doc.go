// Package step is the form every deciding part of the trusted core has: a
// machine takes one event and says what it wants done, and a driver does it.
//
// A machine must never block, start a goroutine, lock, read a clock, file or
// random source, or range over a map where the order matters. What it promises
// to others it sends in the Step that handles the Done of what the promise
// rests on; there is no way to ask for "send after".
//
// Invariants: a token is answered by exactly one Done in the same boot; the
// log and exec lanes are first in, first out; Compute has no order.
//
// Gate specification §8.
package step
