package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"cloister/wire"
)

// Prepare makes what is missing of a home and lets its core make its identity
// key, on the hardware that file names. An operator's node.toml is kept as it
// is. A home of a network that is yet to be founded has a nil genesis; a node
// that joins a network gets that of the network, and node.toml hosts to follow.
// Doing it again gives the same key; known says that it was there. The home must
// not be in use.
//
// Errors with ErrBadRequest are the user's to mend: a node.toml that cannot be
// read, the home of another network.
func Prepare(ctx context.Context, home string, file *File, genesis *wire.Genesis, log *slog.Logger) (key wire.PublicKey, known bool, err error) {
	if _, err := ParseFile(file.Encode()); err != nil {
		return key, false, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return key, false, fmt.Errorf("node: %w", err)
	}
	if genesis != nil {
		if err := settle(filepath.Join(home, GenesisName), genesis.File(), true); err != nil {
			return key, false, err
		}
	}
	name := filepath.Join(home, FileName)
	if err := settle(name, file.Encode(), false); err != nil {
		return key, false, err
	}
	b, err := readFile(name, MaxFile)
	if err != nil {
		return key, false, err
	}
	if file, err = ParseFile(b); err != nil {
		return key, false, fmt.Errorf("%s: %w", home, err)
	}
	c := Config{Home: home, Genesis: genesis, Log: log}
	if err := c.take(file); err != nil {
		return key, false, err
	}
	return Identity(ctx, c)
}

// settle writes a file unless it is there; then it may have to be the same.
func settle(name string, content []byte, same bool) error {
	err := writeNew(name, content)
	if !errors.Is(err, fs.ErrExist) {
		if err != nil {
			return fmt.Errorf("node: %w", err)
		}
		return os.Chmod(name, 0o644)
	}
	if !same {
		return nil
	}
	held, err := readFile(name, wire.MaxGenesis)
	if err != nil {
		return err
	}
	if !bytes.Equal(held, content) {
		return wire.Faultf(wire.ErrBadRequest, "%s is of another network: prepare a home of its own for this one", name)
	}
	return nil
}
