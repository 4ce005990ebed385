package tree

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/smt"
)

// pageOf builds a page from slots.
func pageOf(slots map[int]slot) *page {
	p := new(page)
	p.clear()
	for i, s := range slots {
		p.slots[i] = s
		p.touch(i)
	}
	p.refresh()
	return p
}

func leafAt(key wire.Hash) slot {
	l := smt.Leaf{Key: key, Value: wire.Hash{0xEE}}
	return slot{node: node{leaf, l.Hash()}, leaf: l}
}

func pageRef(version uint64) slot {
	return slot{node: node{several, wire.Hash{0xDD}}, version: version}
}

var rootPlace = place{version: 9, depth: 0, path: new(wire.Hash)}

// TestLayout pins the bytes that stores hold (package comment).
func TestLayout(t *testing.T) {
	p := pageOf(map[int]slot{0: leafAt(wire.Hash{0x0A}), 3: pageRef(7), 15: leafAt(wire.Hash{0xF0})})
	rest := strings.Repeat("00", 31)
	quarter := smt.NodeHash(
		smt.Leaf{Key: wire.Hash{0x0A}, Value: wire.Hash{0xEE}}.Hash(),
		smt.NodeHash(smt.Empty, wire.Hash{0xDD}))
	want := "01" + "42000001" +
		"0a" + rest + "ee" + rest +
		"0000000000000007" + "dd" + rest +
		"f0" + rest + "ee" + rest +
		hex.EncodeToString(quarter[:])
	b := p.appendTo(nil)
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("bytes are\n%s, want\n%s", got, want)
	}
	if p.size() != len(b) {
		t.Errorf("size says %d of %d bytes", p.size(), len(b))
	}
	var again page
	if err := again.decode(b, rootPlace); err != nil || again.inner[1] != p.inner[1] {
		t.Errorf("decoded %v, %v", again.inner[1], err)
	}
}

func TestPageKeys(t *testing.T) {
	path := wire.Hash{0xAB, 0xCD, 0xEF}
	for depth, want := range map[int]string{
		0: "000000000000010200",
		1: "000000000000010201a0",
		2: "000000000000010202ab",
		5: "000000000000010205abcde0",
	} {
		if got := hex.EncodeToString(place{0x102, depth, &path}.appendKey(nil)); got != want {
			t.Errorf("%d nibbles: %s, want %s", depth, got, want)
		}
	}
	if n := len(place{1, maxNibbles - 1, &path}.appendKey(nil)); n != maxKey {
		t.Errorf("the longest key has %d bytes, not %d", n, maxKey)
	}
}

func TestAFullPageHasMaxPageBytes(t *testing.T) {
	slots := map[int]slot{}
	for i := range slotCount {
		slots[i] = leafAt(wire.Hash{byte(i) << 4})
	}
	if n := len(pageOf(slots).appendTo(nil)); n != maxPage {
		t.Errorf("%d bytes, maxPage is %d", n, maxPage)
	}
}

func TestBytesThatAreNoPageAreRefused(t *testing.T) {
	good := pageOf(map[int]slot{0: leafAt(wire.Hash{0x0A}), 3: pageRef(7)}).appendTo(nil)
	with := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return b
	}
	deep := place{version: 9, depth: maxNibbles - 1, path: new(wire.Hash)}
	// Leaves whose next nibble suits the slot, under another path.
	half := place{version: 9, depth: 1, path: &wire.Hash{0x10}}
	whole := place{version: 9, depth: 2, path: &wire.Hash{0x01}}
	other := pageOf(map[int]slot{0: leafAt(wire.Hash{0, 0x01}), 1: leafAt(wire.Hash{0, 0x10})}).appendTo(nil)
	for what, c := range map[string]struct {
		b  []byte
		at place
	}{
		"nothing":                    {nil, rootPlace},
		"another layout":             {with(0, 2), rootPlace},
		"a slot of unknown kind":     {with(4, 3), rootPlace},
		"a slot more than the bytes": {with(4, 1), rootPlace},
		"a leaf in the wrong slot":   {with(5, 0x1A), rootPlace},
		"a leaf half a byte off":     {pageOf(map[int]slot{0: leafAt(wire.Hash{})}).appendTo(nil), half},
		"a leaf off the path":        {other, whole},
		"a page of a later version":  {good, place{6, 0, new(wire.Hash)}},
		"a page below full depth":    {pageOf(map[int]slot{3: pageRef(7)}).appendTo(nil), deep},
		"a byte more":                {append(bytes.Clone(good), 0), rootPlace},
		"a byte less":                {good[:len(good)-1], rootPlace},
		"too long":                   {make([]byte, maxPage+1), rootPlace},
	} {
		if err := new(page).decode(c.b, c.at); !errors.Is(err, ErrPage) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAPageBelowTheRootHoldsSeveralLeaves: a lone leaf belongs into its parent's
// slot even if some parent refers to a page with its hash.
func TestAPageBelowTheRootHoldsSeveralLeaves(t *testing.T) {
	lone := leafAt(wire.Hash{0x10})
	for what, c := range map[string]struct {
		p     *page
		depth int
		want  error
	}{
		"a lone leaf":                   {pageOf(map[int]slot{0: lone}), 1, ErrPage},
		"nothing":                       {pageOf(nil), 1, ErrPage},
		"nothing at the root":           {pageOf(nil), 0, ErrPage},
		"the only leaf of a whole tree": {pageOf(map[int]slot{1: lone}), 0, nil},
		"a page alone":                  {pageOf(map[int]slot{1: pageRef(3)}), 1, nil},
	} {
		at := place{9, c.depth, &lone.leaf.Key}
		tr := traveller{reader: onePage(c.p.appendTo(nil))}
		if err := tr.load(new(page), at, c.p.inner[1].hash); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

type onePage []byte

func (b onePage) Get([]byte) ([]byte, error) { return b, nil }

func FuzzPageDecoder(f *testing.F) {
	f.Add(pageOf(map[int]slot{0: leafAt(wire.Hash{0x0A}), 3: pageRef(7)}).appendTo(nil), uint8(0))
	f.Add(pageOf(map[int]slot{0: leafAt(wire.Hash{}), 1: leafAt(wire.Hash{31: 1})}).appendTo(nil), uint8(63))
	f.Add([]byte{layout, 0, 0, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, depth uint8) {
		at := place{version: 9, depth: int(depth) % maxNibbles, path: new(wire.Hash)}
		var p page
		if p.decode(b, at) != nil {
			return
		}
		if again := p.appendTo(nil); !bytes.Equal(again, b) || p.size() != len(b) {
			t.Fatalf("%x is a second encoding of %x", b, again)
		}
		// A decoded page is either consistent or found not to be; nothing panics.
		for q := range quarters {
			if err := p.check(q); err != nil && !errors.Is(err, ErrPage) {
				t.Fatal(err)
			}
		}
	})
}
