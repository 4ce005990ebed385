package vault

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/gate"
	"cloister/gate/gatetest"
)

type entry struct {
	typ     uint8
	payload []byte
}

func mustLog(t tb, v *Vault, opts LogOptions) *Log {
	t.Helper()
	l, err := OpenLog(v, opts)
	must(t, err)
	return l
}

// contents replays l and checks that numbers run from first without a gap.
func contents(l *Log) (first uint64, es []entry, err error) {
	err = l.Replay(func(seq uint64, typ uint8, payload []byte) error {
		if first == 0 {
			first = seq
		}
		if seq != first+uint64(len(es)) {
			return fmt.Errorf("record %d after %d records from %d", seq, len(es), first)
		}
		es = append(es, entry{typ, bytes.Clone(payload)})
		return nil
	})
	return first, es, err
}

func sameEntries(a, b []entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].typ != b[i].typ || !bytes.Equal(a[i].payload, b[i].payload) {
			return false
		}
	}
	return true
}

func TestLogIsAPrefixHoldingAllThatWasSynced(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		opts := LogOptions{SegmentSize: rapid.SampledFrom([]uint64{1, 5_000, 100_000, 1 << 20}).Draw(rt, "segment")}
		disk := gatetest.NewMemory()
		var appended []entry // number i+1 at index i; what a crash lost is removed
		synced, cut := 0, uint64(1)
		for range rapid.IntRange(1, 4).Draw(rt, "boots") {
			v := mustOpen(rt, disk)
			l := mustLog(rt, v, opts)
			first, got, err := contents(l)
			must(rt, err)
			if len(got) == 0 {
				first = l.Next()
			}
			if first > cut || l.First() > first {
				rt.Fatalf("the log begins with %d, cut before %d", first, cut)
			}
			have := int(first) - 1 + len(got)
			if have < synced || have > len(appended) || l.Next() != uint64(have)+1 {
				rt.Fatalf("%d records of %d, %d were synced, next is %d", have, len(appended), synced, l.Next())
			}
			appended = appended[:have]
			if !sameEntries(got, appended[first-1:]) {
				rt.Fatal("records changed")
			}
			synced = have

			rt.Repeat(map[string]func(*rapid.T){
				"append": func(rt *rapid.T) {
					var recs []Record
					for range rapid.IntRange(0, 5).Draw(rt, "n") {
						size := rapid.SampledFrom([]int{0, 1, 100, 5_000, chunkSize - recordHead, chunkSize, 70_000}).Draw(rt, "size")
						e := entry{rapid.Byte().Draw(rt, "type"), pattern(len(appended), size)}
						appended = append(appended, e)
						recs = append(recs, Record{e.typ, e.payload})
					}
					last, err := l.Append(recs...)
					must(rt, err)
					if last != uint64(len(appended)) {
						rt.Fatalf("last number %d, want %d", last, len(appended))
					}
				},
				"sync": func(rt *rapid.T) {
					must(rt, l.Sync())
					synced = len(appended)
				},
				"cut": func(rt *rapid.T) {
					seq := rapid.Uint64Range(1, uint64(synced)+1).Draw(rt, "seq")
					must(rt, l.CutBefore(seq))
					cut = max(cut, seq)
				},
				"replay": func(rt *rapid.T) {
					first, got, err := contents(l)
					must(rt, err)
					if len(got) > 0 && !sameEntries(got, appended[first-1:]) {
						rt.Fatal("replay of the running log differs")
					}
				},
			})
			disk = powerLoss(disk, func() bool { return rapid.Bool().Draw(rt, "keep") })
		}
	})
}

func TestLogRecordsSpanChunksUpToTheLimit(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	l := mustLog(t, v, LogOptions{})
	want := []entry{{1, pattern(1, MaxRecord)}, {2, nil}, {3, pattern(3, MaxRecord-1)}}
	for _, e := range want {
		_, err := l.Append(Record{e.typ, e.payload})
		must(t, err)
	}
	_, err := l.Append(Record{4, nil}, Record{5, make([]byte, MaxRecord+1)})
	wantErr(t, err, ErrLimit)
	must(t, l.Sync())
	l = mustLog(t, mustOpen(t, disk.Crash(nil)), LogOptions{})
	_, got, err := contents(l)
	must(t, err)
	if !sameEntries(got, want) || l.Next() != 4 {
		t.Fatalf("%d records came back, next %d", len(got), l.Next())
	}
}

func TestLogBatchLeavesAsOneAppendAndOneSync(t *testing.T) {
	disk := gatetest.NewMemory()
	l := mustLog(t, mustOpen(t, disk), LogOptions{})
	ops := map[gatetest.Op]int{}
	batch := make([]Record, 100)
	for i := range batch {
		batch[i] = Record{1, pattern(i, 1024)}
	}
	_, err := l.Append(batch...)
	must(t, err)
	must(t, l.Sync())
	disk.SetFault(func(op gatetest.Op, _ uint64) error { ops[op]++; return nil })
	for range 10 {
		_, err := l.Append(batch...)
		must(t, err)
		must(t, l.Sync())
	}
	if len(ops) != 2 || ops[gatetest.OpAppend] != 10 || ops[gatetest.OpSync] != 10 {
		t.Fatalf("ten batches cost %v", ops)
	}
}

func TestLogCutBeforeRemovesOnlyWholeSegments(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	l := mustLog(t, v, LogOptions{SegmentSize: 1000})
	for i := range 30 {
		_, err := l.Append(Record{1, pattern(i, 300)}) // three to a segment
		must(t, err)
		must(t, l.Sync())
	}
	for _, c := range []struct{ seq, first uint64 }{{1, 1}, {3, 1}, {4, 4}, {12, 10}, {1000, 28}} {
		must(t, l.CutBefore(c.seq))
		if l.First() != c.first {
			t.Fatalf("cut before %d: the log begins with %d, want %d", c.seq, l.First(), c.first)
		}
	}
	l = mustLog(t, mustOpen(t, disk.Crash(nil)), LogOptions{})
	first, got, err := contents(l)
	must(t, err)
	if first != 28 || len(got) != 3 || l.Next() != 31 {
		t.Fatalf("from %d, %d records, next %d", first, len(got), l.Next())
	}
}

func TestLogKeepsCountingWhenEverythingWasCut(t *testing.T) {
	disk := gatetest.NewMemory()
	l := mustLog(t, mustOpen(t, disk), LogOptions{})
	_, err := l.Append(Record{1, []byte("a")}, Record{1, []byte("b")})
	must(t, err)
	must(t, l.Close())
	_, err = l.Append(Record{})
	wantErr(t, err, ErrClosed)
	for range 3 {
		disk = disk.Crash(nil)
		l = mustLog(t, mustOpen(t, disk), LogOptions{})
		must(t, l.CutBefore(3))
		if l.Next() != 3 || l.First() != 3 {
			t.Fatalf("next %d, first %d", l.Next(), l.First())
		}
	}
}

func TestLogRefusesAMissingSegment(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	l := mustLog(t, v, LogOptions{SegmentSize: 10})
	for range 3 {
		_, err := l.Append(Record{1, []byte("0123456789")})
		must(t, err)
	}
	must(t, l.Close())
	must(t, v.remove(l.segmentName(2)))
	_, _, err := contents(mustLog(t, v, LogOptions{}))
	wantErr(t, err, ErrCorrupt)
}

func TestLogSyncFailureIsFinal(t *testing.T) {
	disk := gatetest.NewMemory()
	var told []gate.Class
	opts := options()
	opts.Failed = func(class gate.Class, err error) { told = append(told, class) }
	v, err := Open(disk, opts)
	must(t, err)
	l := mustLog(t, v, LogOptions{})
	_, err = l.Append(Record{1, []byte("a")})
	must(t, err)
	disk.FailOnce(gatetest.OpSync, l.w.id, gate.ErrIO)
	wantErr(t, l.Sync(), gate.ErrIO)
	wantErr(t, l.Sync(), gate.ErrIO)
	_, err = l.Append(Record{1, []byte("b")})
	wantErr(t, err, gate.ErrIO)
	if len(told) != 1 || told[0] != gate.ClassLog {
		t.Fatalf("the node was told of classes %v", told)
	}
}

func TestLogsShareAVaultUnderDifferentNames(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	for _, name := range []string{"raft", "raft-2"} {
		l := mustLog(t, v, LogOptions{Name: name})
		_, err := l.Append(Record{1, []byte(name)})
		must(t, err)
		must(t, l.Close())
	}
	for _, name := range []string{"raft", "raft-2"} {
		_, got, err := contents(mustLog(t, v, LogOptions{Name: name}))
		must(t, err)
		if len(got) != 1 || string(got[0].payload) != name {
			t.Fatalf("log %s holds %d records", name, len(got))
		}
	}
	if _, err := OpenLog(v, LogOptions{Name: "a/b"}); err == nil {
		t.Fatal("a log name with a slash was accepted")
	}
}

func TestLogReplayStopsWithTheCallersError(t *testing.T) {
	l := mustLog(t, mustOpen(t, gatetest.NewMemory()), LogOptions{})
	_, err := l.Append(Record{1, nil}, Record{2, nil})
	must(t, err)
	stop, calls := errors.New("enough"), 0
	err = l.Replay(func(uint64, uint8, []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Fatalf("%v after %d calls", err, calls)
	}
}

func TestRecordDecoderDoesNotCareHowBytesArrive(t *testing.T) {
	var whole []byte
	var want []entry
	var head [recordHead]byte
	for i, n := range []int{0, 1, 12, 13, 14, 100, 0, 0, 40} {
		putRecordHead(&head, byte(i), uint64(i)+5, n)
		whole = append(append(whole, head[:]...), pattern(i, n)...)
		want = append(want, entry{byte(i), pattern(i, n)})
	}
	for step := 1; step <= len(whole); step++ {
		var got []entry
		d := recordDecoder{next: 5, fn: func(seq uint64, typ uint8, p []byte) error {
			got = append(got, entry{typ, bytes.Clone(p)})
			return nil
		}}
		for b := whole; len(b) > 0; b = b[min(step, len(b)):] {
			must(t, d.add(b[:min(step, len(b))]))
		}
		if !sameEntries(got, want) || len(d.part) != 0 {
			t.Fatalf("in steps of %d: %d records", step, len(got))
		}
	}
	d := recordDecoder{next: 6}
	if err := d.add(whole); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "record 5") {
		t.Fatalf("wrong number: %v", err)
	}
}
