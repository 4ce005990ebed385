// Package devnet runs a development network on one machine: a folder per
// validator, each validator a process of its own with its own trusted core.
//
// It must never hold a key of the network beyond the funded development key,
// reuse a folder for another network, or leave a process behind: validators
// end when this process ends, however that happens, because their standard
// input is a pipe from it.
//
// Invariants: a home is complete once network.json is there, which is written
// last; ports are chosen once and kept in it; one network runs in a home at a
// time (network.lock).
package devnet
