package notary

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"cloister/wire"
)

// readBuffer is what each hashing worker reads at a time, bytes.
const readBuffer = 256 << 10

// errUnsteady means a file was written while it was read.
var errUnsteady = errors.New("changed while it was read; run again when nothing writes to it")

// found is one thing in the tree: a file or link with its fingerprint, a
// special file, or a path that could not be read.
type found struct {
	path    string
	print   Fingerprint
	special fs.FileMode // type bits of a socket, pipe or device
	err     error
}

// scan walks the tree under root, fingerprints files in parallel, and calls
// each with one result at a time, in no particular order. A root that is a file
// is a tree of one, under its own name. each returning an error ends the scan.
func scan(ctx context.Context, root string, each func(found) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type job struct{ name, path string }
	jobs, results := make(chan job), make(chan found)

	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			buf := make([]byte, readBuffer)
			for j := range jobs {
				select {
				case results <- examine(j.name, j.path, buf):
				case <-ctx.Done():
				}
			}
		})
	}
	go func() { // ends with the walk, which every send lets go when ctx is done
		defer func() { close(jobs); workers.Wait(); close(results) }()
		walkErr := walk(root, func(name, path string, err error) error {
			if err != nil {
				select {
				case results <- found{path: path, err: err}:
				case <-ctx.Done():
				}
				return context.Cause(ctx)
			}
			select {
			case jobs <- job{name, path}:
			case <-ctx.Done():
			}
			return context.Cause(ctx)
		})
		if walkErr != nil {
			cancel(walkErr)
		}
	}()
	for f := range results {
		if err := each(f); err != nil {
			cancel(err)
			break
		}
	}
	for range results { // lets the workers end
	}
	return context.Cause(ctx)
}

// walk calls visit for everything under root that is not a folder, with its
// name for the system and its path in the tree.
func walk(root string, visit func(name, path string, err error) error) error {
	dir, err := isTree(root)
	if err != nil {
		return wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	if dir {
		if root, err = filepath.EvalSymlinks(root); err != nil {
			return wire.Faultf(wire.ErrBadRequest, "%v", err)
		}
	} else {
		abs, err := filepath.Abs(root)
		if err != nil {
			return wire.Faultf(wire.ErrBadRequest, "%v", err)
		}
		return visit(root, filepath.Base(abs), nil)
	}
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(root, name)
		switch {
		case relErr != nil:
			return relErr
		case err != nil: // an unreadable folder; what lies in it cannot be listed
			return visit(name, filepath.ToSlash(rel), err)
		case d.IsDir():
			return nil
		}
		return visit(name, filepath.ToSlash(rel), nil)
	})
}

// examine fingerprints one thing that is not a folder.
func examine(name, path string, buf []byte) found {
	f := found{path: path}
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		f.err = err
	case info.Mode()&fs.ModeSymlink != 0:
		var target string
		if target, f.err = os.Readlink(name); f.err == nil {
			f.print = Fingerprint{Link: true, Size: uint64(len(target)), SHA256: sha256.Sum256([]byte(target))}
		}
	case !info.Mode().IsRegular():
		f.special = info.Mode().Type()
	default:
		f.print, f.err = hashFile(name, info, buf)
	}
	return f
}

// hashFile reads the file that info describes, and no other that took its
// place meanwhile.
func hashFile(name string, info fs.FileInfo, buf []byte) (p Fingerprint, err error) {
	file, err := os.Open(name)
	if err != nil {
		return p, err
	}
	defer file.Close()
	h := sha256.New()
	// Hiding the file's type keeps io.CopyBuffer from ignoring the buffer.
	n, err := io.CopyBuffer(h, struct{ io.Reader }{file}, buf)
	if err != nil {
		return p, fmt.Errorf("read %s: %w", name, err)
	}
	after, err := file.Stat()
	if err != nil {
		return p, err
	}
	if !os.SameFile(info, after) || after.Size() != n || !after.ModTime().Equal(info.ModTime()) {
		return p, errUnsteady
	}
	return Fingerprint{Size: uint64(n), SHA256: wire.Hash(h.Sum(nil))}, nil
}

// isTree reports whether root is a folder, or a link to one: the root is what
// the user named, so it alone is followed.
func isTree(root string) (bool, error) {
	if info, err := os.Stat(root); err == nil {
		return info.IsDir(), nil
	}
	_, err := os.Lstat(root) // a link that leads nowhere is a link
	return false, err
}

// Count tells how many files and links a tree has, without reading them: the
// end of a progress bar. What cannot be listed is not counted.
func Count(root string) (n int, err error) {
	err = walk(root, func(_, _ string, err error) error {
		if err == nil {
			n++
		}
		return nil
	})
	return n, err
}
