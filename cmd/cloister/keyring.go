package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"cloister/wire"
)

// keyPath finds a key file: a name means HOME/keys/NAME.json.
func keyPath(home, key string) string {
	if strings.ContainsRune(key, filepath.Separator) || strings.HasSuffix(key, ".json") {
		return key
	}
	return filepath.Join(home, keysFolder, key+".json")
}

// checkKeyName accepts names that are one plain file name.
func checkKeyName(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return bad("a key name has 1 to 64 letters, digits, '-' and '_'; %q is not one", clip(name))
	}
	return nil
}

// chosenKey is the file of the key that flags, environment or context name.
func (a *app) chosenKey() (string, error) {
	home, c, err := a.context()
	if err != nil {
		return "", err
	}
	for _, key := range []string{a.key, a.env("CLOISTER_KEY"), c.Key} {
		if key != "" {
			return keyPath(home, key), nil
		}
	}
	return "", bad("no key to sign with: make one with 'cloister keys new NAME', then give --key NAME or set CLOISTER_KEY")
}

func readKeyFile(name string) (*wire.KeyFile, error) {
	b, err := readFile(name, wire.MaxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Faultf(wire.ErrKeyFile, "there is no key file %s; 'cloister keys list' shows those of the home", name)
	}
	if err != nil {
		return nil, err
	}
	f, err := wire.ParseKeyFile(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// signingKey opens the chosen key, asking for its passphrase if it has one.
func (a *app) signingKey() (wire.PrivateKey, error) {
	name, err := a.chosenKey()
	if err != nil {
		return wire.PrivateKey{}, err
	}
	f, err := readKeyFile(name)
	if err != nil {
		return wire.PrivateKey{}, err
	}
	return a.openKey(name, f)
}

func (a *app) openKey(name string, f *wire.KeyFile) (wire.PrivateKey, error) {
	var passphrase []byte
	if !f.Plain() {
		var err error
		if passphrase, err = a.passphrase("Passphrase of " + name + ": "); err != nil {
			return wire.PrivateKey{}, err
		}
	}
	key, err := f.Open(passphrase)
	if err != nil {
		return wire.PrivateKey{}, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// ownPublic is the public half of the chosen key; it needs no passphrase.
func (a *app) ownPublic() (wire.PublicKey, error) {
	name, err := a.chosenKey()
	if err != nil {
		return wire.PublicKey{}, err
	}
	f, err := readKeyFile(name)
	if err != nil {
		return wire.PublicKey{}, err
	}
	return f.Public, nil
}

// ownAddress is the account of the chosen key.
func (a *app) ownAddress() (wire.Account, error) {
	key, err := a.ownPublic()
	return wire.AccountOf(key), err
}

// passphrase takes it from the environment, or asks on the terminal.
func (a *app) passphrase(prompt string) ([]byte, error) {
	if p := a.env("CLOISTER_PASSPHRASE"); p != "" {
		return []byte(p), nil
	}
	return a.secretLine(prompt, "the passphrase")
}

// secretLine reads a line from the terminal without showing it.
func (a *app) secretLine(prompt, what string) ([]byte, error) {
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, wire.Faultf(wire.ErrKeyPassphrase, "%s is needed and there is no terminal to ask on; set CLOISTER_PASSPHRASE", what)
	}
	fmt.Fprint(a.errs, prompt)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.errs)
	if err != nil {
		return nil, wire.Faultf(wire.ErrKeyPassphrase, "read %s: %v", what, err)
	}
	return b, nil
}

// newPassphrase asks twice, because nobody can recover what was mistyped.
func (a *app) newPassphrase() ([]byte, error) {
	if p := a.env("CLOISTER_PASSPHRASE"); p != "" {
		return []byte(p), nil
	}
	first, err := a.secretLine("New passphrase: ", "a passphrase")
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, bad("an empty passphrase protects nothing; for a development key give --plain")
	}
	second, err := a.secretLine("Once more: ", "the passphrase")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, bad("the two passphrases differ; nothing was written")
	}
	return first, nil
}

// storeKey writes a new key file into the home.
func storeKey(home, name string, f *wire.KeyFile) (string, error) {
	dir := filepath.Join(home, keysFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fileError("create", dir, err)
	}
	path := keyPath(home, name)
	err := writeNew(path, f.Bytes(), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", bad("there is a key %q in %s already; choose another name", name, dir)
	}
	return path, err
}
