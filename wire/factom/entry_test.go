package factom

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

const testChain = "954d5a49fd70d9b8bcdb35d252267829957f7ef7fa6c74f88419bdc5e82209f4"

// Vectors of factom specification §17.2 and §17.4.
var vectors = map[string]struct {
	entry, hash, chain string
	extIDs             []string
	content            string
}{
	"first entry": {"00" + testChain + "0006000474657374" + "5061796c6f616448657265",
		"be705a58aea4230e99881f625e74cd085b6ef455b94ff144249b9a2f425e8f96", testChain, []string{"test"}, "PayloadHere"},
	"no external id": {"00" + testChain + "0000" + "5061796c6f616448657265",
		"72177d733dcd0492066b79c5f3e417aef7f22909674f7dc351ca13b04742bb91", testChain, nil, "PayloadHere"},
	"one external id": {"00" + testChain + "0007000548656c6c6f" + "5061796c6f616448657265",
		"7956226d7510b175594ea4c54f2f4d72fd5919c2961d2c02aae9ad8dceb97373", testChain, []string{"Hello"}, "PayloadHere"},
	"two external ids, from a running node": {
		"00ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d00140008636c6f69737465720008766563746f722d3148656c6c6f20436c6f6973746572",
		"5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c",
		"ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d", []string{"cloister", "vector-1"}, "Hello Cloister"},
}

func TestEntriesMatchTheVectors(t *testing.T) {
	for name, v := range vectors {
		e, err := ParseEntry(unhex(v.entry))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(bytes.Join(e.ExtIDs, []byte("|"))); e.ChainID.String() != v.chain || got != strings.Join(v.extIDs, "|") || string(e.Content) != v.content {
			t.Errorf("%s: %+v", name, e)
		}
		if got := EntryHash(unhex(v.entry)).String(); got != v.hash {
			t.Errorf("%s has hash %s", name, got)
		}
		if again, err := e.Marshal(); err != nil || hex.EncodeToString(again) != v.entry {
			t.Errorf("%s is written as %x, %v", name, again, err)
		}
	}
}

func TestChainIDsMatchTheVectors(t *testing.T) {
	for want, name := range map[string][]string{
		testChain: {"test"},
		"ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d": {"cloister", "vector-1"},
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": nil,
	} {
		ids := [][]byte{}
		for _, n := range name {
			ids = append(ids, []byte(n))
		}
		if got := ChainID(ids).String(); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if ChainID([][]byte{[]byte("ab"), []byte("c")}) == ChainID([][]byte{[]byte("a"), []byte("bc")}) {
		t.Error("the borders of the names do not matter")
	}
}

func TestMalformedEntriesAreRefused(t *testing.T) {
	head := unhex("00" + testChain)
	for name, tail := range map[string]string{
		"no area size":                  "",
		"half an area size":             "00",
		"area beyond the entry":         "0001",
		"area of one byte":              "000100",
		"area ends inside a length":     "0003000000",
		"element crosses the area":      "0003000261626364",
		"element longer than the entry": "0002ffff",
	} {
		if _, err := ParseEntry(append(bytes.Clone(head), unhex(tail)...)); wire.CodeOf(err) != wire.ErrEntryMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for version := 1; version < 256; version++ {
		b := unhex(vectors["first entry"].entry)
		b[0] = byte(version)
		if _, err := ParseEntry(b); wire.CodeOf(err) != wire.ErrEntryMalformed {
			t.Errorf("version %d: %v", version, err)
		}
	}
	for n := range EntryHeader {
		if _, err := ParseEntry(make([]byte, n)); wire.CodeOf(err) != wire.ErrEntryMalformed {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestEmptyExternalIDsAreHistoryAndStay(t *testing.T) {
	e, err := ParseEntry(unhex("00" + testChain + "0006" + "0000" + "0000" + "0000"))
	if err != nil || len(e.ExtIDs) != 3 || len(e.Content) != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestEntriesHaveTheirLimit(t *testing.T) {
	for _, x := range []struct {
		content, ids int
		code         wire.Code
	}{
		{MaxEntryPayload, 0, wire.OK}, {MaxEntryPayload + 1, 0, wire.ErrEntryTooLarge},
		{MaxEntryPayload - 12, 10, wire.OK}, {MaxEntryPayload - 11, 10, wire.ErrEntryTooLarge},
		{0, 70_000, wire.ErrEntryTooLarge}, {0, MaxEntryPayload - 2, wire.OK},
	} {
		e := &Entry{Content: make([]byte, x.content)}
		if x.ids > 0 {
			e.ExtIDs = [][]byte{make([]byte, x.ids)}
		}
		b, err := e.Marshal()
		if wire.CodeOf(err) != x.code || err == nil && len(b) > MaxEntry {
			t.Errorf("content %d, id %d: %d bytes, %v", x.content, x.ids, len(b), err)
		}
	}
	if _, err := ParseEntry(make([]byte, MaxEntry)); err != nil {
		t.Errorf("largest entry: %v", err)
	}
	if _, err := ParseEntry(make([]byte, MaxEntry+1)); wire.CodeOf(err) != wire.ErrEntryTooLarge {
		t.Errorf("larger than the largest: %v", err)
	}
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &Entry{
			ChainID: wire.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "chain")),
			ExtIDs:  rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 10).Draw(t, "ids"),
			Content: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "content"),
		}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEntry(b)
		if err != nil || got.ChainID != e.ChainID || len(got.ExtIDs) != len(e.ExtIDs) || !bytes.Equal(got.Content, e.Content) {
			t.Fatalf("%+v became %+v, %v", e, got, err)
		}
		for i := range e.ExtIDs {
			if !bytes.Equal(got.ExtIDs[i], e.ExtIDs[i]) {
				t.Fatalf("external id %d became %x", i, got.ExtIDs[i])
			}
		}
		if PayloadSize(b) != len(b)-EntryHeader {
			t.Fatal("payload size")
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(v.entry))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.ErrEntryMalformed && c != wire.ErrEntryTooLarge {
				t.Fatalf("%v carries %s", err, c)
			}
			return
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x, %v", b, again, err)
		}
	})
}
