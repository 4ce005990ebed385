// Package record is the public face of the record family: the payloads that
// clients sign, what an entry costs, and the state a proof shows.
//
// It must never touch state itself; the rules are in core/families/record.
//
// Invariants: Decode accepts only what a first or further entry may be, so what
// it returns can be priced and executed; a chain's Head fixes its whole list.
//
// Factom specification §3, §7.
package record
