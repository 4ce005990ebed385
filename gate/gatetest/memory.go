package gatetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"cloister/gate"
)

// Memory is a host disk in memory. Every object has bytes, of which the first
// part is durable: Sync makes all of them durable, Crash returns the disk that
// a power failure leaves. It follows the rules a host must follow, except for
// the lies it is told to tell (see hostile.go). Safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	free    *sync.Cond // syncs are no longer held
	objects map[uint64]*object

	capacity uint64 // bytes in all objects; 0 means no bound
	used     uint64

	hidden      map[uint64]bool
	fault       func(op Op, obj uint64) error
	holdSyncs   bool
	heldSyncs   int
	lieOnSync   bool
	keepDeleted bool
}

// object is append-only: bytes below len(data) never change in place, so disks
// made by Snapshot and Crash share them (always with the capacity cut).
type object struct {
	class   gate.Class
	data    []byte
	durable int   // length of the durable prefix
	exists  bool  // false if only a sticky error is remembered
	entry   bool  // the directory entry is durable
	sticky  error // first refusal; every Sync reports it
}

var _ gate.Objects = (*Memory)(nil)

// NewMemory returns an empty disk without a size bound.
func NewMemory() *Memory {
	m := &Memory{objects: map[uint64]*object{}, hidden: map[uint64]bool{}}
	m.free = sync.NewCond(&m.mu)
	return m
}

// Create makes an empty object. An existing one gets a sticky ErrBadRequest.
func (m *Memory) Create(obj uint64, class gate.Class, _ uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[obj]
	if o == nil {
		o = &object{}
		m.objects[obj] = o
	}
	switch err := m.injected(OpCreate, obj); {
	case o.exists:
		o.refuse(gate.ErrBadRequest)
	case err != nil:
		o.refuse(err)
	default:
		o.exists, o.class = true, class
	}
	return nil
}

// Append adds data at off. What the disk refuses is reported by Sync only.
func (m *Memory) Append(obj, off uint64, data []byte) error {
	if len(data) == 0 {
		return gate.ErrBadRequest
	}
	if len(data) > gate.MaxAppend {
		return gate.ErrTooLarge
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[obj]
	if o == nil {
		o = &object{}
		m.objects[obj] = o
	}
	err := m.injected(OpAppend, obj)
	switch {
	case o.sticky != nil:
	case !o.exists:
		o.refuse(gate.ErrNotFound)
	case off != uint64(len(o.data)):
		o.refuse(gate.ErrBadRequest)
	case err != nil:
		o.refuse(err)
	case m.capacity > 0 && m.used+uint64(len(data)) > m.capacity:
		o.refuse(gate.ErrNoSpace)
	default:
		o.data = append(o.data, data...)
		m.used += uint64(len(data))
	}
	return nil
}

// Sync makes obj durable, or reports the first refusal since it was created.
func (m *Memory) Sync(obj uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heldSyncs++
	for m.holdSyncs {
		m.free.Wait()
	}
	m.heldSyncs--
	err := m.injected(OpSync, obj)
	o := m.objects[obj]
	if o == nil {
		return gate.ErrNotFound
	}
	if err != nil {
		o.refuse(err) // fsync gives no second chance
	}
	if o.sticky != nil {
		return o.sticky
	}
	if !m.lieOnSync {
		o.durable, o.entry = len(o.data), true
	}
	return nil
}

// Read copies what the object has from off into p.
func (m *Memory) Read(obj, off uint64, p []byte) (int, error) {
	if len(p) > gate.MaxRead {
		return 0, gate.ErrTooLarge
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read(obj, off, p)
}

func (m *Memory) read(obj, off uint64, p []byte) (int, error) {
	if err := m.injected(OpRead, obj); err != nil {
		return 0, err
	}
	o := m.visible(obj)
	if o == nil {
		return 0, gate.ErrNotFound
	}
	if off >= uint64(len(o.data)) {
		return 0, nil
	}
	return copy(p, o.data[off:]), nil
}

// ReadMany concatenates all ranges; a range the object does not have in full
// makes the whole answer short.
func (m *Memory) ReadMany(rs []gate.Range) ([]byte, error) {
	total := 0
	for _, r := range rs {
		total += int(min(r.N, gate.MaxRead+1))
	}
	if len(rs) > gate.MaxReadMany || total > gate.MaxRead {
		return nil, gate.ErrTooLarge
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]byte, total)
	n := 0
	for _, r := range rs {
		got, err := m.read(r.ID, r.Off, out[n:n+int(r.N)])
		if err != nil {
			return nil, err
		}
		n += got
	}
	return out[:n], nil
}

// Delete removes objects at once; a crash does not bring them back (see
// KeepDeleted for a host that does).
func (m *Memory) Delete(objs ...uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range objs {
		if o := m.objects[id]; o != nil && !m.keepDeleted && m.injected(OpDelete, id) == nil {
			m.used -= uint64(len(o.data))
			delete(m.objects, id)
		}
	}
	return nil
}

// List returns every visible object, ascending.
func (m *Memory) List() ([]gate.ObjectInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.injected(OpList, 0); err != nil {
		return nil, err
	}
	var out []gate.ObjectInfo
	for _, id := range m.ids() {
		if o := m.visible(id); o != nil {
			out = append(out, gate.ObjectInfo{ID: id, Len: uint64(len(o.data))})
		}
	}
	return out, nil
}

// Usage returns the free and used bytes of the set capacity (1 TiB if none).
func (m *Memory) Usage() (free, used uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.injected(OpUsage, 0); err != nil {
		return 0, 0, err
	}
	total := m.capacity
	if total == 0 {
		total = 1 << 40
	}
	return total - min(total, m.used), m.used, nil
}

// Crash returns the disk a power failure leaves: of every object the durable
// bytes and the first keep(obj, unsynced) of its unsynced ones, where the
// result is clamped to 0..unsynced. An object whose directory entry is not
// durable and of which nothing is kept is gone. keep is called in ascending
// object order, only for objects with something to lose; nil keeps nothing.
// The receiver stays usable: late writes of the old program reach nobody.
// Sticky errors and hostile settings are not carried over.
func (m *Memory) Crash(keep func(obj uint64, unsynced int) int) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMemory()
	after.capacity = m.capacity
	for _, id := range m.ids() {
		o := m.objects[id]
		if !o.exists {
			continue
		}
		n, unsynced := o.durable, len(o.data)-o.durable
		if keep != nil && (unsynced > 0 || !o.entry) {
			n += max(0, min(unsynced, keep(id, unsynced)))
		}
		if n > 0 || o.entry {
			after.put(id, o.class, o.data[:n:n])
		}
	}
	return after
}

// Snapshot returns the disk as it is now, with everything on it durable. Kept
// aside, it is the earlier moment a host can roll back to.
func (m *Memory) Snapshot() *Memory {
	return m.Crash(func(_ uint64, unsynced int) int { return unsynced })
}

// put installs an object whose bytes are all durable. data is not copied.
func (m *Memory) put(id uint64, class gate.Class, data []byte) {
	if o := m.objects[id]; o != nil {
		m.used -= uint64(len(o.data))
	}
	m.objects[id] = &object{class: class, data: data, durable: len(data), exists: true, entry: true}
	m.used += uint64(len(data))
}

func (m *Memory) visible(id uint64) *object {
	if o := m.objects[id]; o != nil && o.exists && !m.hidden[id] {
		return o
	}
	return nil
}

func (m *Memory) ids() []uint64 { return slices.Sorted(maps.Keys(m.objects)) }

func (m *Memory) injected(op Op, obj uint64) error {
	if m.fault == nil {
		return nil
	}
	return m.fault(op, obj)
}

func (o *object) refuse(err error) {
	if o.sticky == nil {
		o.sticky = err
	}
}

// must returns an object a test names; naming one that is not there is a
// mistake in the test.
func (m *Memory) must(id uint64) *object {
	o := m.objects[id]
	if o == nil || !o.exists {
		panic(fmt.Sprintf("gatetest: the disk has no object %#x", id))
	}
	return o
}
