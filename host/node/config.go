package node

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cloister/wire"
)

// Names in a home.
const (
	GenesisName = "genesis.json"
	FileName    = "node.toml"
	sealKeyName = "dev-seal.key"
	storeName   = "store"
	archiveName = "archive"

	directoryName = "directory"

	// CoreName is the trusted program's.
	CoreName = "cloister-core"
)

// Config is what a host is made of. Home, CorePath and Log must be set, for Run
// also Genesis and APIListen.
type Config struct {
	Home       string
	Genesis    *wire.Genesis
	CorePath   string
	Launcher   []string // hardware that starts the core; empty for none (File.Hardware)
	PeerListen string   // host:port; empty for none
	APIListen  string   // host:port
	Peers      map[wire.NodeID]string
	Factom     FactomFile
	Anchor     AnchorFile
	Follow     []string // URLs of hosts to take blocks from (File.Follow); empty for none
	MemoryMiB  uint32   // for the core; 0 for its default
	StoreBytes uint64   // of the core's objects; 0 for the default
	Version    string   // of the host program, shown in status
	Log        *slog.Logger

	// Listening, if set, is told once what the host listens on; peer is nil if
	// it listens for none.
	Listening func(api, peer net.Addr)
}

// Load reads a home's genesis.json and node.toml. Log and Version are left for
// the caller. Errors that carry ErrBadRequest or ErrMalformed are the user's
// to mend.
func Load(home string) (Config, error) {
	c := Config{Home: home}
	b, err := readFile(filepath.Join(home, GenesisName), wire.MaxGenesis)
	if err != nil {
		return c, err
	}
	if c.Genesis, err = wire.ParseGenesis(b); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(home, GenesisName), err)
	}
	if b, err = readFile(filepath.Join(home, FileName), MaxFile); err != nil {
		return c, err
	}
	f, err := ParseFile(b)
	if err != nil {
		return c, fmt.Errorf("%s: %w", home, err)
	}
	return c, c.take(f)
}

// take fills in what node.toml says.
func (c *Config) take(f *File) (err error) {
	if c.Peers, err = f.peers(); err != nil {
		return err
	}
	c.APIListen, c.PeerListen = f.API.Listen, f.Peer.Listen
	c.MemoryMiB, c.StoreBytes = f.Core.MemoryMiB, f.Storage.MaxBytes
	c.Launcher, c.Follow, c.Factom = f.Hardware.Launcher, f.Follow.Endpoints, f.Factom
	c.Anchor = f.Anchor
	c.CorePath, err = corePath(c.Home, f.Core.Path)
	return err
}

// command is what starts the core: the trusted program itself, or the hardware
// it runs on with the program's path as the last argument.
func (c *Config) command() (path string, args []string, err error) {
	if len(c.Launcher) == 0 {
		return c.CorePath, nil, nil
	}
	home, err := filepath.Abs(c.Home)
	if err != nil {
		return "", nil, fmt.Errorf("node: %w", err)
	}
	for _, arg := range c.Launcher {
		args = append(args, strings.ReplaceAll(arg, "{home}", home))
	}
	args = append(args, c.CorePath)
	path, err = launcherPath(args[0])
	return path, args[1:], err
}

// launcherPath finds a launcher named without a folder: beside this program,
// or where the system keeps programs.
func launcherPath(name string) (string, error) {
	if filepath.Base(name) != name {
		return name, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("node: finding %s: %w", name, err)
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", wire.Faultf(wire.ErrBadRequest, "node.toml: hardware.launcher: %v", err)
	}
	return found, nil
}

// corePath finds the trusted program: as given, relative to the home, or next
// to this program.
func corePath(home, given string) (string, error) {
	if given != "" {
		if filepath.IsAbs(given) {
			return given, nil
		}
		return filepath.Abs(filepath.Join(home, given))
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("node: finding %s: %w", CoreName, err)
	}
	return filepath.Join(filepath.Dir(self), CoreName), nil
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, wire.Faultf(wire.ErrBadRequest, "%s has more than %d bytes", name, limit)
	}
	return b, nil
}
