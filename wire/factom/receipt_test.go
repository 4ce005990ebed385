package factom

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// vectorReceipt is the receipt of §17.5, built of the blocks of §17.4.
func vectorReceipt() *Receipt {
	return must(BuildReceipt(unhex(blockEntry), must(ParseEntryBlock(unhex(entryBlock))), must(ParseDirectoryBlock(unhex(directoryBlock1)))))
}

func TestTheReceiptMatchesTheVector(t *testing.T) {
	r := vectorReceipt()
	want := [][3]string{
		{"5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c", "000000000000000000000000000000000000000000000000000000000000000a", "8d3676dcdca28d5911e0c28853eb7b9d59ffd9c643ffbe5c8351f6dae9f0601c"},
		{"ef2b69affc7551ac90daea37825ea4d2d5e52e8b731bd528f6be7680a4a479e9", "8d3676dcdca28d5911e0c28853eb7b9d59ffd9c643ffbe5c8351f6dae9f0601c", "6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727"},
		{"ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d", "6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727", "f65d8a1c13489cebef93993aabc82dc5b12b06b79f3fbd57f538188882c8f8be"},
		{"f4e2c6ce04b24bc57fbb69ea5dbefd31e0c85f7566364e811210f1cb5f76ce89", "f65d8a1c13489cebef93993aabc82dc5b12b06b79f3fbd57f538188882c8f8be", "85548a088a8256ce6a49203df692c74c02590b8812d35586d186019d189fdd99"},
		{"062c9f0ab3e2d7a8e1dee868f4b184406ee9a626a6270c2c3b4a075fd6bc5105", "85548a088a8256ce6a49203df692c74c02590b8812d35586d186019d189fdd99", "f1aa8c017bdd2b3fd4d6184993985743f6ff3cedf8c09cc6d07df76dc72d95bb"},
		{"6b8e30dd05045b21a0bebbd585280efa5b5676d75095604fcdc8a73aabbe5cad", "f1aa8c017bdd2b3fd4d6184993985743f6ff3cedf8c09cc6d07df76dc72d95bb", "bf542b99100bf87b3797b4e432d09b57c0f6248c8454abe9bbfe667ba7396d79"},
	}
	if len(r.MerkleBranch) != len(want) {
		t.Fatalf("%d steps", len(r.MerkleBranch))
	}
	for i, s := range r.MerkleBranch {
		isHash(t, "a left side", s.Left, want[i][0])
		isHash(t, "a right side", s.Right, want[i][1])
		isHash(t, "a top", s.Top, want[i][2])
	}
	p, err := r.Verify()
	if err != nil {
		t.Fatal(err)
	}
	isHash(t, "the entry", p.EntryHash, want[0][0])
	isHash(t, "the chain", p.ChainID, want[2][0])
	isHash(t, "the entry block", p.EntryBlockKeyMR, want[1][2])
	isHash(t, "the directory block", p.DirectoryBlockKeyMR, want[5][2])
	if p.Position != 3 || len(p.EntryBranch) != 1 || len(p.DirectoryBranch) != 2 || string(p.Entry.Content) != "Hello Cloister" {
		t.Errorf("%+v", p)
	}
	// The entry is of minute 10.
	if d := must(ParseDirectoryBlock(unhex(directoryBlock1))); r.Entry.Timestamp != 60*int64(d.Header.Minutes)+600 || r.CheckHeader(&d.Header) != nil {
		t.Errorf("timestamp %d, opening minute %d, %v", r.Entry.Timestamp, d.Header.Minutes, r.CheckHeader(&d.Header))
	}
}

func TestReceiptsReadBackFromJSON(t *testing.T) {
	r := vectorReceipt()
	for _, name := range []string{`"entry"`, `"raw"`, `"entryhash"`, `"timestamp"`, `"merklebranch"`, `"left"`, `"right"`, `"top"`, `"entryblockkeymr"`, `"directoryblockkeymr"`, `"directoryblockheight"`} {
		if !bytes.Contains(r.JSON(), []byte(name)) {
			t.Errorf("%s is missing in %s", name, r.JSON())
		}
	}
	x, err := ParseReceipt(r.JSON())
	if err != nil || !bytes.Equal(x.JSON(), r.JSON()) {
		t.Fatalf("%v became %v, %v", r, x, err)
	}
	if _, err := x.Verify(); err != nil {
		t.Error(err)
	}
	good := string(r.JSON())
	for name, text := range map[string]string{
		"nothing": "", "another value": "[]", "cut": good[:len(good)-3], "unknown field": strings.Replace(good, `"entry":`, `"more":1,"entry":`, 1),
		"upper case":    strings.Replace(good, "5c07c28a", "5C07C28A", 1),
		"short hash":    strings.Replace(good, "5c07c28a", "5c07c2", 1),
		"negative":      strings.Replace(good, `"directoryblockheight": 1`, `"directoryblockheight": -1`, 1),
		"said twice":    strings.Replace(good, `"directoryblockheight": 1`, `"directoryblockheight": 1, "directoryblockheight": 1`, 1),
		"trailing text": good + "{}",
		"too long":      good + strings.Repeat(" ", MaxReceipt),
	} {
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		if x, err := ParseReceipt([]byte(text)); wire.CodeOf(err) != wire.ErrReceiptInvalid || x != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func refused(t *testing.T, what string, r *Receipt) {
	t.Helper()
	if p, err := r.Verify(); wire.CodeOf(err) != wire.ErrReceiptInvalid || p != nil {
		t.Errorf("%s: proves %+v, %v", what, p, err)
	}
}

// changed is the vector's receipt after a change, with or without its raw entry.
func changed(raw bool, change func(*Receipt)) *Receipt {
	r := vectorReceipt()
	if !raw {
		r.Entry.Raw = nil
	}
	change(r)
	return r
}

// The shipped verifier accepts each of these (specification §12, §13.14).
func TestAttackEntryHashReplaced(t *testing.T) {
	for _, raw := range []bool{true, false} {
		refused(t, "another entry hash", changed(raw, func(r *Receipt) { r.Entry.EntryHash = someHash(1) }))
		refused(t, "a later node as entry hash", changed(raw, func(r *Receipt) { r.Entry.EntryHash = r.MerkleBranch[0].Top }))
	}
	other, _ := chainOf("other")
	refused(t, "another raw entry", changed(true, func(r *Receipt) { r.Entry.Raw = other }))
	refused(t, "another raw entry with its hash", changed(true, func(r *Receipt) { r.Entry.Raw, r.Entry.EntryHash = other, EntryHash(other) }))
	refused(t, "a raw entry that is none", changed(true, func(r *Receipt) { r.Entry.Raw = wire.Hex{0} }))
}

func TestAttackStepsThatDoNotConnect(t *testing.T) {
	for _, raw := range []bool{true, false} {
		for i := range vectorReceipt().MerkleBranch {
			refused(t, "a step exchanged", changed(raw, func(r *Receipt) { r.MerkleBranch[i] = newStep(someHash(1), someHash(2)) }))
			refused(t, "a left side exchanged", changed(raw, func(r *Receipt) { r.MerkleBranch[i].Left = someHash(1) }))
			refused(t, "a right side exchanged", changed(raw, func(r *Receipt) { r.MerkleBranch[i].Right = someHash(1) }))
			refused(t, "a top exchanged", changed(raw, func(r *Receipt) { r.MerkleBranch[i].Top = someHash(1) }))
			refused(t, "a step left out", changed(raw, func(r *Receipt) { r.MerkleBranch = slices.Delete(r.MerkleBranch, i, i+1) }))
			refused(t, "a step twice", changed(raw, func(r *Receipt) { r.MerkleBranch = slices.Insert(r.MerkleBranch, i, r.MerkleBranch[i]) }))
		}
		refused(t, "sides exchanged", changed(raw, func(r *Receipt) {
			s := &r.MerkleBranch[0]
			s.Left, s.Right = s.Right, s.Left
		}))
	}
}

func TestAttackReceiptSplicing(t *testing.T) {
	// The head of one true receipt with the tail of another.
	a, b := twoReceipts()
	for cut := 1; cut < len(a.MerkleBranch); cut++ {
		r := *a
		r.MerkleBranch = slices.Concat(a.MerkleBranch[:cut], b.MerkleBranch[cut:])
		r.DirectoryBlockKeyMR = b.DirectoryBlockKeyMR
		if !slices.Equal(r.MerkleBranch, a.MerkleBranch) {
			refused(t, "spliced", &r)
		}
	}
	refused(t, "another directory block named", changed(true, func(r *Receipt) { r.DirectoryBlockKeyMR = someHash(1) }))
	refused(t, "another entry block named", changed(true, func(r *Receipt) { r.EntryBlockKeyMR = someHash(1) }))
	refused(t, "the path goes on after the directory block", changed(true, func(r *Receipt) {
		r.MerkleBranch = append(r.MerkleBranch, newStep(r.DirectoryBlockKeyMR, someHash(1)))
	}))
	for i, s := range vectorReceipt().MerkleBranch {
		if i != 1 {
			refused(t, "another node named as entry block", changed(false, func(r *Receipt) { r.EntryBlockKeyMR = s.Top }))
		}
	}
}

// twoReceipts are of two entries of one chain in two directory blocks.
func twoReceipts() (a, b *Receipt) {
	list := [2]*Receipt{}
	chain := someHash(7)
	for i := range list {
		entry := must((&Entry{ChainID: chain, Content: []byte{byte(i)}}).Marshal())
		eb := must(NewEntryBlock(EntryBlockHeader{ChainID: chain, Height: uint32(i)}, []EntryAt{{1, EntryHash(entry)}}))
		db := must(NewDirectoryBlock(DirectoryBlockHeader{Height: uint32(i)}, []Pair{
			{AdminChain, someHash(1)}, {EntryCreditChain, someHash(2)}, {FactoidChain, someHash(uint64(3 + i))}, {chain, eb.KeyMR()},
		}))
		list[i] = must(BuildReceipt(entry, eb, db))
	}
	return list[0], list[1]
}

func TestAttackMarkerAsEntry(t *testing.T) {
	// A true path from the block's marker instead of its entry.
	eb := must(ParseEntryBlock(unhex(entryBlock)))
	r := changed(false, func(r *Receipt) {
		r.Entry.EntryHash = MinuteMarker(10)
		r.MerkleBranch = append(MerkleBranch(eb.Body, 1), r.MerkleBranch[1:]...)
	})
	if err := r.connect(); err != nil {
		t.Fatal(err)
	}
	refused(t, "a marker", r)
}

func TestAttackShortPath(t *testing.T) {
	for cut := 1; cut < minPath; cut++ {
		refused(t, "a path cut at its start", changed(false, func(r *Receipt) {
			r.MerkleBranch = r.MerkleBranch[cut:]
			r.Entry.EntryHash = r.MerkleBranch[0].Right
		}))
		refused(t, "a path cut at its end", changed(false, func(r *Receipt) {
			r.MerkleBranch = r.MerkleBranch[:len(r.MerkleBranch)-cut]
			r.DirectoryBlockKeyMR = r.MerkleBranch[len(r.MerkleBranch)-1].Top
		}))
	}
	refused(t, "no path", changed(false, func(r *Receipt) { r.MerkleBranch = nil }))
	refused(t, "nothing", new(Receipt))
	refused(t, "an endless path", changed(false, func(r *Receipt) {
		at := r.Entry.EntryHash
		var longer []Step
		for range 40 {
			longer = append(longer, newStep(at, at))
			at = longer[len(longer)-1].Top
		}
		r.MerkleBranch = append(longer, r.MerkleBranch...)
	}))
}

// crafted is a path through trees an attacker made, from the sides it goes
// through: 'l' means that what is proved so far is on the left.
func crafted(entry wire.Hash, chain wire.Hash, branch, headerSide, chainSide, directory, lastSide string) *Receipt {
	r := &Receipt{Entry: ReceiptEntry{EntryHash: entry}}
	at := entry
	walk := func(sides string, sibling wire.Hash) {
		for _, side := range sides {
			s := newStep(at, sibling)
			if side == 'r' {
				s = newStep(sibling, at)
			}
			r.MerkleBranch, at = append(r.MerkleBranch, s), s.Top
		}
	}
	walk(branch, someHash(1))
	walk(headerSide, someHash(2))
	r.EntryBlockKeyMR = at
	walk(chainSide, chain)
	walk(directory, someHash(3))
	walk(lastSide, someHash(4))
	r.DirectoryBlockKeyMR = at
	return r
}

func TestEveryPartOfAReceiptHasItsPlace(t *testing.T) {
	entry, chain := someHash(10), someHash(11)
	for name, v := range map[string]struct {
		r  *Receipt
		ok bool
	}{
		"as it should be":                      {crafted(entry, chain, "l", "r", "r", "rr", "r"), true},
		"deeper":                               {crafted(entry, chain, "lrl", "r", "r", "llr", "r"), true},
		"body root on the left of its header":  {crafted(entry, chain, "l", "l", "r", "rr", "r"), false},
		"entry block on the left of its chain": {crafted(entry, chain, "l", "r", "l", "rr", "r"), false},
		"directory's root on the left":         {crafted(entry, chain, "l", "r", "r", "rr", "l"), false},
		"in the place of the factoid block":    {crafted(entry, chain, "l", "r", "r", "lr", "r"), false},
		"in the place of the admin block":      {crafted(entry, chain, "l", "r", "r", "lll", "r"), false},
		"directory of two":                     {crafted(entry, chain, "ll", "r", "r", "r", "r"), false},
		"no branch in the entry block":         {crafted(entry, chain, "", "r", "r", "rrr", "r"), false},
		"admin chain":                          {crafted(entry, AdminChain, "l", "r", "r", "rr", "r"), false},
		"entry credit chain":                   {crafted(entry, EntryCreditChain, "l", "r", "r", "rr", "r"), false},
		"factoid chain":                        {crafted(entry, FactoidChain, "l", "r", "r", "rr", "r"), false},
		"directory chain":                      {crafted(entry, DirectoryChain, "l", "r", "r", "rr", "r"), false},
		"entry hash of zeros":                  {crafted(wire.Hash{}, chain, "l", "r", "r", "rr", "r"), false},
		"entry branch too long":                {crafted(entry, chain, strings.Repeat("l", 33), "r", "r", "rr", "r"), false},
		"directory branch too long":            {crafted(entry, chain, "l", "r", "r", strings.Repeat("r", 33), "r"), false},
		"both as long as they may be":          {crafted(entry, chain, strings.Repeat("l", 32), "r", "r", strings.Repeat("r", 32), "r"), true},
	} {
		if p, err := v.r.Verify(); (err == nil) != v.ok || err != nil && wire.CodeOf(err) != wire.ErrReceiptInvalid {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	// A true path for a raw entry of another chain.
	raw := must((&Entry{ChainID: someHash(12)}).Marshal())
	r := crafted(EntryHash(raw), chain, "l", "r", "r", "rr", "r")
	if _, err := r.Verify(); err != nil {
		t.Fatal(err)
	}
	r.Entry.Raw = raw
	refused(t, "raw entry of another chain", r)
}

func TestAReceiptIsCheckedAgainstItsHeader(t *testing.T) {
	r, d := vectorReceipt(), must(ParseDirectoryBlock(unhex(directoryBlock1)))
	d0 := must(ParseDirectoryBlock(unhex(directoryBlock0)))
	if err := r.CheckHeader(&d0.Header); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("another block: %v", err)
	}
	r.DirectoryBlockHeight++
	if err := r.CheckHeader(&d.Header); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("another height: %v", err)
	}
}

func TestReceiptsAreBuiltOnlyOfBlocksThatHoldTheEntry(t *testing.T) {
	eb, d0, d1 := must(ParseEntryBlock(unhex(entryBlock))), must(ParseDirectoryBlock(unhex(directoryBlock0))), must(ParseDirectoryBlock(unhex(directoryBlock1)))
	if _, err := BuildReceipt(unhex(firstEntry), eb, d1); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("another entry: %v", err)
	}
	if _, err := BuildReceipt(unhex(blockEntry), eb, d0); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("another directory block: %v", err)
	}
	if _, err := BuildReceipt([]byte{1}, eb, d1); wire.CodeOf(err) != wire.ErrEntryMalformed {
		t.Errorf("no entry: %v", err)
	}
}

// Every entry of blocks of any size has a receipt, and it proves just that entry.
func TestEveryEntryHasItsReceipt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chain := someHash(1000)
		var raws [][]byte
		var entries []EntryAt
		for i, m := range minutes(t) {
			raws = append(raws, must((&Entry{ChainID: chain, Content: wire.U64(uint64(i))}).Marshal()))
			entries = append(entries, EntryAt{m, EntryHash(raws[i])})
		}
		eb := must(NewEntryBlock(EntryBlockHeader{ChainID: chain}, entries))
		pairs := []Pair{{AdminChain, someHash(1)}, {EntryCreditChain, someHash(2)}, {FactoidChain, someHash(3)}, {chain, eb.KeyMR()}}
		for n := range rapid.Uint64Range(0, 20).Draw(t, "other chains") {
			pairs = append(pairs, Pair{someHash(n), someHash(n)})
		}
		slices.SortFunc(pairs, func(a, b Pair) int { return bytes.Compare(a.ChainID[:], b.ChainID[:]) })
		db := must(NewDirectoryBlock(DirectoryBlockHeader{Minutes: 100, Height: 5}, pairs))
		for i, raw := range raws {
			r, err := BuildReceipt(raw, eb, db)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = ParseReceipt(r.JSON()); err != nil {
				t.Fatal(err)
			}
			p, err := r.Verify()
			if err != nil || p.EntryHash != entries[i].Hash || p.ChainID != chain || p.EntryBlockKeyMR != eb.KeyMR() || p.DirectoryBlockKeyMR != db.KeyMR() {
				t.Fatalf("%+v, %v", p, err)
			}
			if p.Position != uint64(slices.Index(db.Body, Pair{chain, eb.KeyMR()})) || r.CheckHeader(&db.Header) != nil {
				t.Fatalf("position %d", p.Position)
			}
			if want := 60 * (100 + int64(entries[i].Minute)); r.Entry.Timestamp != want {
				t.Fatalf("timestamp %d, want %d", r.Entry.Timestamp, want)
			}
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	f.Add(vectorReceipt().JSON())
	f.Add(changed(false, func(*Receipt) {}).JSON())
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseReceipt(text)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrReceiptInvalid {
				t.Fatal(err)
			}
			return
		}
		if _, err := ParseReceipt(r.JSON()); err != nil {
			t.Fatalf("%s does not read back: %v", r.JSON(), err)
		}
		if _, err := r.Verify(); err != nil && wire.CodeOf(err) != wire.ErrReceiptInvalid {
			t.Fatal(err)
		}
	})
}
