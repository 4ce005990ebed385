// Package token is the public face of the token family: its state as a proof
// shows it, and the orders it takes. Its transactions are Factom's factoid
// transactions, in their own bytes (package wire/factom).
//
// Money is counted in factoshis, 10^-8 factoid; entry credits are whole.
// It must never touch state itself; the rules are in core/families/token.
//
// Design §4 "Money"; factom specification §5, §7.
package token
