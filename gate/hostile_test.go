package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"cloister/wire"
)

// patch returns frame with one byte of its header replaced.
func patch(f []byte, at int, v byte) []byte {
	f = bytes.Clone(f)
	f[at] = v
	return f
}

// length returns a header announcing n bytes, without any.
func length(typ Type, id uint64, n uint32) []byte {
	f := raw(typ, id)
	binary.BigEndian.PutUint32(f, n)
	return f
}

func more(f []byte) []byte { return patch(f, 5, flagMore) }

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// openCalls makes the core of a hostile host wait for answers: storage request
// 1 is a Read of 4 bytes, 2 a Sync, 3 a List, 4 a Usage; control request 1 is a
// Fetch. Stream 2 is being dialled.
func openCalls(t *testing.T, core *Core, p *peer) (ended chan error) {
	ended = make(chan error, 6)
	o := core.Objects()
	go func() { _, err := o.Read(1, 0, make([]byte, 4)); ended <- err }()
	p.expect(Storage, typeRead)
	go func() { ended <- o.Sync(1) }()
	p.expect(Storage, typeSync)
	go func() { _, err := o.List(); ended <- err }()
	p.expect(Storage, typeList)
	go func() { _, _, err := o.Usage(); ended <- err }()
	p.expect(Storage, typeUsage)
	go func() { _, err := core.FetchHeight(ctx, 1); ended <- err }()
	p.expect(Control, typeFetch)
	go func() { _, err := core.Streams().Dial(ctx, "peer"); ended <- err }()
	p.expect(Streaming, typeDial)
	return ended
}

func TestTheCoreEndsOnEveryBrokenRule(t *testing.T) {
	start := raw(typeStart, 1, wire.Marshal(Start{})...)
	accepted := raw(typeAccepted, 1, 0)
	for name, c := range map[string]struct {
		lane   Lane
		frames []byte
	}{
		"type 0":                            {Control, raw(0, 1)},
		"unknown type":                      {Control, raw(0x7f, 1)},
		"unknown type 255":                  {Streaming, raw(0xff, 1)},
		"reserved flag":                     {Control, patch(raw(typeStatus, 1), 5, 2)},
		"flag bit 7":                        {Control, patch(raw(typeStatus, 1), 5, 0x80)},
		"reserved byte 6":                   {Control, patch(raw(typeStatus, 1), 6, 1)},
		"reserved byte 7":                   {Control, patch(raw(typeStatus, 1), 7, 1)},
		"more on a request":                 {Control, more(raw(typeStatus, 1))},
		"storage frame on control":          {Control, raw(typeCredit, 0, 0, 0, 0, 1)},
		"control frame on storage":          {Storage, raw(typeStatus, 1)},
		"stream frame on storage":           {Storage, raw(typeShut, 1)},
		"frame for the other direction":     {Control, raw(typeFetch, 1, wire.Marshal(fetchMessage{Kind: 1})...)},
		"a core's request from the host":    {Storage, raw(typeSync, 1, u64(1)...)},
		"hello again":                       {Control, raw(typeHello, 0, hello{Version, Control, Token{}}.payload()...)},
		"welcome again on control":          {Control, raw(typeWelcome, 0, ownLimits.payload()...)},
		"welcome again on storage":          {Storage, raw(typeWelcome, 0, ownLimits.payload()...)},
		"welcome again on streams":          {Streaming, raw(typeWelcome, 0, ownLimits.payload()...)},
		"request id 0":                      {Control, raw(typeStatus, 0)},
		"request id repeated":               {Control, cat(start, raw(typeStatus, 1))},
		"request id decreasing":             {Control, cat(raw(typeStatus, 5), raw(typeStatus, 4))},
		"one-way with an id":                {Control, raw(typeArchived, 3, wire.Marshal(archivedMessage{})...)},
		"payload where none belongs":        {Control, raw(typeStatus, 1, 0)},
		"4 GiB announced":                   {Control, length(typeSubmit, 1, 1<<32-1)},
		"one byte over the frame limit":     {Control, length(typeSubmit, 1, maxFrame+1)},
		"one byte over the type's limit":    {Control, length(typeQuery, 1, MaxQuery+17)},
		"start too long":                    {Control, length(typeStart, 1, MaxConfig+1025)},
		"start that is not CBOR":            {Control, raw(typeStart, 1, 0xff)},
		"start with trailing bytes":         {Control, raw(typeStart, 1, append(wire.Marshal(Start{}), 0)...)},
		"start with a long seal key":        {Control, raw(typeStart, 1, wire.Marshal(Start{Options: Options{DevSealKey: make([]byte, MaxSealKey+1)}})...)},
		"archived that is not CBOR":         {Control, raw(typeArchived, 0, 0xff)},
		"submit that is not CBOR":           {Control, cat(start, raw(typeSubmit, 2, 0x81, 0x01))},
		"query of another shape":            {Control, cat(start, raw(typeQuery, 2, 0x80))},
		"stop with a grace of two minutes":  {Control, cat(start, raw(typeStop, 2, wire.Marshal(stopMessage{GraceMS: 120_000})...))},
		"answer to an unknown id":           {Storage, raw(typeDone, 77)},
		"answer with id 0":                  {Storage, raw(typeDone, 0)},
		"answer twice":                      {Storage, cat(raw(typeDone, 2), raw(typeDone, 2))},
		"failed and answered":               {Storage, cat(raw(typeFail, 1, 0, 1), raw(typeData, 1, 1))},
		"Done for a Read":                   {Storage, raw(typeDone, 1)},
		"Data for a Sync":                   {Storage, raw(typeData, 2)},
		"Ready for a Fetch":                 {Control, raw(typeReady, 1, 0)},
		"read answer one byte too long":     {Storage, raw(typeData, 1, 1, 2, 3, 4, 5)},
		"read answer too long in parts":     {Storage, cat(more(raw(typeData, 1, 1, 2, 3)), raw(typeData, 1, 4, 5))},
		"empty part":                        {Storage, more(raw(typeData, 1))},
		"answer of a storage id on control": {Control, raw(typeData, 2, 1)},
		"fail without a code":               {Storage, raw(typeFail, 1, 0)},
		"fail with 201 bytes of text":       {Storage, raw(typeFail, 1, make([]byte, 203)...)},
		"list with a duplicate":             {Storage, raw(typeData, 3, cat(u64(5), u64(1), u64(5), u64(1))...)},
		"list out of order":                 {Storage, raw(typeData, 3, cat(u64(5), u64(1), u64(4), u64(1))...)},
		"list cut in a row":                 {Storage, raw(typeData, 3, make([]byte, 17)...)},
		"usage too short":                   {Storage, raw(typeData, 4, make([]byte, 15)...)},
		"usage too long":                    {Storage, raw(typeData, 4, make([]byte, 17)...)},
		"credit for nothing":                {Storage, raw(typeCredit, 0, u32(1)...)},
		"credit of zero":                    {Storage, raw(typeCredit, 0, u32(0)...)},
		"accepted with an even id":          {Streaming, raw(typeAccepted, 4, 0)},
		"accepted with a reused id":         {Streaming, cat(accepted, accepted)},
		"accepted with a lower id":          {Streaming, cat(raw(typeAccepted, 9, 0), raw(typeAccepted, 7, 0))},
		"accepted without a listener":       {Streaming, raw(typeAccepted, 1)},
		"accepted with a long hint":         {Streaming, raw(typeAccepted, 1, make([]byte, 257)...)},
		"dial from the host":                {Streaming, raw(typeDial, 1, 'x')},
		"bytes on an unknown odd id":        {Streaming, raw(typeBytes, 1, 1)},
		"bytes on an unknown even id":       {Streaming, raw(typeBytes, 4, 1)},
		"close of an unknown id":            {Streaming, raw(typeClose, 4, 0, 0)},
		"window of an unknown id":           {Streaming, raw(typeWindow, 3, u32(1)...)},
		"bytes before opened":               {Streaming, raw(typeBytes, 2, 1)},
		"window before opened":              {Streaming, raw(typeWindow, 2, u32(1)...)},
		"shut before opened":                {Streaming, raw(typeShut, 2)},
		"opened twice":                      {Streaming, cat(raw(typeOpened, 2), raw(typeOpened, 2))},
		"opened of an accepted stream":      {Streaming, cat(accepted, raw(typeOpened, 1))},
		"no bytes":                          {Streaming, cat(accepted, raw(typeBytes, 1))},
		"more bytes than a frame may have":  {Streaming, cat(accepted, length(typeBytes, 1, MaxData+1))},
		"window overrun by one byte":        {Streaming, cat(accepted, raw(typeBytes, 1, make([]byte, Window)...), raw(typeBytes, 1, 1))},
		"window grows by nothing":           {Streaming, cat(accepted, raw(typeWindow, 1, u32(0)...))},
		"window over its maximum":           {Streaming, cat(accepted, raw(typeWindow, 1, u32(WideWindow-Window+1)...))},
		"window past 2^31":                  {Streaming, cat(accepted, raw(typeWindow, 1, u32(1<<31)...))},
		"window past 2^32 in two steps":     {Streaming, cat(accepted, raw(typeWindow, 1, u32(1)...), raw(typeWindow, 1, u32(1<<32-1)...))},
		"bytes after shut":                  {Streaming, cat(accepted, raw(typeShut, 1), raw(typeBytes, 1, 1))},
		"shut twice":                        {Streaming, cat(accepted, raw(typeShut, 1), raw(typeShut, 1))},
		"stream id 0":                       {Streaming, raw(typeBytes, 0, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			core, p := rawHost(t, &coreStub{})
			ended := openCalls(t, core, p)
			p.send(c.lane, c.frames)
			<-core.Done()
			err := core.Err()
			var broken *ProtocolError
			if !errors.Is(err, ErrProtocol) || ExitCode(err) != ExitProtocol || !errors.As(err, &broken) || broken.Lane != c.lane {
				t.Fatalf("ended with %v", err)
			}
			for range cap(ended) {
				<-ended // nothing waits for ever
			}
			lastEvent(t, p, broken)
			for l := range laneCount {
				if _, err := io.Copy(io.Discard, p.conns[l]); err != nil && !errors.Is(err, errReset) {
					t.Errorf("%v lane: %v", l, err)
				}
			}
		})
	}
}

// lastEvent reads the control lane until the event that says which rule was
// broken.
func lastEvent(t *testing.T, p *peer, broken *ProtocolError) {
	t.Helper()
	for {
		h, payload := p.next(Control)
		if h.typ != typeEvent {
			continue
		}
		e, err := decode(payload, checkEvent)
		if err != nil || e.ID != EventProtocol || e.Numbers[0] != uint64(broken.Lane) || e.Numbers[1] != uint64(broken.Type) {
			t.Fatalf("last event %+v, %v; want it to tell %v", e, err, broken)
		}
		return
	}
}

func TestTheHostEndsOnEveryBrokenRule(t *testing.T) {
	dial := raw(typeDial, 2, 'x')
	read := func(id uint64, n uint32) []byte { return raw(typeRead, id, cat(u64(1), u64(0), u32(n))...) }
	many := func(n uint16, rs ...Range) []byte {
		b := readManyPayload(rs)
		binary.BigEndian.PutUint16(b, n)
		return raw(typeReadMany, 1, b...)
	}
	flood := func(n int, f func(id uint64) []byte) (out []byte) {
		for i := range n {
			out = append(out, f(uint64(i+1))...)
		}
		return out
	}
	for name, c := range map[string]struct {
		lane   Lane
		frames []byte
	}{
		"unknown type":                    {Storage, raw(0x1e, 1)},
		"frame for the other direction":   {Storage, raw(typeCredit, 0, u32(1)...)},
		"welcome from the core":           {Control, raw(typeWelcome, 0, ownLimits.payload()...)},
		"hello again":                     {Storage, raw(typeHello, 0, hello{Version, Storage, Token{}}.payload()...)},
		"hello again on control":          {Control, raw(typeHello, 0, hello{Version, Control, Token{}}.payload()...)},
		"hello again on streams":          {Streaming, raw(typeHello, 0, hello{Version, Streaming, Token{}}.payload()...)},
		"append without data":             {Storage, raw(typeAppend, 0, make([]byte, 16)...)},
		"append over the limit":           {Storage, length(typeAppend, 0, maxFrame+1)},
		"append without credit":           {Storage, flood(17, func(uint64) []byte { return raw(typeAppend, 0, make([]byte, maxFrame)...) })},
		"create of class 0":               {Storage, raw(typeCreate, 0, cat(u64(1), []byte{0}, u64(0))...)},
		"create of class 5":               {Storage, raw(typeCreate, 0, cat(u64(1), []byte{5}, u64(0))...)},
		"read of nothing":                 {Storage, read(1, 0)},
		"read over the limit":             {Storage, read(1, MaxRead+1)},
		"257 open requests":               {Storage, flood(257, func(id uint64) []byte { return raw(typeSync, id, u64(1)...) })},
		"storage id repeated":             {Storage, cat(read(1, 1), read(1, 1))},
		"read-many of nothing":            {Storage, many(0, Range{1, 0, 1})},
		"read-many that counts too much":  {Storage, many(2, Range{1, 0, 1})},
		"read-many that counts too few":   {Storage, many(1, Range{1, 0, 1}, Range{1, 0, 1})},
		"read-many over the sum":          {Storage, many(2, Range{1, 0, MaxRead}, Range{1, 0, 1})},
		"read-many with an empty range":   {Storage, many(2, Range{1, 0, 1}, Range{1, 0, 0})},
		"delete of nothing":               {Storage, raw(typeDelete, 0, make([]byte, 10)...)},
		"delete that counts wrongly":      {Storage, raw(typeDelete, 0, cat([]byte{0, 2}, u64(1))...)},
		"fetch of an unknown kind":        {Control, raw(typeFetch, 1, wire.Marshal(fetchMessage{Kind: 9})...)},
		"fetch with a long key":           {Control, raw(typeFetch, 1, wire.Marshal(fetchMessage{Kind: 1, Key: make([]byte, MaxFetchKey+1)})...)},
		"event with nine numbers":         {Control, raw(typeEvent, 0, wire.Marshal(Event{Numbers: make([]uint64, 9)})...)},
		"event with five hashes":          {Control, raw(typeEvent, 0, wire.Marshal(Event{Hashes: make([]wire.Hash, 5)})...)},
		"undo that is not CBOR":           {Control, raw(typeUndo, 0, 0xff)},
		"fatal that is not CBOR":          {Control, raw(typeFatal, 0, 0xff)},
		"final that is not CBOR":          {Control, raw(typeFinal, 0, 0xff)},
		"final for ever":                  {Control, flood(17, func(uint64) []byte { return more(raw(typeFinal, 0, make([]byte, maxFrame)...)) })},
		"answer nobody asked for":         {Control, raw(typeDone, 1)},
		"dial with an odd id":             {Streaming, raw(typeDial, 1, 'x')},
		"dial with a reused id":           {Streaming, cat(dial, dial)},
		"dial without an address":         {Streaming, raw(typeDial, 2)},
		"bytes before the host opened":    {Streaming, cat(dial, raw(typeBytes, 2, 1))},
		"bytes on a stream never dialled": {Streaming, raw(typeBytes, 2, 1)},
		"bytes on a stream not accepted":  {Streaming, raw(typeBytes, 1, 1)},
		"opened from the core":            {Streaming, cat(dial, raw(typeOpened, 2))},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			host, p := rawCore(t, &heldObjects{release: release}, &hostStub{dial: heldDial})
			go func() { // what the host answers meanwhile
				for l := range laneCount {
					go io.Copy(io.Discard, p.conns[l])
				}
			}()
			p.send(c.lane, c.frames)
			<-host.Done()
			var broken *ProtocolError
			if err := host.Err(); !errors.Is(err, ErrProtocol) || !errors.As(err, &broken) || broken.Lane != c.lane {
				t.Fatalf("ended with %v", err)
			}
		})
	}
}

// A frame cut at any byte is a lost lane, never a panic and never a wait.
func TestAFrameCutAnywhereIsALostLane(t *testing.T) {
	whole := raw(typeQuery, 1, wire.Marshal(queryMessage{Kind: 1, Body: []byte("body")})...)
	for n := range whole {
		core, p := rawHost(t, &coreStub{})
		p.send(Control, whole[:n])
		p.conns[Control].Close()
		<-core.Done()
		if err := core.Err(); !errors.Is(err, ErrGateClosed) || ExitCode(err) != ExitClosed {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestAnUnknownFailCodeCountsAsIO(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	got := make(chan error, 1)
	ask := func() { got <- core.Objects().Sync(1) }
	text := bytes.Repeat([]byte("t"), MaxFailText)
	for id, c := range []struct {
		code uint16
		want error
	}{{0, ErrIO}, {1, ErrNotFound}, {9, ErrStopped}, {10, ErrIO}, {0xffff, ErrIO}} {
		go ask()
		p.expect(Storage, typeSync)
		p.send(Storage, raw(typeFail, uint64(id+1), append(binary.BigEndian.AppendUint16(nil, c.code), text...)...))
		err := <-got
		var f *Failure
		if !errors.Is(err, c.want) || !errors.As(err, &f) || f.Text != string(text) {
			t.Errorf("code %d: %v", c.code, err)
		}
	}
}

// Two answers exchanged by the host reach each other's callers; that the bytes
// are wrong is for the vault's tags to find.
func TestExchangedAnswersEndTheRightCalls(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	got := make(chan string, 2)
	ask := func() {
		b := make([]byte, 1)
		n, err := core.Objects().Read(1, 0, b)
		got <- string(b[:n])
		if err != nil {
			t.Error(err)
		}
	}
	go ask()
	p.expect(Storage, typeRead)
	go ask()
	p.expect(Storage, typeRead)
	p.send(Storage, raw(typeData, 2, 'a'))
	if s := <-got; s != "a" {
		t.Fatalf("%q", s)
	}
	p.send(Storage, raw(typeData, 1)) // short
	if s := <-got; s != "" {
		t.Fatalf("%q", s)
	}
}

func TestCreditNeverMakesAppendWaitAndTheLossOfTheLaneEndsIt(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	o := core.Objects()
	go io.Copy(io.Discard, p.conns[Storage])
	data := make([]byte, MaxAppend)
	for i := range maxUnwritten / MaxAppend {
		if err := o.Append(1, uint64(i*MaxAppend), data); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan error, 1)
	go func() { got <- o.Append(1, 0, data) }()
	for core.StorageStalled() == 0 {
		runtime.Gosched()
	}
	p.send(Storage, raw(typeCredit, 0, u32(MaxAppend)...))
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	go func() { got <- o.Append(1, 0, data) }()
	for core.StorageStalled() == 0 {
		runtime.Gosched()
	}
	p.conns[Storage].Close()
	if err := <-got; !errors.Is(err, ErrGateClosed) {
		t.Fatal(err)
	}
}

func TestMoreForEverIsBounded(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	got := make(chan error, 1)
	go func() { _, err := core.FetchHeight(ctx, 1); got <- err }()
	p.expect(Control, typeFetch)
	part := more(raw(typeData, 1, make([]byte, maxFrame)...))
	for !core.s.ended() {
		p.send(Control, part)
	}
	if err := <-got; !errors.Is(err, ErrProtocol) {
		t.Fatal(err)
	}
}

// What is announced and not sent costs one frame per lane at most, and small
// pieces cost what they hold.
func TestAnnouncedLengthsCostNoMemory(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	openCalls(t, core, p)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p.send(Control, length(typeSubmit, 1, maxFrame))
	p.send(Storage, length(typeData, 3, maxFrame))
	for id := range uint64(100) {
		p.send(Streaming, raw(typeAccepted, 2*id+1, 0))
		for range 1000 {
			p.send(Streaming, raw(typeBytes, 2*id+1, 7))
		}
	}
	for core.Streams().newestPeer() != 199 {
		runtime.Gosched()
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Fatalf("%d bytes more are held", grown)
	}
}

func (m *Streams) newestPeer() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastPeer
}

func TestReadingAndAppendingAllocateLittle(t *testing.T) {
	core, _ := started(t, &coreStub{}, &fixedObjects{}, &hostStub{})
	o := core.Objects()
	p := make([]byte, 4096)
	if n := testing.AllocsPerRun(500, func() { o.Read(1, 0, p) }); n > 16 {
		t.Errorf("a Read allocates %v times at both ends", n)
	}
	if n := testing.AllocsPerRun(500, func() { o.Append(1, 0, p) }); n > 16 {
		t.Errorf("an Append allocates %v times at both ends", n)
	}
}
