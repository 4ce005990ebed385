// Package token is the public face of the token family: the payloads that
// clients sign, what they cost, and the state a proof shows.
//
// Money is counted in factoshis, 10^-8 factoid; entry credits are whole.
// It must never touch state itself; the rules are in core/families/token.
//
// Invariants: Decode accepts only payloads whose amounts are above zero and
// whose sum fits an int64, so no rule that adds them can overflow.
//
// Design §4 "Money"; fee formula: factom specification §5.
package token
