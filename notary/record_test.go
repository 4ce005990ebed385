package notary

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/factom"
)

func TestARecordComesBackAsItWasWhateverBytesThePathHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SliceOfN(rapid.Byte().Filter(func(b byte) bool { return b != 0 && b != '/' }), 1, 40).
			Filter(func(b []byte) bool { return string(b) != "." && string(b) != ".." })
		path := bytes.Join(rapid.SliceOfN(part, 1, 5).Draw(t, "parts"), []byte("/"))
		r := Record{Path: string(path), AtMs: rapid.Uint64().Draw(t, "at"), Fingerprint: Fingerprint{
			Link: rapid.Bool().Draw(t, "link"), Size: rapid.Uint64().Draw(t, "size"),
			SHA256: wire.TH("content", path),
		}}
		entry, err := r.Entry(chain, alice)
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := DecodeRecord(entry)
		if err != nil || !ok || *got != r {
			t.Fatalf("got %+v, %v, %v; want %+v", got, ok, err, r)
		}
	})
}

func TestARecordThatWasTouchedIsRefused(t *testing.T) {
	r := Record{Path: "a/b", Fingerprint: Fingerprint{Size: 12, SHA256: wire.Hash{3}}, AtMs: 5}
	entry, err := r.Entry(chain, alice)
	if err != nil {
		t.Fatal(err)
	}
	for i := range entry {
		for _, bit := range []byte{1, 0x20, 0x80} {
			b := bytes.Clone(entry)
			b[i] ^= bit
			got, ok, err := DecodeRecord(b)
			if err == nil && ok {
				t.Fatalf("byte %d changed and the record is accepted as %+v", i, got)
			}
		}
	}
}

func TestPathsThatLeaveTheTreeAreRefused(t *testing.T) {
	for _, path := range []string{"", "/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", "a\x00b", string(make([]byte, MaxPath+1))} {
		r := Record{Path: path}
		if _, err := r.Entry(chain, alice); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%.20q: error %v, want ErrBadRequest", path, err)
		}
	}
}

func TestOtherEntriesOfAChainAreNoRecords(t *testing.T) {
	for _, ids := range [][][]byte{nil, {[]byte("hello")}, name, {[]byte("notarize/v2"), {1}, {2}, {3}}} {
		b, err := (&factom.Entry{ChainID: chain, ExtIDs: ids}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if r, ok, err := DecodeRecord(b); ok || err != nil || r != nil {
			t.Errorf("external ids %q: %+v, %v, %v", ids, r, ok, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, path := range []string{"a", "d/\xff"} {
		r := Record{Path: path, Fingerprint: Fingerprint{Size: 1}, AtMs: 1}
		entry, err := r.Entry(chain, alice)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, entry []byte) {
		r, ok, err := DecodeRecord(entry)
		if err != nil || !ok {
			return
		}
		if checkPath(r.Path) != nil {
			t.Fatalf("path %q accepted", r.Path)
		}
		e, err := factom.ParseEntry(entry)
		if err != nil || !r.Key.Verify(r.digest(e.ChainID), signatureOf(t, e.Content)) {
			t.Fatalf("accepted without a good signature: %v", err)
		}
	})
}

func signatureOf(t *testing.T, b []byte) wire.Signature {
	var c content
	if err := decodeContent(b, &c); err != nil {
		t.Fatal(err)
	}
	return c.Sig
}
