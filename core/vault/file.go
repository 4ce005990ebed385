package vault

import (
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is one handle on an object. Read and Write share a position and belong
// to one goroutine at a time; ReadAt to any number.
type file struct {
	v      *Vault
	o      *object
	name   string
	writer bool
	pos    uint64
	ahead  readAhead
	closed atomic.Bool
}

var _ vfs.File = (*file)(nil)

// Close ends the handle. For the writer it syncs and fixes the file's size.
func (f *file) Close() error {
	if f.closed.Swap(true) {
		return ErrClosed
	}
	f.ahead.mu.Lock()
	f.ahead.drop(&f.v.readWindows)
	f.ahead.mu.Unlock()
	var err error
	if f.writer {
		err = f.o.finish()
	}
	if rerr := f.v.release(f.o); err == nil {
		err = rerr
	}
	return err
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, int64(f.pos))
	f.pos += uint64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, ErrClosed
	}
	if off < 0 {
		return 0, errNegativeOffset
	}
	return f.ahead.readAt(f.o, &f.v.readWindows, p, uint64(off))
}

func (f *file) Write(p []byte) (int, error) {
	if f.closed.Load() {
		return 0, ErrClosed
	}
	if !f.writer {
		return 0, errReadOnly
	}
	if err := f.o.write(p); err != nil {
		return 0, err
	}
	f.pos += uint64(len(p))
	return len(p), nil
}

func (f *file) WriteAt([]byte, int64) (int, error) { return 0, ErrUnsupported }

func (f *file) Sync() error {
	if f.closed.Load() {
		return ErrClosed
	}
	if !f.writer {
		return nil // a closed file is durable, one being written is its writer's
	}
	return f.o.sync()
}

func (f *file) SyncData() error { return f.Sync() }

// SyncTo does nothing: it promises nothing, and a sync in the middle would make
// a table irregular.
func (f *file) SyncTo(int64) (bool, error) { return false, nil }

func (f *file) Preallocate(int64, int64) error { return nil }
func (f *file) Prefetch(int64, int64) error    { return nil }
func (f *file) Fd() uintptr                    { return vfs.InvalidFd }

func (f *file) Stat() (vfs.FileInfo, error) {
	if f.closed.Load() {
		return nil, ErrClosed
	}
	return fileInfo{f.name, int64(f.o.size.Load()), false}, nil
}

// directory is a handle whose Sync syncs the catalogue (rule 4).
type directory struct {
	v    *Vault
	name string
}

var _ vfs.File = (*directory)(nil)

func (d *directory) Close() error                       { return nil }
func (d *directory) Sync() error                        { return d.v.Sync() }
func (d *directory) SyncData() error                    { return d.v.Sync() }
func (d *directory) SyncTo(int64) (bool, error)         { return false, nil }
func (d *directory) Read([]byte) (int, error)           { return 0, errIsDirectory }
func (d *directory) ReadAt([]byte, int64) (int, error)  { return 0, errIsDirectory }
func (d *directory) Write([]byte) (int, error)          { return 0, errIsDirectory }
func (d *directory) WriteAt([]byte, int64) (int, error) { return 0, errIsDirectory }
func (d *directory) Preallocate(int64, int64) error     { return nil }
func (d *directory) Prefetch(int64, int64) error        { return nil }
func (d *directory) Fd() uintptr                        { return vfs.InvalidFd }
func (d *directory) Stat() (vfs.FileInfo, error)        { return fileInfo{d.name, 0, true}, nil }
