//go:build !linux

package objects

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Elsewhere the plain calls do: slower, never less durable.

func isNoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// lockFolder only makes the file: two hosts on one folder are the operator's
// to avoid here.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	return f, nil
}

func dataSync(f *os.File) error { return f.Sync() }

func preallocate(*os.File, uint64) error { return errors.ErrUnsupported }

func readCached(*os.File, []byte, uint64) bool { return false }

// freeBytes is unknown; the cap alone bounds the store.
func freeBytes(string) (uint64, error) { return 1 << 62, nil }
