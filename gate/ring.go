package gate

// ring holds bytes received and not yet read. It takes a pooled buffer when the
// first byte comes, a larger one when it must, and none while it is empty: a
// peer that sends many small pieces costs at most its window, a silent one
// nothing. The owner's lock guards every method; only the bytes returned by
// reserve are written outside it.
type ring struct {
	buf    []byte
	r, n   int  // next byte to read, bytes held
	filled int  // bytes given out by reserve and not yet published
	gone   bool // nothing is wanted any more
}

// reserve returns room for n more bytes in two parts, to be filled in order and
// then published. The window keeps held + n within the largest buffer.
func (q *ring) reserve(n int) (a, b []byte) {
	if q.n+n > len(q.buf) {
		grown := takeBuffer(q.n + n)
		grown = grown[:cap(grown)]
		held := q.take(grown)
		q.release()
		q.buf, q.r, q.n = grown, 0, held
	}
	q.filled = n
	w := (q.r + q.n) % len(q.buf)
	first := min(n, len(q.buf)-w)
	return q.buf[w : w+first], q.buf[:n-first]
}

// publish makes the reserved bytes readable.
func (q *ring) publish() {
	q.n, q.filled = q.n+q.filled, 0
	q.settle()
}

// take moves up to len(p) bytes into p.
func (q *ring) take(p []byte) int {
	n := min(len(p), q.n)
	if n == 0 {
		return 0
	}
	first := copy(p[:n], q.buf[q.r:])
	copy(p[first:n], q.buf)
	q.r, q.n = (q.r+n)%len(q.buf), q.n-n
	q.settle()
	return n
}

// drop forgets everything held, and everything to come.
func (q *ring) drop() {
	q.gone = true
	q.settle()
}

func (q *ring) settle() {
	if q.gone {
		q.n = 0
	}
	if q.n == 0 && q.filled == 0 {
		q.release()
	}
}

func (q *ring) release() {
	giveBuffer(q.buf)
	q.buf, q.r = nil, 0
}
