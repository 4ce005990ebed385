package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cloister/wire"
)

// devHome is where 'cloister dev' puts its network, and where every other
// command looks first.
const devHome = ".cloister-dev"

// Files of a home.
const (
	contextFile = "cloister.json"
	genesisFile = "genesis.json"
	keysFolder  = "keys"
)

// userContext is cloister.json: what commands use when neither flags nor the
// environment say otherwise. Relative paths are relative to the home.
type userContext struct {
	Format    string   `json:"format"`
	Endpoints []string `json:"endpoints"`
	Genesis   string   `json:"genesis"`
	Key       string   `json:"key"` // a name in keys/
}

const (
	contextFormat = "cloister-context/v1"
	maxContext    = 64 << 10
)

// homeFolder is the folder that flags or environment name, or the default.
func (a *app) homeFolder() (string, error) {
	for _, dir := range []string{a.home, a.env("CLOISTER_HOME")} {
		if dir != "" {
			return dir, nil
		}
	}
	if _, err := os.Stat(filepath.Join(devHome, contextFile)); err == nil {
		return devHome, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", bad("no home folder is known: give --home or set CLOISTER_HOME")
	}
	return filepath.Join(user, ".cloister"), nil
}

// context reads the home's cloister.json; a home without one has an empty context.
func (a *app) context() (string, userContext, error) {
	var c userContext
	home, err := a.homeFolder()
	if err != nil {
		return "", c, err
	}
	name := filepath.Join(home, contextFile)
	b, err := readFile(name, maxContext)
	if errors.Is(err, fs.ErrNotExist) {
		return home, c, nil
	}
	if err != nil {
		return home, c, err
	}
	if err := wire.DecodeJSON(b, &c, maxContext); err != nil {
		return home, c, bad("%s: %v", name, err)
	}
	if c.Format != contextFormat {
		return home, c, bad("%s has format %q; this program knows %s", name, clip(c.Format), contextFormat)
	}
	return home, c, nil
}

// endpointList says which hosts to ask.
func (a *app) endpointList() ([]string, error) {
	if len(a.endpoints) > 0 {
		return a.endpoints, nil
	}
	if list := a.env("CLOISTER_ENDPOINTS"); list != "" {
		return strings.Split(list, ","), nil
	}
	home, c, err := a.context()
	if err != nil {
		return nil, err
	}
	if len(c.Endpoints) == 0 {
		return nil, bad("no host is known: start a network with 'cloister dev', or give --endpoint URL, set CLOISTER_ENDPOINTS, or name them in %s", filepath.Join(home, contextFile))
	}
	return c.Endpoints, nil
}

// genesisPath says which file everything is verified against.
func (a *app) genesisPath() (string, error) {
	for _, name := range []string{a.genesis, a.env("CLOISTER_GENESIS")} {
		if name != "" {
			return name, nil
		}
	}
	home, c, err := a.context()
	if err != nil {
		return "", err
	}
	if c.Genesis != "" {
		return inHome(home, c.Genesis), nil
	}
	return filepath.Join(home, genesisFile), nil
}

// readGenesis reads and checks the genesis file.
func (a *app) readGenesis() (*wire.Genesis, error) {
	name, err := a.genesisPath()
	if err != nil {
		return nil, err
	}
	return readGenesis(name)
}

func readGenesis(name string) (*wire.Genesis, error) {
	b, err := readFile(name, wire.MaxGenesis)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, bad("there is no genesis file %s: get it from whoever runs the network, by a way you trust, and give it with --genesis", name)
	}
	if err != nil {
		return nil, err
	}
	g, err := wire.ParseGenesis(b)
	if err != nil {
		return nil, bad("%s: %v", name, err)
	}
	return g, nil
}

func inHome(home, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(home, name)
}

// readFile reads at most limit bytes of a regular file. The name "-" is for
// callers that read standard input.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError("open", name, err)
	}
	defer f.Close()
	return readAll(f, name, limit)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fileError("read", name, err)
	}
	if int64(len(b)) > limit {
		return nil, wire.Faultf(wire.ErrTooLarge, "%s has more than %d bytes", name, limit)
	}
	return b, nil
}

// writeNew writes a file that must not exist yet.
func writeNew(name string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fileError("create", name, err)
	}
	_, err = f.Write(content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return fileError("write", name, err)
}

// pathFault is a failure of the user's own file system: theirs to mend, and
// still the error the system gave.
type pathFault struct {
	fault error
	cause error
}

func (p *pathFault) Error() string   { return p.fault.Error() }
func (p *pathFault) Unwrap() []error { return []error{p.fault, p.cause} }

func fileError(doing, name string, err error) error {
	if err == nil {
		return nil
	}
	cause := err
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		cause = pe.Err
	}
	return &pathFault{bad("%s %s: %v", doing, name, cause), err}
}
