// Package beacon makes public randomness, round by round, out of VRF proofs of
// the chain's voters.
//
// It must never take a proof of anybody but a voter in good standing, or use
// anything of a proof but its output, which its maker cannot choose.
//
// A round opens an interval of block time after the last value. Every proof is
// taken until the end of the block in which those of a majority of the present
// voters are in; then the round's value is made and the next one waits for its
// time. Voters that left or were barred since they proved do not count. With one
// voter its own proofs are the majority: nobody else can predict the values,
// that voter can.
//
// # Invariants
//
//   - Rounds count up by one; each has one value for ever, made of outputs of
//     distinct nodes, at least a quorum of the voters at that moment.
//   - The value of round r needs that of round r-1, so nobody proves ahead.
//   - The last wire/beacon.Kept values are in state with the heights that made
//     them known.
//
// The family reads who may vote, and with which VRF key, from the node family,
// and stands after it in the genesis. Public face, with all functions that read
// the values: wire/beacon. Design §4 "Beacon"; hardware registry specification §6.
package beacon
