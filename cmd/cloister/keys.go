package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cloister/wire"
)

func keysCommand(a *app) *cobra.Command {
	return group("keys", "Make and show keys", keysNew(a), keysShow(a), keysList(a), keysImport(a))
}

// shownKey is a key file as commands show it.
type shownKey struct {
	Name          string         `json:"name"`
	Address       string         `json:"address"`        // holds factoids and credits
	CreditAddress string         `json:"credit_address"` // the same account, as Factom clients name it for credits
	Public        wire.PublicKey `json:"public"`
	Kind          string         `json:"kind"`
	File          string         `json:"file"`
	Secret        string         `json:"secret,omitempty"`
}

func showKey(name, file string, f *wire.KeyFile) *shownKey {
	return &shownKey{
		Name: name, Address: f.Address, CreditAddress: wire.CreditAddress(f.Public),
		Public: f.Public, Kind: f.Kind, File: file,
	}
}

func (k *shownKey) text(w io.Writer) {
	kind := k.Kind
	if kind == wire.KeyFilePlain {
		kind += ": whoever reads the file has the key; for development only"
	}
	fields(w, "name", k.Name, "address", k.Address, "credits", k.CreditAddress, "public key", k.Public.String(),
		"kind", kind, "file", k.File, "secret", k.Secret)
}

func keysNew(a *app) *cobra.Command {
	var plain bool
	c := &cobra.Command{
		Use:     "new NAME",
		Short:   "Make a key, encrypted under a passphrase",
		Example: "  cloister keys new alice --plain",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var seed [32]byte
			rand.Read(seed[:])
			return a.keep(args[0], wire.NewPrivateKey(seed), plain)
		},
	}
	c.Flags().BoolVar(&plain, "plain", false, "store the key in the clear, for development networks only")
	return c
}

func keysImport(a *app) *cobra.Command {
	var plain bool
	c := &cobra.Command{
		Use:   "import NAME",
		Short: "Keep a secret that starts with Fs or Es under a name",
		Long: `Keep a secret that starts with Fs or Es under a name. The secret is asked for on
the terminal, or read from standard input, so that it is in no shell history.`,
		Example: "  echo Fs3E9gV6DXsYzf7Fqx1fVBQPQXV695eP3k5XbmHEZVRLkMdD9qCK | cloister keys import tester --plain",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			line, err := a.inputSecret()
			if err != nil {
				return err
			}
			seed, _, err := wire.ParseSecret(strings.TrimSpace(string(line)))
			if err != nil {
				return err
			}
			return a.keep(args[0], wire.NewPrivateKey(seed), plain)
		},
	}
	c.Flags().BoolVar(&plain, "plain", false, "store the key in the clear, for development networks only")
	return c
}

// inputSecret reads one secret from the terminal or, when there is none, from
// standard input.
func (a *app) inputSecret() ([]byte, error) {
	if f, ok := a.in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeCharDevice != 0 {
			return a.secretLine("Secret (Fs… or Es…): ", "the secret")
		}
	}
	b, err := readAll(a.in, "standard input", 1024)
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line, err
}

// keep stores a new key and shows it.
func (a *app) keep(name string, key wire.PrivateKey, plain bool) error {
	if err := checkKeyName(name); err != nil {
		return err
	}
	home, err := a.homeFolder()
	if err != nil {
		return err
	}
	f := wire.PlainKeyFile(key)
	if !plain {
		passphrase, err := a.newPassphrase()
		if err != nil {
			return err
		}
		if f, err = wire.NewKeyFile(key, passphrase); err != nil {
			return err
		}
	}
	path, err := storeKey(home, name, f)
	if err != nil {
		return err
	}
	return a.print(showKey(name, path, f))
}

func keysShow(a *app) *cobra.Command {
	var secret bool
	c := &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Show a key's address; by default the key that commands sign with",
		Example: "  cloister keys show",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			home, err := a.homeFolder()
			if err != nil {
				return err
			}
			var path string
			if len(args) == 1 {
				path = keyPath(home, args[0])
			} else if path, err = a.chosenKey(); err != nil {
				return err
			}
			f, err := readKeyFile(path)
			if err != nil {
				return err
			}
			k := showKey(keyName(path), path, f)
			if secret {
				key, err := a.openKey(path, f)
				if err != nil {
					return err
				}
				k.Secret = wire.FactoidSecret(key.Seed())
			}
			return a.print(k)
		},
	}
	c.Flags().BoolVar(&secret, "secret", false, "also print the secret key: whoever sees it has the account")
	return c
}

// keyList is the outcome of keys list.
type keyList struct {
	Keys []*shownKey `json:"keys"`
}

func (l *keyList) text(w io.Writer) {
	rows := make([][]string, len(l.Keys))
	for i, k := range l.Keys {
		rows[i] = []string{k.Name, k.Address, k.Kind}
	}
	table(w, []string{"NAME", "ADDRESS", "KIND"}, rows)
}

func keysList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys of the home",
		Example: "  cloister keys list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			home, err := a.homeFolder()
			if err != nil {
				return err
			}
			dir := filepath.Join(home, keysFolder)
			entries, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fileError("read", dir, err)
			}
			list := &keyList{Keys: []*shownKey{}}
			for _, e := range entries {
				if path := filepath.Join(dir, e.Name()); strings.HasSuffix(path, ".json") {
					f, err := readKeyFile(path)
					if err != nil {
						return err
					}
					list.Keys = append(list.Keys, showKey(keyName(path), path, f))
				}
			}
			return a.print(list)
		},
	}
}

func keyName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }
