package hardware

import (
	"crypto/sha256"

	"cloister/wire"
)

// JoinStatement is what a joining device signs with its node key, proves with
// its VRF key and has its TPM qualify the creation of the endorsement key with.
func JoinStatement(chain, device wire.Hash, akName []byte, node, vrf wire.PublicKey, owner wire.Account) wire.Hash {
	return wire.TH("cloister/join/v1", chain[:], device[:], akName, node[:], vrf[:], owner[:])
}

// RotateStatement is the qualifying data of the quote that registers new keys;
// nonce is the hash of a recent block.
func RotateStatement(chain, device wire.Hash, node, vrf wire.PublicKey, nonce wire.Hash) wire.Hash {
	return wire.TH("cloister/rotate/v1", chain[:], device[:], node[:], vrf[:], nonce[:])
}

// ClaimStatement is what a verifier's node key signs in a Claim.
func ClaimStatement(chain wire.Hash, v Vote, proof []byte) wire.Hash {
	return wire.TH("cloister/ra/claim/v1", chain[:], v.Task[:], wire.U32(v.Attempt), v.Device[:], proof)
}

// ChallengeStatement is what it signs in a Challenge.
func ChallengeStatement(chain wire.Hash, v Vote, blob, encSecret []byte, commit wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/challenge/v1", chain[:], v.Task[:], wire.U32(v.Attempt), v.Device[:], blob, encSecret, commit[:])
}

// CommitStatement is what it signs in a Commit.
func CommitStatement(chain wire.Hash, v Vote, commitment wire.Hash) wire.Hash {
	return wire.TH("cloister/ra/committed/v1", chain[:], v.Task[:], wire.U32(v.Attempt), v.Device[:], commitment[:])
}

func hash(b []byte) wire.Hash { return sha256.Sum256(b) }

// LogOf describes a log: inline if it is short, else to be found in entries.
func LogOf(b []byte, refs ...wire.Hash) Log {
	l := Log{Size: uint32(len(b)), Digest: hash(b), Refs: refs}
	if len(refs) == 0 {
		l.Inline = b
	}
	return l
}
