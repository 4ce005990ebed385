package objects

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// lockFolder takes the folder for this process; the lock ends with it.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %v", ErrInUse, err)
	}
	return f, nil
}

// dataSync makes the content durable, with the length but not the times.
func dataSync(f *os.File) error {
	return interrupted(func() error { return unix.Fdatasync(int(f.Fd())) })
}

func preallocate(f *os.File, n uint64) error {
	return interrupted(func() error {
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, int64(n))
	})
}

// noWait is cleared when the kernel or the file system has no RWF_NOWAIT.
var noWait atomic.Bool

func init() { noWait.Store(true) }

// readCached fills p from the page cache, or returns false.
func readCached(f *os.File, p []byte, off uint64) bool {
	if !noWait.Load() {
		return false
	}
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{p}, int64(off), unix.RWF_NOWAIT)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		noWait.Store(false)
	}
	return err == nil && n == len(p)
}

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := interrupted(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// interrupted repeats a call that a signal cut short.
func interrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
