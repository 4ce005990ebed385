package vault

import (
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/gate"
)

// FS returns the vault as a file system for Pebble. Paths are slash-separated;
// a leading slash means nothing.
//
// What differs from a disk: a file is written once, from start to end, by the
// handle that Create returned (ErrUnsupported otherwise); directories are not
// stored, they exist while a file is in them or since MkdirAll of this boot;
// syncing any directory syncs the whole catalogue; modification times are zero.
func (v *Vault) FS() vfs.FS { return fileSystem{v} }

type fileSystem struct{ v *Vault }

var _ vfs.FS = fileSystem{}

// cleanPath is the one name a path has in the catalogue; "" is the root.
func cleanPath(name string) string { return path.Clean("/" + name)[1:] }

// classOf places a file. Only Pebble's manifest needs rule 5: it alone says
// which of the other files count.
func classOf(name string) gate.Class {
	if strings.HasPrefix(path.Base(name), "MANIFEST-") {
		return gate.ClassJournal
	}
	return gate.ClassTable
}

// isDir reports whether name is a directory. Called with v.mu held.
func (v *Vault) isDir(name string) bool {
	return name == "" || v.dirs[name] || v.state.dirs[name] > 0
}

// under reports whether name is in dir or below.
func under(dir, name string) bool {
	return dir == "" || len(name) > len(dir) && name[len(dir)] == '/' && name[:len(dir)] == dir
}

// belowFile reports whether a parent of name is a file. Called with v.mu held.
func (v *Vault) belowFile(name string) bool {
	for i, c := range name {
		if c == '/' && v.state.names[name[:i]] != nil {
			return true
		}
	}
	return false
}

// Create implements vfs.FS.
func (f fileSystem) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	clean := cleanPath(name)
	o, err := f.v.create(clean, classOf(clean), 0)
	if err != nil {
		return nil, err
	}
	return &file{v: f.v, o: o, name: path.Base(clean), writer: true}, nil
}

// Open implements vfs.FS.
func (f fileSystem) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	clean := cleanPath(name)
	o, err := f.v.open(clean)
	if err != nil {
		if f.v.statDir(clean) {
			err = &fs.PathError{Op: "open", Path: name, Err: errIsDirectory}
		}
		return nil, err
	}
	h := &file{v: f.v, o: o, name: path.Base(clean)}
	for _, opt := range opts {
		if opt == vfs.SequentialReadsOption {
			h.ahead.began, h.ahead.step = true, len(windowSizes)-1
		}
	}
	return h, nil
}

// OpenReadWrite implements vfs.FS for files that do not exist yet; an existing
// one can never be written again.
func (f fileSystem) OpenReadWrite(name string, c vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	if _, err := f.Stat(name); err == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: ErrUnsupported}
	}
	return f.Create(name, c)
}

// ReuseForWrite implements vfs.FS by making a new file and removing the old.
func (f fileSystem) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.v.link("rename", cleanPath(oldname), cleanPath(newname), true); err != nil {
		return nil, err
	}
	return f.Create(newname, c)
}

// Link implements vfs.FS.
func (f fileSystem) Link(oldname, newname string) error {
	return f.v.link("link", cleanPath(oldname), cleanPath(newname), false)
}

// Rename implements vfs.FS for files; a directory cannot be renamed. It is atomic, and durable with the next
// sync of a directory.
func (f fileSystem) Rename(oldname, newname string) error {
	return f.v.link("rename", cleanPath(oldname), cleanPath(newname), true)
}

// Remove implements vfs.FS.
func (f fileSystem) Remove(name string) error {
	clean := cleanPath(name)
	if !f.v.statDir(clean) {
		return f.v.remove(clean)
	}
	f.v.mu.Lock()
	defer f.v.mu.Unlock()
	for n := range f.v.everything() {
		if under(clean, n) {
			return &fs.PathError{Op: "remove", Path: name, Err: errNotEmpty}
		}
	}
	delete(f.v.dirs, clean)
	return nil
}

// everything yields the names of files and directories. Called with v.mu held.
func (v *Vault) everything() map[string]bool {
	all := maps.Clone(v.dirs)
	for n := range v.state.names {
		all[n] = true
	}
	return all
}

// RemoveAll implements vfs.FS.
func (f fileSystem) RemoveAll(name string) error {
	clean := cleanPath(name)
	v := f.v
	v.mu.Lock()
	var err error
	for _, n := range slices.Sorted(maps.Keys(v.state.names)) {
		if err == nil && (n == clean || under(clean, n)) {
			err = v.commit(&unnameRecord{Name: n})
		}
	}
	maps.DeleteFunc(v.dirs, func(d string, _ bool) bool { return d == clean || under(clean, d) })
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.relieve()
}

// MkdirAll implements vfs.FS.
func (f fileSystem) MkdirAll(dir string, _ fs.FileMode) error {
	clean := cleanPath(dir)
	v := f.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.state.names[clean] != nil || v.belowFile(clean) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
	}
	for ; clean != ""; clean = cleanPath(path.Dir(clean)) {
		if len(clean) > MaxNameLength || len(v.dirs) >= MaxNames && !v.dirs[clean] {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: ErrLimit}
		}
		v.dirs[clean] = true
	}
	return nil
}

// Lock implements vfs.FS. The lock is this process's; the host can run two
// cores on two copies of a store whatever the vault does (consensus.md §5).
func (f fileSystem) Lock(name string) (io.Closer, error) {
	clean := cleanPath(name)
	v := f.v
	v.mu.Lock()
	held := v.locks[clean]
	v.locks[clean] = true
	empty := v.state.names[clean] != nil && v.state.names[clean].closed && v.state.names[clean].size == 0
	v.mu.Unlock()
	if held {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrLocked}
	}
	l := &lock{v, clean}
	if empty {
		return l, nil
	}
	h, err := f.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		err = h.Close()
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

type lock struct {
	v    *Vault
	name string
}

// Close releases the lock; a second Close does nothing.
func (l *lock) Close() error {
	if l.v == nil {
		return nil
	}
	l.v.mu.Lock()
	delete(l.v.locks, l.name)
	l.v.mu.Unlock()
	l.v = nil
	return nil
}

// List implements vfs.FS.
func (f fileSystem) List(dir string) ([]string, error) {
	clean := cleanPath(dir)
	v := f.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isDir(clean) {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	children := map[string]bool{}
	for n := range v.everything() {
		if !under(clean, n) {
			continue
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(n[len(clean):], "/"), "/")
		children[first] = true
	}
	return slices.Sorted(maps.Keys(children)), nil
}

func (v *Vault) statDir(clean string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.isDir(clean)
}

// Stat implements vfs.FS.
func (f fileSystem) Stat(name string) (vfs.FileInfo, error) {
	clean := cleanPath(name)
	v := f.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.state.names[clean]; n != nil {
		size := n.size
		if o := v.live[n.id]; o != nil {
			size = o.size.Load()
		}
		return fileInfo{path.Base(clean), int64(size), false}, nil
	}
	if v.isDir(clean) {
		return fileInfo{path.Base("/" + clean), 0, true}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// OpenDir implements vfs.FS.
func (f fileSystem) OpenDir(name string) (vfs.File, error) {
	clean := cleanPath(name)
	if !f.v.statDir(clean) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &directory{v: f.v, name: path.Base("/" + clean)}, nil
}

// PathBase implements vfs.FS.
func (fileSystem) PathBase(p string) string { return path.Base(p) }

// PathJoin implements vfs.FS.
func (fileSystem) PathJoin(elem ...string) string { return path.Join(elem...) }

// PathDir implements vfs.FS.
func (fileSystem) PathDir(p string) string { return path.Dir(p) }

// GetDiskUsage implements vfs.FS with what the host claims.
func (f fileSystem) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free, used, err := f.v.host.Usage()
	if err != nil {
		return vfs.DiskUsage{}, err
	}
	total := free + used
	if total < free {
		total = math.MaxUint64
	}
	return vfs.DiskUsage{AvailBytes: free, UsedBytes: used, TotalBytes: total}, nil
}

// Unwrap implements vfs.FS.
func (fileSystem) Unwrap() vfs.FS { return nil }

// fileInfo implements vfs.FileInfo.
type fileInfo struct {
	name string
	size int64
	dir  bool
}

func (i fileInfo) Name() string         { return i.name }
func (i fileInfo) Size() int64          { return i.size }
func (i fileInfo) ModTime() time.Time   { return time.Time{} }
func (i fileInfo) IsDir() bool          { return i.dir }
func (i fileInfo) Sys() any             { return nil }
func (fileInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
func (i fileInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o755
}
