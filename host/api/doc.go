// Package api is the host's public front door: the Connect service Ledger
// (gRPC, gRPC-Web and JSON on one port), health, readiness and metrics.
//
// It must never judge a transaction, hold ledger data of its own, or say that
// something is recorded which the archive does not hold under a seal. It is
// untrusted: clients verify what it answers, so nothing here signs or proves.
//
// What it needs from the host is in needs.go and nowhere else. Every answer
// carries a code of the one registry (wire.Code), also as HTTP status and
// Connect code.
//
// Invariants: every message, page, stream, wait and registry has a bound
// (limits.go); a waiting submit costs no goroutine per transaction; metrics
// are never labelled by anything a client chooses.
//
// Design §2, §4; transaction states: consensus specification §4.2.
package api
