package vault

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"cloister/gate"
)

// object is one file in use: written once through one writer, read by any
// number of handles, also while it is being written. Names are none of its
// business; those are the catalogue's.
type object struct {
	v     *Vault
	id    uint64
	class gate.Class
	aead  cipher.AEAD
	// size is the plaintext length so far, buffered bytes included.
	size atomic.Uint64

	// Guarded by Vault.mu.
	handles    int
	unlinked   bool   // the last name is gone; delete when the last handle closes
	unlinkedAt uint64 // catalogue position that took it away

	mu sync.Mutex
	// Guarded by mu.
	layout layout
	known  bool // layout is filled in; false for a closed irregular file not yet read
	stored uint64
	w      *sealer // nil once the writer is closed
	plain  []byte  // bytes not yet sealed, fewer than chunkSize
	err    error   // first failure of the writer; sticks for ever
}

// buffers keeps the two big buffers of a writer between files.
var buffers = sync.Pool{New: func() any {
	return &writeBuffers{out: make([]byte, 0, outLimit), plain: make([]byte, 0, chunkSize)}
}}

type writeBuffers struct{ out, plain []byte }

// newWriter returns an object ready to be written.
func newWriter(v *Vault, id uint64, s salt, class gate.Class, hint uint64) *object {
	aead := fileCipher(v.key, s, id)
	b := buffers.Get().(*writeBuffers)
	return &object{
		v: v, id: id, class: class, aead: aead, known: true,
		plain: b.plain[:0],
		w:     &sealer{host: v.host, obj: id, class: class, hint: hint, aead: aead, out: b.out[:0]},
	}
}

// newReader returns a closed file as the catalogue describes it.
func newReader(v *Vault, n *inode) *object {
	o := &object{v: v, id: n.id, class: n.class, aead: fileCipher(v.key, n.salt, n.id), stored: n.stored}
	o.size.Store(n.size)
	if n.regular {
		o.layout, o.known = regularLayout(n.size), true
	}
	return o
}

// fail makes err final for the writer and tells the node once. Called with o.mu held.
func (o *object) fail(doing string, err error) error {
	if o.err == nil {
		o.err = fmt.Errorf("vault: %s object %d: %w", doing, o.id, err)
		o.v.report(o.class, o.err)
	}
	return o.err
}

// write appends p. The bytes are in the host's hands only after sync.
func (o *object) write(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.writable(); err != nil {
		return err
	}
	if o.size.Load()+uint64(len(p)) > MaxFile {
		return fmt.Errorf("%w: a file holds at most %d bytes", ErrLimit, int64(MaxFile))
	}
	o.size.Add(uint64(len(p)))
	for len(p) > 0 {
		if len(o.plain) == 0 && len(p) >= chunkSize {
			if err := o.seal(p[:chunkSize]); err != nil {
				return err
			}
			p = p[chunkSize:]
			continue
		}
		n := min(len(p), chunkSize-len(o.plain))
		o.plain = append(o.plain, p[:n]...)
		p = p[n:]
		if len(o.plain) == chunkSize {
			if err := o.seal(o.plain); err != nil {
				return err
			}
			o.plain = o.plain[:0]
		}
	}
	return nil
}

func (o *object) writable() error {
	if o.err != nil {
		return o.err
	}
	if o.w == nil {
		return ErrClosed
	}
	return nil
}

func (o *object) seal(p []byte) error {
	if err := o.w.seal(p); err != nil {
		return o.fail("append to", err)
	}
	o.layout.add(len(p))
	return nil
}

// sync returns once everything written is durable at an honest host. For a
// journal it also makes the catalogue remember how much that was, so that the
// host cannot later show a shorter journal next to newer files (rule 5).
func (o *object) sync() error {
	o.mu.Lock()
	err := o.writable()
	if err == nil && len(o.plain) > 0 {
		if err = o.seal(o.plain); err == nil {
			o.plain = o.plain[:0]
		}
	}
	if err == nil {
		if ferr := o.w.flush(); ferr != nil {
			err = o.fail("append to", ferr)
		}
	}
	if err != nil || o.w.durable == o.w.index {
		o.mu.Unlock()
		return err
	}
	upTo, size := o.w.index, o.layout.size
	o.mu.Unlock()

	err = o.v.host.Sync(o.id)

	o.mu.Lock()
	if err != nil {
		err = o.fail("sync", err)
	} else if o.w != nil {
		o.w.durable = upTo
	}
	o.mu.Unlock()
	if err != nil || o.class != gate.ClassJournal {
		return err
	}
	return o.v.recordDurable(o, size)
}

// finish ends the writer: sync, then record the exact size (rule 3).
func (o *object) finish() error {
	err := o.sync()
	o.mu.Lock()
	if o.w == nil {
		o.mu.Unlock()
		return err
	}
	buffers.Put(&writeBuffers{out: o.w.out[:0], plain: o.plain[:0]})
	o.w, o.plain = nil, nil
	rec := closedRecord{Obj: o.id, Size: o.layout.size, Stored: o.layout.stored(), Regular: o.layout.regular()}
	o.mu.Unlock()
	if err != nil {
		return err
	}
	return o.v.recordClosed(o, rec)
}

// readAt fills p from off and returns how many bytes there were; io.EOF when
// fewer than len(p).
func (o *object) readAt(p []byte, off uint64) (int, error) {
	size := o.size.Load()
	if off >= size {
		return 0, io.EOF
	}
	short := uint64(len(p)) > size-off
	if short {
		p = p[:size-off]
	}
	l, tail, err := o.prepareRead(p, off)
	if err != nil {
		return 0, err
	}
	if err := o.readSealed(&l, p[:len(p)-tail], off); err != nil {
		return 0, o.readFailed(err)
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// prepareRead makes sure that what p covers is at the host or in p: it copies
// the last bytes from the writer's buffer when they are not sealed yet, and
// returns how many those were, with the positions of all chunks.
func (o *object) prepareRead(p []byte, off uint64) (l layout, tail int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known {
		if err := o.load(); err != nil {
			return layout{}, 0, err
		}
	}
	if o.err != nil {
		// Bytes of a failed writer may be nowhere.
		return layout{}, 0, o.err
	}
	if o.w != nil {
		if err := o.w.flush(); err != nil {
			return layout{}, 0, o.fail("append to", err)
		}
	}
	if end := off + uint64(len(p)); end > o.layout.size {
		from := max(off, o.layout.size)
		tail = copy(p[from-off:], o.plain[from-o.layout.size:])
	}
	return o.layout, tail, nil
}

// load reads a closed irregular file through once to learn where its chunks are.
func (o *object) load() error {
	var l layout
	err := o.scan(o.stored, func(plain []byte) error { l.add(len(plain)); return nil })
	if err != nil {
		return o.readFailed(err)
	}
	if l.size != o.size.Load() {
		return o.readFailed(corrupt("object %d holds %d bytes, the catalogue says %d", o.id, l.size, o.size.Load()))
	}
	o.layout, o.known = l, true
	return nil
}

// scan calls fn for the plaintext of every chunk in the first stored bytes of
// the object. Anything but good chunks is ErrCorrupt.
func (o *object) scan(stored uint64, fn func(plain []byte) error) error {
	s := newScanner(o.v.host, o.id, o.aead, 0, stored)
	for {
		plain, err := s.next()
		if err == io.EOF && s.off == stored {
			return nil
		}
		if err == io.EOF || errors.Is(err, errBadChunk) {
			return corrupt("object %d: chunk %d is not the one written", o.id, s.index)
		}
		if err != nil {
			return err
		}
		if err := fn(plain); err != nil {
			return err
		}
	}
}

// stream calls fn for the whole content in order, in pieces valid during the
// call. Unlike readAt it never remembers positions.
func (o *object) stream(fn func(plain []byte) error) error {
	o.mu.Lock()
	stored, plain := o.stored, append([]byte(nil), o.plain...)
	err := o.err
	if err == nil && o.w != nil {
		if ferr := o.w.flush(); ferr != nil {
			err = o.fail("append to", ferr)
		}
	}
	if o.known {
		stored = o.layout.stored()
	}
	o.mu.Unlock()
	if err != nil {
		return err
	}
	if err := o.scan(stored, fn); err != nil {
		return o.readFailed(err)
	}
	if len(plain) == 0 {
		return nil
	}
	return fn(plain)
}

// readFailed tells the node when what was read back is not what was written.
func (o *object) readFailed(err error) error {
	if errors.Is(err, ErrCorrupt) {
		o.v.report(o.class, err)
	}
	return err
}

// fetches holds buffers for one Read.
var fetches = sync.Pool{New: func() any { b := make([]byte, gate.MaxRead); return &b }}

// readSealed fills p from plaintext offset off, all of it inside l. Each Read
// takes as many whole chunks as it may; full ones are decrypted straight into p.
func (o *object) readSealed(l *layout, p []byte, off uint64) error {
	if len(p) == 0 {
		return nil
	}
	fetch := fetches.Get().(*[]byte)
	defer fetches.Put(fetch)
	var nonce [12]byte
	for len(p) > 0 {
		first := l.find(off)
		base := l.offset(first)
		last := first
		for last+1 < l.chunks && l.end(last) < off+uint64(len(p)) && l.end(last+1)+(last+2)*chunkOverhead-base <= gate.MaxRead {
			last++
		}
		buf := (*fetch)[:l.end(last)+(last+1)*chunkOverhead-base]
		n, err := readFull(o.v.host, o.id, base, buf)
		if err != nil {
			return err
		}
		if n < len(buf) {
			return corrupt("object %d ends early, at %d", o.id, base+uint64(n))
		}
		for i := first; i <= last && len(p) > 0; i++ {
			at := l.offset(i) - base
			raw := buf[at : at+l.end(i)-l.start(i)+chunkOverhead]
			whole := len(raw) - chunkOverhead
			dst := raw[chunkHead:chunkHead]
			direct := off == l.start(i) && len(p) >= whole
			if direct {
				dst = p[:0:whole]
			}
			plain, ok := openChunk(dst, o.aead, &nonce, i, raw)
			if !ok {
				return corrupt("object %d: chunk %d is not the one written", o.id, i)
			}
			n := whole
			if !direct {
				n = copy(p, plain[off-l.start(i):])
			}
			p, off = p[n:], off+uint64(n)
		}
	}
	return nil
}
