package vault

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloister/gate"
)

// SegmentSize is when a segment of the log is full, in plaintext bytes.
const SegmentSize = 64 << 20

// MaxRecord is the most payload bytes of one log record.
const MaxRecord = 8 << 20

// LogOptions may be zero.
type LogOptions struct {
	// Name begins the segments' names; "log" if empty. One vault can hold
	// several logs under different names.
	Name string
	// SegmentSize in bytes; the constant of that name if zero.
	SegmentSize uint64
}

// Record is one entry of the log. The vault gives Type no meaning.
type Record struct {
	Type    uint8
	Payload []byte
}

// Log is the consensus engines' durable memory (gate.md §6.4): records numbered
// from 1 without gaps, in segments that are vault files. Its methods belong to
// one goroutine.
//
// After a restart the log holds a prefix of what was appended, with everything
// that was synced. A number whose record was lost before its Sync returned is
// given to the next record appended: nothing may be promised before Sync.
type Log struct {
	v        *Vault
	name     string
	full     uint64
	segments []uint64 // first number of each, ascending; the last is being written
	w        *object
	next     uint64 // number of the next record
	err      error  // first failure; sticks
	head     [recordHead]byte
}

// OpenLog reads the last segment to find the next number and starts a new one;
// Replay checks that segments follow one another. The new segment is durable by
// name before it is used, so no acknowledged record is in a file without one.
func OpenLog(v *Vault, opts LogOptions) (*Log, error) {
	l := &Log{v: v, name: opts.Name, full: opts.SegmentSize, next: 1}
	if l.name == "" {
		l.name = "log"
	}
	if l.full == 0 {
		l.full = SegmentSize
	}
	if strings.Contains(l.name, "/") {
		return nil, fmt.Errorf("%w: log name %q", ErrUnsupported, l.name)
	}
	if err := l.find(); err != nil {
		return nil, err
	}
	if n := len(l.segments); n > 0 {
		last, err := l.readSegment(l.segments[n-1], nil)
		if err != nil {
			return nil, err
		}
		l.next = last
		if l.next == l.segments[n-1] {
			// Nothing was kept of it; the new segment takes its name.
			l.segments = l.segments[:n-1]
		}
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	return l, nil
}

// find lists the segments, in order.
func (l *Log) find() error {
	l.v.mu.Lock()
	defer l.v.mu.Unlock()
	for name := range l.v.state.names {
		hex, ok := strings.CutPrefix(name, l.name+"-")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(hex, 16, 64)
		if err != nil || l.segmentName(first) != name {
			continue
		}
		l.segments = append(l.segments, first)
	}
	slices.Sort(l.segments)
	return nil
}

func (l *Log) segmentName(first uint64) string { return fmt.Sprintf("%s-%016x", l.name, first) }

// begin starts the segment whose first record is l.next.
func (l *Log) begin() error {
	w, err := l.v.create(l.segmentName(l.next), gate.ClassLog, l.full)
	if err != nil {
		return err
	}
	l.w = w
	l.segments = append(l.segments, l.next)
	return l.v.syncCatalogue()
}

// roll closes the segment being written and starts the next.
func (l *Log) roll() error {
	if err := l.end(); err != nil {
		return err
	}
	return l.begin()
}

func (l *Log) end() error {
	if l.w == nil {
		return nil
	}
	err := l.w.finish()
	if rerr := l.v.release(l.w); err == nil {
		err = rerr
	}
	l.w = nil
	return err
}

// Append numbers recs consecutively and returns the last number given. They are
// buffered: durable, and fit to base a promise on, only after Sync. Payloads are
// copied. ErrLimit for a payload over MaxRecord; nothing is appended then.
func (l *Log) Append(recs ...Record) (last uint64, err error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.w == nil {
		return 0, ErrClosed
	}
	size := uint64(0)
	for i := range recs {
		if len(recs[i].Payload) > MaxRecord {
			return 0, fmt.Errorf("%w: a log record of %d bytes, at most %d", ErrLimit, len(recs[i].Payload), MaxRecord)
		}
		size += recordHead + uint64(len(recs[i].Payload))
	}
	if at := l.w.size.Load(); at > 0 && at+size > l.full {
		if err := l.roll(); err != nil {
			return 0, l.stop(err)
		}
	}
	for i := range recs {
		putRecordHead(&l.head, recs[i].Type, l.next, len(recs[i].Payload))
		if err := l.w.write(l.head[:]); err != nil {
			return 0, l.stop(err)
		}
		if err := l.w.write(recs[i].Payload); err != nil {
			return 0, l.stop(err)
		}
		l.next++
	}
	return l.next - 1, nil
}

// Sync returns once every appended record is durable. A failure is final.
func (l *Log) Sync() error {
	if l.err != nil {
		return l.err
	}
	if l.w == nil {
		return ErrClosed
	}
	if err := l.w.sync(); err != nil {
		return l.stop(err)
	}
	return nil
}

func (l *Log) stop(err error) error {
	l.err = err
	return err
}

// Next is the number the next record will get.
func (l *Log) Next() uint64 { return l.next }

// First is the lowest number a record in the log can have.
func (l *Log) First() uint64 { return l.segments[0] }

// Replay calls fn for every record from the oldest kept to the last appended.
// payload is valid during the call. An error of fn ends it and is returned.
func (l *Log) Replay(fn func(seq uint64, typ uint8, payload []byte) error) error {
	for i, first := range l.segments {
		next, err := l.readSegment(first, fn)
		if err != nil {
			return err
		}
		want := l.next
		if i+1 < len(l.segments) {
			want = l.segments[i+1]
		}
		if next != want {
			return corrupt("log %s: segment %d ends before record %d, the next one begins at %d", l.name, first, next, want)
		}
	}
	return nil
}

// readSegment calls fn for each record and returns the number after the last.
func (l *Log) readSegment(first uint64, fn func(seq uint64, typ uint8, payload []byte) error) (uint64, error) {
	o, err := l.v.open(l.segmentName(first))
	if err != nil {
		return 0, err
	}
	d := recordDecoder{next: first, fn: fn}
	err = o.stream(d.add)
	if rerr := l.v.release(o); err == nil {
		err = rerr
	}
	if err != nil {
		return 0, fmt.Errorf("log %s, segment %d: %w", l.name, first, err)
	}
	// What d still holds is the part of a record that a crash cut off. That it
	// was the last of the segment shows in the number the next segment begins with.
	return d.next, nil
}

// CutBefore removes whole segments of which every record is below seq, durably.
// The segment being written stays.
func (l *Log) CutBefore(seq uint64) error {
	if l.err != nil {
		return l.err
	}
	n := 0
	for n+1 < len(l.segments) && l.segments[n+1] <= seq {
		n++
	}
	if n == 0 {
		return nil
	}
	// Oldest first, so that a crash in between leaves no gap.
	for _, first := range l.segments[:n] {
		if err := l.v.remove(l.segmentName(first)); err != nil {
			return l.stop(err)
		}
		l.segments = l.segments[1:]
	}
	if err := l.v.syncCatalogue(); err != nil {
		return l.stop(err)
	}
	return nil
}

// Close syncs and ends the log.
func (l *Log) Close() error {
	err := l.end()
	if l.err == nil {
		l.err = ErrClosed
	}
	return err
}

// recordHead is len u32 | type u8 | seq u64, in front of every payload.
const recordHead = 4 + 1 + 8

func putRecordHead(h *[recordHead]byte, typ uint8, seq uint64, length int) {
	binary.BigEndian.PutUint32(h[:], uint32(length))
	h[4] = typ
	binary.BigEndian.PutUint64(h[5:], seq)
}

// recordDecoder cuts a segment's bytes, given in any pieces, into records. The
// bytes were authenticated as chunks; what does not fit here was written wrongly.
type recordDecoder struct {
	next uint64 // number of the next record
	fn   func(seq uint64, typ uint8, payload []byte) error
	part []byte // the beginning of a record that spans pieces
}

// add takes the next piece. Records inside one piece are not copied.
func (d *recordDecoder) add(piece []byte) error {
	for len(d.part) > 0 && len(piece) > 0 {
		// Fill up to the header first, then to the record it announces.
		need := recordHead
		if len(d.part) >= recordHead {
			n, err := d.check(d.part)
			if err != nil {
				return err
			}
			need = n
		}
		if len(d.part) < need {
			n := min(need-len(d.part), len(piece))
			d.part, piece = append(d.part, piece[:n]...), piece[n:]
		}
		if len(d.part) < recordHead {
			return nil
		}
		total, err := d.check(d.part)
		if err != nil {
			return err
		}
		if len(d.part) == total {
			if err := d.emit(d.part); err != nil {
				return err
			}
			d.part = d.part[:0]
		}
	}
	for len(piece) >= recordHead {
		total, err := d.check(piece)
		if err != nil {
			return err
		}
		if len(piece) < total {
			break
		}
		if err := d.emit(piece[:total]); err != nil {
			return err
		}
		piece = piece[total:]
	}
	d.part = append(d.part, piece...)
	return nil
}

// check returns the length of the record that begins b.
func (d *recordDecoder) check(b []byte) (int, error) {
	n, seq := binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[5:])
	if n > MaxRecord || seq != d.next {
		return 0, corrupt("record %d of %d bytes where record %d was expected", seq, n, d.next)
	}
	return recordHead + int(n), nil
}

func (d *recordDecoder) emit(b []byte) error {
	seq := d.next
	d.next++
	if d.fn == nil {
		return nil
	}
	return d.fn(seq, b[4], b[recordHead:])
}
