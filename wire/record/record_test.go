package record

import (
	"bytes"
	"encoding/json"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
)

var payer = wire.NewPrivateKey([32]byte{1})

// signedMs is when the tests' messages are signed.
const signedMs = 1_700_000_000_000

// entry makes an entry with size bytes of payload, first in its chain.
func entry(t testing.TB, size int) []byte {
	e := factom.Entry{ChainID: factom.ChainID(nil), Content: make([]byte, size)}
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pair(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addEntry(t testing.TB, entry []byte) []byte {
	b, err := AddEntry(entry, signedMs, payer)
	return pair(t, b, err)
}

func createChain(t testing.TB, entry []byte) []byte {
	b, err := CreateChain(entry, signedMs, payer)
	return pair(t, b, err)
}

func TestCostFollowsTheTable(t *testing.T) {
	for size, want := range map[int]uint64{0: 1, 1: 1, 1023: 1, 1024: 1, 1025: 2, 2048: 2, 2049: 3, 10_239: 10, 10_240: 10} {
		add, err := Decode(addEntry(t, entry(t, size)))
		if err != nil || uint64(add.Commit.Credits) != want {
			t.Errorf("entry of %d bytes costs %d, want %d, %v", size, add.Commit.Credits, want, err)
		}
		create, err := Decode(createChain(t, entry(t, size)))
		if err != nil || uint64(create.Commit.Credits) != want+10 {
			t.Errorf("chain with %d bytes costs %d, want %d, %v", size, create.Commit.Credits, want+10, err)
		}
	}
}

// The hash of what was sent is the hash of what is recorded.
func TestPayloadsCarryCommitAndEntryAsSigned(t *testing.T) {
	b := entry(t, 5)
	for kind, payload := range map[byte][]byte{KindChainPair: createChain(t, b), KindEntryPair: addEntry(t, b), KindReveal: Reveal(b)} {
		p, err := Decode(payload)
		if err != nil || p.Kind != kind || !bytes.Equal(p.Bytes, b) || p.Hash != factom.EntryHash(b) || p.Entry.ChainID != factom.ChainID(nil) {
			t.Errorf("kind %d: %+v, %v", kind, p, err)
		}
	}
	for size, payload := range map[int][]byte{136: addEntry(t, b), 200: createChain(t, b)} {
		commit := payload[1 : 1+size]
		p, err := Decode(Commit(commit))
		if err != nil || !bytes.Equal(p.Paid, commit) || !bytes.Equal(p.Commit.Bytes(), commit) || p.Entry != nil {
			t.Errorf("commit of %d bytes: %+v, %v", size, p, err)
		}
		if s := p.Commit.Signed(); !s.Verify() || s.Key != payer.Public() {
			t.Errorf("commit of %d bytes is not signed", size)
		}
	}
}

func TestOnlyItsNameMakesAChain(t *testing.T) {
	b := entry(t, 5)
	b[1] ^= 1 // another chain id
	if _, err := CreateChain(b, signedMs, payer); wire.CodeOf(err) != wire.ErrWrongChainID {
		t.Errorf("chain under a foreign id: %v", err)
	}
	if _, err := Decode(addEntry(t, b)); err != nil {
		t.Errorf("an entry needs no name: %v", err)
	}
}

// resigned is a chain commit for an entry that says what it should not.
func resigned(t testing.TB, entry []byte, spoil func(c *factom.Commit)) *factom.Commit {
	c, err := factom.NewChainCommit(entry, signedMs, payer)
	if err != nil {
		t.Fatal(err)
	}
	spoil(c)
	c.Signature = payer.SignMessage(c.Ledger())
	return c
}

// Each of the three rules of specification §3, and the price, is checked by itself.
func TestHalvesOfAPairBelongTogether(t *testing.T) {
	b, other := entry(t, 5), entry(t, 1025)
	foreign := bytes.Clone(b)
	foreign[1] ^= 1
	foreignID := wire.Hash(foreign[1:33])
	for name, x := range map[string]struct {
		commit *factom.Commit
		entry  []byte
		code   wire.Code
	}{
		"fits":           {resigned(t, b, func(*factom.Commit) {}), b, wire.OK},
		"more than due":  {resigned(t, b, func(c *factom.Commit) { c.Credits = 20 }), b, wire.OK},
		"another entry":  {resigned(t, b, func(*factom.Commit) {}), other, wire.ErrNoCommit},
		"another chain":  {resigned(t, b, func(c *factom.Commit) { c.ChainIDHash[0] ^= 1 }), b, wire.ErrVoidReveal},
		"another weld":   {resigned(t, b, func(c *factom.Commit) { c.Weld[0] ^= 1 }), b, wire.ErrVoidReveal},
		"one too little": {resigned(t, other, func(c *factom.Commit) { c.Credits-- }), other, wire.ErrUnderpaid},
		"forged chain id": {resigned(t, b, func(c *factom.Commit) {
			c.EntryHash = factom.EntryHash(foreign)
			c.ChainIDHash, c.Weld = factom.ChainIDHash(foreignID), factom.Weld(c.EntryHash, foreignID)
		}), foreign, wire.ErrWrongChainID},
	} {
		if _, err := Decode(payload(KindChainPair, x.commit.Bytes(), x.entry)); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	add, create := addEntry(t, entry(t, 1)), createChain(t, entry(t, 1))
	area := entry(t, 9)
	area[34] = 200 // an external id area longer than what follows
	for name, x := range map[string]struct {
		payload []byte
		code    wire.Code
	}{
		"nothing":              {nil, wire.ErrMalformed},
		"kind 0":               {append([]byte{0}, entry(t, 1)...), wire.ErrMalformed},
		"kind 6":               {append([]byte{6}, entry(t, 1)...), wire.ErrMalformed},
		"no commit":            {[]byte{KindCommit}, wire.ErrCommitMalformed},
		"a byte too short":     {Commit(add[1:136]), wire.ErrCommitMalformed},
		"a byte too long":      {Commit(append(bytes.Clone(add[1:137]), 0)), wire.ErrCommitMalformed},
		"no entry":             {[]byte{KindReveal}, wire.ErrEntryMalformed},
		"crossing area":        {Reveal(area), wire.ErrEntryMalformed},
		"too large":            {Reveal(make([]byte, factom.MaxEntry+1)), wire.ErrEntryTooLarge},
		"pair of half commit":  {add[:100], wire.ErrCommitMalformed},
		"pair of nothing":      {[]byte{KindEntryPair}, wire.ErrCommitMalformed},
		"pair without entry":   {add[:137], wire.ErrEntryMalformed},
		"chain pair, no entry": {create[:201], wire.ErrEntryMalformed},
		"pairs exchanged":      {append([]byte{KindChainPair}, add[1:]...), wire.ErrCommitMalformed},
		"short word":           {append([]byte{KindSign}, make([]byte, 67)...), wire.ErrMalformed},
		"long word":            {append([]byte{KindSign}, make([]byte, 69)...), wire.ErrMalformed},
	} {
		if p, err := Decode(x.payload); wire.CodeOf(err) != x.code || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServersWordReadsBack(t *testing.T) {
	header := make([]byte, factom.DirectoryBlockHeaderSize)
	p, err := Decode(SignDirectory(7, header, payer))
	if err != nil || p.Sign.Height != 7 || !payer.Public().VerifyMessage(header, p.Sign.Signature) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestTheLargestPairFitsATransaction(t *testing.T) {
	if n := len(createChain(t, entry(t, factom.MaxEntryPayload))); n > wire.MaxPayload {
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
	if d := DirectoryKey(0x01020304); !bytes.Equal(d, []byte("d\x01\x02\x03\x04")) || bytes.Equal(d, ProgressKey) {
		t.Errorf("%x", d)
	}
}

// A minute is a tenth of the period; what a late block adds belongs to the tenth.
func TestMinutesAreTenthsOfThePeriod(t *testing.T) {
	const period = 10_000
	opened := Period(signedMs+1, period)
	if opened != signedMs {
		t.Fatalf("the period of %d began at %d", uint64(signedMs+1), opened)
	}
	for after, want := range map[uint64]uint8{0: 1, 999: 1, 1000: 2, 8999: 9, 9000: 10, 9999: 10, 10_000: 10, 1 << 40: 10} {
		if got := Minute(opened+after, opened, period); got != want {
			t.Errorf("%d ms after the opening is minute %d, want %d", after, got, want)
		}
	}
}

func TestParametersAreBounded(t *testing.T) {
	p, err := ParseParams(nil)
	if err != nil || p.PeriodMs != DefaultPeriodMs || p.NetworkID != DefaultNetworkID {
		t.Fatalf("by default %+v, %v", p, err)
	}
	for name, x := range map[string]struct {
		p  Params
		ok bool
	}{
		"shortest":         {Params{PeriodMs: MinPeriodMs}, true},
		"longest":          {Params{PeriodMs: MaxPeriodMs}, true},
		"too short":        {Params{PeriodMs: MinPeriodMs - 10}, false},
		"too long":         {Params{PeriodMs: MaxPeriodMs + 10}, false},
		"no ten minutes":   {Params{PeriodMs: MinPeriodMs + 1}, false},
		"most anchor keys": {Params{AnchorKeys: make([]AnchorKey, MaxAnchorKeys)}, true},
		"too many":         {Params{AnchorKeys: make([]AnchorKey, MaxAnchorKeys+1)}, false},
	} {
		b, err := json.Marshal(x.p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseParams(b); (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseParams([]byte(`{"x":1}`)); err == nil {
		t.Error("an unknown parameter")
	}
}

func TestOrdersAreReadStrictly(t *testing.T) {
	good := (&Order{AnchorKey: &AnchorKey{Node: wire.NodeID{1}, Priority: 1, Type: 1, Key: [20]byte{2}}}).Bytes()
	if o, err := DecodeOrder(good); err != nil || !bytes.Equal(o.Bytes(), good) {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "no order": (&Order{}).Bytes(), "type 2": (&Order{AnchorKey: &AnchorKey{Type: 2}}).Bytes(),
		"trailing": append(bytes.Clone(good), 0), "cut": good[:len(good)-1], "long": make([]byte, 513),
	} {
		if o, err := DecodeOrder(b); wire.CodeOf(err) != wire.ErrMalformed || o != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(createChain(f, entry(f, 3)))
	f.Add(addEntry(f, entry(f, 3)))
	f.Add(Reveal(entry(f, 3)))
	f.Add(Commit(addEntry(f, entry(f, 3))[1:137]))
	f.Add(SignDirectory(1, make([]byte, 113), payer))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			if wire.CodeOf(err) == wire.ErrInternal {
				t.Fatalf("%v carries no code", err)
			}
			return
		}
		again := payload(p.Kind, p.Paid, p.Bytes)
		if p.Sign != nil {
			return // its two fields fill the payload
		}
		if !bytes.Equal(again, b) || p.Commit != nil && !bytes.Equal(p.Commit.Bytes(), p.Paid) {
			t.Fatalf("%x, %+v", again, p)
		}
	})
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add((&Order{AnchorKey: &AnchorKey{Node: wire.NodeID{1}, Type: 1}}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := DecodeOrder(b); err == nil && !bytes.Equal(o.Bytes(), b) {
			t.Fatalf("%x is a second encoding of %x", b, o.Bytes())
		}
	})
}

func FuzzProvedState(f *testing.F) {
	f.Add(wire.Marshal(Progress{PeriodMs: DefaultPeriodMs, Height: 7}))
	f.Add(wire.Marshal(Directory{Height: 7, Coinbase: []byte{1}, AdminBlock: []byte{2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := DecodeProgress(b); err == nil && !bytes.Equal(wire.Marshal(p), b) {
			t.Fatalf("progress %x", b)
		}
		if d, err := DecodeDirectory(b); err == nil && !bytes.Equal(wire.Marshal(d), b) {
			t.Fatalf("directory %x", b)
		}
	})
}
