package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// decoders lists every strict CBOR decoder of the package with a valid input;
// the result is encoded again.
func decoders() map[string]struct {
	valid  []byte
	limit  int
	decode func([]byte) ([]byte, error)
} {
	tx := vectorTx()
	tx.Sign(zeroSeed)
	seal := Seal{View: 300, Sigs: []SlotSig{{Slot: 1, Sig: tx.Signature}, {Slot: 70_000, Sig: tx.Signature}}}
	result := &Result{TxID: filled(1), Code: ErrBusy, Credits: 25, Fee: 1 << 33, Output: []byte("out")}
	return map[string]struct {
		valid  []byte
		limit  int
		decode func([]byte) ([]byte, error)
	}{
		"transaction": {tx.Bytes(), MaxTx, func(b []byte) ([]byte, error) {
			v, err := DecodeTx(b)
			return again(v, err, (*Tx).Bytes)
		}},
		"header": {Marshal(vectorHeader()), MaxHeader, func(b []byte) ([]byte, error) {
			v, err := DecodeHeader(b)
			return again(v, err, func(v *Header) []byte { return Marshal(v) })
		}},
		"seal": {Marshal(seal), MaxSeal, func(b []byte) ([]byte, error) {
			v, err := DecodeSeal(b)
			return again(v, err, func(v *Seal) []byte { return Marshal(v) })
		}},
		"result": {result.Bytes(), MaxResult, func(b []byte) ([]byte, error) {
			v, err := DecodeResult(b)
			return again(v, err, (*Result).Bytes)
		}},
		"genesis": {vectorGenesis().Bytes(), MaxGenesis, func(b []byte) ([]byte, error) {
			v, err := DecodeGenesis(b)
			return again(v, err, (*Genesis).Bytes)
		}},
	}
}

func again[T any](v *T, err error, encode func(*T) []byte) ([]byte, error) {
	if err != nil {
		if v != nil {
			panic("a value besides an error")
		}
		return nil, err
	}
	return encode(v), nil
}

// badVariants turns the encoding of a struct, an array of fields, into inputs
// that carry the same or nearly the same values in a form no decoder may take.
func badVariants(t testing.TB, valid []byte) map[string][]byte {
	var fields []cbor.RawMessage
	if err := cbor.Unmarshal(valid, &fields); err != nil {
		t.Fatal(err)
	}
	with := func(i int, field ...byte) []byte {
		out := []byte{4<<5 | byte(len(fields))}
		for j, f := range fields {
			if j == i {
				f = field
			}
			out = append(out, f...)
		}
		return out
	}
	if !bytes.Equal(with(-1), valid) {
		t.Fatal("fields were not found")
	}
	body := valid[1:]
	bad := map[string][]byte{
		"nothing":            {},
		"null":               {0xf6},
		"trailing byte":      append(bytes.Clone(valid), 0),
		"twice":              append(bytes.Clone(valid), valid...),
		"long array head":    append([]byte{0x98, byte(len(fields))}, body...),
		"longer array head":  append([]byte{0x99, 0, byte(len(fields))}, body...),
		"indefinite array":   append(append([]byte{0x9f}, body...), 0xff),
		"one field more":     append(append([]byte{valid[0] + 1}, body...), 0),
		"one field less":     append([]byte{valid[0] - 1}, body[:len(body)-len(fields[len(fields)-1])]...),
		"map instead":        append([]byte{0xa0 | valid[0]&31}, body...),
		"tagged":             append([]byte{0xc0}, valid...),
		"self-described":     append([]byte{0xd9, 0xd9, 0xf7}, valid...),
		"wrapped as a bytes": append(appendHead(nil, 2, uint64(len(valid))), valid...),
	}
	for i, f := range fields {
		name := func(what string) string { return fmt.Sprintf("field %d %s", i, what) }
		for what, field := range map[string][]byte{
			"null": {0xf6}, "undefined": {0xf7}, "false": {0xf4}, "float": {0xf9, 0x3c, 0}, "negative": {0x20}, "map": {0xa0},
			"tagged": append([]byte{0xc1}, f...), "reserved": {f[0]&0xe0 | 28}, "indefinite": {f[0]&0xe0 | 31, 0xff},
		} {
			bad[name(what)] = with(i, field...)
		}
		switch major, n, content := f[0]>>5, uint64(0), []byte(nil); major {
		case 0, 2, 3:
			var err error
			if n, content, err = readHead(f, major); err != nil {
				t.Fatal(err)
			}
			for w, info := range map[int]byte{1: 24, 2: 25, 4: 26, 8: 27} {
				wide := append([]byte{major<<5 | info}, U64(n)[8-w:]...)
				if len(wide) > len(f)-len(content) {
					bad[name(fmt.Sprintf("head of %d bytes", w))] = with(i, append(wide, content...)...)
				}
			}
			if major == 0 {
				bad[name("big number")] = with(i, 0xc2, 0x41, byte(n))
				continue
			}
			bad[name("other kind of string")] = with(i, append(appendHead(nil, 5-major, n), content...)...)
			bad[name("in chunks")] = with(i, append(append([]byte{major<<5 | 31}, f...), 0xff)...)
			ints := appendHead(nil, 4, n)
			for _, b := range content {
				ints = appendHead(ints, 0, uint64(b))
			}
			bad[name("as array of integers")] = with(i, ints...)
			if n == 32 || n == 12 || n == 64 {
				bad[name("one byte short")] = with(i, append(appendHead(nil, 2, n-1), content[1:]...)...)
				bad[name("one byte long")] = with(i, append(appendHead(nil, 2, n+1), append([]byte{0}, content...)...)...)
			}
		}
	}
	return bad
}

func TestDecodersTakeOneEncodingOnly(t *testing.T) {
	for name, d := range decoders() {
		t.Run(name, func(t *testing.T) {
			got, err := d.decode(d.valid)
			if err != nil || !bytes.Equal(got, d.valid) {
				t.Fatalf("round trip: %v", err)
			}
			for n := range d.valid {
				if _, err := d.decode(d.valid[:n]); !errors.Is(err, ErrEncoding) {
					t.Fatalf("cut to %d bytes: %v", n, err)
				}
			}
			for what, b := range badVariants(t, d.valid) {
				if _, err := d.decode(b); !errors.Is(err, ErrEncoding) || CodeOf(err) != ErrMalformed {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := d.decode(make([]byte, d.limit+1)); !errors.Is(err, ErrEncoding) {
				t.Errorf("over the limit: %v", err)
			}
		})
	}
}

func TestUnmarshalRefusesRepeatedAndUnknownKeys(t *testing.T) {
	var v struct {
		A int `cbor:"a"`
	}
	for what, b := range map[string]string{
		"repeated": "\xa2\x61a\x01\x61a\x01", "unknown": "\xa2\x61a\x01\x61b\x01", "other case": "\xa1\x61A\x01",
		"deep":    strings.Repeat("\x81", 40) + "\x01",
		"endless": "\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if err := Unmarshal([]byte(b), &v, 100); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := Unmarshal([]byte("\xa1\x61a\x01"), &v, 4); err != nil || v.A != 1 {
		t.Errorf("one key: %v", err)
	}
	if err := Unmarshal([]byte("\xa1\x61a\x01"), &v, 3); !errors.Is(err, ErrEncoding) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestNothingAndEmptyHaveOneEncoding(t *testing.T) {
	type list struct {
		_     struct{} `cbor:",toarray"`
		Bytes []byte
		Items []uint64
	}
	if a, b := Marshal(list{}), Marshal(list{Bytes: []byte{}, Items: []uint64{}}); !bytes.Equal(a, b) {
		t.Errorf("%x and %x", a, b)
	}
}

func TestBoundsOfFields(t *testing.T) {
	tx := vectorTx()
	tx.Family, tx.Payload = strings.Repeat("f", MaxFamily), make([]byte, MaxPayload)
	if _, err := DecodeTx(tx.Bytes()); err != nil {
		t.Errorf("largest transaction: %v", err)
	}
	header := vectorHeader()
	header.Engine = make([]byte, 256)
	if _, err := DecodeHeader(Marshal(header)); err != nil {
		t.Errorf("largest header: %v", err)
	}
	seal := Seal{View: 1 << 63}
	for i := range uint64(MaxGenesisMembers) {
		seal.Sigs = append(seal.Sigs, SlotSig{Slot: 1<<63 + i})
	}
	if _, err := DecodeSeal(Marshal(seal)); err != nil {
		t.Errorf("seal of every member: %v", err)
	}
	result := &Result{Code: 1<<32 - 1, Credits: 1<<64 - 1, Fee: 1<<64 - 1, Output: make([]byte, MaxOutput)}
	if _, err := DecodeResult(result.Bytes()); err != nil {
		t.Errorf("largest result: %v", err)
	}

	long, none, text := vectorTx(), vectorTx(), vectorTx()
	long.Payload = make([]byte, MaxPayload+1)
	none.Family = ""
	text.Family = "\xff"
	for what, tx := range map[string]*Tx{"payload": long, "no family": none, "family that is no text": text} {
		if _, err := DecodeTx(tx.Bytes()); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{"Record", "rec ord", "rec/ord", "rec.ord", "rec\x00ord", "rec_ord", "récord", "record\n", "{", "\x60"} {
		odd := vectorTx()
		odd.Family = name
		if _, err := DecodeTx(odd.Bytes()); !errors.Is(err, ErrEncoding) {
			t.Errorf("family %q: %v", name, err)
		}
	}
	for _, name := range []string{"a", "z", "0", "9", "-", "record-2"} {
		plain := vectorTx()
		plain.Family = name
		if _, err := DecodeTx(plain.Bytes()); err != nil {
			t.Errorf("family %q: %v", name, err)
		}
	}
	tx.Family += "f"
	if _, err := DecodeTx(tx.Bytes()); !errors.Is(err, ErrEncoding) {
		t.Errorf("long family: %v", err)
	}
	header.Engine = make([]byte, 257)
	if _, err := DecodeHeader(Marshal(header)); !errors.Is(err, ErrEncoding) {
		t.Errorf("long engine part: %v", err)
	}
	header = vectorHeader()
	header.Version = 2
	if _, err := DecodeHeader(Marshal(header)); !errors.Is(err, ErrEncoding) {
		t.Errorf("unknown header version: %v", err)
	}
	result.Output = append(result.Output, 0)
	if _, err := DecodeResult(result.Bytes()); !errors.Is(err, ErrEncoding) {
		t.Errorf("long output: %v", err)
	}
}

func TestListsKeepTheirBounds(t *testing.T) {
	items := [][]byte{{1, 2, 3}, {}, bytes.Repeat([]byte{9}, 300)}
	b := EncodeList(items)
	got, err := DecodeList(b, 3, 300)
	if err != nil || len(got) != 3 || !bytes.Equal(got[0], items[0]) || len(got[1]) != 0 || !bytes.Equal(got[2], items[2]) {
		t.Fatalf("%v, %v", got, err)
	}
	if !bytes.Equal(b, Marshal(items)) {
		t.Error("differs from the general encoder")
	}
	// An item must not reach into its neighbour when something is appended to it.
	if grown := append(got[0], 7); &grown[0] == &got[0][0] {
		t.Error("items share room")
	}
	for what, x := range map[string]struct {
		b            []byte
		items, bytes int
	}{
		"too many items": {b, 2, 300}, "item too long": {b, 3, 299}, "trailing": {append(bytes.Clone(b), 0), 9, 999},
		"no list": {[]byte{0x40}, 9, 9}, "empty": {nil, 9, 9}, "item of another type": {[]byte{0x81, 0x61, 'a'}, 9, 9},
		"endless": {[]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1 << 62, 9}, "indefinite": {[]byte{0x9f, 0xff}, 9, 9},
		"length over 2^63": {[]byte{0x81, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9, 1 << 62},
	} {
		if _, err := DecodeList(x.b, x.items, x.bytes); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
