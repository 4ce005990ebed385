package directory

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/host/derived"
)

// store are the rows under the index. Batches are applied by the two goroutines of
// Run, which write different ones; a lost memtable is filled again from the archive.
type store struct{ *derived.Rows }

// openStore opens the rows; background is told of work on them that failed.
func openStore(fs vfs.FS, dir string, background func(error)) (*store, error) {
	rows, err := derived.Open(dir, derived.Options{FS: fs, Name: "directory", Closed: ErrClosed, Background: background})
	if err != nil {
		return nil, err
	}
	return &store{rows}, nil
}

// under scans the rows whose keys begin with prefix.
func (s *store) under(prefix []byte, f func(key, value []byte) (more bool, err error)) error {
	return s.Scan(prefix, derived.After(prefix), f)
}

// row reads one row; found is false if there is none.
func row[T any](s *store, key []byte, decode func([]byte) (T, error)) (v T, found bool, err error) {
	b, found, err := s.Get(key)
	if err != nil || !found {
		return v, false, err
	}
	v, err = decode(b)
	return v, true, err
}
