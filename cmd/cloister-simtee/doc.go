// Command cloister-simtee plays the hardware under a trusted program: it owns a
// platform's keys, measures the program, starts it and answers it. It is for
// networks without TEE hardware, and protects nothing.
//
// Where a host would start the trusted program it starts this one, with the same
// descriptors and environment; the program comes after "--":
//
//	cloister-simtee --platform DIR [flags] -- cloister-core
//
// Makers of test networks prepare vendors and platforms with it:
//
//	cloister-simtee new-vendor sgx VENDORDIR
//	cloister-simtee new-platform VENDORDIR DIR
//	cloister-simtee measure PROGRAM [CONFIG]
//
// It must never be part of a release, and never interpret what passes between
// host and program: it holds no end of the gate.
package main
