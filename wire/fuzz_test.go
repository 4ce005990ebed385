package wire

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"
)

// Every decoder accepts one encoding of a value: what it accepts, encodes to
// the same bytes. The hand-written ones agree with the general one besides.

func fuzzDecoder(f *testing.F, name string) {
	d := decoders()[name]
	f.Add(d.valid)
	f.Add(d.valid[:len(d.valid)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := d.decode(b); err == nil && !bytes.Equal(got, b) {
			t.Fatalf("%x is a second encoding of %x", b, got)
		}
	})
}

func FuzzDecodeHeader(f *testing.F)  { fuzzDecoder(f, "header") }
func FuzzDecodeSeal(f *testing.F)    { fuzzDecoder(f, "seal") }
func FuzzDecodeGenesis(f *testing.F) { fuzzDecoder(f, "genesis") }

// generalTx and generalResult are DecodeTx and DecodeResult by Unmarshal.
func generalTx(b []byte) (*Tx, error) {
	t := new(Tx)
	if err := Unmarshal(b, t, MaxTx); err != nil {
		return nil, err
	}
	if len(t.Payload) > MaxPayload || !IsFamily(t.Family) {
		return nil, fmt.Errorf("%w: bounds", ErrEncoding)
	}
	return t, nil
}

func generalResult(b []byte) (*Result, error) {
	r := new(Result)
	if err := Unmarshal(b, r, MaxResult); err != nil {
		return nil, err
	}
	if len(r.Output) > MaxOutput {
		return nil, fmt.Errorf("%w: bounds", ErrEncoding)
	}
	return r, nil
}

// agree fails the test unless both decoders gave the same answer, and both
// encoders give back the input.
func agree[T any](t *testing.T, b []byte, fast, general func([]byte) (*T, error), encode func(*T) []byte) {
	x, errX := fast(b)
	y, errY := general(b)
	switch {
	case (errX == nil) != (errY == nil):
		t.Fatalf("%x: fast says %v, general %v", b, errX, errY)
	case errX != nil:
		return
	case !reflect.DeepEqual(x, y):
		t.Fatalf("%x: fast reads %+v, general %+v", b, x, y)
	case !bytes.Equal(encode(x), b) || !bytes.Equal(Marshal(x), b):
		t.Fatalf("%x is a second encoding", b)
	}
}

func FuzzDecodeTx(f *testing.F) {
	for _, b := range seeds(f, "transaction") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b, DecodeTx, generalTx, (*Tx).Bytes) })
}

func FuzzDecodeResult(f *testing.F) {
	for _, b := range seeds(f, "result") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b, DecodeResult, generalResult, (*Result).Bytes) })
}

func seeds(f *testing.F, name string) [][]byte {
	valid := decoders()[name].valid
	all := [][]byte{valid}
	for _, b := range badVariants(f, valid) {
		all = append(all, b)
	}
	return all
}

// FuzzEncodeTx reaches the lengths and numbers a mutated encoding rarely has.
func FuzzEncodeTx(f *testing.F) {
	f.Add("record", []byte("payload"), uint64(23), uint32(24))
	f.Add("f", make([]byte, 255), uint64(1<<32), uint32(math.MaxUint32))
	f.Add("", make([]byte, 65_536), uint64(65_535), uint32(0))
	f.Fuzz(func(t *testing.T, family string, payload []byte, n uint64, code uint32) {
		tx := vectorTx()
		tx.Family, tx.Payload, tx.NotAfterMs = family, payload, n
		if !bytes.Equal(tx.Bytes(), Marshal(tx)) {
			t.Fatalf("transaction: %x, want %x", tx.Bytes(), Marshal(tx))
		}
		agree(t, tx.Bytes(), DecodeTx, generalTx, (*Tx).Bytes)
		r := &Result{TxID: Hash(counting(32)), Code: Code(code), Credits: n, Fee: uint64(code), Output: payload}
		if !bytes.Equal(r.Bytes(), Marshal(r)) {
			t.Fatalf("result: %x, want %x", r.Bytes(), Marshal(r))
		}
		agree(t, r.Bytes(), DecodeResult, generalResult, (*Result).Bytes)
	})
}

func FuzzDecodeList(f *testing.F) {
	f.Add(EncodeList(nil), uint16(3), uint16(3))
	f.Add(EncodeList([][]byte{{1}, {}, make([]byte, 300)}), uint16(3), uint16(300))
	f.Fuzz(func(t *testing.T, b []byte, mostItems, mostBytes uint16) {
		items, size := int(mostItems), int(mostBytes)
		got, err := DecodeList(b, items, size)
		if err != nil {
			return
		}
		if len(got) > items || !bytes.Equal(EncodeList(got), b) || !bytes.Equal(Marshal(got), b) {
			t.Fatalf("%x is a second encoding or too long", b)
		}
		for _, it := range got {
			if len(it) > size {
				t.Fatalf("item of %d bytes, at most %d", len(it), size)
			}
		}
	})
}

func FuzzParseGenesis(f *testing.F) {
	f.Add(vectorGenesis().File())
	f.Fuzz(func(t *testing.T, file []byte) {
		g, err := ParseGenesis(file)
		if err != nil {
			return
		}
		for form, read := range map[string]func() (*Genesis, error){
			"file":           func() (*Genesis, error) { return ParseGenesis(g.File()) },
			"canonical form": func() (*Genesis, error) { return DecodeGenesis(g.Bytes()) },
		} {
			if again, err := read(); err != nil || again.ChainID() != g.ChainID() {
				t.Fatalf("%s does not read back: %v", form, err)
			}
		}
	})
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add(cheapKeyFile(f).Bytes())
	f.Add(PlainKeyFile(zeroSeed).Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		k, err := ParseKeyFile(file)
		if err != nil {
			if CodeOf(err) != ErrKeyFile {
				t.Fatalf("%v carries %s", err, CodeOf(err))
			}
			return
		}
		again, err := ParseKeyFile(k.Bytes())
		if err != nil || !reflect.DeepEqual(again, k) {
			t.Fatalf("does not read back: %v", err)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{zeroFA, zeroEC, zeroSeedFs, zeroSeedEs, zeroRCD} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kind, payload, err := ParseAddress(text)
		if err != nil {
			if CodeOf(err) != ErrBadRequest {
				t.Fatalf("%v carries %s", err, CodeOf(err))
			}
			return
		}
		if addressText(kind, payload) != text {
			t.Fatalf("%s is a second text of %s", text, addressText(kind, payload))
		}
		_, errA := ParseAccount(text)
		_, _, errS := ParseSecret(text)
		if (errA == nil) == (errS == nil) {
			t.Fatal("an address and a secret at once, or neither")
		}
	})
}
