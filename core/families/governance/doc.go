// Package governance lets a chain's authorities decide together: one proposes an
// order to a family, others approve it, and the approval that makes enough
// carries it out as part of its own transaction.
//
// It must never know what orders mean, or change anything but proposals and the
// list of authorities: what an order does, its family does (ledger.Governed).
//
// More than the threshold of the present authorities, by default two thirds,
// must agree; all of them to a proposal that is marked unanimous. A family is
// told whether everybody agreed, and may demand it. An order that its family
// refuses leaves its proposal as it was before the approval that would have
// carried it out. Proposals end by being carried out, withdrawn by their
// proposer, or at their time; what became of them stays in state.
//
// # Invariants
//
//   - Only authorities change anything; there is at least one.
//   - An order is carried out at most once, by approvals of authorities of that
//     moment.
//   - At most wire/governance.MaxOpen proposals are open, and of one authority at
//     most an even share of them, so none can keep the others from proposing.
//
// Public face: wire/governance. Hardware registry specification §4.
package governance
