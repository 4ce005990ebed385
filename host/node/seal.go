package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cloister/wire"
)

const sealKeySize = 32

// sealKey reads the seal key of simulated hardware, or makes it on first use.
// A key that is lost while there is a store is not replaced: the store cannot
// be opened with another one.
func sealKey(home string) ([]byte, error) {
	name := filepath.Join(home, sealKeyName)
	b, err := readFile(name, 2*sealKeySize+2)
	if errors.Is(err, fs.ErrNotExist) {
		return newSealKey(home, name)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, wire.Faultf(wire.ErrBadRequest, "%s can be read by others: chmod 600 it", name)
	}
	key, err := hex.DecodeString(strings.TrimSuffix(string(b), "\n"))
	if err != nil || len(key) != sealKeySize {
		return nil, wire.Faultf(wire.ErrBadRequest, "%s does not hold a key of 64 hex digits: restore it, or begin with an empty home", name)
	}
	return key, nil
}

func newSealKey(home, name string) ([]byte, error) {
	entries, err := os.ReadDir(filepath.Join(home, storeName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("node: %w", err)
	}
	for _, e := range entries {
		if len(e.Name()) == 16 { // an object; the lock file is none
			return nil, wire.Faultf(wire.ErrBadRequest, "%s is missing, and the store beside it can be opened with no other key: restore it, or begin with an empty home", name)
		}
	}
	key := make([]byte, sealKeySize)
	rand.Read(key)
	if err := writeNew(name, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return key, nil
}

// writeNew makes a private file that is whole and durable or not there.
func writeNew(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the other name keeps the file
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil { // never over another one
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
