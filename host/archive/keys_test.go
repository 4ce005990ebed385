package archive

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/host/derived"
	"cloister/wire"
)

func TestIndexRowsSurviveARoundTrip(t *testing.T) {
	hash := rapid.Custom(func(t *rapid.T) wire.Hash {
		return wire.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
	})
	rapid.Check(t, func(t *rapid.T) {
		p := place{
			height: rapid.Uint64().Draw(t, "height"), index: rapid.Uint32().Draw(t, "index"),
			tx: rapid.Uint32().Draw(t, "tx"), txLen: rapid.Uint32Max(wire.MaxTx).Draw(t, "txLen"),
			result: rapid.Uint32().Draw(t, "result"), resLen: rapid.Uint32Max(wire.MaxResult).Draw(t, "resLen"),
		}
		tx := txRow{rapid.Bool().Draw(t, "ok"), p}
		if got, err := decodeTxRow(tx.append(nil)); err != nil || got != tx {
			t.Fatalf("%+v became %+v, %v", tx, got, err)
		}
		e := entryRow{rapid.Uint64().Draw(t, "seq"), p}
		if got, err := decodeEntryRow(e.encode()); err != nil || got != e {
			t.Fatalf("%+v became %+v, %v", e, got, err)
		}
		m := memberRow{hash.Draw(t, "entry"), p}
		if got, err := decodeMemberRow(m.encode()); err != nil || got != m {
			t.Fatalf("%+v became %+v, %v", m, got, err)
		}
		c := Chain{hash.Draw(t, "id"), rapid.Uint64().Draw(t, "entries"), hash.Draw(t, "head"), p.height, p.height}
		if got, err := decodeChain(c.ID, c.encode()); err != nil || got != c {
			t.Fatalf("%+v became %+v, %v", c, got, err)
		}
		b := blockRow{
			segment: p.height, offset: rapid.Uint64Max(maxSegment).Draw(t, "offset"), size: rapid.Uint32Max(maxRecord).Draw(t, "size"),
			header: rapid.Uint32Max(wire.MaxHeader).Draw(t, "header"), seal: rapid.Uint32Max(wire.MaxSeal).Draw(t, "seal"),
			hash: c.Head, timeMs: p.height, execHeight: e.seq, state: c.ID, results: m.entry,
		}
		if got, err := decodeBlockRow(b.encode()); err != nil || got != b {
			t.Fatalf("%+v became %+v, %v", b, got, err)
		}
		pos := position{p.height, e.seq, b.offset}
		if got, err := decodePosition(pos.encode()); err != nil || got != pos {
			t.Fatalf("%+v became %+v, %v", pos, got, err)
		}
	})
}

func TestKeysSortByHeightAndNumber(t *testing.T) {
	id := wire.TH("chain")
	keys := [][]byte{
		numberKey(tableBlock, 1), numberKey(tableBlock, 255), numberKey(tableBlock, 256), numberKey(tableBlock, 1<<40),
		memberKey(id, 9), memberKey(id, 10), memberKey(id, 1<<33),
	}
	for i := 1; i < len(keys); i++ {
		if slices.Compare(keys[i-1], keys[i]) >= 0 {
			t.Errorf("%x is not below %x", keys[i-1], keys[i])
		}
	}
	if end := derived.After(hashKey(tableMember, id)); slices.Compare(memberKey(id, 1<<64-1), end) >= 0 {
		t.Errorf("a chain's last entry is behind its end %x", end)
	}
}

func FuzzIndexRows(f *testing.F) {
	p := place{1, 2, 3, 4, 5, 6}
	for kind, row := range [][]byte{
		(&txRow{true, p}).append(nil), (&entryRow{1, p}).encode(), (&memberRow{wire.Hash{1}, p}).encode(),
		(&Chain{Entries: 3}).encode(), (&blockRow{size: 5}).encode(), (&position{1, 2, 3}).encode(),
	} {
		f.Add(uint8(kind), row)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		var again []byte
		var err error
		switch kind % 6 {
		case 0:
			var r txRow
			r, err = decodeTxRow(b)
			again = r.append(nil)
		case 1:
			var r entryRow
			r, err = decodeEntryRow(b)
			again = r.encode()
		case 2:
			var r memberRow
			r, err = decodeMemberRow(b)
			again = r.encode()
		case 3:
			var r Chain
			r, err = decodeChain(wire.Hash{}, b)
			again = r.encode()
		case 4:
			var r blockRow
			r, err = decodeBlockRow(b)
			again = r.encode()
		case 5:
			var r position
			r, err = decodePosition(b)
			again = r.encode()
		}
		if err == nil && !slices.Equal(again, b) {
			t.Fatalf("kind %d: accepted %x, which is not the encoding of what it says", kind%6, b)
		}
	})
}
