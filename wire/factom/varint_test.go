package factom

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// varints are the examples of specification §1.
var varints = map[uint64]string{
	0: "00", 127: "7f", 128: "8100", 130: "8102", 65535: "83ff7f", 65536: "848000",
	math.MaxUint32: "8fffffff7f", math.MaxUint32 + 1: "9080808000",
	math.MaxInt64: "ffffffffffffffff7f", math.MaxUint64: "81ffffffffffffffff7f",
}

func TestNumbersMatchTheExamples(t *testing.T) {
	for n, want := range varints {
		if got := hex.EncodeToString(AppendVarInt(nil, n)); got != want || VarIntSize(n) != len(want)/2 {
			t.Errorf("%d is written as %s in %d bytes, want %s", n, got, VarIntSize(n), want)
		}
		if got, rest, err := ReadVarInt(unhex(want + "ff")); err != nil || got != n || !bytes.Equal(rest, []byte{0xff}) {
			t.Errorf("%s is read as %d, %x left, %v", want, got, rest, err)
		}
	}
}

func TestNumbersHaveOneForm(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "unfinished": "81", "leading zero group": "8001", "zero in two bytes": "8000",
		"2^64": "8280808080808080808000", "more than 64 bits in ten bytes": "82808080808080808000",
		"all ones": "ffffffffffffffffff7f", "eleven bytes": "8180808080808080808000", "ten bytes unfinished": "81808080808080808080",
	} {
		if n, rest, err := ReadVarInt(unhex(text)); !errors.Is(err, wire.ErrEncoding) || n != 0 || rest != nil {
			t.Errorf("%s is read as %d, %x left, %v", name, n, rest, err)
		}
	}
}

func TestEveryNumberReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n") >> rapid.IntRange(0, 63).Draw(t, "shift")
		b := AppendVarInt([]byte{1}, n)
		if got, rest, err := ReadVarInt(b[1:]); err != nil || got != n || len(rest) != 0 || len(b) != 1+VarIntSize(n) {
			t.Fatalf("%d as %x is %d, %v", n, b, got, err)
		}
	})
}

func FuzzReadVarInt(f *testing.F) {
	for _, text := range varints {
		f.Add(unhex(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, rest, err := ReadVarInt(b)
		if err != nil {
			return
		}
		if again := append(AppendVarInt(nil, n), rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}
