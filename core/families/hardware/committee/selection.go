package committee

import (
	"bytes"
	"math/bits"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/wire"
)

// Eligible is a device that may judge another, as the snapshot at the end of
// the previous epoch shows it. Who is eligible, the family decides.
type Eligible struct {
	Device, Owner, Root wire.Hash
	Credit              uint64
	RootSeatCap         uint16   // 0: none
	VRF                 [32]byte // the one key valid at h_sel
}

// Claim is the claim this device makes with a verified VRF output.
func (e Eligible) Claim(p Params, beta []byte) Claim {
	return Claim{
		Device: e.Device, Owner: e.Owner, Root: e.Root, RootSeatCap: e.RootSeatCap,
		Beta: beta, Tickets: Tickets(p, e.Credit),
	}
}

// Tickets is how many tickets credit gives: chances are in proportion to it.
func Tickets(p Params, credit uint64) uint64 {
	return min(p.MaxTickets, credit/p.TicketUnit)
}

// Total is T, the tickets of all eligible devices.
func Total(p Params, eligible []Eligible) (t uint64) {
	for _, e := range eligible {
		t += Tickets(p, e.Credit)
	}
	return t
}

// Limit is the number below which a ticket counts, floor(2^256·Over·K/T), so
// that about Over×K of all T do. all says that every ticket counts, because
// there are no more than that; limit then means nothing.
func Limit(p Params, T uint64) (limit [32]byte, all bool) {
	want := uint64(p.Over) * uint64(p.K)
	if T <= want {
		return limit, true
	}
	// Long division by limbs. The first remainder is below T, so is every next
	// one, and no quotient exceeds a limb.
	rem := want
	for i := 0; i < len(limit); i += 8 {
		var q uint64
		q, rem = bits.Div64(rem, 0, T)
		copy(limit[i:], wire.U64(q))
	}
	return limit, false
}

// Counting lists, ascending, which of a device's t tickets count. A device for
// which there is none has nothing to claim.
func Counting(p Params, T uint64, beta []byte, t uint64) (ks []uint32) {
	for _, d := range drawn(p, T, beta, t) {
		ks = append(ks, d.k)
	}
	return ks
}

// draw is a ticket that counts.
type draw struct {
	x wire.Hash
	k uint32
}

func drawn(p Params, T uint64, beta []byte, t uint64) (counting []draw) {
	limit, all := Limit(p, T)
	for k := range uint32(min(t, p.MaxTickets)) {
		if x := Ticket(beta, k); all || bytes.Compare(x[:], limit[:]) < 0 {
			counting = append(counting, draw{x, k})
		}
	}
	return counting
}

// VerifyClaim checks an RFC 9381 ECVRF-EDWARDS25519-SHA512-ELL2 proof on alpha
// and returns its 64-byte output. A key has one output for an alpha, though
// several proofs: what names a claim is task, attempt and device, never its
// proof. Key and proof may be any bytes.
func VerifyClaim(vrfPK [32]byte, alpha wire.Hash, proof []byte) (beta []byte, ok bool) {
	if len(proof) != ecvrf.ProofSize {
		return nil, false
	}
	ok, beta = ecvrf.Verify(ed25519.PublicKey(vrfPK[:]), proof, alpha[:])
	if !ok {
		return nil, false
	}
	return beta, true
}
