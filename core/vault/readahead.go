package vault

import (
	"io"
	"sync"
	"sync/atomic"
)

// Read-ahead (gate.md §6.1): a read that starts within readGap after the end of
// the one before opens a window; each further one doubles or better, up to the
// last size. Without it scans over the gate take six to nine times as long.
const readGap = 32 << 10

var windowSizes = [...]int{32 << 10, 128 << 10, 256 << 10}

// maxWindows bounds the windows of one vault: 16 MiB of decrypted bytes.
const maxWindows = 64

var windows = sync.Pool{New: func() any { b := make([]byte, windowSizes[len(windowSizes)-1]); return &b }}

// readAhead is the memory of one reading handle. Many goroutines may share it.
type readAhead struct {
	mu    sync.Mutex
	began bool    // there was a read before
	next  uint64  // where the last read ended
	step  int     // size of the next window, index into windowSizes
	buf   *[]byte // nil: no window
	start uint64  // plaintext offset of data
	data  []byte  // what of buf is filled
}

// readAt is object.readAt with a window in front of it. open counts the windows
// of the whole vault.
func (r *readAhead) readAt(o *object, open *atomic.Int64, p []byte, off uint64) (int, error) {
	if len(p) == 0 {
		return o.readAt(p, off)
	}
	r.mu.Lock()
	if r.buf != nil && off >= r.start && off+uint64(len(p)) <= r.start+uint64(len(r.data)) {
		n := copy(p, r.data[off-r.start:])
		r.next = off + uint64(n)
		r.mu.Unlock()
		return n, nil
	}
	follows := r.began && off >= r.next && off-r.next <= readGap
	r.began, r.next = true, off+uint64(len(p))
	if !follows {
		r.step = 0
		r.drop(open)
		r.mu.Unlock()
		return o.readAt(p, off)
	}
	size := windowSizes[r.step]
	r.step = min(r.step+1, len(windowSizes)-1)
	full := r.buf == nil && open.Load() >= maxWindows
	r.mu.Unlock()
	if len(p) >= size || full {
		return o.readAt(p, off)
	}

	buf := windows.Get().(*[]byte)
	n, err := o.readAt((*buf)[:size], off)
	if err != nil && err != io.EOF {
		windows.Put(buf)
		return 0, err
	}
	copied := copy(p, (*buf)[:n])
	r.mu.Lock()
	r.drop(open)
	open.Add(1)
	r.buf, r.start, r.data = buf, off, (*buf)[:n]
	r.mu.Unlock()
	if copied < len(p) {
		return copied, io.EOF
	}
	return copied, nil
}

// drop gives the window back. Called with mu held, or by the last user.
func (r *readAhead) drop(open *atomic.Int64) {
	if r.buf == nil {
		return
	}
	windows.Put(r.buf)
	r.buf, r.data = nil, nil
	open.Add(-1)
}
