package attest

import (
	"errors"
	"fmt"
	"io/fs"
)

// Files is what backends need of a file system. The program's main package
// implements it with the operating system's; every content is hostile.
//
// Implementations report a name that does not exist as fs.ErrNotExist and one
// that exists already as fs.ErrExist.
type Files interface {
	// ReadFile returns a file of at most max bytes; a longer one is an error.
	ReadFile(name string, max int) ([]byte, error)
	// WriteFile writes data to an existing file in one write.
	WriteFile(name string, data []byte) error
	// Mkdir makes a directory.
	Mkdir(name string) error
	// Remove removes an empty directory.
	Remove(name string) error
}

// missing reports whether a device is absent, which includes a file system that
// does not let the program see it.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// line is the content of a one-line attribute without its line end.
func line(f Files, name string, max int) (string, error) {
	b, err := f.ReadFile(name, max)
	if err != nil {
		return "", fmt.Errorf("attest: %w", err)
	}
	for n := len(b); n > 0 && (b[n-1] == '\n' || b[n-1] == 0); n-- {
		b = b[:n-1]
	}
	return string(b), nil
}
