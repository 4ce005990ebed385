package directory

import (
	"strings"
	"testing"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/factom"
)

// TestAnchorsCountIfAServerSignedThem: of the ledger's directory block, by a server
// of the period, the newest.
func TestAnchorsCountIfAServerSignedThem(t *testing.T) {
	w := newWorld(t)
	keys := [2]wire.PrivateKey{w.c.Key(0), w.c.Key(1)}
	removed, anchor := wire.NodeIDOf(keys[1].Public()), [20]byte{9}
	w.l.admin = func(period uint32) []factom.AdminMessage {
		switch period {
		case 0:
			return []factom.AdminMessage{
				&factom.BitcoinKey{Identity: removed, Priority: 1, Hash160: [20]byte{1}},
				&factom.BitcoinKey{Identity: removed, Priority: 1, Script: 1, Hash160: anchor},
			}
		case 3:
			return []factom.AdminMessage{&factom.ServerChange{Kind: factom.AdminRemoveServer, Identity: removed}}
		}
		return nil
	}
	record := func(height uint32, tx string, key wire.PrivateKey) *wire.Tx {
		r := &factom.AnchorRecord{
			AnchorRecordVer: factom.RecordSignedInExtID, DBHeight: height, RecordHeight: height + 1,
			Bitcoin: &factom.BitcoinAnchor{Address: "1K2SXgApmo9uZoyahvsbSanpVWbzZWVVMF", TXID: strings.Repeat(tx, 32), BlockHash: strings.Repeat("00", 32)},
		}
		if int(height) < len(w.l.closed) {
			r.KeyMR = w.l.closed[height].KeyMR
		}
		e, err := r.Entry(key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return w.c.AddRaw(b)
	}
	expect := func(closed uint32, height uint32, tx string) {
		t.Helper()
		w.until("closed", func(v *view) bool { return v.Count == closed })
		r, err := w.x.Anchor(height)
		switch {
		case err != nil || (r == nil) != (tx == ""):
			t.Errorf("anchor of %d with %d periods closed: %+v, %v", height, closed, r, err)
		case r != nil && (r.DBHeight != height || r.Bitcoin.TXID != strings.Repeat(tx, 32)):
			t.Errorf("anchor of %d with %d periods closed: %s", height, closed, r.Bitcoin.TXID)
		}
	}
	w.run()
	w.add(100)
	w.add(periodMs) // 1: periods 0 is closed
	w.add(1, record(0, "aa", keys[0]), record(0, "bb", archivetest.Payer), record(1, "cc", keys[0]))
	expect(1, 0, "")
	w.add(periodMs) // 2
	expect(2, 0, "aa")
	expect(2, 1, "") // named in its own period, when nobody could know its key
	other := record(0, "dd", keys[1])
	w.add(1, other, record(7, "ee", keys[0]), w.c.AddRaw(junk(t)))
	w.add(periodMs) // 3: the second server is removed
	expect(3, 0, "dd")
	w.add(1, record(0, "ff", keys[1]), record(1, "11", keys[1]), record(2, "22", keys[0]))
	w.add(periodMs)
	expect(4, 0, "dd")
	expect(4, 1, "")
	expect(4, 2, "22")
	w.same()
	if v := w.x.now.Load(); len(v.Servers) != 1 || v.Servers[0].Key != keys[0].Public() {
		t.Errorf("%+v", v.Servers)
	}
}

// junk is an entry of the anchor chain that is no record.
func junk(t *testing.T) []byte {
	e := factom.Entry{ChainID: factom.BitcoinAnchorChain, Content: []byte(`{"AnchorRecordVer":1}`)}
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
