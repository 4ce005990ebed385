package committee

import (
	"encoding/binary"
	"slices"

	"cloister/wire"
)

// Kinds of tasks. Specification §3.5.
const (
	KindJoin      = 1
	KindPeriodic  = 2
	KindChallenge = 3
	KindReinstate = 4
)

// TaskID names a task. hOpen is the height, openTx the transaction that opened it.
func TaskID(chain, device wire.Hash, kind uint8, hOpen uint64, openTx wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/task/v1", chain[:], device[:], []byte{kind}, wire.U64(hOpen), openTx[:])
}

// Nonce is what the evidence of one attempt must answer. blockHash is the header
// hash at hA, so evidence cannot be older than that block; the other fields bind
// it to one task, attempt, device and chain.
func Nonce(chain, task wire.Hash, attempt uint32, device wire.Hash, hA uint64, blockHash wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/nonce/v1", chain[:], task[:], wire.U32(attempt), device[:], wire.U64(hA), blockHash[:])
}

// Alpha is what verifiers prove their VRF on. beacon is R(h_sel), unknown while
// the evidence could still be changed.
func Alpha(chain, task wire.Hash, attempt uint32, beacon wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/alpha/v1", chain[:], task[:], wire.U32(attempt), beacon[:])
}

// Ticket is a device's k-th ticket under its VRF output, a 256-bit big-endian
// number.
func Ticket(beta []byte, k uint32) wire.Hash {
	return wire.TH("cloister/ra/ticket/v1", beta, wire.U32(k))
}

// Commit hides a vote until it is revealed. It has the voter's device in it: the
// commitment of another device is of no use to whoever copies it.
func Commit(task wire.Hash, attempt uint32, device wire.Hash, verdict uint8, reason uint16, resultDigest wire.Hash, salt [32]byte) wire.Hash {
	return wire.TH("cloister/ra/commit/v1", task[:], wire.U32(attempt), device[:],
		[]byte{verdict}, wire.U16(reason), resultDigest[:], salt[:])
}

// ResultStatement is what a verifier's node key signs when it reveals.
func ResultStatement(chain, task wire.Hash, attempt uint32, device wire.Hash, verdict uint8, reason uint16, resultDigest wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/result/v1", chain[:], task[:], wire.U32(attempt), device[:],
		[]byte{verdict}, wire.U16(reason), resultDigest[:])
}

// ResultDigest binds a vote to the evidence and to the measurements found in it.
// The order of ids does not matter.
func ResultDigest(evidenceDigest wire.Hash, verdict uint8, reason uint16, ids []wire.Hash) wire.Hash {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, compare)
	all := make([]byte, 0, len(sorted)*len(wire.Hash{}))
	for _, id := range sorted {
		all = append(all, id[:]...)
	}
	return wire.TH("cloister/ra/appraisal/v1", evidenceDigest[:], []byte{verdict}, wire.U16(reason), all)
}

// ActivationSecret is a challenger's commitment to the secret s that only a
// device with the endorsement key and the attestation key named akName can tell.
func ActivationSecret(task wire.Hash, attempt uint32, verifier, device wire.Hash, akName []byte, s [32]byte) wire.Hash {
	return wire.TH("cloister/ra/actsecret/v1", task[:], wire.U32(attempt), verifier[:], device[:], akName, s[:])
}

// Jitter is by how many blocks, below grace, a device's periodic task comes
// early in an epoch, so that devices which joined together do not stay together.
func Jitter(device wire.Hash, epoch, grace uint64) uint64 {
	if grace == 0 {
		return 0
	}
	h := wire.TH("cloister/ra/jitter/v1", device[:], wire.U64(epoch))
	return binary.BigEndian.Uint64(h[:8]) % grace
}
