package vault

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"cloister/gate"
	"cloister/wire"
)

// Options say whose store it is and where secrets come from.
type Options struct {
	// SealKey is the backend's seal key. With Ephemeral it is ignored.
	SealKey [32]byte
	// Ephemeral is for platforms without a seal key: a key is drawn for this
	// boot and everything an earlier boot stored is deleted unread.
	Ephemeral bool
	// Random gives salts and the store's id. It must be a secret source in
	// production; the simulator gives a seeded one.
	Random io.Reader
	// ChainID must be the one the store was made for.
	ChainID wire.Hash
	// Node is the identity of this core; zero until it has one (SetNode).
	Node wire.Hash
	// Counter is the freshness counter's value for this boot (consensus.md §5), 0
	// if the platform has none. A store that does not know of the boot before, or
	// of this one because a crash came between, is ErrStale, and nothing is written.
	Counter uint64
	// Failed is told the first failure of each object after Open: the node stops
	// with Fatal, for the log's class after giving up leadership; with exit code 6
	// if err is ErrCorrupt. It may be called from any goroutine that uses the
	// vault and must neither block nor call the vault. May be nil.
	Failed func(class gate.Class, err error)
}

// Mode says what Open found.
type Mode string

const (
	// ModeNew is a store that did not exist: this is a new node, which must
	// register again and can vote for nobody's old slot.
	ModeNew Mode = "new"
	// ModeReopened is the store of an earlier boot.
	ModeReopened Mode = "reopened"
)

// Info describes the store as opened.
type Info struct {
	Mode        Mode
	StoreID     [16]byte
	Boots       uint64    // starts of this store, this one included
	Generation  uint64    // of the catalogue, as written at this start
	Node        wire.Hash // identity recorded by the earlier boot, or Options.Node
	LastCounter uint64    // Options.Counter of the earlier boot
	Cut         int       // files, the catalogue included, whose torn tail was cut
	Unknown     int       // objects without a name, deleted
}

// Vault is an open store. It is safe for concurrent use.
type Vault struct {
	host   gate.Objects
	key    []byte
	random io.Reader
	failFn func(gate.Class, error)
	info   Info

	readWindows atomic.Int64 // open read-ahead windows

	catMu sync.Mutex // serialises writers of the catalogue; before mu

	mu sync.Mutex
	// Guarded by mu.
	state    *state
	cursor   uint64 // next object number to give out
	granted  uint64 // numbers below it are durably reserved
	live     map[uint64]*object
	dirs     map[string]bool // made by MkdirAll; a directory with files needs no entry
	locks    map[string]bool
	pending  packer // groups not yet handed to the host
	appended uint64 // groups committed
	synced   uint64 // groups durable
	doomed   []doom
	failed   error // first failure of the catalogue; ends everything
	cat      *sealer
	rotateAt uint64
}

// Info returns what Open found.
func (v *Vault) Info() Info { return v.info }

// SetNode records the identity of this core, durably.
func (v *Vault) SetNode(node wire.Hash) error {
	v.catMu.Lock()
	defer v.catMu.Unlock()
	v.mu.Lock()
	had := v.state.root.Node
	v.mu.Unlock()
	if had == node {
		return nil
	}
	if !had.IsZero() {
		return fmt.Errorf("%w: node %v, not %v", ErrWrongStore, had, node)
	}
	v.mu.Lock()
	v.state.root.Node = node
	want := v.appended
	v.mu.Unlock()
	return v.syncTo(want, true)
}

// Sync makes all names, sizes and removals durable: what syncing a directory does.
func (v *Vault) Sync() error { return v.syncCatalogue() }

// Close makes the catalogue durable and ends the vault. Files must have been
// closed before; it does not close them.
func (v *Vault) Close() error {
	err := v.syncCatalogue()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failed == nil {
		v.failed = ErrClosed
	}
	return err
}

func (v *Vault) report(class gate.Class, err error) {
	if v.failFn != nil {
		v.failFn(class, err)
	}
}

func (v *Vault) newSalt() (s salt, err error) {
	if _, err := io.ReadFull(v.random, s[:]); err != nil {
		return s, fmt.Errorf("vault: no randomness: %w", err)
	}
	return s, nil
}

// numberGrant is how many object numbers one N record reserves. A boot wastes
// fewer than that many of the 64 Mi a store has.
const numberGrant = 256

// lockWithNumber locks v.mu with at least one object number free to use. A
// number is used only when its reservation is durable, so that no crash of the
// catalogue can bring it back (rule 1).
func (v *Vault) lockWithNumber() error {
	for {
		v.mu.Lock()
		if v.failed != nil {
			defer v.mu.Unlock()
			return v.failed
		}
		if v.cursor < v.granted {
			return nil
		}
		if v.state.next == v.granted {
			if v.granted+numberGrant > MaxObjects {
				v.mu.Unlock()
				return fmt.Errorf("%w: %d objects were created", ErrLimit, v.granted)
			}
			if err := v.commit(&numbersRecord{Next: v.granted + numberGrant}); err != nil {
				v.mu.Unlock()
				return err
			}
		}
		next := v.state.next
		v.mu.Unlock()
		if err := v.syncCatalogue(); err != nil {
			return err
		}
		v.mu.Lock()
		v.granted = max(v.granted, next)
		v.mu.Unlock()
	}
}

// create makes a new file, in place of one that has the name. hint is the
// expected size in bytes, 0 if unknown.
func (v *Vault) create(name string, class gate.Class, hint uint64) (*object, error) {
	s, err := v.newSalt()
	if err != nil {
		return nil, err
	}
	if err := v.lockWithNumber(); err != nil {
		return nil, err
	}
	o := newWriter(v, v.cursor, s, class, hint)
	err = v.place(name, &nameRecord{Name: name, Obj: o.id, Salt: s, Class: class})
	if err == nil {
		v.cursor++
		o.handles = 1
		v.live[o.id] = o
	}
	v.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o, v.relieve()
}

// place commits rs, which give name to an object, taking the name from another
// first. Called with v.mu held.
func (v *Vault) place(name string, rs ...record) error {
	if !validName(name) || v.isDir(name) || v.belowFile(name) {
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrInvalid}
	}
	if v.state.names[name] != nil {
		rs = append([]record{&unnameRecord{Name: name}}, rs...)
	} else if len(v.state.names) >= MaxNames {
		return &fs.PathError{Op: "create", Path: name, Err: fmt.Errorf("%w: %d names", ErrLimit, MaxNames)}
	}
	return v.commit(rs...)
}

// open returns the object behind name with one more handle.
func (v *Vault) open(name string) (*object, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := v.state.names[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	o := v.live[n.id]
	if o == nil {
		if !n.closed {
			// Its writer failed; the node is on its way down.
			return nil, &fs.PathError{Op: "open", Path: name, Err: ErrClosed}
		}
		o = newReader(v, n)
		v.live[n.id] = o
	}
	o.handles++
	return o, nil
}

// release gives one handle back. An object without a name goes with its last handle.
func (v *Vault) release(o *object) error {
	v.mu.Lock()
	o.handles--
	var objs []uint64
	if o.handles == 0 {
		delete(v.live, o.id)
		if o.unlinked {
			v.doomed = append(v.doomed, doom{o.id, o.unlinkedAt})
			objs = v.reap()
		}
	}
	v.mu.Unlock()
	return v.deleteObjects(objs)
}

// remove takes a name away.
func (v *Vault) remove(name string) error {
	v.mu.Lock()
	err := error(&fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist})
	if v.state.names[name] != nil {
		err = v.commit(&unnameRecord{Name: name})
	}
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.relieve()
}

// link gives oldname's object a second name. With move the old name goes, and
// newname's former object too, in one group.
func (v *Vault) link(op, oldname, newname string, move bool) error {
	v.mu.Lock()
	err := v.linkLocked(op, oldname, newname, move)
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.relieve()
}

func (v *Vault) linkLocked(op, oldname, newname string, move bool) error {
	n := v.state.names[oldname]
	if n == nil {
		return &fs.PathError{Op: op, Path: oldname, Err: fs.ErrNotExist}
	}
	if oldname == newname && move {
		return nil
	}
	if v.state.names[newname] != nil && !move {
		return &fs.PathError{Op: op, Path: newname, Err: fs.ErrExist}
	}
	// The new name comes before the old one goes, so the object is never without one.
	rs := []record{&nameRecord{Name: newname, Obj: n.id, Salt: n.salt, Class: n.class}}
	if move {
		rs = append(rs, &unnameRecord{Name: oldname})
	}
	return v.place(newname, rs...)
}

// recordDurable is rule 5 for a journal that has just been synced.
func (v *Vault) recordDurable(o *object, size uint64) error {
	v.mu.Lock()
	var err error
	if n := v.state.objects[o.id]; n != nil {
		err = v.commit(&durableRecord{Obj: o.id, Size: size})
	}
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.syncCatalogue()
}

// recordClosed is rule 3 for a writer that has just been synced.
func (v *Vault) recordClosed(o *object, rec closedRecord) error {
	v.mu.Lock()
	var err error
	if v.state.objects[o.id] != nil {
		err = v.commit(&rec)
	}
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.relieve()
}
