package vault

import (
	"maps"
	"slices"

	"cloister/gate"
)

// state is what the catalogue says: the fold over its records. Running
// operations and the reading at start go through the same apply, so what is
// read back is what was meant.
type state struct {
	root    rootRecord
	begun   bool // R seen
	ended   bool // E seen
	next    uint64
	names   map[string]*inode
	objects map[uint64]*inode
	dirs    map[string]int // names below each directory
	// orphans lost their last name since the owner last looked.
	orphans []*inode
}

// inode is one object that has a name.
type inode struct {
	id    uint64
	salt  salt
	class gate.Class
	links int

	closed  bool
	size    uint64 // exact when closed
	stored  uint64
	regular bool
	durable uint64 // the least size that is durable
}

func newState() *state {
	return &state{next: 1, names: map[string]*inode{}, objects: map[uint64]*inode{}, dirs: map[string]int{}}
}

// count adds d to every directory that name is in.
func (s *state) count(name string, d int) {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if s.dirs[name[:i]] += d; s.dirs[name[:i]] == 0 {
			delete(s.dirs, name[:i])
		}
	}
}

// apply changes the state by one record or says why the record cannot follow.
func (s *state) apply(r record) error {
	if root, ok := r.(*rootRecord); ok != !s.begun {
		return corrupt("catalogue: record %q out of place", r.op())
	} else if ok {
		s.root, s.begun = *root, true
		return nil
	}
	switch r := r.(type) {
	case *numbersRecord:
		if r.Next < s.next || r.Next > MaxObjects {
			return corrupt("catalogue: object numbers went from %d to %d", s.next, r.Next)
		}
		s.next = r.Next
	case *nameRecord:
		return s.name(r)
	case *unnameRecord:
		n := s.names[r.Name]
		if n == nil {
			return corrupt("catalogue: removes %q, which does not exist", r.Name)
		}
		delete(s.names, r.Name)
		s.count(r.Name, -1)
		if n.links--; n.links == 0 {
			delete(s.objects, n.id)
			s.orphans = append(s.orphans, n)
		}
	case *closedRecord:
		return s.close(r)
	case *durableRecord:
		n := s.objects[r.Obj]
		if n == nil || n.closed || r.Size < n.durable || r.Size > MaxFile {
			return corrupt("catalogue: impossible durable size of object %d", r.Obj)
		}
		n.durable = r.Size
	case *endRecord:
		if s.ended {
			return corrupt("catalogue: two ends")
		}
		s.ended = true
	}
	return nil
}

func (s *state) name(r *nameRecord) error {
	if !validName(r.Name) || s.names[r.Name] != nil || len(s.names) >= MaxNames {
		return corrupt("catalogue: cannot give the name %q", r.Name)
	}
	if r.Obj == 0 || r.Obj >= s.next || r.Class < gate.ClassTable || r.Class > gate.ClassJournal {
		return corrupt("catalogue: impossible object %d of class %d", r.Obj, r.Class)
	}
	n := s.objects[r.Obj]
	if n == nil {
		n = &inode{id: r.Obj, salt: r.Salt, class: r.Class}
		s.objects[r.Obj] = n
	} else if n.salt != r.Salt || n.class != r.Class {
		return corrupt("catalogue: two objects with number %d", r.Obj)
	}
	n.links++
	s.names[r.Name] = n
	s.count(r.Name, 1)
	return nil
}

func (s *state) close(r *closedRecord) error {
	n := s.objects[r.Obj]
	if n == nil || n.closed || r.Size < n.durable || r.Size > MaxFile || r.Stored < r.Size {
		return corrupt("catalogue: impossible size of object %d", r.Obj)
	}
	least := regularLayout(r.Size)
	chunks, rest := (r.Stored-r.Size)/chunkOverhead, (r.Stored-r.Size)%chunkOverhead
	if rest != 0 || chunks < least.chunks || chunks > r.Size || r.Regular && chunks != least.chunks {
		return corrupt("catalogue: impossible chunks of object %d", r.Obj)
	}
	n.closed, n.size, n.stored, n.regular = true, r.Size, r.Stored, r.Regular
	return nil
}

// snapshot returns the chunks that begin a generation: everything there is,
// then E. Sorted, so that one state has one snapshot.
func (s *state) snapshot() *packer {
	p := new(packer)
	add := func(r record) { p.add(appendRecord(nil, r)) }
	add(&s.root)
	add(&numbersRecord{Next: s.next})
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		n := s.names[name]
		add(&nameRecord{Name: name, Obj: n.id, Salt: n.salt, Class: n.class})
	}
	for _, id := range slices.Sorted(maps.Keys(s.objects)) {
		n := s.objects[id]
		if n.durable > 0 {
			add(&durableRecord{Obj: id, Size: n.durable})
		}
		if n.closed {
			add(&closedRecord{Obj: id, Size: n.size, Stored: n.stored, Regular: n.regular})
		}
	}
	add(&endRecord{})
	return p
}

// validName accepts what the file system produces: a clean relative path.
func validName(name string) bool {
	return name != "" && len(name) <= MaxNameLength && cleanPath(name) == name
}
