package factom

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

func TestCommitsAreReadStrictly(t *testing.T) {
	entry, chain := unhex(entryCommit), unhex(chainCommit)
	with := func(b []byte, at int, v byte) []byte {
		c := bytes.Clone(b)
		c[at] = v
		return c
	}
	const entryCredits, chainCredits = 39, 103
	for name, b := range map[string][]byte{
		"nothing": nil, "entry commit and a byte": append(bytes.Clone(entry), 0), "entry commit less a byte": entry[:135],
		"chain commit and a byte": append(bytes.Clone(chain), 0), "chain commit less a byte": chain[:199],
		"version 1": with(entry, 0, 1), "chain version 255": with(chain, 0, 255),
		"no credits": with(entry, entryCredits, 0), "11 credits for an entry": with(entry, entryCredits, 11),
		"10 credits for a chain": with(chain, chainCredits, 10), "no credits for a chain": with(chain, chainCredits, 0),
		"21 credits for a chain": with(chain, chainCredits, 21), "255 credits": with(chain, chainCredits, 255),
	} {
		if k, err := ParseCommit(b); wire.CodeOf(err) != wire.ErrCommitMalformed || k != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for credits := byte(1); credits <= 10; credits++ {
		if k, err := ParseCommit(with(entry, entryCredits, credits)); err != nil || k.Credits != credits {
			t.Errorf("%d credits for an entry: %v", credits, err)
		}
		if k, err := ParseCommit(with(chain, chainCredits, 10+credits)); err != nil || k.Credits != 10+credits {
			t.Errorf("%d credits for a chain: %v", 10+credits, err)
		}
	}
}

func TestEveryBitOfACommitIsSigned(t *testing.T) {
	for _, text := range []string{entryCommit, chainCommit} {
		b := unhex(text)
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			if k, err := ParseCommit(b); err == nil {
				if s := k.Signed(); s.Verify() {
					t.Errorf("bit %d of %d bytes is not signed", bit, len(b))
				}
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestEntriesCostACreditPerKiB(t *testing.T) {
	for payload, want := range map[int]uint64{0: 1, 1: 1, 1024: 1, 1025: 2, 2048: 2, 10_239: 10, 10_240: 10} {
		e := must((&Entry{Content: make([]byte, payload)}).Marshal())
		if got := EntryCost(e); got != want {
			t.Errorf("%d bytes cost %d, want %d", payload, got, want)
		}
		if k := must(NewEntryCommit(e, vectorTime, zeroKey)); uint64(k.Credits) != want || k.Covers(e) != nil {
			t.Errorf("%d bytes are committed to with %d credits", payload, k.Credits)
		}
	}
	if EntryCost(nil) != 1 {
		t.Error("nothing is free")
	}
}

// chainOf makes a first entry and a chain commit for it that pays enough.
func chainOf(name string) (entry []byte, k *Commit) {
	ids := [][]byte{[]byte(name)}
	entry = must((&Entry{ChainID: ChainID(ids), ExtIDs: ids, Content: []byte("x")}).Marshal())
	return entry, must(NewChainCommit(entry, vectorTime, zeroKey))
}

// resigned is the commit after a change, signed again: the attacker is the payer.
func resigned(k *Commit, change func(*Commit)) *Commit {
	c := *k
	change(&c)
	if err := c.sign(zeroKey); err != nil {
		panic(err)
	}
	return must(ParseCommit(c.Bytes()))
}

// A chain under an id its name does not hash to (specification §3, §13.13).
func TestAttackForgedChainID(t *testing.T) {
	victim := someHash(1)
	forged := must((&Entry{ChainID: victim, ExtIDs: [][]byte{[]byte("mine")}}).Marshal())
	if _, err := NewChainCommit(forged, vectorTime, zeroKey); wire.CodeOf(err) != wire.ErrWrongChainID {
		t.Errorf("a commit was made: %v", err)
	}
	// Every way to fill the commit: for the forged id, for the one the name
	// hashes to, and as the shipped programs check it.
	honest := ChainID([][]byte{[]byte("mine")})
	_, k := chainOf("mine")
	for _, id := range []wire.Hash{victim, honest} {
		for _, weld := range []wire.Hash{victim, honest} {
			c := resigned(k, func(c *Commit) {
				c.EntryHash, c.ChainIDHash, c.Weld = EntryHash(forged), ChainIDHash(id), Weld(EntryHash(forged), weld)
			})
			if err := c.Covers(forged); wire.CodeOf(err) != wire.ErrWrongChainID {
				t.Errorf("id %s, weld %s: %v", id, weld, err)
			}
		}
	}
}

// A weld that binds another entry or chain (specification §3, §13.13).
func TestAttackWrongWeld(t *testing.T) {
	entry, k := chainOf("weld")
	chain := ChainID([][]byte{[]byte("weld")})
	reversed := doubleHash(chain[:], k.EntryHash[:]) // the paper's order
	for name, weld := range map[string]wire.Hash{
		"zero": {}, "other entry": Weld(someHash(1), chain), "other chain": Weld(k.EntryHash, someHash(1)), "reversed": reversed,
	} {
		c := resigned(k, func(c *Commit) { c.Weld = weld })
		if err := c.Covers(entry); wire.CodeOf(err) != wire.ErrVoidReveal {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := resigned(k, func(c *Commit) { c.ChainIDHash = ChainIDHash(someHash(1)) })
	if err := c.Covers(entry); wire.CodeOf(err) != wire.ErrVoidReveal {
		t.Errorf("other chain id hash: %v", err)
	}
}

// Shipped programs write such an entry down in another form and acknowledge
// another hash than the sender's (specification §3).
func TestAttackMalformedExtIDArea(t *testing.T) {
	for name, tail := range map[string]string{
		"ends inside a length": "0001aa", "element crosses the area": "0004000561626364", "area beyond the entry": "00ff0001",
	} {
		entry := unhex("00" + testChain + tail)
		if _, err := NewEntryCommit(entry, vectorTime, zeroKey); wire.CodeOf(err) != wire.ErrEntryMalformed {
			t.Errorf("%s: a commit was made: %v", name, err)
		}
		c := resigned(must(ParseCommit(unhex(entryCommit))), func(c *Commit) { c.EntryHash = EntryHash(entry) })
		if err := c.Covers(entry); wire.CodeOf(err) != wire.ErrEntryMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACommitPaysForItsEntryOnly(t *testing.T) {
	entry, k := chainOf("payment")
	other, _ := chainOf("other")
	if err := k.Covers(other); wire.CodeOf(err) != wire.ErrNoCommit {
		t.Errorf("another entry: %v", err)
	}
	if err := k.Covers(entry); err != nil {
		t.Error(err)
	}
	large := must((&Entry{Content: make([]byte, 3000)}).Marshal())
	c := resigned(must(NewEntryCommit(large, vectorTime, zeroKey)), func(c *Commit) { c.Credits = 2 })
	if err := c.Covers(large); wire.CodeOf(err) != wire.ErrUnderpaid {
		t.Errorf("2 credits for 3000 bytes: %v", err)
	}
	if c = resigned(c, func(c *Commit) { c.Credits = 9 }); c.Covers(large) != nil {
		t.Error("more than enough is not enough")
	}
	if _, err := NewEntryCommit(entry, MaxTimestampMs+1, zeroKey); wire.CodeOf(err) != wire.ErrCommitMalformed {
		t.Errorf("a time beyond six bytes: %v", err)
	}
}

func TestCommitsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 6).Draw(t, "ids")
		entry, err := (&Entry{ChainID: ChainID(ids), ExtIDs: ids, Content: rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "content")}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		build := NewEntryCommit
		if rapid.Bool().Draw(t, "chain") {
			build = NewChainCommit
		}
		k, err := build(entry, rapid.Uint64Range(0, MaxTimestampMs).Draw(t, "time"), zeroKey)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCommit(k.Bytes())
		if err != nil || *again != *k || again.Covers(entry) != nil {
			t.Fatalf("%+v became %+v, %v", k, again, err)
		}
		if s := again.Signed(); !s.Verify() {
			t.Fatal("the signature does not hold")
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	f.Add(unhex(entryCommit))
	f.Add(unhex(chainCommit))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseCommit(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrCommitMalformed {
				t.Fatalf("%v", err)
			}
			return
		}
		if !bytes.Equal(k.Bytes(), b) {
			t.Fatalf("%x is written as %x", b, k.Bytes())
		}
	})
}
