// Command tpmtour is the part of the tour with real TPM software: three machines
// with emulated TPMs of two makers join a running development network through
// `cloister hardware agent`, are attested, one boots what nobody approved, and one
// is copied. Every step is done by the programs users have; this one only plays
// the makers, the machines and the thief, and looks at what the ledger says.
//
//	tpmtour --cloister bin/cloister --home NETWORK
//
// It prints what each step proved, and fails at the first that did not hold.
//
// Hardware registry specification §12, §13.
package main
