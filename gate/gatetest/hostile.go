package gatetest

import (
	"slices"

	"cloister/gate"
)

// Op names the operation a fault applies to.
type Op string

// Operations of gate.Objects. ReadMany counts as one OpRead per range.
const (
	OpCreate Op = "create"
	OpAppend Op = "append"
	OpSync   Op = "sync"
	OpRead   Op = "read"
	OpDelete Op = "delete"
	OpList   Op = "list"
	OpUsage  Op = "usage"
)

// Class returns the class obj was created with.
func (m *Memory) Class(obj uint64) gate.Class {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.must(obj).class
}

// Bytes returns a copy of the object's content, durable or not.
func (m *Memory) Bytes(obj uint64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.must(obj).data)
}

// Durable returns how many bytes of obj would survive a crash for certain.
func (m *Memory) Durable(obj uint64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.must(obj).durable
}

// Put installs an object with the given bytes, replacing any other: an unknown
// object, or one with forged content.
func (m *Memory) Put(obj uint64, class gate.Class, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(obj, class, slices.Clone(data))
}

// FlipBit inverts bit 0..7 of the byte at off.
func (m *Memory) FlipBit(obj, off uint64, bit uint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.must(obj)
	o.data = slices.Clone(o.data) // other disks may share the bytes
	o.data[off] ^= 1 << bit
}

// Cut drops everything of obj from length n on.
func (m *Memory) Cut(obj uint64, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.must(obj)
	m.used -= uint64(len(o.data) - n)
	o.data = o.data[:n:n]
	o.durable = min(o.durable, n)
}

// Swap exchanges the contents of two objects.
func (m *Memory) Swap(a, b uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[a], m.objects[b] = m.must(b), m.must(a)
}

// Hide makes obj look absent to Read and List until hidden is false again.
// Writes to it are still taken.
func (m *Memory) Hide(obj uint64, hidden bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hidden[obj] = hidden
}

// RollBack gives one object the content it has on another disk, or removes it
// if that disk has none. To roll back everything, use the Snapshot itself.
func (m *Memory) RollBack(obj uint64, to *Memory) {
	to.mu.Lock()
	old := to.objects[obj]
	var class gate.Class
	var data []byte
	if old != nil {
		class, data = old.class, old.data[:len(old.data):len(old.data)]
	}
	to.mu.Unlock()

	m.mu.Lock()
	defer m.mu.Unlock()
	if old != nil && old.exists {
		m.put(obj, class, data)
		return
	}
	if o := m.objects[obj]; o != nil {
		m.used -= uint64(len(o.data))
		delete(m.objects, obj)
	}
}

// SetCapacity bounds the bytes of all objects; what is over it is ErrNoSpace.
// Zero removes the bound.
func (m *Memory) SetCapacity(bytes uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// SetFault asks f before every operation; an error makes the operation fail
// with it. Create, Append and Sync errors stick to the object. f is called
// with the disk locked and must not use it. Nil removes it.
func (m *Memory) SetFault(f func(op Op, obj uint64) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// FailOnce makes the next operation op on obj fail with err, and none after.
func (m *Memory) FailOnce(op Op, obj uint64, err error) {
	m.SetFault(func(o Op, id uint64) error {
		if o != op || id != obj || err == nil {
			return nil
		}
		e := err
		err = nil
		return e
	})
}

// HoldSyncs withholds the answer of every Sync until it is called with false.
func (m *Memory) HoldSyncs(hold bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holdSyncs = hold
	m.free.Broadcast()
}

// HeldSyncs returns how many calls of Sync are being withheld.
func (m *Memory) HeldSyncs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heldSyncs
}

// LieOnSync makes Sync succeed without making anything durable.
func (m *Memory) LieOnSync(lie bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lieOnSync = lie
}

// KeepDeleted makes Delete do nothing, so that old objects are offered again.
func (m *Memory) KeepDeleted(keep bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keepDeleted = keep
}
