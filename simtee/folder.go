package simtee

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile bounds a file of a folder in bytes.
const maxFile = 1 << 20

// locked runs f while no other process or goroutine works on the folder.
func locked(dir string, f func() error) error {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("simtee: locking %s: %w", dir, err)
	}
	return f()
}

// load reads a JSON file strictly into v. known is false if there is none.
func load(path string, v any) (known bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("simtee: %w", err)
	}
	defer f.Close()
	if s, err := f.Stat(); err != nil || s.Size() > maxFile {
		return false, fmt.Errorf("simtee: %s is no file of this program", path)
	}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return false, fmt.Errorf("simtee: %s: %w", path, err)
	}
	return true, nil
}

// store replaces a JSON file as a whole and durably: a machine that dies
// meanwhile has the old content or the new one.
func store(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("simtee: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	return nil
}
