package factom

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// parsers lists every parser of a block, with its blocks of the vectors; the
// result is encoded again.
var parsers = map[string]struct {
	parse func([]byte) ([]byte, error)
	seeds []string
}{
	"entry block": {func(b []byte) ([]byte, error) {
		x, err := ParseEntryBlock(b)
		return again(x, err, (*EntryBlock).Bytes)
	}, []string{entryBlock, mainEntryBlock}},
	"entry block header": {func(b []byte) ([]byte, error) {
		x, err := ParseEntryBlockHeader(b)
		return again(x, err, (*EntryBlockHeader).Bytes)
	}, []string{entryBlock[:2*EntryBlockHeaderSize]}},
	"directory block": {func(b []byte) ([]byte, error) {
		x, err := ParseDirectoryBlock(b)
		return again(x, err, (*DirectoryBlock).Bytes)
	}, []string{directoryBlock0, directoryBlock1}},
	"directory block header": {func(b []byte) ([]byte, error) {
		x, err := ParseDirectoryBlockHeader(b)
		return again(x, err, (*DirectoryBlockHeader).Bytes)
	}, []string{directoryBlock1[:2*DirectoryBlockHeaderSize]}},
	"entry credit block": {func(b []byte) ([]byte, error) {
		x, err := ParseECBlock(b)
		return again(x, err, (*ECBlock).Bytes)
	}, []string{ecBlock}},
	"entry credit block header": {func(b []byte) ([]byte, error) {
		x, err := ParseECBlockHeader(b)
		return again(x, err, (*ECBlockHeader).Bytes)
	}, []string{ecBlock[:2*149]}},
	"factoid block": {func(b []byte) ([]byte, error) {
		x, err := ParseFactoidBlock(b)
		return again(x, err, (*FactoidBlock).Bytes)
	}, []string{factoidBlock}},
	"factoid block header": {func(b []byte) ([]byte, error) {
		x, err := ParseFactoidBlockHeader(b)
		return again(x, err, (*FactoidBlockHeader).Bytes)
	}, []string{factoidBlock[:2*149]}},
	"admin block": {func(b []byte) ([]byte, error) {
		x, err := ParseAdminBlock(b)
		return again(x, err, (*AdminBlock).Bytes)
	}, []string{adminBlock}},
}

func again[T any](x *T, err error, bytes func(*T) []byte) ([]byte, error) {
	if err != nil {
		if x != nil {
			panic("a value besides an error")
		}
		return nil, err
	}
	return bytes(x), nil
}

func TestBlocksAreNeitherShorterNorLonger(t *testing.T) {
	for name, p := range parsers {
		for _, seed := range p.seeds {
			good := unhex(seed)
			if b, err := p.parse(good); err != nil || !bytes.Equal(b, good) {
				t.Fatalf("%s: written as %x, %v", name, b, err)
			}
			for n := range good {
				if _, err := p.parse(good[:n]); wire.CodeOf(err) != wire.ErrBlockMalformed {
					t.Errorf("%s, first %d bytes: %v", name, n, err)
				}
			}
			if _, err := p.parse(append(bytes.Clone(good), 0)); wire.CodeOf(err) != wire.ErrBlockMalformed {
				t.Errorf("%s and a byte: %v", name, err)
			}
			if _, err := p.parse(append(bytes.Clone(good), good...)); wire.CodeOf(err) != wire.ErrBlockMalformed {
				t.Errorf("%s twice: %v", name, err)
			}
		}
	}
}

// What a parser takes is what the builder of the same contents gives, so any
// bit that is turned is refused or belongs to a field.
func TestATurnedBitIsRefusedOrWrittenBack(t *testing.T) {
	for name, p := range parsers {
		for _, seed := range p.seeds {
			b := unhex(seed)
			for bit := range 8 * len(b) {
				b[bit/8] ^= 1 << (bit % 8)
				if got, err := p.parse(b); err == nil && !bytes.Equal(got, b) || err != nil && wire.CodeOf(err) != wire.ErrBlockMalformed {
					t.Errorf("%s, bit %d: %x, %v", name, bit, got, err)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}

func TestABodyIsBoundByItsHeader(t *testing.T) {
	for name, header := range map[string]int{"entry block": EntryBlockHeaderSize, "directory block": DirectoryBlockHeaderSize, "entry credit block": 149, "factoid block": 149} {
		p := parsers[name]
		for _, seed := range p.seeds {
			b := unhex(seed)
			for bit := 8 * header; bit < 8*len(b); bit++ {
				b[bit/8] ^= 1 << (bit % 8)
				if _, err := p.parse(b); err == nil {
					t.Errorf("%s: bit %d of the body is not bound", name, bit)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}

// rawEntryBlock is a block around any body, with the root and count of it.
func rawEntryBlock(body ...wire.Hash) []byte {
	h := EntryBlockHeader{ChainID: someHash(0), BodyMR: MerkleRoot(body), Count: uint32(len(body))}
	b := h.Bytes()
	for _, x := range body {
		b = append(b, x[:]...)
	}
	return b
}

func TestMarkersOfAnEntryBlockEndMinutesWithEntries(t *testing.T) {
	e, m := someHash, MinuteMarker
	for name, body := range map[string][]wire.Hash{
		"no body": nil, "a marker alone": {m(1)}, "no marker": {e(1)}, "begins with a marker": {m(1), e(1), m(2)},
		"two markers in a row": {e(1), m(1), m(2)}, "the same minute twice": {e(1), m(3), e(2), m(3)},
		"minutes backwards": {e(1), m(3), e(2), m(2)}, "an entry after the last marker": {e(1), m(1), e(2)},
		"minute 11": {e(1), m(11)}, "minute 0": {e(1), m(0)},
	} {
		if _, err := ParseEntryBlock(rawEntryBlock(body...)); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := ParseEntryBlock(rawEntryBlock(e(1), e(1), m(1), e(2), m(10)))
	if err != nil || !slices.Equal(b.Entries(), []EntryAt{{1, e(1)}, {1, e(1)}, {10, e(2)}}) {
		t.Errorf("%v, %v", b, err)
	}
}

func TestOnlyAChainsFirstBlockHasNoPrevious(t *testing.T) {
	entries := []EntryAt{{1, someHash(1)}}
	for name, h := range map[string]EntryBlockHeader{
		"first with a KeyMR": {PrevKeyMR: someHash(1)}, "first with a full hash": {PrevFullHash: someHash(1)},
		"second without": {Sequence: 1}, "second with a KeyMR alone": {Sequence: 1, PrevKeyMR: someHash(1)},
	} {
		if _, err := NewEntryBlock(h, entries); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPairsOfADirectoryBlockAreInOrder(t *testing.T) {
	a, c, f := Pair{AdminChain, someHash(1)}, Pair{EntryCreditChain, someHash(2)}, Pair{FactoidChain, someHash(3)}
	low, high := Pair{wire.Hash{1}, someHash(4)}, Pair{wire.Hash{2}, someHash(5)}
	for name, pairs := range map[string][]Pair{
		"none": nil, "two": {a, c}, "reserved out of order": {a, f, c}, "one reserved missing": {a, c, low}, "not first": {low, a, c, f},
		"descending": {a, c, f, high, low}, "twice": {a, c, f, low, low}, "reserved twice": {a, c, f, f},
		"chain below the reserved": {a, c, f, {wire.Hash{31: 1}, someHash(1)}}, "directory chain": {a, c, f, {DirectoryChain, someHash(1)}},
	} {
		if _, err := NewDirectoryBlock(DirectoryBlockHeader{}, pairs); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := NewDirectoryBlock(DirectoryBlockHeader{}, []Pair{a, c, f, low, high}); err != nil || b.Header.Count != 5 {
		t.Errorf("%v", err)
	}
}

// rawECBlock is a block around any body, with hash and size of it.
func rawECBlock(objects uint64, body []byte) []byte {
	h := ECBlockHeader{BodyHash: NewDigest(body).Sum(), ObjectCount: objects, BodySize: uint64(len(body))}
	return append(h.Bytes(), body...)
}

func TestAnEntryCreditBlockHasAllMarkersInOrder(t *testing.T) {
	markers := func(list ...uint8) (b []byte) {
		for _, m := range list {
			b = append(b, byte(ECMinute), m)
		}
		return b
	}
	all := markers(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	commit := CommitObject(must(ParseCommit(unhex(entryCommit)))).Append(nil)
	for name, v := range map[string]struct {
		objects uint64
		body    []byte
		ok      bool
	}{
		"markers alone":            {10, all, true},
		"a commit in minute 1":     {11, slices.Concat(commit, all), true},
		"a server index":           {11, slices.Concat([]byte{0, 7}, all), true},
		"all server indexes":       {10 + maxServerIndexes, slices.Concat(bytes.Repeat([]byte{0, 7}, maxServerIndexes), all), true},
		"too many server indexes":  {10 + maxServerIndexes + 1, slices.Concat(bytes.Repeat([]byte{0, 7}, maxServerIndexes+1), all), false},
		"wrong count":              {9, all, false},
		"a commit after the last":  {11, slices.Concat(all, commit), false},
		"no marker":                {1, commit, false},
		"one missing":              {9, markers(1, 2, 3, 4, 5, 6, 7, 8, 9), false},
		"out of order":             {10, markers(1, 3, 2, 4, 5, 6, 7, 8, 9, 10), false},
		"eleven":                   {11, markers(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10), false},
		"minute 0":                 {11, slices.Concat(markers(0), all), false},
		"unknown kind":             {11, slices.Concat([]byte{5, 0}, all), false},
		"chain commit of an entry": {11, slices.Concat([]byte{byte(ECChainCommit)}, commit[1:], all), false},
	} {
		b, err := ParseECBlock(rawECBlock(v.objects, v.body))
		if (err == nil) != v.ok || err != nil && wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	body := NewECBody()
	if _, err := body.Append(1, ECObject{Kind: ECMinute, Number: 1}); wire.CodeOf(err) != wire.ErrBlockMalformed {
		t.Errorf("a marker is given as an object: %v", err)
	}
}

// rawFactoidBlock is a block around any parts of a body, with root and size of it.
func rawFactoidBlock(transactions uint32, parts ...[]byte) []byte {
	var leaves []wire.Hash
	for _, p := range parts {
		leaves = append(leaves, NewDigest(p).Sum())
	}
	body := slices.Concat(parts...)
	h := FactoidBlockHeader{BodyMR: MerkleRoot(leaves), TransactionCount: transactions, BodySize: uint32(len(body))}
	return append(h.Bytes(), body...)
}

func TestAFactoidBlockHasItsCoinbaseAndTenMarkers(t *testing.T) {
	m, c, x := []byte{0}, (&Transaction{TimestampMs: vectorTime}).Bytes(), unhex(factoidTransaction)
	for name, v := range map[string]struct {
		transactions uint32
		parts        [][]byte
		ok           bool
	}{
		"a coinbase alone":       {1, [][]byte{c, m, m, m, m, m, m, m, m, m, m}, true},
		"a transaction":          {2, [][]byte{c, m, m, x, m, m, m, m, m, m, m, m}, true},
		"wrong count":            {1, [][]byte{c, x, m, m, m, m, m, m, m, m, m, m}, false},
		"no coinbase":            {1, [][]byte{x, m, m, m, m, m, m, m, m, m, m}, false},
		"nothing but markers":    {0, [][]byte{m, m, m, m, m, m, m, m, m, m}, false},
		"two coinbases":          {2, [][]byte{c, c, m, m, m, m, m, m, m, m, m, m}, false},
		"coinbase in minute 2":   {1, [][]byte{m, c, m, m, m, m, m, m, m, m, m}, false},
		"nine markers":           {1, [][]byte{c, m, m, m, m, m, m, m, m, m}, false},
		"eleven markers":         {1, [][]byte{c, m, m, m, m, m, m, m, m, m, m, m}, false},
		"goes on after the last": {2, [][]byte{c, m, m, m, m, m, m, m, m, m, m, x}, false},
		"no body":                {0, nil, false},
	} {
		b, err := ParseFactoidBlock(rawFactoidBlock(v.transactions, v.parts...))
		if (err == nil) != v.ok || err != nil && wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

func TestBodiesDoNotGoBack(t *testing.T) {
	var eb EntryBody
	var fb FactoidBody
	ec := NewECBody()
	commit := CommitObject(must(ParseCommit(unhex(entryCommit))))
	coinbase, x := &Transaction{}, must(ParseFactoidBlock(unhex(factoidBlock))).Body[1].Transaction
	must(eb.Append(5, someHash(1)))
	must(ec.Append(5, commit))
	must(fb.Append(1, coinbase))
	must(fb.Append(5, x))
	for _, minute := range []uint8{0, 4, 11, 255} {
		if _, err := eb.Append(minute, someHash(2)); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("entry, minute %d after 5: %v", minute, err)
		}
		if _, err := ec.Append(minute, commit); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("commit, minute %d after 5: %v", minute, err)
		}
		if _, err := fb.Append(minute, x); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("transaction, minute %d after 5: %v", minute, err)
		}
	}
	if _, err := eb.Append(6, MinuteMarker(6)); wire.CodeOf(err) != wire.ErrBlockMalformed {
		t.Errorf("a marker is given as an entry: %v", err)
	}
	eb.Close()
	ec.Close()
	fb.Close()
	if _, err := eb.Append(5, someHash(2)); err == nil {
		t.Error("an entry of a minute that has its marker")
	}
	if _, err := ec.Append(10, commit); err == nil {
		t.Error("a commit after the end")
	}
	if _, err := fb.Append(10, x); err == nil {
		t.Error("a transaction after the end")
	}
}

// minutes draws one minute, 1 to 10, per element of a list, never going back.
func minutes(t *rapid.T) []uint8 {
	list := rapid.SliceOfN(rapid.Uint8Range(1, Minutes), 1, 12).Draw(t, "minutes")
	slices.Sort(list)
	return list
}

func TestEntryBlocksReadBackAndGrowEntryByEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []EntryAt
		body, full := must(ParseEntryBody(new(EntryBody).AppendBinary(nil))), []wire.Hash(nil)
		for i, m := range minutes(t) {
			entries = append(entries, EntryAt{m, someHash(uint64(i))})
			full = append(full, must(body.Append(m, entries[i].Hash))...)
			body = must(ParseEntryBody(body.AppendBinary(nil)))
		}
		full = append(full, body.Close()...)
		body = must(ParseEntryBody(body.AppendBinary(nil)))
		b, err := NewEntryBlock(EntryBlockHeader{ChainID: someHash(99), Sequence: 1, PrevKeyMR: someHash(1), PrevFullHash: someHash(2)}, entries)
		if err != nil || b.Header.BodyMR != body.Root() || uint64(b.Header.Count) != body.Count() || !slices.Equal(b.Body, full) {
			t.Fatalf("%v: %v, grown to %v", err, b, full)
		}
		x, err := ParseEntryBlock(b.Bytes())
		if err != nil || !slices.Equal(x.Entries(), entries) || x.KeyMR() != b.KeyMR() {
			t.Fatalf("%v became %v, %v", b, x, err)
		}
		// A block too large for memory: the header, then the body in pieces.
		d := NewDigest(b.Header.Bytes())
		for _, object := range full {
			d.Write(object[:])
			d = must(ParseDigest(d.AppendBinary(nil)))
		}
		if d.Sum() != b.FullHash() {
			t.Fatal("the full hash in pieces is another")
		}
	})
}

func TestDirectoryBlocksReadBackAndGrowPairByPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := []Pair{{AdminChain, someHash(1)}, {EntryCreditChain, someHash(2)}, {FactoidChain, someHash(3)}}
		for _, n := range rapid.SliceOfNDistinct(rapid.Uint64(), 0, 20, rapid.ID).Draw(t, "chains") {
			pairs = append(pairs, Pair{someHash(n), someHash(n + 1)})
		}
		slices.SortFunc(pairs, func(a, b Pair) int { return bytes.Compare(a.ChainID[:], b.ChainID[:]) })
		body := must(ParseDirectoryBody(new(DirectoryBody).AppendBinary(nil)))
		for _, p := range pairs {
			if err := body.Append(p); err != nil {
				t.Fatal(err)
			}
			body = must(ParseDirectoryBody(body.AppendBinary(nil)))
		}
		b, err := NewDirectoryBlock(DirectoryBlockHeader{NetworkID: MainNetwork, Minutes: 7, Height: 8}, pairs)
		if err != nil || b.Header.BodyMR != body.Root() || uint64(b.Header.Count) != body.Count() || MerkleRoot(b.Leaves()) != body.Root() {
			t.Fatalf("%v: %v", err, b)
		}
		x, err := ParseDirectoryBlock(b.Bytes())
		if err != nil || !slices.Equal(x.Body, pairs) || x.Header != b.Header {
			t.Fatalf("%v became %v, %v", b, x, err)
		}
	})
}

func TestEntryCreditBlocksReadBackAndGrowObjectByObject(t *testing.T) {
	entry, chain := must(ParseCommit(unhex(entryCommit))), must(ParseCommit(unhex(chainCommit)))
	rapid.Check(t, func(t *rapid.T) {
		var objects []ECObjectAt
		body, full := must(ParseECBody(NewECBody().AppendBinary(nil))), []byte(nil)
		for _, m := range minutes(t) {
			o := rapid.SampledFrom([]ECObject{
				CommitObject(entry), CommitObject(chain), {Kind: ECServerIndex, Number: m},
				IncreaseObject(&BalanceIncrease{Key: zeroKey.Public(), TXID: someHash(1), Index: rapid.Uint64().Draw(t, "index"), Credits: rapid.Uint64().Draw(t, "credits")}),
			}).Draw(t, "object")
			objects = append(objects, ECObjectAt{m, o})
			full = append(full, must(body.Append(m, o))...)
			body = must(ParseECBody(body.AppendBinary(nil)))
		}
		full = append(full, body.Close()...)
		body = must(ParseECBody(body.AppendBinary(nil)))
		b, err := NewECBlock(ECBlockHeader{Height: 3, Expansion: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "expansion")}, objects)
		if err != nil || !bytes.HasSuffix(b.Bytes(), full) || int(b.Header.BodySize) != len(full) || int(b.Header.ObjectCount) != len(objects)+Minutes {
			t.Fatalf("%v: %v", err, b)
		}
		grown := ECBlockHeader{Height: 3, Expansion: b.Header.Expansion}
		if body.Fill(&grown); grown.Hash() != b.HeaderHash() {
			t.Fatalf("grown to %v, built %v", grown, b.Header)
		}
		x, err := ParseECBlock(b.Bytes())
		if err != nil || len(x.Body) != len(objects) || x.FullHash() != b.FullHash() {
			t.Fatalf("%v became %v, %v", b, x, err)
		}
		for i := range objects {
			if x.Body[i].Minute != objects[i].Minute || !bytes.Equal(x.Body[i].Object.Append(nil), objects[i].Object.Append(nil)) {
				t.Fatalf("object %d became %v", i, x.Body[i])
			}
		}
	})
}

func TestFactoidBlocksReadBackAndGrowTransactionByTransaction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		coinbase := &Transaction{TimestampMs: vectorTime}
		coinbase.AddOutput(rapid.Uint64Range(0, MaxAmount).Draw(t, "payout"), accountOf(1))
		list := []TransactionAt{{1, coinbase}}
		for _, m := range minutes(t) {
			list = append(list, TransactionAt{m, drawTransaction(t)})
		}
		body, full := must(ParseFactoidBody(new(FactoidBody).AppendBinary(nil))), []byte(nil)
		for _, x := range list {
			full = append(full, must(body.Append(x.Minute, x.Transaction))...)
			body = must(ParseFactoidBody(body.AppendBinary(nil)))
		}
		full = append(full, body.Close()...)
		body = must(ParseFactoidBody(body.AppendBinary(nil)))
		b, err := NewFactoidBlock(FactoidBlockHeader{Rate: 5, Height: 9}, list)
		if err != nil || !bytes.HasSuffix(b.Bytes(), full) || int(b.Header.BodySize) != len(full) || int(b.Header.TransactionCount) != len(list) {
			t.Fatalf("%v: %v", err, b)
		}
		grown := FactoidBlockHeader{Rate: 5, Height: 9}
		if err := body.Fill(&grown); err != nil || grown.KeyMR() != b.KeyMR() || grown.LedgerKeyMR(body.LedgerRoot()) != b.LedgerKeyMR() {
			t.Fatalf("grown to %v, built %v", grown, b.Header)
		}
		x, err := ParseFactoidBlock(b.Bytes())
		if err != nil || len(x.Body) != len(list) || !bytes.Equal(x.Bytes(), b.Bytes()) || x.LedgerKeyMR() != b.LedgerKeyMR() {
			t.Fatalf("%v became %v, %v", b, x, err)
		}
	})
}

func TestStatesOfBodiesAreStrict(t *testing.T) {
	eb, db, fb, ec := new(EntryBody), new(DirectoryBody), new(FactoidBody), NewECBody()
	must(eb.Append(3, someHash(1)))
	must(fb.Append(1, &Transaction{}))
	must(ec.Append(2, CommitObject(must(ParseCommit(unhex(entryCommit))))))
	if err := db.Append(Pair{AdminChain, someHash(1)}); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		state []byte
		parse func([]byte) error
		bad   map[int]byte // one byte that makes it impossible
	}{
		"entry block":        {eb.AppendBinary(nil), func(b []byte) error { _, err := ParseEntryBody(b); return err }, map[int]byte{0: 11, 1: 3, 9: 0}},
		"directory block":    {db.AppendBinary(nil), func(b []byte) error { _, err := ParseDirectoryBody(b); return err }, map[int]byte{31: 0x0b, 0: 1}},
		"entry credit block": {ec.AppendBinary(nil), func(b []byte) error { _, err := ParseECBody(b); return err }, map[int]byte{0: 11, 8: 0, 1: 1}},
		"factoid block":      {fb.AppendBinary(nil), func(b []byte) error { _, err := ParseFactoidBody(b); return err }, map[int]byte{0: 2, 8: 0}},
	} {
		if err := v.parse(v.state); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range v.state {
			if err := v.parse(v.state[:n]); wire.CodeOf(err) != wire.ErrMalformed {
				t.Errorf("%s, first %d bytes: %v", name, n, err)
			}
		}
		if err := v.parse(append(bytes.Clone(v.state), 0)); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s and a byte: %v", name, err)
		}
		for at, value := range v.bad {
			b := bytes.Clone(v.state)
			b[at] = value
			if err := v.parse(b); wire.CodeOf(err) != wire.ErrMalformed {
				t.Errorf("%s with %d at %d: %v", name, value, at, err)
			}
		}
	}
}

func TestHeaderExpansionsAreBounded(t *testing.T) {
	b := append(append([]byte{}, EntryCreditChain[:]...), make([]byte, 100)...)
	b = AppendVarInt(b, MaxExpansion+1)
	b = append(b, make([]byte, MaxExpansion+1+16)...)
	if _, err := ParseECBlockHeader(b); wire.CodeOf(err) != wire.ErrBlockMalformed {
		t.Error(err)
	}
	h := &ECBlockHeader{Expansion: make([]byte, MaxExpansion)}
	if got, err := ParseECBlockHeader(h.Bytes()); err != nil || got.Hash() != h.Hash() {
		t.Error(err)
	}
}

func TestCountsBeyondTheInputAreRefusedAtOnce(t *testing.T) {
	for name, at := range map[string]int{"entry block": 136, "directory block": 109} {
		b := unhex(parsers[name].seeds[0])
		binary.BigEndian.PutUint32(b[at:], 1<<32-1)
		if _, err := parsers[name].parse(b); wire.CodeOf(err) != wire.ErrBlockMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestObjectsOfAnEntryCreditBlockAreReadStrictly(t *testing.T) {
	increase := IncreaseObject(&BalanceIncrease{Key: zeroKey.Public(), TXID: someHash(1), Index: 1, Credits: 128})
	good := increase.Append(nil)
	if o, rest, err := ParseECObject(append(bytes.Clone(good), 9)); err != nil || len(rest) != 1 || *o.Increase != *increase.Increase {
		t.Errorf("%+v, %v", o, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "minute 0": {1, 0}, "minute 11": {1, 11}, "no number": {0}, "unknown kind": {5, 0, 0},
		"increase cut": good[:len(good)-1], "credits in a longer form": append(bytes.Clone(good[:len(good)-2]), 0x80, 0x81, 0),
		"commit cut": append([]byte{3}, unhex(entryCommit)[:135]...), "commit of 0 credits": append([]byte{3}, make([]byte, 136)...),
	} {
		if o, rest, err := ParseECObject(b); wire.CodeOf(err) != wire.ErrBlockMalformed || rest != nil || o != (ECObject{}) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func fuzzBlock(f *testing.F, name string) {
	for _, s := range parsers[name].seeds {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parsers[name].parse(b)
		switch {
		case err != nil && wire.CodeOf(err) != wire.ErrBlockMalformed:
			t.Fatal(err)
		case err == nil && !bytes.Equal(got, b):
			t.Fatalf("%x is written as %x", b, got)
		}
	})
}

func FuzzParseEntryBlock(f *testing.F)           { fuzzBlock(f, "entry block") }
func FuzzParseEntryBlockHeader(f *testing.F)     { fuzzBlock(f, "entry block header") }
func FuzzParseDirectoryBlock(f *testing.F)       { fuzzBlock(f, "directory block") }
func FuzzParseDirectoryBlockHeader(f *testing.F) { fuzzBlock(f, "directory block header") }
func FuzzParseECBlock(f *testing.F)              { fuzzBlock(f, "entry credit block") }
func FuzzParseECBlockHeader(f *testing.F)        { fuzzBlock(f, "entry credit block header") }
func FuzzParseFactoidBlock(f *testing.F)         { fuzzBlock(f, "factoid block") }
func FuzzParseFactoidBlockHeader(f *testing.F)   { fuzzBlock(f, "factoid block header") }
func FuzzParseAdminBlock(f *testing.F)           { fuzzBlock(f, "admin block") }

func FuzzParseECObject(f *testing.F) {
	f.Add(CommitObject(must(ParseCommit(unhex(entryCommit)))).Append(nil))
	f.Add(CommitObject(must(ParseCommit(unhex(chainCommit)))).Append(nil))
	f.Add(IncreaseObject(&BalanceIncrease{Index: 1 << 40, Credits: 7}).Append(nil))
	f.Add([]byte{1, 10, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, rest, err := ParseECObject(b)
		if err == nil && !bytes.Equal(append(o.Append(nil), rest...), b) {
			t.Fatalf("%x is written as %x", b, o.Append(nil))
		}
	})
}

// FuzzStates reads the first byte as the kind of state.
func FuzzStates(f *testing.F) {
	eb, db, fb, ec := new(EntryBody), new(DirectoryBody), new(FactoidBody), NewECBody()
	for kind, add := range []func() []byte{
		func() []byte { must(eb.Append(3, someHash(1))); return eb.AppendBinary(nil) },
		func() []byte { return db.AppendBinary(nil) },
		func() []byte { must(fb.Append(1, &Transaction{})); return fb.AppendBinary(nil) },
		func() []byte { return ec.AppendBinary(nil) },
	} {
		f.Add(append([]byte{byte(kind)}, add()...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		var got []byte
		var err error
		switch state := b[1:]; b[0] % 4 {
		case 0:
			var x *EntryBody
			if x, err = ParseEntryBody(state); err == nil {
				got = x.AppendBinary(nil)
				x.Close()
			}
		case 1:
			var x *DirectoryBody
			if x, err = ParseDirectoryBody(state); err == nil {
				got = x.AppendBinary(nil)
				x.Root()
			}
		case 2:
			var x *FactoidBody
			if x, err = ParseFactoidBody(state); err == nil {
				got = x.AppendBinary(nil)
				x.Close()
			}
		case 3:
			var x *ECBody
			if x, err = ParseECBody(state); err == nil {
				got = x.AppendBinary(nil)
				x.Close()
			}
		}
		switch {
		case err != nil && wire.CodeOf(err) != wire.ErrMalformed:
			t.Fatal(err)
		case err == nil && !bytes.Equal(got, b[1:]):
			t.Fatalf("%x is written as %x", b[1:], got)
		}
	})
}
