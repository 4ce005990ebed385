package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cloister/host/node"
	"cloister/wire"
)

// validatorHome is what `init` makes a home of.
type validatorHome struct {
	home    string
	name    string
	api     string // host:port to listen on
	peer    string // host:port to listen on for other validators; empty for none
	address string // where other validators reach that
	core    string // the trusted program; empty for the one beside this
	// launcher is hardware that starts the core (node.File); empty for none.
	launcher []string
}

// shownInit is the outcome of init.
type shownInit struct {
	Home   string  `json:"home"`
	File   string  `json:"file"` // member.json
	Known  bool    `json:"known"`
	Member *member `json:"member"`
}

func (s *shownInit) text(w io.Writer) {
	s.Member.text(w)
	fields(w, "home", s.Home, "file", s.File)
	if s.Known {
		fmt.Fprintln(w, "This home had its identity before; it is the same.")
	}
	fmt.Fprintf(w, "Next: give %s to whoever makes the genesis file, then put that file into the home.\n", s.File)
}

func initCommand(a *app) *cobra.Command {
	h := validatorHome{}
	c := &cobra.Command{
		Use:   "init",
		Short: "Prepare a validator's home and let its core make its identity key",
		Long: `Prepare a validator's home: write node.toml, let the core make its identity key
inside its sealed store, and write the public half of it to member.json. Doing it
again keeps the identity. The key never leaves the core.`,
		Example: `  cloister init --home ./solo --name first --api 127.0.0.1:7390 --peer ""`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.home == "" {
				return bad("give the folder of the new validator with --home")
			}
			h.home = a.home
			if h.core == "" {
				h.core = a.env("CLOISTER_CORE")
			}
			if h.address == "" {
				h.address = h.peer
			}
			m, known, err := h.prepare(cmd.Context())
			if err != nil {
				return err
			}
			file := filepath.Join(h.home, memberFile)
			if err := replaceFile(file, wire.EncodeJSON(m), 0o644); err != nil {
				return err
			}
			return a.print(&shownInit{Home: h.home, File: file, Known: known, Member: m})
		},
	}
	f := c.Flags()
	f.StringVar(&h.name, "name", "", "name of the validator in the genesis file")
	f.StringVar(&h.api, "api", "127.0.0.1:7401", "host:port to serve the public API on")
	f.StringVar(&h.peer, "peer", "127.0.0.1:7421", "host:port to serve other validators on; empty for a network of one")
	f.StringVar(&h.address, "address", "", "host:port where other validators reach this one (default that of --peer)")
	f.StringSliceVar(&h.launcher, "launcher", nil, "program and arguments that start the core on its hardware, separated by commas; {home} is the home")
	f.StringVar(&h.core, "core", "", "the trusted program (default cloister-core beside this program)")
	if err := c.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is defined above
	}
	return c
}

// prepare makes what is missing of the home and asks the core who it is.
func (h *validatorHome) prepare(ctx context.Context) (m *member, known bool, err error) {
	if h.name == "" || len(h.name) > 64 {
		return nil, false, bad("a member's name has 1 to 64 bytes")
	}
	if err := os.MkdirAll(h.home, 0o700); err != nil {
		return nil, false, fileError("create", h.home, err)
	}
	file := new(node.File)
	file.API.Listen, file.Peer.Listen, file.Core.Path = h.api, h.peer, h.core
	file.Hardware.Launcher = h.launcher
	if _, err := node.ParseFile(file.Encode()); err != nil {
		return nil, false, err
	}
	err = writeNew(filepath.Join(h.home, node.FileName), file.Encode(), 0o644)
	if errors.Is(err, fs.ErrExist) { // an operator's file is kept, and says what starts the core
		err = h.asKept()
	}
	if err != nil {
		return nil, false, err
	}
	given := h.core
	if given != "" && h.launcher != nil && !filepath.IsAbs(given) {
		given = filepath.Join(h.home, given) // as node.toml has it
	}
	program, err := coreProgram(given)
	if err != nil {
		return nil, false, err
	}
	key, known, err := node.Identity(ctx, node.Config{Home: h.home, CorePath: program, Launcher: h.launcher, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, false, hostError(h.home, err)
	}
	return newMember(h.name, key, h.address), known, nil
}

// asKept takes from the home's node.toml which core it has, and on what.
func (h *validatorHome) asKept() error {
	b, err := readFile(filepath.Join(h.home, node.FileName), node.MaxFile)
	if err != nil {
		return err
	}
	kept, err := node.ParseFile(b)
	if err != nil {
		return err
	}
	h.launcher = kept.Hardware.Launcher
	if kept.Core.Path != "" {
		h.core = kept.Core.Path
	}
	return nil
}

// coreProgram finds the trusted program: the one named, or the one beside this.
func coreProgram(given string) (string, error) {
	path := given
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find %s: %w", node.CoreName, err)
		}
		path = filepath.Join(filepath.Dir(self), node.CoreName)
	}
	if _, err := os.Stat(path); err != nil {
		return "", bad("the trusted program %s is not there; 'make build' puts both programs into bin/, or name it with --core or CLOISTER_CORE", path)
	}
	return filepath.Abs(path)
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, content []byte, mode fs.FileMode) error {
	if err := os.WriteFile(name+".new", content, mode); err != nil {
		return fileError("write", name, err)
	}
	return fileError("write", name, os.Rename(name+".new", name))
}
