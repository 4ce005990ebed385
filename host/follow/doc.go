// Package follow keeps a host's archive at the end of a chain whose blocks its
// own core does not publish: that of a node which is no member yet, of one that
// was removed while it was away, and of a host that lost blocks.
//
// It asks other hosts' public API for final blocks and appends them to the
// archive. It must never store what one host alone says: a block counts only
// under a seal of its epoch's members, whom handovers from the genesis on have
// proved, and its outcome only once a later sealed header commits to it. So the
// newest block or two of an idle chain stay out until the next one comes. It
// must never replace a block, nor decide anything for the core, which reads the
// archive, verifies every seal itself and executes.
//
// # When
//
// A follower works while the archive stands still, and leaves as soon as
// somebody else, the own core, is faster. So nobody has to tell it what part the
// core plays.
//
// # Invariants
//
//   - One stream from one host at a time. What is held back is bounded in blocks
//     and bytes; a host that sends nothing is left for the next one.
//   - It goes on where the archive ends, whatever ended it before.
//   - A proved block that differs from the one held is a fork: Run ends with it,
//     and an operator has to look.
//
// Goroutines: Run's own. Run returns when its streams have ended.
//
// Design §4 "Who stores what"; gate specification §4.3; consensus specification
// §6.
package follow
