package wire

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// smallOrder lists every encoding ZIP-215 decodes to a point of order 1, 2, 4
// or 8: eight canonical ones, then six with a y of at least p or the sign bit
// of an x that is zero.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

// edgeCase is a signature on which libraries are known to differ.
type edgeCase struct {
	name   string
	key    PublicKey
	digest Hash
	sig    Signature
	valid  bool // by ZIP-215
}

func hex32(s string) [32]byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return [32]byte(b)
}

func edgeCases() (cases []edgeCase) {
	digest := TH("cloister/edge/v1")
	for a, key := range smallOrder {
		for r, point := range smallOrder {
			sig := Signature{}
			bits := hex32(point)
			copy(sig[:], bits[:])
			cases = append(cases, edgeCase{fmt.Sprintf("small order %d under %d", r, a), hex32(key), digest, sig, true})
			sig[32] = 1
			cases = append(cases, edgeCase{fmt.Sprintf("small order %d under %d, s = 1", r, a), hex32(key), digest, sig, false})
		}
	}
	for a := range 8 {
		for r := range 8 {
			cases = append(cases, mixedOrder(a, r, digest))
		}
	}
	honest := zeroSeed.Sign(digest)
	for name, s := range map[string]*big.Int{
		"s + L": new(big.Int).Add(scalarOf(honest), order()), "s + 2L": new(big.Int).Add(scalarOf(honest), new(big.Int).Lsh(order(), 1)),
		"s = L": order(), "s with top bit": new(big.Int).SetBit(scalarOf(honest), 255, 1),
	} {
		cases = append(cases, edgeCase{name, zeroSeed.Public(), digest, withScalar(honest, s), false})
	}
	noPoint := hex32("0200000000000000000000000000000000000000000000000000000000000000")
	cases = append(cases,
		edgeCase{"honest", zeroSeed.Public(), digest, honest, true},
		edgeCase{"other digest", zeroSeed.Public(), TH("cloister/other/v1"), honest, false},
		edgeCase{"key is no point", noPoint, digest, honest, false},
		edgeCase{"R is no point", zeroSeed.Public(), digest, Signature(append(noPoint[:], honest[32:]...)), false},
		edgeCase{"no signature", zeroSeed.Public(), digest, Signature{}, false},
	)
	return cases
}

// mixedOrder signs with a key and an R that have parts of small order. Only a
// cofactored verifier accepts all of them.
func mixedOrder(a, r int, digest Hash) edgeCase {
	point := func(k *scalar.Scalar, torsion int) (c [32]byte) {
		p := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, k)
		p.Add(p, curve.EIGHT_TORSION[torsion])
		copy(c[:], curve.NewCompressedEdwardsY().SetEdwardsPoint(p)[:])
		return c
	}
	secret, nonce := scalar.NewFromUint64(12345), scalar.NewFromUint64(uint64(67890+8*a+r))
	key, commitment := point(secret, a), point(nonce, r)
	wide := sha512.Sum512(bytes.Join([][]byte{commitment[:], key[:], digest[:]}, nil))
	k, err := scalar.NewFromBytesModOrderWide(wide[:])
	if err != nil {
		panic(err)
	}
	s := scalar.New().Mul(k, secret)
	s.Add(s, nonce)
	sig := Signature(append(commitment[:], make([]byte, 32)...))
	if err := s.ToBytes(sig[32:]); err != nil {
		panic(err)
	}
	return edgeCase{fmt.Sprintf("mixed order %d under %d", r, a), key, digest, sig, true}
}

// order is L, the order of the base point.
func order() *big.Int {
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	return l
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func scalarOf(s Signature) *big.Int { return new(big.Int).SetBytes(reversed(s[32:])) }

func withScalar(s Signature, n *big.Int) Signature {
	copy(s[32:], reversed(n.FillBytes(make([]byte, 32))))
	return s
}

func TestEdgeCasesAreJudgedByZIP215(t *testing.T) {
	for _, c := range edgeCases() {
		if got := c.key.Verify(c.digest, c.sig); got != c.valid {
			t.Errorf("%s: %v, want %v", c.name, got, c.valid)
		}
	}
}

func TestBatchAndSingleVerdictsAgree(t *testing.T) {
	cases := edgeCases()
	whole := NewBatch(len(cases))
	for _, c := range cases {
		whole.Add(c.key, c.digest, c.sig)
		alone := NewBatch(1)
		alone.Add(c.key, c.digest, c.sig)
		if all, ok := alone.Verify(); all != c.valid || ok[0] != c.valid {
			t.Errorf("%s, in a batch of one: %v, want %v", c.name, ok, c.valid)
		}
	}
	all, ok := whole.Verify()
	if all {
		t.Error("a batch with bad signatures passed")
	}
	for i, c := range cases {
		if ok[i] != c.valid {
			t.Errorf("%s, in the batch: %v, want %v", c.name, ok[i], c.valid)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		picked := rapid.SliceOfN(rapid.SampledFrom(cases), 1, 20).Draw(t, "cases")
		b, want := NewBatch(len(picked)), true
		for _, c := range picked {
			b.Add(c.key, c.digest, c.sig)
			want = want && c.valid
		}
		all, ok := b.Verify()
		if all != want {
			t.Fatalf("batch says %v", all)
		}
		for i, c := range picked {
			if ok[i] != c.valid {
				t.Fatalf("%s: %v", c.name, ok[i])
			}
		}
	})
}

func TestAnEmptyBatchHolds(t *testing.T) {
	if all, ok := NewBatch(0).Verify(); !all || len(ok) != 0 {
		t.Error(all, ok)
	}
}

func TestEveryChangedBitOfASignatureIsRefused(t *testing.T) {
	digest := TH("cloister/test/v1")
	sig, key := zeroSeed.Sign(digest), zeroSeed.Public()
	for i := range 512 {
		bad := sig
		if bad[i/8] ^= 1 << (i % 8); key.Verify(digest, bad) {
			t.Errorf("bit %d", i)
		}
	}
	for i := range 256 {
		d, k := digest, key
		d[i/8] ^= 1 << (i % 8)
		k[i/8] ^= 1 << (i % 8)
		if key.Verify(d, sig) || k.Verify(digest, sig) {
			t.Errorf("bit %d of digest or key", i)
		}
	}
}

func TestKeysAnybodyCanSignForAreNotValid(t *testing.T) {
	for _, s := range smallOrder {
		if PublicKey(hex32(s)).Valid() {
			t.Errorf("%s is valid", s)
		}
	}
	if (PublicKey{2}).Valid() {
		t.Error("a key that is no point is valid")
	}
	rapid.Check(t, func(t *rapid.T) {
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		if !NewPrivateKey(seed).Public().Valid() || NewPrivateKey(seed).Seed() != seed {
			t.Fatal("an honest key is not valid, or its seed is lost")
		}
	})
}

func TestForeignMessagesAreSignedAndBatchedApartFromTaggedHashes(t *testing.T) {
	key := NewPrivateKey([32]byte{7})
	long, short := []byte("the bytes of a foreign format, which are not 32"), make([]byte, 32)
	sig := key.SignMessage(long)
	if !key.Public().VerifyMessage(long, sig) || key.Public().VerifyMessage(long[1:], sig) {
		t.Fatal("a message's signature is not judged by its bytes")
	}
	hash := Hash(short)
	if key.Public().VerifyMessage(short, key.Sign(hash)) {
		t.Error("the signature of a tagged hash passes for one of a message")
	}
	b := NewBatch(3)
	b.AddMessage(Signed{key.Public(), long, sig})
	b.AddMessage(Signed{key.Public(), short, key.Sign(hash)})
	b.Add(key.Public(), hash, key.Sign(hash))
	if all, ok := b.Verify(); all || !ok[0] || ok[1] || !ok[2] {
		t.Errorf("the batch judged %v, want only the 32 bytes refused", ok)
	}
	defer func() {
		if recover() == nil {
			t.Error("32 bytes were signed as a message")
		}
	}()
	key.SignMessage(short)
}
