package gate

import (
	"encoding/binary"
	"time"
)

// remoteObjects is the core's end of the storage lane.
type remoteObjects struct {
	l      *lane
	s      *session
	credit int // bytes of Append the host takes without Credit

	unwritten    int       // bytes appended and not credited; lane.mu
	waitingSince time.Time // an Append waits for credit since; zero if none; lane.mu
}

var _ Objects = (*remoteObjects)(nil)

func newRemoteObjects(s *session, lim limits) *remoteObjects {
	o := &remoteObjects{l: s.lanes[Storage], s: s, credit: int(lim.credit)}
	o.l.maxOpen = int(lim.open)
	o.l.handOff = false // its senders wait for the host's answer anyway
	o.l.recv = o.receive
	return o
}

func always() bool { return true }

func (o *remoteObjects) Create(obj uint64, class Class, hint uint64) error {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], obj)
	head[8] = byte(class)
	binary.BigEndian.PutUint64(head[9:], hint)
	return o.l.hold(frame{typ: typeCreate, head: head[:]}, always)
}

func (o *remoteObjects) Append(obj, off uint64, data []byte) error {
	if len(data) == 0 {
		return ErrBadRequest
	}
	if len(data) > MaxAppend {
		return ErrTooLarge
	}
	// A host may have asked for frames smaller than MaxAppend.
	for part := min(o.l.maxFrame-16, o.credit); len(data) > 0; {
		n := min(len(data), part)
		if err := o.appendPart(obj, off, data[:n]); err != nil {
			return err
		}
		off, data = off+uint64(n), data[n:]
	}
	return nil
}

func (o *remoteObjects) appendPart(obj, off uint64, data []byte) error {
	var head [16]byte
	binary.BigEndian.PutUint64(head[:], obj)
	binary.BigEndian.PutUint64(head[8:], off)
	return o.l.hold(frame{typ: typeAppend, head: head[:], body: data}, func() bool {
		if o.unwritten+len(data) > o.credit {
			if o.waitingSince.IsZero() {
				o.waitingSince = time.Now()
			}
			return false
		}
		o.unwritten += len(data)
		o.waitingSince = time.Time{}
		return true
	})
}

func (o *remoteObjects) Sync(obj uint64) error {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], obj)
	return o.l.ask(typeSync, head[:], nil, &call{want: typeDone})
}

func (o *remoteObjects) Read(obj, off uint64, p []byte) (int, error) {
	if len(p) > MaxRead {
		return 0, ErrTooLarge
	}
	if len(p) == 0 {
		return 0, nil
	}
	var head [rangeSize]byte
	c := call{want: typeData, dst: p, max: len(p)}
	err := o.l.ask(typeRead, appendRange(head[:0], Range{obj, off, uint32(len(p))}), nil, &c)
	if err != nil {
		return 0, err
	}
	return c.n, nil
}

func (o *remoteObjects) ReadMany(rs []Range) ([]byte, error) {
	total := 0
	for _, r := range rs {
		if r.N == 0 {
			return nil, ErrBadRequest
		}
		if total += int(min(r.N, MaxRead+1)); total > MaxRead {
			return nil, ErrTooLarge
		}
	}
	if len(rs) > MaxReadMany {
		return nil, ErrTooLarge
	}
	if len(rs) == 0 {
		return nil, nil
	}
	c := call{want: typeData, dst: make([]byte, total), max: total}
	if err := o.l.ask(typeReadMany, readManyPayload(rs), nil, &c); err != nil {
		return nil, err
	}
	return c.dst[:c.n], nil
}

func (o *remoteObjects) Delete(objs ...uint64) error {
	for len(objs) > 0 {
		n := min(len(objs), MaxDelete)
		if err := o.l.hold(frame{typ: typeDelete, head: deletePayload(objs[:n])}, always); err != nil {
			return err
		}
		objs = objs[n:]
	}
	return nil
}

// List asks once from the start: the answer is bounded by MaxListed rows, and a
// host that has more than that is not listing what a vault wrote.
func (o *remoteObjects) List() ([]ObjectInfo, error) {
	c := call{want: typeData, max: MaxListed * listRow}
	if err := o.l.ask(typeList, make([]byte, 8), nil, &c); err != nil {
		return nil, err
	}
	out, broken := parseList(c.buf)
	if broken != "" {
		return nil, o.refuse(typeList, broken)
	}
	return out, nil
}

func (o *remoteObjects) Usage() (free, used uint64, err error) {
	c := call{want: typeData, dst: make([]byte, 16), max: 16}
	if err := o.l.ask(typeUsage, nil, nil, &c); err != nil {
		return 0, 0, err
	}
	if c.n != 16 {
		return 0, 0, o.refuse(typeUsage, "answer too short")
	}
	return binary.BigEndian.Uint64(c.dst), binary.BigEndian.Uint64(c.dst[8:]), nil
}

// refuse ends the gate because an answer that was well framed makes no sense.
func (o *remoteObjects) refuse(t Type, broken string) error {
	o.s.broken(o.l, o.l.violation(t, "%s", broken))
	return o.s.reason()
}

// receive takes Credit, the only one-way frame the host sends here.
func (o *remoteObjects) receive(h header) error {
	if h.typ != typeCredit {
		return o.l.violation(h.typ, "greeting on an open lane")
	}
	p, err := o.l.payload(h)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(p))
	giveBuffer(p)
	o.l.mu.Lock()
	defer o.l.mu.Unlock()
	if n == 0 || n > o.unwritten {
		return o.l.violation(h.typ, "credit of %d for %d bytes", n, o.unwritten)
	}
	o.unwritten -= n
	o.l.room.Broadcast()
	return nil
}

// stalled returns for how long the host has owed its oldest answer or credit.
func (o *remoteObjects) stalled(now time.Time) time.Duration {
	age := o.l.oldest(now)
	o.l.mu.Lock()
	defer o.l.mu.Unlock()
	if !o.waitingSince.IsZero() {
		age = max(age, now.Sub(o.waitingSince))
	}
	return age
}
