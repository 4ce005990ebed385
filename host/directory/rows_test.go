package directory

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

func TestRowsSurviveARoundTrip(t *testing.T) {
	hash := rapid.Custom(func(t *rapid.T) wire.Hash {
		return wire.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
	})
	rapid.Check(t, func(t *rapid.T) {
		s := spot{
			moment: moment{rapid.Uint64().Draw(t, "height"), rapid.Uint32().Draw(t, "number")}, from: rapid.Uint32().Draw(t, "from"),
			n: rapid.Uint32Max(wire.MaxPayload).Draw(t, "n"), timeMs: rapid.Uint64().Draw(t, "time"),
			period: rapid.Uint32().Draw(t, "period"), pair: rapid.Bool().Draw(t, "pair"),
		}
		if got, err := decodeSpot(s.append(nil)); err != nil || got != s {
			t.Fatalf("%+v became %+v, %v", s, got, err)
		}
		if got, err := decodeMoment(s.encode()); err != nil || got != s.moment {
			t.Fatalf("%+v became %+v, %v", s.moment, got, err)
		}
		if got, err := momentOf(s.at([]byte("key"))); err != nil || got != s.moment {
			t.Fatalf("%+v became %+v, %v", s.moment, got, err)
		}
		m := member{hash.Draw(t, "entry"), s.from, s.n % wirefactom.MaxEntry, s.timeMs}
		if got, err := decodeMember(m.append(nil)); err != nil || got != m {
			t.Fatalf("%+v became %+v, %v", m, got, err)
		}
		h := head{s.period, s.number, m.entry, hash.Draw(t, "full"), hash.Draw(t, "key"), m.entry}
		if got, err := decodeHead(h.append(nil)); err != nil || got != h {
			t.Fatalf("%+v became %+v, %v", h, got, err)
		}
		d := delta{rapid.Int64().Draw(t, "factoshis"), rapid.Int64().Draw(t, "credits"), rapid.SliceOfN(rapid.Uint64(), 1, 5).Draw(t, "bought")}
		if got, err := decodeDelta(d.append(nil)); err != nil || got.factoshis != d.factoshis || got.credits != d.credits || !slices.Equal(got.bought, d.bought) {
			t.Fatalf("%+v became %+v, %v", d, got, err)
		}
		b := blockRow{
			kind: factom.Kind(rapid.IntRange(0, 5).Draw(t, "kind")), period: s.period, chain: h.full,
			header: rapid.SliceOf(rapid.Byte()).Draw(t, "header"), body: rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "body"),
		}
		b.size = uint64(len(b.body))
		got, err := decodeBlockRow(b.append(nil))
		if err != nil || got.kind != b.kind || got.chain != b.chain || got.size != b.size || !bytes.Equal(got.header, b.header) || !bytes.Equal(got.body, b.body) {
			t.Fatalf("%+v became %+v, %v", b, got, err)
		}
	})
}

func TestMomentsAreOrderedLikeTheirKeys(t *testing.T) {
	list := []moment{{0, 0}, {0, 1}, {1, 0}, {1, 256}, {255, 7}, {256, 0}, {math.MaxUint64, math.MaxUint32}}
	for i := range list {
		for j := range list {
			if want := bytes.Compare(list[i].at(nil), list[j].at(nil)) < 0; list[i].before(list[j]) != want || want != (i < j) {
				t.Errorf("%v and %v", list[i], list[j])
			}
		}
	}
}

func FuzzRows(f *testing.F) {
	s := spot{moment: moment{1, 2}, from: 3, n: 4, timeMs: 5, period: 6, pair: true}
	m := member{wire.Hash{1}, 2, 3, 4}
	for kind, row := range [][]byte{
		s.append(nil), s.encode(), m.append(nil), m.append(make([]byte, 32)), (&head{period: 1}).append(nil),
		(&delta{-1, 2, []uint64{3}}).append(nil), (&blockRow{kind: 1, header: []byte{1}, body: []byte{2}, size: 1}).append(nil),
		wire.Marshal(position{Spans: []span{{Period: 1}}}), wire.Marshal(settled{Servers: []server{{}}}), wire.Marshal(closed{}),
		append(timed(9), wirefactom.IncreaseObject(&wirefactom.BalanceIncrease{Credits: 3}).Append(nil)...),
	} {
		f.Add(uint8(kind), row)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		var again []byte
		var err error
		encoded := func(v interface{ append([]byte) []byte }) { again = v.append(nil) }
		switch kind % 11 {
		case 0:
			var r spot
			r, err = decodeSpot(b)
			encoded(&r)
		case 1:
			var r moment
			r, err = decodeMoment(b)
			again = r.encode()
		case 2:
			var r member
			r, err = decodeMember(b)
			encoded(&r)
		case 3:
			var chain wire.Hash
			var r member
			chain, r, err = decodeOrdered(b)
			again = r.append(chain[:])
		case 4:
			var r head
			r, err = decodeHead(b)
			encoded(&r)
		case 5:
			var r delta
			r, err = decodeDelta(b)
			encoded(&r)
		case 6:
			var r blockRow
			r, err = decodeBlockRow(b)
			encoded(&r)
		case 7:
			var r *position
			if r, err = decodeRow[position](b, maxPosition, "test"); err == nil {
				again = wire.Marshal(r)
			}
		case 8:
			var r *settled
			if r, err = decodeRow[settled](b, maxSettled, "test"); err == nil {
				again = wire.Marshal(r)
			}
		case 9:
			var r *closed
			if r, err = decodeRow[closed](b, maxClosed, "test"); err == nil {
				again = wire.Marshal(r)
			}
		case 10:
			var timeMs uint64
			var o wirefactom.ECObject
			if timeMs, o, err = decodeCredit(b); err == nil {
				again = o.Append(timed(timeMs))
			}
		}
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("kind %d: accepted %x, which is not the encoding of what it says", kind%11, b)
		}
	})
}
