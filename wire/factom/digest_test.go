package factom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

func TestADigestWrittenDownGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 200), 0, 6).Draw(t, "pieces")
		d := NewDigest()
		for _, p := range pieces {
			d.Write(p)
			again, err := ParseDigest(d.AppendBinary(nil))
			if err != nil || again.Size() != d.Size() || again.Sum() != d.Sum() {
				t.Fatalf("after %d bytes: %v", d.Size(), err)
			}
			d = again
		}
		if want := sha256.Sum256(bytes.Join(pieces, nil)); d.Sum() != want {
			t.Fatalf("%s, want %x", d.Sum(), want)
		}
		if NewDigest(pieces...).Sum() != d.Sum() {
			t.Fatal("started with everything it is another")
		}
	})
}

// The state is part of what replicas agree on: it must never depend on the
// version of the standard library. After one whole block the chaining value is
// the one FIPS 180-4 prescribes for it.
func TestTheStateOfADigestIsFixed(t *testing.T) {
	const initial = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
	if got := hex.EncodeToString(NewDigest().AppendBinary(nil)); got != "0000000000000000"+initial {
		t.Errorf("empty: %s", got)
	}
	if got := hex.EncodeToString(NewDigest([]byte("abc")).AppendBinary(nil)); got != "0000000000000003"+initial+"616263" {
		t.Errorf("abc: %s", got)
	}
	// "abc" with its padding, as a message: its chaining value is SHA-256("abc").
	padded := append([]byte("abc\x80"), make([]byte, 59)...)
	padded = append(padded, 24)
	if got := hex.EncodeToString(NewDigest(padded).AppendBinary(nil)); got != "0000000000000040ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("a block: %s", got)
	}
}

func TestDigestStatesAreStrict(t *testing.T) {
	good := NewDigest(make([]byte, 100)).AppendBinary(nil)
	for name, b := range map[string][]byte{
		"nothing": nil, "short": good[:len(good)-1], "long": append(bytes.Clone(good), 0), "longer than SHA-256 takes": append([]byte{0x20}, good[1:]...),
	} {
		if _, err := ParseDigest(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(NewDigest().AppendBinary(nil))
	f.Add(NewDigest(make([]byte, 100)).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDigest(b)
		if err != nil {
			return
		}
		if again := d.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
		d.Write(make([]byte, 70))
		d.Sum()
	})
}
