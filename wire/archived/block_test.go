package archived

import (
	"bytes"
	"errors"
	"testing"

	"cloister/wire"
)

func TestBlockIsTheArrayOfItsParts(t *testing.T) {
	b := Block{Header: []byte{1, 2}, Seal: nil, Body: []byte{0x80}, Outcome: []byte{3}}
	want := []byte{0x84, 0x42, 1, 2, 0x40, 0x41, 0x80, 0x41, 3}
	if got := b.Encode(); !bytes.Equal(got, want) {
		t.Fatalf("encoded as %x, want %x", got, want)
	}
	back, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Header, b.Header) || len(back.Seal) != 0 || !bytes.Equal(back.Body, b.Body) || !bytes.Equal(back.Outcome, b.Outcome) {
		t.Fatalf("decoded as %+v", back)
	}
}

func TestEveryPartHasItsBound(t *testing.T) {
	for name, b := range map[string]Block{
		"header":  {Header: make([]byte, wire.MaxHeader+1)},
		"seal":    {Seal: make([]byte, wire.MaxSeal+1)},
		"body":    {Body: make([]byte, wire.MaxBody+1)},
		"outcome": {Outcome: make([]byte, MaxOutcome+1)},
	} {
		if _, err := Decode(b.Encode()); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s over its bound: %v", name, err)
		}
	}
	full := Block{make([]byte, wire.MaxHeader), make([]byte, wire.MaxSeal), make([]byte, wire.MaxBody), make([]byte, MaxOutcome)}
	data := full.Encode()
	if _, err := Decode(data); err != nil || len(data) > MaxBlock {
		t.Fatalf("the largest block has %d bytes of %d: %v", len(data), MaxBlock, err)
	}
}

func FuzzDecode(f *testing.F) {
	b := Block{Header: []byte{1}, Seal: []byte{2}, Body: []byte{0x80}, Outcome: []byte{4}}
	f.Add(b.Encode())
	f.Add([]byte{0x83, 0x40, 0x40, 0x40})
	f.Add([]byte{0x84, 0x58, 0x01, 0x00, 0x40, 0x40, 0x40})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Encode(), data) {
			t.Fatalf("accepted %x, which is not the encoding of what it says", data)
		}
	})
}
