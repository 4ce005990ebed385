package ledger

import (
	"bytes"
	"testing"

	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/merkle"
)

func sampleRecord() *record {
	g := &wire.Genesis{Version: 1, Name: "n", Engine: "solo", Restart: "trust-disk", TEE: "none"}
	r := &record{Header: g.Header(), Tree: tree.Root{Version: 0, Hash: wire.Hash{1}}}
	r.History.Append(wire.Hash{2})
	r.Results.Append(wire.Hash{3})
	for i := range 5 {
		r.Data.Append(wire.Hash{byte(i)})
	}
	return r
}

func sampleOutcome() *Outcome {
	return &Outcome{
		Header: sampleRecord().Header, Body: []byte{0x80}, Exec: wire.Exec{Height: 7, StateRoot: wire.Hash{1}},
		Results: [][]byte{wire.Marshal(wire.Result{TxID: wire.Hash{9}})}, Entries: []wire.Hash{{4}, {5}},
	}
}

func TestStoredTipMustFitItself(t *testing.T) {
	for name, spoil := range map[string]func(r *record){
		"no header": func(r *record) { r.Header = nil },
		"version":   func(r *record) { r.Header.Version++ },
		"height":    func(r *record) { r.Header.Height++ },
		"history":   func(r *record) { r.History.Append(wire.Hash{}) },
		"results":   func(r *record) { r.Results = merkle.Range{} },
	} {
		r := sampleRecord()
		spoil(r)
		if _, err := decodeRecord(wire.Marshal(r)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What a decoder accepts encodes to the same bytes.
func FuzzStoredTip(f *testing.F) {
	f.Add(wire.Marshal(sampleRecord()))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		r.tip()
		if !bytes.Equal(wire.Marshal(r), b) {
			t.Fatalf("%x", b)
		}
	})
}

func FuzzStoredCheckpoint(f *testing.F) {
	f.Add(wire.Marshal(sampleRecord().checkpoint()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeCheckpoint(b); err == nil && !bytes.Equal(wire.Marshal(p), b) {
			t.Fatalf("%x", b)
		}
	})
}

func FuzzStoredOutcome(f *testing.F) {
	f.Add(encodeOutcome(sampleOutcome()))
	f.Add(encodeOutcome(&Outcome{Header: sampleRecord().Header}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOutcome(b); err == nil && !bytes.Equal(encodeOutcome(o), b) {
			t.Fatalf("%x", b)
		}
	})
}

func FuzzUndo(f *testing.F) {
	f.Add(encodeUndo(nil))
	f.Add(encodeUndo([]byte("value")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := decodeUndo(b); err == nil && !bytes.Equal(encodeUndo(v), b) {
			t.Fatalf("%x", b)
		}
	})
}

func FuzzCheckTxs(f *testing.F) {
	tx := wire.Tx{Family: "token", Payload: []byte{1}}
	tx.Sign(wire.NewPrivateKey([32]byte{1}))
	f.Add(tx.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := CheckTxs([][]byte{b}, wire.Hash{}, nil, nil)[0]
		if c.Code == wire.OK || c.LeafHash != merkle.LeafHash(b) {
			t.Fatalf("%+v", c)
		}
	})
}
