package anchor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cloister/wire"
)

// stateName is the state's file in Config.Dir.
const stateName = "anchor.state"

// store keeps the state as one file that is replaced as a whole: after a crash
// there is the old state or the new one. It is written before anything is sent.
type store struct{ dir string }

// load reads the state; where there is none it makes the first.
func (s store) load(c *Config) (*state, error) {
	fresh := &state{Version: stateVersion, Network: c.Network.Name, Script: c.Key.script, Next: c.From}
	f, err := os.Open(filepath.Join(s.dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	old, err := decodeState(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if old.Network != fresh.Network || !bytes.Equal(old.Script, fresh.Script) {
		return nil, wire.Faultf(wire.ErrBadRequest, "anchor: %s is of another key or network: use those, or another folder", f.Name())
	}
	return old, nil
}

// save makes the state durable.
func (s store) save(st *state) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	f, err := os.CreateTemp(s.dir, stateName+".*")
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	_, err = f.Write(st.encode())
	if err == nil {
		err = f.Sync()
	}
	if shut := f.Close(); err == nil {
		err = shut
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, stateName))
	}
	if err == nil {
		err = s.syncDir()
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("anchor: %w", err)
	}
	return nil
}

func (s store) syncDir() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
