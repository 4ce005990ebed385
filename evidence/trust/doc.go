// Package trust is the public face of what the ledger trusts: makers' roots and
// revoked keys, collateral, approved code, and a policy per role; the orders by
// which the authorities change them; and the keys under which a proof shows
// them. The genesis of a chain gives the first of each.
//
// It must never judge: Decode and Check look at form and bounds only, the rules
// are in core/families/hardware/tables, verdicts in evidence/policy.
//
// Invariants: an order has one encoding; what Decode accepts fits its table;
// lists are ascending without repetition.
//
// Hardware registry specification §3.1, §3.4, §4; TEE specification §2.7, §5.
package trust
