package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
	"cloister/wire"
)

// FuzzCatalogueRecords feeds the decoder behind the seal: even there, nothing
// may panic, and what is accepted has one snapshot that reads back as itself.
func FuzzCatalogueRecords(f *testing.F) {
	st := newState()
	for _, r := range []record{
		&rootRecord{Generation: 1, Boots: 1}, &numbersRecord{Next: 10},
		&nameRecord{Name: "d/a", Obj: 1, Class: gate.ClassTable}, &nameRecord{Name: "b", Obj: 1, Class: gate.ClassTable},
		&nameRecord{Name: "MANIFEST-1", Obj: 2, Class: gate.ClassJournal}, &durableRecord{Obj: 2, Size: 5},
		&closedRecord{Obj: 1, Size: 20_000, Stored: 20_056, Regular: true}, &unnameRecord{Name: "b"}, &endRecord{},
	} {
		if err := st.apply(r); err != nil {
			f.Fatal(err)
		}
		f.Add(appendRecord(nil, r))
	}
	for _, c := range st.snapshot().chunks {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		st := newState()
		if err := decodeRecords(b, st.apply); err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, wire.ErrEncoding) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if !st.begun || !st.ended {
			return
		}
		again := newState()
		for _, c := range st.snapshot().chunks {
			must(t, decodeRecords(c, again.apply))
		}
		x, y := st.snapshot().chunks, again.snapshot().chunks
		if !bytes.Equal(bytes.Join(x, nil), bytes.Join(y, nil)) {
			t.Fatal("a snapshot does not read back as itself")
		}
		if len(st.names) > MaxNames || len(st.objects) > len(st.names) || st.next > MaxObjects {
			t.Fatalf("%d names, %d objects, next %d", len(st.names), len(st.objects), st.next)
		}
	})
}

// FuzzCatalogueObject gives the opener arbitrary bytes as a catalogue, with the
// real head and a prefix of the real chunks in front.
func FuzzCatalogueObject(f *testing.F) {
	disk := gatetest.NewMemory()
	v := mustOpen(f, disk)
	must(f, v.Put("a", []byte("a")))
	real := disk.Bytes(v.cat.obj)
	f.Add(uint16(0), []byte{})
	f.Add(uint16(headSize), real[headSize:])
	f.Add(uint16(len(real)), pattern(1, 100))
	f.Fuzz(func(t *testing.T, keep uint16, tail []byte) {
		hurt := disk.Snapshot()
		raw := append(real[:min(int(keep), len(real)):min(int(keep), len(real))], tail...)
		hurt.Put(v.cat.obj, gate.ClassCatalogue, raw)
		opened, err := Open(hurt, options())
		if err != nil {
			wantErr(t, err, ErrCorrupt)
			return
		}
		if b, err := opened.Get("a"); err == nil && string(b) != "a" {
			t.Fatalf("the blob became %q", b)
		}
	})
}

// FuzzChunks gives the scanner a sealed object with one stretch overwritten. It
// must yield only a prefix of what was sealed, and the search for later chunks
// must end.
func FuzzChunks(f *testing.F) {
	disk := gatetest.NewMemory()
	v := mustOpen(f, disk)
	o, err := v.create("x", gate.ClassLog, 0)
	must(f, err)
	var want []byte
	for _, n := range []int{10, 3000, chunkSize + 5, 1} {
		p := pattern(n, n)
		want = append(want, p...)
		must(f, o.write(p))
		must(f, o.sync())
	}
	sealed := disk.Bytes(o.id)
	f.Add(uint32(0), []byte{}, uint32(0))
	f.Add(uint32(38), binary.BigEndian.AppendUint32(nil, chunkSize), uint32(100))
	f.Add(uint32(len(sealed)), sealed, uint32(0))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, longer uint32) {
		raw := bytes.Clone(sealed[:min(int(at), len(sealed))])
		raw = append(raw, patch...)
		if len(raw) < len(sealed) {
			raw = append(raw, sealed[len(raw):]...)
		}
		host := gatetest.NewMemory()
		host.Put(o.id, gate.ClassLog, raw)
		s := newScanner(host, o.id, o.aead, 0, uint64(len(raw))+uint64(longer))
		var got []byte
		for {
			plain, err := s.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				wantErr(t, err, errBadChunk)
				_, err := s.laterSynced()
				must(t, err)
				break
			}
			got = append(got, plain...)
		}
		if !bytes.HasPrefix(want, got) {
			t.Fatal("the scanner returned bytes that were never sealed there")
		}
	})
}

// FuzzLogRecords feeds the record decoder behind the seal.
func FuzzLogRecords(f *testing.F) {
	var head [recordHead]byte
	putRecordHead(&head, 3, 1, 4)
	f.Add(append(head[:], "abcd"...), uint16(3))
	putRecordHead(&head, 3, 1, 1<<31)
	f.Add(bytes.Clone(head[:]), uint16(100))
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		var encoded []byte
		d := recordDecoder{next: 1, fn: func(seq uint64, typ uint8, p []byte) error {
			var h [recordHead]byte
			putRecordHead(&h, typ, seq, len(p))
			encoded = append(append(encoded, h[:]...), p...)
			return nil
		}}
		var err error
		for rest := b; len(rest) > 0 && err == nil; {
			n := min(int(step)+1, len(rest))
			err = d.add(rest[:n])
			rest = rest[n:]
		}
		if err != nil {
			wantErr(t, err, ErrCorrupt)
		}
		if !bytes.HasPrefix(b, encoded) || err == nil && len(encoded)+len(d.part) != len(b) {
			t.Fatal("records and rest are not the bytes given")
		}
	})
}
