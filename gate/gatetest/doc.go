// Package gatetest has what tests on either side of the gate need: an
// in-memory host disk with a crash model and a hostile temper (Memory), a core
// and a host connected in one process (Connect), and the rules every object
// store must keep (Contract).
//
// It is for tests and the simulator. Nothing here may be linked into
// cloister-core. Memory uses no clock and no randomness: what a crash keeps is
// decided by the function given to Crash, so a simulated run depends on its
// seed alone. Specification: gate.md §4.1 for the object rules, §8.2 for the
// crash model, §10 for the hostile cases.
package gatetest
