package gate

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"cloister/wire"
)

func FuzzHeader(f *testing.F) {
	f.Add(raw(typeStatus, 1), byte(0), true)
	f.Add(more(raw(typeData, 1, 1)), byte(1), true)
	f.Add(raw(typeAccepted, 1, 0), byte(2), true)
	f.Fuzz(func(t *testing.T, b []byte, lane byte, core bool) {
		if len(b) < headerSize {
			return
		}
		at := hostEnd
		if core {
			at = coreEnd
		}
		h, broken := parseHeader((*[headerSize]byte)(b), Lane(lane%byte(laneCount)), at)
		if broken != "" {
			return
		}
		if h.n > maxFrame || !bytes.Equal(h.append(nil), b[:headerSize]) {
			t.Fatalf("%x was read as %+v", b[:headerSize], h)
		}
	})
}

func FuzzGreetings(f *testing.F) {
	f.Add(hello{Version, Storage, Token{1}}.payload())
	f.Add(ownLimits.payload())
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHello(b); err == nil && !bytes.Equal(h.payload(), b) {
			t.Fatalf("hello %x was read as %+v", b, h)
		}
		l, err := parseWelcome(b)
		if err == nil && (l.frame > maxFrame || l.credit > maxUnwritten || l.open > maxStorageOpen || l.streams > MaxStreams) {
			t.Fatalf("welcome %x raised a limit: %+v", b, l)
		}
	})
}

func FuzzPlace(f *testing.F) {
	f.Add("fd:3,5,6")
	f.Add("tcp:127.0.0.1:80/" + string(bytes.Repeat([]byte("00"), 32)))
	f.Fuzz(func(t *testing.T, v string) {
		p, err := parsePlace(v)
		if err == nil && p.addr == "" && (p.fds[0] < 3 || p.fds[1] <= p.fds[0] || p.fds[2] <= p.fds[1]) {
			t.Fatalf("%q was read as %+v", v, p)
		}
	})
}

func FuzzLayouts(f *testing.F) {
	f.Add(readManyPayload([]Range{{1, 2, 3}, {4, 5, 6}}))
	f.Add(deletePayload([]uint64{1, 2, 3}))
	f.Add(cat(u64(1), u64(2), u64(3), u64(4)))
	f.Add([]byte{0, 1, 't'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if rows, broken := parseList(b); broken == "" {
			var again []byte
			for _, r := range rows {
				again = appendListRow(again, r)
			}
			if !bytes.Equal(again, b) {
				t.Fatal("list")
			}
		}
		if len(b) == rangeSize {
			if r, broken := parseRead(b); broken == "" && (r.N == 0 || r.N > MaxRead || !bytes.Equal(appendRange(nil, r), b)) {
				t.Fatalf("read %+v", r)
			}
		}
		if len(b) < 2 {
			return
		}
		if rs, total, broken := parseReadMany(b); broken == "" && (total > MaxRead || len(rs) > MaxReadMany || !bytes.Equal(readManyPayload(rs), b)) {
			t.Fatalf("read-many of %d", total)
		}
		if objs, broken := parseDelete(b); broken == "" && (len(objs) > MaxDelete || !bytes.Equal(deletePayload(objs), b)) {
			t.Fatalf("delete of %d", len(objs))
		}
		if err := parseFail(b); err == nil || failCode(err) == 0 {
			t.Fatalf("fail %x has no code", b)
		}
	})
}

// roundTrip decodes p as a message and demands that p is its only encoding.
func roundTrip[T any](t *testing.T, p []byte, check func(*T) error) {
	if m, err := decode(p, check); err == nil && !bytes.Equal(wire.Marshal(m), p) {
		t.Fatalf("%x was read as %+v", p, m)
	}
}

func FuzzControlMessages(f *testing.F) {
	for _, m := range []any{
		Start{Config: []byte("c"), Options: Options{DevSealKey: []byte("k"), MemoryMiB: 5}}, Ready{Mode: "new"},
		[]SubmitResult{{Code: 3}}, Final{Height: 1, Body: []byte("b")}, Undo{ToHeight: 4}, Event{ID: 2, Numbers: []uint64{1}, Hashes: []wire.Hash{{1}}},
		Fatal{Code: 6}, queryMessage{Kind: 1}, fetchMessage{Kind: 1, Key: []byte("k")}, archivedMessage{Height: 9}, stopMessage{GraceMS: 5}, [][]byte{{1}, {2}},
	} {
		f.Add(wire.Marshal(m))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		roundTrip(t, p, checkStart)
		roundTrip(t, p, checkReady)
		roundTrip(t, p, anything[[]SubmitResult])
		roundTrip(t, p, anything[Final])
		roundTrip(t, p, anything[Undo])
		roundTrip(t, p, checkEvent)
		roundTrip(t, p, anything[Fatal])
		roundTrip(t, p, checkQuery)
		roundTrip(t, p, checkFetch)
		roundTrip(t, p, anything[archivedMessage])
		roundTrip(t, p, checkStop)
		roundTrip(t, p, anything[[][]byte])
	})
}

// scripted is a connection whose other side says in and then ends.
type scripted struct {
	in *bytes.Reader
}

func (s scripted) Read(p []byte) (int, error)     { return s.in.Read(p) }
func (scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (scripted) Close() error                     { return nil }
func (scripted) LocalAddr() net.Addr              { return Addr("") }
func (scripted) RemoteAddr() net.Addr             { return Addr("") }
func (scripted) SetDeadline(time.Time) error      { return nil }
func (scripted) SetReadDeadline(time.Time) error  { return nil }
func (scripted) SetWriteDeadline(time.Time) error { return nil }

// silent is a connection whose other side says nothing until it is closed.
type silent struct {
	scripted
	closed chan struct{}
}

func (s silent) Read([]byte) (int, error) { <-s.closed; return 0, io.EOF }
func (s silent) Close() error {
	defer func() { recover() }() // closed twice
	close(s.closed)
	return nil
}

// script puts bytes on one lane and silence on the others.
func script(lane byte, b []byte) (conns [laneCount]net.Conn) {
	for i := range conns {
		conns[i] = silent{closed: make(chan struct{})}
	}
	conns[lane%byte(laneCount)] = scripted{bytes.NewReader(b)}
	return conns
}

func checkEnd(t *testing.T, err error) {
	if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrGateClosed) {
		t.Fatalf("ended with %v", err)
	}
}

// FuzzCoreLane feeds a core whatever a host may send on one lane.
func FuzzCoreLane(f *testing.F) {
	start := raw(typeStart, 1, wire.Marshal(Start{})...)
	f.Add(byte(Control), cat(start, raw(typeSubmit, 2, wire.Marshal([][]byte{{1}})...), raw(typeQuery, 3, wire.Marshal(queryMessage{})...), raw(typeStatus, 4)))
	f.Add(byte(Control), cat(start, raw(typeArchived, 0, wire.Marshal(archivedMessage{})...), raw(typeStop, 2, wire.Marshal(stopMessage{})...)))
	f.Add(byte(Storage), cat(raw(typeCredit, 0, u32(9)...), raw(typeData, 1, 1)))
	f.Add(byte(Streaming), cat(raw(typeAccepted, 1, 0), raw(typeBytes, 1, 1, 2), raw(typeWindow, 1, u32(5)...), raw(typeShut, 1), raw(typeClose, 1, 0, 0)))
	f.Fuzz(func(t *testing.T, lane byte, b []byte) {
		core := newCore(script(lane, b), [laneCount]limits{ownLimits, ownLimits, ownLimits})
		core.Handle(&coreStub{})
		<-core.Done()
		checkEnd(t, core.Err())
		core.Close()
	})
}

// FuzzHostLane feeds a host whatever a core may send on one lane.
func FuzzHostLane(f *testing.F) {
	f.Add(byte(Control), cat(raw(typeEvent, 0, wire.Marshal(Event{})...), raw(typeFetch, 1, wire.Marshal(fetchMessage{Kind: 1})...), raw(typeUndo, 0, wire.Marshal(Undo{})...), raw(typeFatal, 0, wire.Marshal(Fatal{})...)))
	f.Add(byte(Control), cat(more(raw(typeFinal, 0, 1)), raw(typeFinal, 0, wire.Marshal(Final{})...)))
	f.Add(byte(Storage), cat(raw(typeCreate, 0, cat(u64(1), []byte{1}, u64(0))...), raw(typeAppend, 0, cat(u64(1), u64(0), []byte("x"))...), raw(typeSync, 1, u64(1)...)))
	f.Add(byte(Storage), cat(raw(typeRead, 1, cat(u64(1), u64(0), u32(4))...), raw(typeReadMany, 2, readManyPayload([]Range{{1, 0, 1}})...), raw(typeDelete, 0, deletePayload([]uint64{1})...), raw(typeList, 3, u64(0)...), raw(typeUsage, 4)))
	f.Add(byte(Streaming), cat(raw(typeDial, 2, 'x'), raw(typeClose, 2, 0, 0)))
	f.Fuzz(func(t *testing.T, lane byte, b []byte) {
		host := newHost(script(lane, b), fixedObjects{}, &hostStub{})
		<-host.Done()
		checkEnd(t, host.Err())
		host.Close()
	})
}
