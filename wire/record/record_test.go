package record

import (
	"bytes"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
)

// entry makes an entry with size bytes of payload, first in its chain.
func entry(t testing.TB, size int) []byte {
	e := factom.Entry{ChainID: factom.ChainID(nil), Content: make([]byte, size)}
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCostFollowsTheTable(t *testing.T) {
	for size, want := range map[int]uint64{0: 1, 1: 1, 1023: 1, 1024: 1, 1025: 2, 2048: 2, 2049: 3, 10_239: 10, 10_240: 10} {
		add, err := Decode(AddEntry(entry(t, size)))
		if err != nil || add.Cost() != want {
			t.Errorf("entry of %d bytes costs %d, want %d, %v", size, add.Cost(), want, err)
		}
		create, err := Decode(CreateChain(entry(t, size)))
		if err != nil || create.Cost() != want+10 {
			t.Errorf("chain with %d bytes costs %d, want %d, %v", size, create.Cost(), want+10, err)
		}
	}
}

func TestPayloadsCarryTheEntryAsHashed(t *testing.T) {
	b := entry(t, 5)
	for kind, payload := range map[byte][]byte{KindCreateChain: CreateChain(b), KindAddEntry: AddEntry(b)} {
		p, err := Decode(payload)
		if err != nil || p.Kind != kind || !bytes.Equal(p.Bytes, b) || p.Hash() != factom.EntryHash(b) || p.Entry.ChainID != factom.ChainID(nil) {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestOnlyItsNameMakesAChain(t *testing.T) {
	b := entry(t, 5)
	b[1] ^= 1 // another chain id
	if _, err := Decode(CreateChain(b)); wire.CodeOf(err) != wire.ErrWrongChainID {
		t.Errorf("chain under a foreign id: %v", err)
	}
	if _, err := Decode(AddEntry(b)); err != nil {
		t.Errorf("an entry needs no name: %v", err)
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	for name, x := range map[string]struct {
		payload []byte
		code    wire.Code
	}{
		"nothing":    {nil, wire.ErrMalformed},
		"kind 0":     {append([]byte{0}, entry(t, 1)...), wire.ErrMalformed},
		"kind 3":     {append([]byte{3}, entry(t, 1)...), wire.ErrMalformed},
		"kind alone": {[]byte{KindAddEntry}, wire.ErrEntryMalformed},
		"too large":  {AddEntry(make([]byte, factom.MaxEntry+1)), wire.ErrEntryTooLarge},
	} {
		if p, err := Decode(x.payload); wire.CodeOf(err) != x.code || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLargestEntryFitsATransaction(t *testing.T) {
	if n := len(CreateChain(entry(t, factom.MaxEntryPayload))); n > wire.MaxPayload {
		t.Errorf("payload of %d bytes, a transaction has room for %d", n, wire.MaxPayload)
	}
}

func TestTheHeadOfAChainBindsOrderAndNumber(t *testing.T) {
	fold := func(entries ...byte) (head wire.Hash) {
		for i, e := range entries {
			head = NextHead(head, uint64(i), wire.Hash{e})
		}
		return head
	}
	seen := map[wire.Hash][]byte{}
	for _, entries := range [][]byte{{}, {1}, {2}, {1, 2}, {2, 1}, {1, 1}, {1, 2, 3}, {1, 3}} {
		head := fold(entries...)
		if other, ok := seen[head]; ok {
			t.Errorf("%v and %v have one head", entries, other)
		}
		seen[head] = entries
	}
	if NextHead(wire.Hash{}, 0, wire.Hash{1}) == NextHead(wire.Hash{}, 1, wire.Hash{1}) {
		t.Error("the number is not bound")
	}
}

func TestKeysAndLeavesAreTheirOwnMemory(t *testing.T) {
	a, b := ChainKey(wire.Hash{1}), ChainKey(wire.Hash{2})
	leaf := Leaf(wire.Hash{1}, wire.Hash{2})
	if len(a) != 33 || a[0] != 'c' || bytes.Equal(a, b) || len(leaf) != 64 || leaf[0] != 1 || leaf[32] != 2 {
		t.Errorf("%x, %x, %x", a, b, leaf)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(CreateChain(entry(f, 3)))
	f.Add(AddEntry(entry(f, 3)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := Decode(payload)
		if err != nil {
			if wire.CodeOf(err) == wire.ErrInternal {
				t.Fatalf("%v carries no code", err)
			}
			return
		}
		again := AddEntry(p.Bytes)
		if p.Kind == KindCreateChain {
			again = CreateChain(p.Bytes)
		}
		if !bytes.Equal(again, payload) || p.Cost() == 0 || p.Cost() > 20 {
			t.Fatalf("%x, cost %d", again, p.Cost())
		}
	})
}
