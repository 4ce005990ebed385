package archive

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/wire"
)

// maxOpenSegments bounds the files kept open for reading.
const maxOpenSegments = 128

const diskCategory = vfs.DiskWriteCategory("cloister-archive")

// segments is the folder of block files. The writing half belongs to the
// archive's owner goroutine, reading is safe from everywhere.
type segments struct {
	fs    vfs.FS
	dir   string
	chain wire.Hash

	out   vfs.File // the segment being written; nil until the first group
	first uint64   // its first height
	end   uint64   // its length, all of it synced
	buf   []byte

	mu    sync.Mutex
	files map[uint64]*segmentFile
	order []uint64 // of files, least recently opened first
	ended bool     // nothing is opened for reading any more
}

// segmentFile is closed by whoever drops the last reference.
type segmentFile struct {
	vfs.File
	refs int // segments.mu; the map holds one
}

func newSegments(fs vfs.FS, dir string, chain wire.Hash) *segments {
	return &segments{fs: fs, dir: dir, chain: chain, files: map[uint64]*segmentFile{}}
}

// list gives the first heights of all segments, ascending.
func (s *segments) list() ([]uint64, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	var firsts []uint64
	for _, name := range names {
		if first, ok := parseSegmentName(s.fs.PathBase(name)); ok {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// write appends a group of consecutive blocks and makes it durable. It sets
// where each of them stands.
func (s *segments) write(group []*block) error {
	if s.out != nil && s.end >= segmentSize {
		if err := s.finish(); err != nil {
			return err
		}
	}
	s.buf = s.buf[:0]
	created := s.out == nil
	if created {
		if err := s.create(group[0].height); err != nil {
			return err
		}
		s.buf = appendSegmentHead(s.buf, s.first, s.chain)
	}
	for _, b := range group {
		b.row.segment, b.row.offset = s.first, s.end+uint64(len(s.buf))
		s.buf = appendRecord(s.buf, b.height, s.end, b.encoded)
	}
	n := uint64(len(s.buf))
	if _, err := s.out.Write(s.buf); err != nil {
		return fmt.Errorf("archive: writing blocks: %w", err)
	}
	if err := s.out.SyncData(); err != nil {
		return fmt.Errorf("archive: syncing blocks: %w", err)
	}
	if created {
		if err := s.syncDir(); err != nil {
			return err
		}
	}
	s.end += n
	return nil
}

// create begins a segment. A file of that name can only be one whose first
// group a crash cut off: opening has found no whole record in it.
func (s *segments) create(first uint64) error {
	out, err := s.fs.Create(segmentName(s.dir, first), diskCategory)
	if err != nil {
		return fmt.Errorf("archive: creating a segment of blocks: %w", err)
	}
	s.out, s.first, s.end = out, first, 0
	return nil
}

func (s *segments) syncDir() error { return syncFolder(s.fs, s.dir) }

// syncFolder makes the names in a folder durable.
func syncFolder(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// finish ends the segment being written, if there is one.
func (s *segments) finish() error {
	if s.out == nil {
		return nil
	}
	err := s.out.Close()
	s.out = nil
	return err
}

// read fills p from a segment.
func (s *segments) read(first, offset uint64, p []byte) error {
	f, err := s.open(first)
	if errors.Is(err, ErrClosed) {
		return err
	}
	if err != nil {
		return corrupt(segmentName(s.dir, first), "%v", err)
	}
	defer s.release(f)
	if _, err := f.ReadAt(p, int64(offset)); err != nil {
		if errors.Is(err, io.EOF) {
			return corrupt(segmentName(s.dir, first), "ends before offset %d", offset+uint64(len(p)))
		}
		return fmt.Errorf("archive: reading blocks: %w", err)
	}
	return nil
}

func (s *segments) open(first uint64) (*segmentFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, ErrClosed
	}
	if f := s.files[first]; f != nil {
		f.refs++
		return f, nil
	}
	file, err := s.fs.Open(segmentName(s.dir, first))
	if err != nil {
		return nil, err
	}
	f := &segmentFile{File: file, refs: 2}
	s.files[first] = f
	s.order = append(s.order, first)
	if len(s.order) > maxOpenSegments {
		oldest := s.order[0]
		s.order = s.order[1:]
		s.drop(s.files[oldest])
		delete(s.files, oldest)
	}
	return f, nil
}

func (s *segments) release(f *segmentFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(f)
}

func (s *segments) drop(f *segmentFile) {
	if f.refs--; f.refs == 0 {
		f.Close() // opened for reading: nothing can be lost
	}
}

// close closes every file, those being read when that is done. No write may follow.
func (s *segments) close() error {
	s.mu.Lock()
	for _, f := range s.files {
		s.drop(f)
	}
	s.files, s.order, s.ended = nil, nil, true
	s.mu.Unlock()
	return s.finish()
}
