package committee

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"
	"pgregory.net/rapid"

	"cloister/wire"
)

func TestTicketsAreWholeUnitsUpToTheLimit(t *testing.T) {
	p := Defaults()
	for _, v := range []struct{ credit, want uint64 }{
		{0, 0}, {p.TicketUnit - 1, 0}, {p.TicketUnit, 1}, {2*p.TicketUnit - 1, 1},
		{256 * p.TicketUnit, 256}, {257 * p.TicketUnit, 256}, {MaxCredit, 256},
	} {
		if got := Tickets(p, v.credit); got != v.want {
			t.Errorf("credit %d gives %d tickets, want %d", v.credit, got, v.want)
		}
	}
}

// A sybil's arithmetic: as long as no device reaches MaxTickets, parts of a
// credit never have more tickets than the whole.
func TestSplittingCreditGainsNoTickets(t *testing.T) {
	p := Defaults()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Uint64Range(0, p.TicketUnit*25), 1, 10).Draw(t, "parts")
		var whole, tickets uint64
		for _, c := range parts {
			whole += c
			tickets += Tickets(p, c)
		}
		if one := Tickets(p, whole); tickets > one {
			t.Fatalf("%d parts have %d tickets, the whole %d", len(parts), tickets, one)
		}
	})
}

func TestLimitIsTheExactQuotient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Defaults()
		p.K = rapid.Uint32Range(1, MaxSeats).Draw(t, "k")
		p.Over = rapid.Uint32Range(1, MaxOver).Draw(t, "over")
		want := uint64(p.K) * uint64(p.Over)
		T := rapid.OneOf(rapid.Uint64Range(0, 3*want), rapid.Uint64()).Draw(t, "T")
		limit, all := Limit(p, T)
		if all != (T <= want) {
			t.Fatalf("T=%d, %d wanted: all is %v", T, want, all)
		}
		if all {
			return
		}
		q := new(big.Int).Lsh(new(big.Int).SetUint64(want), 256)
		q.Div(q, new(big.Int).SetUint64(T))
		if got := new(big.Int).SetBytes(limit[:]); got.Cmp(q) != 0 {
			t.Fatalf("T=%d: limit %x, want %x", T, got, q)
		}
	})
}

func TestCountingTicketsAreThoseBelowTheLimit(t *testing.T) {
	p := Defaults() // 124 tickets wanted
	beta := bytes.Repeat([]byte{7}, 64)
	if ks := Counting(p, 124, beta, 50); len(ks) != 50 || ks[0] != 0 || ks[49] != 49 {
		t.Errorf("of few tickets only %v count", ks)
	}
	limit, _ := Limit(p, 1000)
	var want []uint32
	for k := range uint32(256) {
		if x := Ticket(beta, k); new(big.Int).SetBytes(x[:]).Cmp(new(big.Int).SetBytes(limit[:])) < 0 {
			want = append(want, k)
		}
	}
	if ks := Counting(p, 1000, beta, 256); !slices.Equal(ks, want) || len(ks) == 0 || len(ks) == 256 {
		t.Errorf("counting %v, want %v", ks, want)
	}
	if ks := Counting(p, 124, beta, 1<<40); uint64(len(ks)) != p.MaxTickets {
		t.Errorf("%d tickets of one device, at most %d", len(ks), p.MaxTickets)
	}
}

// I14 for claims, and the reason a claim's name has no proof in it.
func TestProofIsOfOneKeyAndOneAlpha(t *testing.T) {
	seed := named("key")
	sk := ed25519.NewKeyFromSeed(seed[:])
	pk := [32]byte(sk.Public().(ed25519.PublicKey))
	alpha := named("alpha")
	proof := ecvrf.Prove(sk, alpha[:])
	beta, ok := VerifyClaim(pk, alpha, proof)
	if !ok || len(beta) != ecvrf.OutputSize {
		t.Fatalf("own proof refused, or output of %d bytes", len(beta))
	}
	for bit := range len(proof) * 8 {
		bad := slices.Clone(proof)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, ok := VerifyClaim(pk, alpha, bad); ok {
			t.Errorf("proof passes with bit %d flipped", bit)
		}
	}
	for bit := range 256 {
		other, key := alpha, pk
		other[bit/8] ^= 1 << (bit % 8)
		key[bit/8] ^= 1 << (bit % 8)
		if _, ok := VerifyClaim(pk, other, proof); ok {
			t.Errorf("proof passes for alpha with bit %d flipped", bit)
		}
		if _, ok := VerifyClaim(key, alpha, proof); ok {
			t.Errorf("proof passes for a key with bit %d flipped", bit)
		}
	}
	for _, n := range []int{0, 1, 79, 81, 160} {
		if _, ok := VerifyClaim(pk, alpha, make([]byte, n)); ok {
			t.Errorf("proof of %d bytes passes", n)
		}
	}
}

// Grinding: another proof for the same key and alpha is possible, another
// output is not, so there are no other tickets to be had.
func TestSecondProofGivesTheSameTickets(t *testing.T) {
	seed := named("grinder")
	sk := ed25519.NewKeyFromSeed(seed[:])
	pk := [32]byte(sk.Public().(ed25519.PublicKey))
	alpha := named("alpha")
	first := ecvrf.Prove(sk, alpha[:])
	second, err := ecvrf.ProveWithAddedRandomness(rand.Reader, sk, alpha[:])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, second) {
		t.Fatal("the two proofs are one")
	}
	a, okA := VerifyClaim(pk, alpha, first)
	b, okB := VerifyClaim(pk, alpha, second)
	if !okA || !okB || Ticket(a, 0) != Ticket(b, 0) {
		t.Errorf("verified %v and %v, outputs %x and %x", okA, okB, a, b)
	}
}

func FuzzVerifyClaim(f *testing.F) {
	seed := named("key")
	sk := ed25519.NewKeyFromSeed(seed[:])
	alpha := named("alpha")
	good := ecvrf.Prove(sk, alpha[:])
	f.Add([]byte(sk.Public().(ed25519.PublicKey)), alpha[:], good)
	f.Add(make([]byte, 32), alpha[:], make([]byte, 80))
	f.Add(bytes.Repeat([]byte{0xff}, 32), alpha[:], bytes.Repeat([]byte{0xff}, 80))
	f.Fuzz(func(t *testing.T, key, alpha, proof []byte) {
		var pk [32]byte
		var a wire.Hash
		copy(pk[:], key)
		copy(a[:], alpha)
		beta, ok := VerifyClaim(pk, a, proof)
		if ok != (len(beta) == ecvrf.OutputSize) || !ok && beta != nil {
			t.Fatalf("verified %v with an output of %d bytes", ok, len(beta))
		}
		if !ok {
			return
		}
		if h, err := ecvrf.ProofToHash(proof); err != nil || !bytes.Equal(h, beta) {
			t.Fatalf("output %x, of the proof %x (%v)", beta, h, err)
		}
	})
}

// pool draws parameters and claims of devices with few owners and roots, so that
// caps bite. Every owner keeps to one root unless crossing.
func pool(t *rapid.T, crossing bool) (p Params, T uint64, claims []Claim) {
	p = Defaults()
	p.K = rapid.Uint32Range(1, 24).Draw(t, "k")
	p.Over = rapid.Uint32Range(1, 4).Draw(t, "over")
	p.OwnerSeatCap = rapid.Uint32Range(1, p.K).Draw(t, "ownerCap")
	p.SMin, p.DMin = 1, 1
	caps := rapid.SliceOfN(rapid.Uint16Range(0, 6), 3, 3).Draw(t, "rootCaps")
	salt := rapid.Uint64().Draw(t, "betas")
	for i := range rapid.IntRange(0, 14).Draw(t, "devices") {
		owner := rapid.IntRange(0, 5).Draw(t, "owner")
		root := owner % len(caps)
		if crossing {
			root = rapid.IntRange(0, len(caps)-1).Draw(t, "root")
		}
		beta := named(fmt.Sprint("beta", salt, i))
		claims = append(claims, Claim{
			Device: named(fmt.Sprint("device", i)), Owner: named(fmt.Sprint("owner", owner)),
			Root: named(fmt.Sprint("root", root)), RootSeatCap: caps[root],
			Beta: beta[:], Tickets: rapid.Uint64Range(1, 20).Draw(t, "tickets"),
		})
	}
	for _, c := range claims {
		T += c.Tickets
	}
	return p, T + rapid.Uint64Range(0, 50).Draw(t, "unclaimed"), claims
}

// I6, I7.
func TestSeatsKeepCapsAndIgnoreTheOrderOfClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, T, claims := pool(t, true)
		seats, ok := Seats(p, T, claims)
		again, okAgain := Seats(p, T, rapid.Permutation(claims).Draw(t, "order"))
		if ok != okAgain || !slices.Equal(seats, again) {
			t.Fatalf("order matters: %v, then %v", seats, again)
		}
		given, owner, root := uint32(0), map[wire.Hash]uint32{}, map[wire.Hash]uint32{}
		for i, s := range seats {
			c := claims[slices.IndexFunc(claims, func(c Claim) bool { return c.Device == s.Device })]
			n := uint32(s.Seats)
			given, owner[c.Owner], root[c.Root] = given+n, owner[c.Owner]+n, root[c.Root]+n
			switch {
			case n == 0 || int(n) > len(Counting(p, T, c.Beta, c.Tickets)):
				t.Fatalf("device %d has %d seats", i, n)
			case i > 0 && compare(seats[i-1].Device, s.Device) >= 0:
				t.Fatal("seats are not sorted by device")
			case owner[c.Owner] > p.OwnerSeatCap:
				t.Fatalf("an owner has %d seats, at most %d", owner[c.Owner], p.OwnerSeatCap)
			case c.RootSeatCap > 0 && root[c.Root] > uint32(c.RootSeatCap):
				t.Fatalf("a root has %d seats, at most %d", root[c.Root], c.RootSeatCap)
			}
		}
		if given > p.K {
			t.Fatalf("%d seats, at most %d", given, p.K)
		}
		if ok != (given > 0) {
			t.Fatalf("%d seats, committee %v", given, ok)
		}
	})
}

// Seats against the rule read literally: sort, walk up, skip, stop.
func TestSeatsFollowTheLiteralRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, T, claims := pool(t, true)
		type entry struct {
			x wire.Hash
			c Claim
		}
		var entries []entry
		for _, c := range claims {
			for _, k := range Counting(p, T, c.Beta, c.Tickets) {
				entries = append(entries, entry{Ticket(c.Beta, k), c})
			}
		}
		slices.SortFunc(entries, func(a, b entry) int { return compare(a.x, b.x) })
		var walk []Claim
		count := func(same func(Claim) bool) (n int) {
			for _, c := range walk {
				if same(c) {
					n++
				}
			}
			return n
		}
		for _, e := range entries {
			if len(walk) < int(p.K) &&
				count(func(c Claim) bool { return c.Owner == e.c.Owner }) < int(p.OwnerSeatCap) &&
				(e.c.RootSeatCap == 0 || count(func(c Claim) bool { return c.Root == e.c.Root }) < int(e.c.RootSeatCap)) {
				walk = append(walk, e.c)
			}
		}
		seats, _ := Seats(p, T, claims)
		for _, c := range claims {
			want := count(func(w Claim) bool { return w.Device == c.Device })
			if got := seatsOf(seats, c.Device); int(got) != want {
				t.Fatalf("device %s has %d seats, want %d", c.Device, got, want)
			}
		}
	})
}

func seatsOf(seats []Seat, device wire.Hash) uint16 {
	for _, s := range seats {
		if s.Device == device {
			return s.Seats
		}
	}
	return 0
}

// I8. Owners inside roots inside the committee are nested limits, and for those
// removing a claim takes a seat from nobody else.
func TestWithholdingAClaimMovesOthersUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, T, claims := pool(t, false)
		if len(claims) == 0 {
			return
		}
		before, _ := Seats(p, T, claims)
		gone := rapid.IntRange(0, len(claims)-1).Draw(t, "withheld")
		device := claims[gone].Device
		after, _ := Seats(p, T, slices.Delete(slices.Clone(claims), gone, gone+1))
		if n := seatsOf(after, device); n != 0 {
			t.Fatalf("who withheld has %d seats", n)
		}
		for _, s := range before {
			if s.Device != device && seatsOf(after, s.Device) < s.Seats {
				t.Fatalf("device %s fell from %d to %d seats", s.Device, s.Seats, seatsOf(after, s.Device))
			}
		}
	})
}

// The exception that the nesting excludes: an owner with devices under two
// capped roots chooses which of them it fills, by withholding a claim.
func TestOwnerUnderTwoCappedRootsChoosesWhichItFills(t *testing.T) {
	p := Defaults()
	p.OwnerSeatCap, p.SMin, p.DMin = 1, 1, 1
	betas := make([]wire.Hash, 3) // ascending by their one ticket
	for i := range betas {
		betas[i] = named(fmt.Sprint("beta", i))
	}
	slices.SortFunc(betas, func(a, b wire.Hash) int { return compare(Ticket(a[:], 0), Ticket(b[:], 0)) })
	claim := func(i int, owner, root string) Claim {
		return Claim{Device: wire.Hash{byte(i)}, Owner: named(owner), Root: named(root), RootSeatCap: 1, Beta: betas[i][:], Tickets: 1}
	}
	a, b, c := claim(0, "x", "r"), claim(1, "x", "s"), claim(2, "y", "s")
	with, _ := Seats(p, 3, []Claim{a, b, c})
	without, _ := Seats(p, 3, []Claim{b, c})
	if !slices.Equal(with, []Seat{{Device: a.Device, Seats: 1}, {Device: c.Device, Seats: 1}}) {
		t.Errorf("with all claims %v", with)
	}
	if !slices.Equal(without, []Seat{{Device: b.Device, Seats: 1}}) {
		t.Errorf("without the first %v", without)
	}
}

func TestTooSmallACommitteeIsNone(t *testing.T) {
	p := Defaults() // at least 4 seats of 4 devices
	claims := func(tickets ...uint64) (all []Claim, T uint64) {
		for i, n := range tickets {
			id := wire.Hash{byte(i + 1)}
			all, T = append(all, Claim{Device: id, Owner: id, Root: id, Beta: id[:], Tickets: n}), T+n
		}
		return all, T
	}
	for _, v := range []struct {
		name    string
		tickets []uint64
		ok      bool
	}{
		{"nobody", nil, false},
		{"three devices, many seats", []uint64{9, 9, 9}, false},
		{"four devices", []uint64{1, 1, 1, 1}, true},
		{"four devices, one without a ticket", []uint64{5, 5, 5, 0}, false},
	} {
		all, T := claims(v.tickets...)
		seats, ok := Seats(p, T, all)
		if ok != v.ok || (len(seats) > 0) != v.ok {
			t.Errorf("%s: committee %v with %d devices", v.name, ok, len(seats))
		}
	}
	p.SMin, p.DMin = 7, 2
	all, T := claims(3, 3)
	if _, ok := Seats(p, T, all); ok {
		t.Error("six seats pass for seven")
	}
	all, T = claims(3, 4)
	if _, ok := Seats(p, T, all); !ok {
		t.Error("seven seats do not pass for seven")
	}
}

func TestSeatsPanicOnADeviceThatClaimsTwice(t *testing.T) {
	p := Defaults()
	p.SMin, p.DMin = 1, 1
	id := wire.Hash{1}
	c := Claim{Device: id, Owner: id, Root: id, Beta: id[:], Tickets: 1}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Seats(p, 2, []Claim{c, c})
}

// I11: what a nonce binds.
func TestNonceIsOfOneAttempt(t *testing.T) {
	base := func() []any {
		return []any{named("chain"), named("task"), uint32(1), named("device"), uint64(1000), named("block")}
	}
	nonce := func(a []any) wire.Hash {
		return Nonce(a[0].(wire.Hash), a[1].(wire.Hash), a[2].(uint32), a[3].(wire.Hash), a[4].(uint64), a[5].(wire.Hash))
	}
	rapid.Check(t, func(t *rapid.T) {
		other := base()
		i := rapid.IntRange(0, len(other)-1).Draw(t, "field")
		switch v := other[i].(type) {
		case wire.Hash:
			bit := rapid.IntRange(0, 255).Draw(t, "bit")
			v[bit/8] ^= 1 << (bit % 8)
			other[i] = v
		case uint32:
			other[i] = v + rapid.Uint32Range(1, 1<<31).Draw(t, "attempt")
		case uint64:
			other[i] = v + rapid.Uint64Range(1, 1<<63).Draw(t, "height")
		}
		if nonce(base()) == nonce(other) {
			t.Fatalf("field %d is not in the nonce", i)
		}
	})
}

// I14 for openings, and why a copied commitment is worth nothing.
func TestCommitOpensOneVoteOfOneDevice(t *testing.T) {
	task, device, digest, salt := named("task"), named("device"), named("digest"), named("salt")
	c := Commit(task, 1, device, Pass, 0, digest, salt)
	flip := func(h wire.Hash, bit int) wire.Hash {
		h[bit/8] ^= 1 << (bit % 8)
		return h
	}
	for bit := range 256 {
		for name, other := range map[string]wire.Hash{
			"task":   Commit(flip(task, bit), 1, device, Pass, 0, digest, salt),
			"device": Commit(task, 1, flip(device, bit), Pass, 0, digest, salt),
			"digest": Commit(task, 1, device, Pass, 0, flip(digest, bit), salt),
			"salt":   Commit(task, 1, device, Pass, 0, digest, flip(salt, bit)),
		} {
			if other == c {
				t.Errorf("%s: bit %d is not in the commitment", name, bit)
			}
		}
	}
	if c == Commit(task, 2, device, Pass, 0, digest, salt) || c == Commit(task, 1, device, Fail, 0, digest, salt) ||
		c == Commit(task, 1, device, Pass, 1, digest, salt) {
		t.Error("attempt, verdict or reason is not in the commitment")
	}
}

func BenchmarkSeats(b *testing.B) { // about Over×K tickets of a thousand devices
	p := Defaults()
	claims := make([]Claim, 124)
	for i := range claims {
		id := named(fmt.Sprint(i))
		claims[i] = Claim{Device: id, Owner: id, Root: named("root"), Beta: id[:], Tickets: 16}
	}
	for b.Loop() {
		Seats(p, 16*1000, claims)
	}
}

func BenchmarkVerifyClaim(b *testing.B) {
	seed, alpha := named("key"), named("alpha")
	sk := ed25519.NewKeyFromSeed(seed[:])
	pk, proof := [32]byte(sk.Public().(ed25519.PublicKey)), ecvrf.Prove(sk, alpha[:])
	for b.Loop() {
		if _, ok := VerifyClaim(pk, alpha, proof); !ok {
			b.Fatal("refused")
		}
	}
}
