package gate

import (
	"encoding/binary"
	"sync"
)

// TryReader is an Objects that can read without waiting for the disk.
type TryReader interface {
	// TryRead is Read, but returns false when it would have to wait.
	TryRead(obj, off uint64, p []byte) (n int, ok bool)
}

// objectServer is the host's end of the storage lane. The reader decodes and
// checks; whatever may wait for the disk is queued (objectQueues) and done by
// the workers.
type objectServer struct {
	l     *lane
	store Objects
	try   TryReader // store, if it is one
	q     *objectQueues

	mu        sync.Mutex
	unwritten int // bytes of Append without Credit
	open      int // requests without an answer
}

func newObjectServer(s *session, store Objects) *objectServer {
	o := &objectServer{l: s.lanes[Storage], store: store, q: newObjectQueues()}
	o.try, _ = store.(TryReader)
	o.l.recv = o.receive
	o.l.gone = o.q.close
	return o
}

// receive handles one frame of the lane; only the reader calls it.
func (s *objectServer) receive(h header) error {
	p, err := s.l.payload(h)
	if err != nil {
		return err
	}
	if h.typ == typeAppend {
		return s.takeAppend(h, p) // keeps p
	}
	defer giveBuffer(p)
	if rules[h.typ].id == idRequest && !s.admit() {
		return s.l.violation(h.typ, "more than %d requests are open", maxStorageOpen)
	}
	if broken := s.take(h, p); broken != "" {
		return s.l.violation(h.typ, "%s", broken)
	}
	return nil
}

// take queues everything but Append; it returns the rule that p breaks.
func (s *objectServer) take(h header, p []byte) (broken string) {
	o := &objectOp{typ: h.typ, id: h.id}
	switch h.typ {
	case typeCreate:
		o.obj, o.class, o.hint = binary.BigEndian.Uint64(p), Class(p[8]), binary.BigEndian.Uint64(p[9:])
		if o.class < ClassTable || o.class > ClassCatalogue {
			return "unknown class"
		}
		s.q.add(o, o.obj)
	case typeSync:
		o.obj = binary.BigEndian.Uint64(p)
		s.q.add(o, o.obj)
	case typeDelete:
		objs, broken := parseDelete(p)
		for _, obj := range objs {
			s.q.add(&objectOp{typ: h.typ, obj: obj}, obj)
		}
		return broken
	case typeRead:
		r, broken := parseRead(p)
		if broken != "" || s.readNow(h.id, r) {
			return broken
		}
		o.ranges, o.total = []Range{r}, int(r.N)
		s.q.add(o, r.ID)
	case typeReadMany:
		if o.ranges, o.total, broken = parseReadMany(p); broken != "" {
			return broken
		}
		s.q.add(o, distinct(o.ranges)...)
	case typeList:
		o.obj = binary.BigEndian.Uint64(p)
		s.q.addBehindAll(o)
	case typeUsage:
		s.q.add(o)
	default:
		return "greeting on an open lane"
	}
	return ""
}

func (s *objectServer) takeAppend(h header, p []byte) error {
	s.mu.Lock()
	s.unwritten += h.n - 16
	over := s.unwritten > maxUnwritten
	s.mu.Unlock()
	if over {
		return s.l.violation(h.typ, "more than %d bytes without credit", maxUnwritten)
	}
	o := &objectOp{typ: typeAppend, obj: binary.BigEndian.Uint64(p), off: binary.BigEndian.Uint64(p[8:]), buf: p, data: p[16:]}
	if s.q.merge(o) {
		giveBuffer(p)
		return nil
	}
	s.q.add(o, o.obj)
	return nil
}

func (s *objectServer) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return s.open <= maxStorageOpen
}

// readNow answers a Read at once if that needs no waiting: nothing earlier is
// queued for the object, its bytes are in memory, and the answer has room.
func (s *objectServer) readNow(id uint64, r Range) bool {
	if s.try == nil || s.q.has(r.ID) || !s.l.roomy(int(r.N)) {
		return false
	}
	b := takeBuffer(int(r.N))
	defer giveBuffer(b)
	n, ok := s.try.TryRead(r.ID, r.Off, b)
	if !ok {
		return false
	}
	s.answered()
	s.l.urge(frame{typ: typeData, id: id, body: b[:n]})
	return true
}

// answered counts a request as answered; before the answer leaves, so that the
// core never has fewer open than the host.
func (s *objectServer) answered() {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
}

// work is a worker: it runs operations until the lane is gone.
func (s *objectServer) work() {
	for {
		o := s.q.next()
		if o == nil {
			return
		}
		s.run(o)
		s.q.done(o)
	}
}

// run carries out one operation. What the store refuses of a one-way operation
// it keeps and returns from Sync (the contract of Objects), so the errors of
// Create, Append and Delete are not looked at here.
func (s *objectServer) run(o *objectOp) {
	switch o.typ {
	case typeCreate:
		_ = s.store.Create(o.obj, o.class, o.hint)
	case typeAppend:
		_ = s.store.Append(o.obj, o.off, o.data)
		n := len(o.data)
		giveBuffer(o.buf)
		s.mu.Lock()
		s.unwritten -= n
		s.mu.Unlock()
		s.l.say(frame{typ: typeCredit, head: binary.BigEndian.AppendUint32(nil, uint32(n))})
	case typeDelete:
		_ = s.store.Delete(o.obj)
	case typeSync:
		s.answer(o, nil, s.store.Sync(o.obj))
	case typeRead:
		b := takeBuffer(o.total)
		defer giveBuffer(b)
		r := o.ranges[0]
		n, err := s.store.Read(r.ID, r.Off, b)
		s.answer(o, b[:n], err)
	case typeReadMany:
		b, err := s.store.ReadMany(o.ranges)
		if len(b) > o.total {
			err = ErrIO
		}
		s.answer(o, b, err)
	case typeList:
		b, err := s.list(o.obj)
		s.answer(o, b, err)
	case typeUsage:
		free, used, err := s.store.Usage()
		b := binary.BigEndian.AppendUint64(nil, free)
		s.answer(o, binary.BigEndian.AppendUint64(b, used), err)
	}
}

// list returns the rows after an object, all rows if after is 0, at most
// MaxListed of them.
func (s *objectServer) list(after uint64) ([]byte, error) {
	all, err := s.store.List()
	var b []byte
	for _, o := range all {
		if (o.ID > after || after == 0) && len(b) < MaxListed*listRow {
			b = appendListRow(b, o)
		}
	}
	return b, err
}

func (s *objectServer) answer(o *objectOp, data []byte, err error) {
	s.answered()
	switch {
	case err != nil:
		s.l.say(frame{typ: typeFail, id: o.id, body: failPayload(err)})
	case o.typ == typeSync:
		s.l.say(frame{typ: typeDone, id: o.id})
	default:
		part := s.l.maxFrame
		if o.typ == typeList {
			part = MaxList * listRow
		}
		s.l.answerData(o.id, data, part)
	}
}

func distinct(rs []Range) []uint64 {
	seen := make(map[uint64]bool, len(rs))
	var out []uint64
	for _, r := range rs {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r.ID)
		}
	}
	return out
}
