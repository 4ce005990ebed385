package gate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// lane is one connection with its pending buffer and its open requests.
//
// Writing: a sender appends its frame to pending. If nobody is writing it
// becomes the writer, swaps the two buffers and writes; frames that arrive
// meanwhile leave together in the next write. A sender writes at most once for
// the frames that were there and leaves the rest to a short-lived goroutine, so
// a steady stream of others cannot hold it. On a lane with handOff every write
// is done that way: its senders have deadlines (streams) or must not be stopped
// by a host that does not read (control, and all answers).
type lane struct {
	s        *session
	kind     Lane
	conn     net.Conn
	r        *bufio.Reader
	maxFrame int                // payload bytes the other side accepts
	recv     func(header) error // consumes exactly h.n bytes; only the reader calls it
	gone     func()             // called by the reader when it stops; may be nil
	handOff  bool
	maxOpen  int // open requests of this end

	mu       sync.Mutex
	room     *sync.Cond // pending shrank, a call ended, credit came, or the lane died
	pending  []byte
	spare    []byte
	writing  bool
	dead     bool
	lastID   uint64 // newest request sent
	calls    map[uint64]*call
	lastPeer uint64 // newest request received; reader only
}

func newLane(s *session, kind Lane, conn net.Conn, frame int) *lane {
	l := &lane{
		s: s, kind: kind, conn: conn, maxFrame: frame,
		r:       bufio.NewReaderSize(plain{conn}, readerSize),
		calls:   map[uint64]*call{},
		handOff: true,
	}
	l.room = sync.NewCond(&l.mu)
	return l
}

// plain hides the connection's type: its splice and sendfile paths do not exist
// under Gramine.
type plain struct{ io.Reader }

// frame is what a sender hands to the lane. Payload is head then body.
type frame struct {
	typ  Type
	more bool
	id   uint64
	head []byte
	body []byte
}

func (f frame) size() int { return headerSize + len(f.head) + len(f.body) }

// send queues a frame and waits while too much is pending. cancelled, if not
// nil, is asked before each wait (call wake to have it asked again); when it
// says true the frame is not sent and false is returned.
func (l *lane) send(f frame, cancelled func() bool) (sent bool, err error) {
	l.mu.Lock()
	for !l.dead && len(l.pending) > 0 && len(l.pending)+f.size() > pendingBytes {
		if cancelled != nil && cancelled() {
			l.mu.Unlock()
			return false, nil
		}
		l.room.Wait()
	}
	if l.dead {
		l.mu.Unlock()
		return false, l.s.reason()
	}
	l.put(f)
	l.start()
	return true, nil
}

// tell queues a frame that nobody will wait for.
func (l *lane) tell(f frame) error {
	_, err := l.send(f, nil)
	return err
}

// say is tell for answers: it fails only when the lane has closed, and then
// whoever asked has been told so by the lane itself.
func (l *lane) say(f frame) { _ = l.tell(f) }

// hold queues a one-way frame that may stay until holdBytes are pending or the
// next request leaves. It waits until ready, asked with mu held, says true.
func (l *lane) hold(f frame, ready func() bool) error {
	l.mu.Lock()
	for !l.dead && (len(l.pending) > 0 && len(l.pending)+f.size() > pendingBytes || !ready()) {
		if len(l.pending) > 0 && !l.writing {
			// What is waited for may depend on frames still held.
			l.startApart()
			l.mu.Lock()
			continue
		}
		l.room.Wait()
	}
	if l.dead {
		l.mu.Unlock()
		return l.s.reason()
	}
	l.put(f)
	if len(l.pending) < holdBytes {
		l.mu.Unlock()
		return nil
	}
	l.start()
	return nil
}

// reply queues a frame from the lane's own reader, which must not wait.
// A peer that lets the reserve fill does not read what it asks for.
func (l *lane) reply(f frame) error {
	l.mu.Lock()
	if l.dead {
		l.mu.Unlock()
		return l.s.reason()
	}
	if len(l.pending)+f.size() > pendingBytes+pendingReserve {
		l.mu.Unlock()
		return l.violation(f.typ, "asks without reading the answers")
	}
	l.put(f)
	l.startApart()
	return nil
}

// urge is reply for other goroutines that must not wait: small frames whose
// number is bounded by what they are about.
func (l *lane) urge(f frame) {
	if err := l.reply(f); err != nil {
		l.s.broken(l, err)
	}
}

// offer is reply for a frame that may be dropped; it reports whether it was not.
func (l *lane) offer(f frame) bool {
	l.mu.Lock()
	if l.dead || len(l.pending)+f.size() > pendingBytes {
		l.mu.Unlock()
		return false
	}
	l.put(f)
	l.startApart()
	return true
}

// answerData sends the parts of an answer and waits while too much is pending.
func (l *lane) answerData(id uint64, p []byte, part int) {
	for more := true; more; {
		n := min(len(p), part)
		more = n < len(p)
		if l.tell(frame{typ: typeData, more: more, id: id, body: p[:n]}) != nil {
			return
		}
		p = p[n:]
	}
}

// roomy reports whether an answer of n bytes would be queued without waiting.
func (l *lane) roomy(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending)+headerSize+n <= pendingBytes
}

// put appends f to pending. The caller holds mu.
func (l *lane) put(f frame) {
	h := header{n: len(f.head) + len(f.body), typ: f.typ, more: f.more, id: f.id}
	l.pending = append(append(h.append(l.pending), f.head...), f.body...)
}

// start makes somebody write what is pending. The caller holds mu, start
// releases it.
func (l *lane) start() {
	if l.handOff {
		l.startApart()
		return
	}
	if l.writing {
		l.mu.Unlock()
		return
	}
	l.writing = true
	ok := l.writeOnce()
	if ok && len(l.pending) > 0 {
		l.mu.Unlock()
		go l.drain()
		return
	}
	l.writing = false
	l.room.Broadcast()
	l.mu.Unlock()
}

func (l *lane) startApart() {
	apart := !l.writing
	l.writing = true
	l.mu.Unlock()
	if apart {
		go l.drain()
	}
}

// drain writes until nothing is pending. The caller has set writing.
func (l *lane) drain() {
	l.mu.Lock()
	for len(l.pending) > 0 && l.writeOnce() {
	}
	l.writing = false
	l.room.Broadcast()
	l.mu.Unlock()
}

// writeOnce writes what is pending now and reports success. mu is held before
// and after, not during the write.
func (l *lane) writeOnce() bool {
	out := l.pending
	l.pending, l.spare = l.spare[:0], nil
	l.room.Broadcast()
	l.mu.Unlock()
	_, err := l.conn.Write(out)
	if err != nil {
		l.s.broken(l, err)
	}
	l.mu.Lock()
	l.spare = out[:0]
	return err == nil
}

// flush waits until everything queued has been written, or the deadline.
func (l *lane) flush(deadline time.Time) {
	l.conn.SetWriteDeadline(deadline)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 && !l.writing && !l.dead {
		l.writing = true
		go l.drain()
	}
	for l.writing && !l.dead {
		l.room.Wait()
	}
}

// lastWords queues a frame and delays the death of this lane until it was
// written, so that the other side can log why.
func (l *lane) lastWords(f frame) {
	if !l.offer(f) {
		return
	}
	l.flush(time.Now().Add(closeLinger))
}

// kill closes the lane. Waiting senders return; open calls end with the reader.
func (l *lane) kill() {
	l.conn.Close()
	l.mu.Lock()
	l.dead = true
	l.room.Broadcast()
	l.mu.Unlock()
}

// wake makes waiting senders look again.
func (l *lane) wake() {
	l.mu.Lock()
	l.room.Broadcast()
	l.mu.Unlock()
}

func (l *lane) violation(t Type, format string, args ...any) error {
	return &ProtocolError{Lane: l.kind, Type: t, Rule: fmt.Sprintf(format, args...)}
}

// readAll is the lane's reader goroutine.
func (l *lane) readAll() {
	for {
		if err := l.readFrame(); err != nil {
			l.s.broken(l, err)
			l.endCalls()
			if l.gone != nil {
				l.gone()
			}
			return
		}
	}
}

func (l *lane) readFrame() error {
	var b [headerSize]byte
	raw, err := l.r.Peek(headerSize)
	if err != nil {
		return err
	}
	copy(b[:], raw)
	l.r.Discard(headerSize)
	h, broken := parseHeader(&b, l.kind, l.s.at)
	if broken != "" {
		return l.violation(h.typ, "%s", broken)
	}
	switch rules[h.typ].id {
	case idAnswer:
		return l.answer(h)
	case idRequest:
		if h.id <= l.lastPeer {
			return l.violation(h.typ, "id %d after %d", h.id, l.lastPeer)
		}
		l.lastPeer = h.id
	}
	return l.recv(h)
}

// payload reads the payload into a pooled buffer; the caller gives it back.
func (l *lane) payload(h header) ([]byte, error) {
	b := takeBuffer(h.n)
	if _, err := io.ReadFull(l.r, b); err != nil {
		giveBuffer(b)
		return nil, err
	}
	return b, nil
}
