package factom

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// someHash is a different hash for every number.
func someHash(n uint64) wire.Hash { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, n)) }

func someHashes(n int) []wire.Hash {
	list := make([]wire.Hash, n)
	for i := range list {
		list[i] = someHash(uint64(i))
	}
	return list
}

// plainRoot is the rule of specification §1, word by word.
func plainRoot(level []wire.Hash) wire.Hash {
	if len(level) == 0 {
		return wire.Hash{}
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level[:len(level):len(level)], level[len(level)-1])
		}
		var above []wire.Hash
		for i := 0; i < len(level); i += 2 {
			above = append(above, sha256.Sum256(append(level[i][:], level[i+1][:]...)))
		}
		level = above
	}
	return level[0]
}

func TestATreeGrownLeafByLeafHasTheRootOfTheWhole(t *testing.T) {
	leaves, grown := someHashes(301), new(Tree)
	for n := range leaves {
		want := plainRoot(leaves[:n])
		if grown.Root() != want || MerkleRoot(leaves[:n]) != want || grown.Count() != uint64(n) {
			t.Fatalf("%d leaves: %s, want %s", n, grown.Root(), want)
		}
		// What is written down goes on as if nothing had happened.
		again, err := ParseTree(grown.AppendBinary(nil))
		if err != nil || again.Root() != want {
			t.Fatalf("%d leaves read back: %v", n, err)
		}
		grown = again
		grown.Append(leaves[n])
	}
}

func TestTreesOfRandomSizesHaveTheRootOfTheWhole(t *testing.T) {
	leaves := someHashes(20_000)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(300, len(leaves)).Draw(t, "n")
		if got, want := MerkleRoot(leaves[:n]), plainRoot(leaves[:n]); got != want {
			t.Fatalf("%d leaves: %s, want %s", n, got, want)
		}
	})
}

func TestBranchesLeadFromTheLeafToTheRoot(t *testing.T) {
	for n := 1; n <= 70; n++ {
		leaves := someHashes(n)
		for i := range leaves {
			at := leaves[i]
			for level, s := range MerkleBranch(leaves, i) {
				side := s.Left
				if i>>level&1 == 1 {
					side = s.Right
				}
				if side != at || s.Top != node(s.Left, s.Right) {
					t.Fatalf("leaf %d of %d: step %d is %v", i, n, level, s)
				}
				at = s.Top
			}
			if at != plainRoot(leaves) {
				t.Fatalf("leaf %d of %d ends in %s", i, n, at)
			}
		}
	}
}

func TestThereIsNoBranchOfALeafThatIsNotThere(t *testing.T) {
	for _, index := range []int{-1, 3, 4} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("leaf %d of 3 has a branch", index)
				}
			}()
			MerkleBranch(someHashes(3), index)
		}()
	}
}

// The root does not bind the count: headers must.
func TestAListWithItsEndRepeatedHasTheSameRoot(t *testing.T) {
	leaves := someHashes(3)
	if MerkleRoot(leaves) != MerkleRoot(append(leaves, leaves[2])) {
		t.Error("the odd rule is not Factom's")
	}
}

func TestTreeStatesAreStrict(t *testing.T) {
	tree := new(Tree)
	for _, l := range someHashes(5) {
		tree.Append(l)
	}
	good := tree.AppendBinary(nil)
	for name, b := range map[string][]byte{
		"nothing": nil, "count alone": good[:8], "short": good[:len(good)-1], "long": append(bytes.Clone(good), 0),
		"more leaves than fit": binary.BigEndian.AppendUint64(nil, 1<<63),
	} {
		if _, err := ParseTree(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	tree := new(Tree)
	f.Add(tree.AppendBinary(nil))
	for _, l := range someHashes(7) {
		tree.Append(l)
	}
	f.Add(tree.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseTree(b)
		if err != nil {
			return
		}
		if again := x.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
		x.Root()
		x.Append(wire.Hash{})
	})
}
