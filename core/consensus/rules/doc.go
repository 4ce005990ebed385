// Package rules is the registry of the engines' pure halves: how a seal of each
// engine kind is verified, and how one member set hands over to the next. Clients
// and auditors link it; it has no state and does no I/O.
//
// Consensus specification §3 (Rules).
package rules
