// Package lab is a laboratory of emulated TPMs: manufacturers with certificate
// chains of their own, machines with an emulator each, that boot, are switched
// off, and, what no real machine can be, copied. Tests and the demonstration
// network build on it.
//
// It must never be used where trust is meant: everybody can copy an emulator, so
// its roots are of class Emulated, which only test networks admit.
//
// Invariants: an emulator is a child process that dies with this one; a socket's
// path is short enough for the system, wherever the machine's folder is;
// machines of one manufacturer are made one after the other.
//
// It needs the programs of the Debian packages swtpm and swtpm-tools (ErrMissing
// says so), and neither a TPM of the machine nor root.
//
// Hardware registry specification §13.
package lab
