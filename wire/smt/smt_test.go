package smt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/smt"
	"cloister/wire/smt/smttest"
)

// at is a position that begins with the given bits; the rest is zero except
// for a last byte that tells positions apart.
func at(bits string, last byte) (h wire.Hash) {
	for i, b := range bits {
		h[i/8] |= byte(b-'0') << (7 - i%8)
	}
	h[31] = last
	return h
}

// filled holds n application keys "0".."n-1" with themselves as values.
func filled(n int) smttest.Tree {
	tree := smttest.Tree{}
	for i := range n {
		b := fmt.Append(nil, i)
		tree[smt.KeyHash(b)] = smt.ValueHash(b)
	}
	return tree
}

// TestHashesAreThoseOfTheSpecification spells the definition with nothing but
// SHA-256, over keys placed by hand.
func TestHashesAreThoseOfTheSpecification(t *testing.T) {
	sha := func(parts ...[]byte) []byte {
		h := sha256.Sum256(bytes.Join(parts, nil))
		return h[:]
	}
	zero := make([]byte, 32)
	a, b, c := at("00", 1), at("01", 2), at("1", 3)
	va, vb, vc := smt.ValueHash([]byte("a")), smt.ValueHash([]byte("b")), smt.ValueHash([]byte("c"))
	leaf := func(k, v wire.Hash) []byte { return sha([]byte{0}, k[:], v[:]) }
	inner := func(l, r []byte) []byte { return sha([]byte{1}, l, r) }

	for _, c := range []struct {
		what string
		tree smttest.Tree
		want []byte
	}{
		{"empty", smttest.Tree{}, zero},
		{"one leaf is the root itself", smttest.Tree{b: vb}, leaf(b, vb)},
		{"leaf right of a node", smttest.Tree{a: va, b: vb, c: vc}, inner(inner(leaf(a, va), leaf(b, vb)), leaf(c, vc))},
		{"two leaves behind a shared bit", smttest.Tree{a: va, b: vb}, inner(inner(leaf(a, va), leaf(b, vb)), zero)},
	} {
		if got := c.tree.Root(); !bytes.Equal(got[:], c.want) {
			t.Errorf("%s: %s, want %x", c.what, got, c.want)
		}
	}
}

func TestRootOfAThousandKeysIsStable(t *testing.T) {
	const want = "5bef66ec26b87e2f27ad402d9f4846bb2e7187487272446616296d333844d9b2"
	if got := filled(1000).Root().String(); got != want {
		t.Errorf("root is %s, headers of existing chains say %s", got, want)
	}
}

func TestVerifyAnswersForEveryKey(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 50} {
		tree := filled(n)
		root := tree.Root()
		for i := range 60 {
			key := fmt.Append(nil, i)
			p := tree.Prove(smt.KeyHash(key))
			present, absent := smt.Verify(root, key, key, p), smt.Verify(root, key, nil, p)
			if (present == nil) != (i < n) || (absent == nil) != (i >= n) {
				t.Errorf("key %d of %d: present: %v; absent: %v", i, n, present, absent)
			}
			if err := smt.Verify(root, key, []byte("other"), p); !errors.Is(err, smt.ErrLeaf) {
				t.Errorf("key %d of %d with another value: %v", i, n, err)
			}
		}
	}
}

func TestAnEmptyValueIsNotAbsence(t *testing.T) {
	key := []byte("k")
	tree := smttest.Tree{smt.KeyHash(key): smt.ValueHash(nil)}
	p := tree.Prove(smt.KeyHash(key))
	if err := smt.Verify(tree.Root(), key, []byte{}, p); err != nil {
		t.Error(err)
	}
	if err := smt.Verify(tree.Root(), key, nil, p); !errors.Is(err, smt.ErrLeaf) {
		t.Errorf("a key with an empty value proved absent: %v", err)
	}
}

func TestALeafOffThePathDoesNotProveAbsence(t *testing.T) {
	tree := smttest.Tree{at("00", 1): {1}, at("01", 2): {2}, at("1", 3): {3}}
	root := tree.Root()
	for victim := range tree {
		for other := range tree {
			p := tree.Prove(other)
			if err := smt.VerifyAbsence(root, victim, p); !errors.Is(err, smt.ErrLeaf) {
				t.Errorf("%s proved absent by the proof for %s: %v", victim, other, err)
			}
		}
	}
	// 011 and 01 share their first two bits, which is all the proof passes.
	if err := smt.VerifyAbsence(root, at("011", 9), tree.Prove(at("01", 2))); err != nil {
		t.Error(err)
	}
}

// TestShapesNoTreeHasAreRefused builds roots no updater makes and walks that
// lead to them: even a header that lies about its root cannot give a key two
// proofs of these kinds.
func TestShapesNoTreeHasAreRefused(t *testing.T) {
	leaf := smt.Leaf{Key: at("0", 1), Value: wire.Hash{1}}
	absent := at("0", 2)
	zero := wire.Hash{}
	for what, c := range map[string]struct {
		root wire.Hash
		p    smt.Proof
		err  func(root wire.Hash, p smt.Proof) error
	}{
		"a lone leaf beside nothing": {
			smt.NodeHash(leaf.Hash(), zero), smt.Proof{Siblings: []wire.Hash{zero}, Leaf: &leaf},
			func(r wire.Hash, p smt.Proof) error { return smt.VerifyInclusion(r, leaf, p) },
		},
		"another lone leaf beside nothing": {
			smt.NodeHash(leaf.Hash(), zero), smt.Proof{Siblings: []wire.Hash{zero}, Leaf: &leaf},
			func(r wire.Hash, p smt.Proof) error { return smt.VerifyAbsence(r, absent, p) },
		},
		"nothing beside nothing": {
			smt.NodeHash(zero, zero), smt.Proof{Siblings: []wire.Hash{zero}},
			func(r wire.Hash, p smt.Proof) error { return smt.VerifyAbsence(r, absent, p) },
		},
		"nothing at full depth": {
			rootOver(absent, zero, ones(256)), smt.Proof{Siblings: ones(256)},
			func(r wire.Hash, p smt.Proof) error { return smt.VerifyAbsence(r, absent, p) },
		},
		"too deep": {
			rootOver(leaf.Key, leaf.Hash(), ones(256)), smt.Proof{Siblings: ones(257), Leaf: &leaf},
			func(r wire.Hash, p smt.Proof) error { return smt.VerifyInclusion(r, leaf, p) },
		},
	} {
		if err := c.err(c.root, c.p); !errors.Is(err, smt.ErrShape) || wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheDeepestProofPasses(t *testing.T) {
	a, b := wire.Hash{31: 0}, wire.Hash{31: 1} // differ in the last bit alone
	tree := smttest.Tree{a: {1}, b: {2}}
	p := tree.Prove(a)
	if len(p.Siblings) != smt.MaxDepth {
		t.Fatalf("%d siblings", len(p.Siblings))
	}
	if err := smt.VerifyInclusion(tree.Root(), smt.Leaf{Key: a, Value: wire.Hash{1}}, p); err != nil {
		t.Error(err)
	}
	if n := len(p.Encode()); n != smt.MaxProof {
		t.Errorf("%d bytes, MaxProof says %d", n, smt.MaxProof)
	}
	if got, err := smt.DecodeProof(p.Encode()); err != nil || len(got.Siblings) != smt.MaxDepth {
		t.Error(err)
	}
	if err := smt.VerifyAbsence(tree.Root(), at("1", 0), tree.Prove(at("1", 0))); err != nil {
		t.Error(err)
	}
}

// rootOver hashes an arbitrary end of a walk up to a root.
func rootOver(key, end wire.Hash, siblings []wire.Hash) wire.Hash {
	for d := len(siblings) - 1; d >= 0; d-- {
		if smt.Bit(&key, d) == 0 {
			end = smt.NodeHash(end, siblings[d])
		} else {
			end = smt.NodeHash(siblings[d], end)
		}
	}
	return end
}

func ones(n int) []wire.Hash {
	h := make([]wire.Hash, n)
	for i := range h {
		h[i][0] = 1
	}
	return h
}

func TestEveryChangedBitOfAProofIsRefused(t *testing.T) {
	tree := filled(30)
	root := tree.Root()
	for _, name := range []string{"3", "17", "absent", "gone"} {
		key := smt.KeyHash([]byte(name))
		value, present := tree[key]
		encoded := tree.Prove(key).Encode()
		for bit := range 8 * len(encoded) {
			changed := bytes.Clone(encoded)
			changed[bit/8] ^= 1 << (bit % 8)
			p, err := smt.DecodeProof(changed)
			if err != nil {
				continue
			}
			if present {
				err = smt.VerifyInclusion(root, smt.Leaf{Key: key, Value: value}, p)
			} else {
				err = smt.VerifyAbsence(root, key, p)
			}
			if !errors.Is(err, wire.ErrProof) {
				t.Fatalf("proof for %q with bit %d changed: %v", name, bit, err)
			}
		}
	}
}

func TestProofsOfRandomTreesSurviveTheirEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := filled(rapid.IntRange(0, 40).Draw(t, "n"))
		// Clustered positions make long shared prefixes and empty siblings.
		for i := range rapid.IntRange(0, 8).Draw(t, "clustered") {
			tree[wire.Hash{0: 0xAA, 31: byte(i) << 4}] = wire.Hash{1}
		}
		key := smt.KeyHash(fmt.Append(nil, rapid.IntRange(0, 60).Draw(t, "key")))
		if rapid.Bool().Draw(t, "near") {
			key = wire.Hash{0: 0xAA, 31: rapid.Byte().Draw(t, "last")}
		}
		p, err := smt.DecodeProof(tree.Prove(key).Encode())
		if err != nil {
			t.Fatal(err)
		}
		if value, ok := tree[key]; ok {
			err = smt.VerifyInclusion(tree.Root(), smt.Leaf{Key: key, Value: value}, p)
		} else {
			err = smt.VerifyAbsence(tree.Root(), key, p)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestProofEncodingIsTheOnlyOne(t *testing.T) {
	nothing := smt.Proof{}.Encode()
	if got := hex.EncodeToString(nothing); got != "8280f6" {
		t.Errorf("the empty tree's proof is %s", got)
	}
	for what, bad := range map[string]string{
		"null for no siblings":   "82f6f6",
		"trailing byte":          "8280f600",
		"missing field":          "8180",
		"indefinite list":        "829ffff6",
		"a sibling of 31 bytes":  "8281581f" + hex.EncodeToString(make([]byte, 31)) + "f6",
		"a sibling of 33 bytes":  "82815821" + hex.EncodeToString(make([]byte, 33)) + "f6",
		"a list as a sibling":    "82818101f6",
		"a leaf without a value": "8280815820" + hex.EncodeToString(make([]byte, 32)),
		"257 siblings":           hex.EncodeToString(wire.Marshal(smt.Proof{Siblings: ones(257)})),
	} {
		b, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := smt.DecodeProof(b); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzProofDecoder(f *testing.F) {
	tree := filled(20)
	for _, name := range []string{"3", "absent"} {
		f.Add(tree.Prove(smt.KeyHash([]byte(name))).Encode())
	}
	f.Add(smttest.Tree{}.Prove(wire.Hash{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := smt.DecodeProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Fatalf("%x is a second encoding of %x", b, p.Encode())
		}
		for _, name := range []string{"3", "absent"} {
			key := smt.KeyHash([]byte(name))
			honest := bytes.Equal(tree.Prove(key).Encode(), b)
			value, present := tree[key]
			included := smt.VerifyInclusion(tree.Root(), smt.Leaf{Key: key, Value: value}, p) == nil
			if included != (honest && present) {
				t.Fatalf("%q: inclusion accepted is %v", name, included)
			}
			if absent := smt.VerifyAbsence(tree.Root(), key, p) == nil; absent && present {
				t.Fatalf("%q proved absent", name)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	tree := filled(1000)
	key := []byte("17")
	p, root := tree.Prove(smt.KeyHash(key)), tree.Root()
	b.ReportAllocs()
	for b.Loop() {
		if err := smt.Verify(root, key, key, p); err != nil {
			b.Fatal(err)
		}
	}
}
