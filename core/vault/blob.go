package vault

import (
	"fmt"
	"io"

	"cloister/gate"
)

// MaxBlob is the most bytes one blob may have.
const MaxBlob = 1 << 20

// blobDir keeps blobs apart from the files of Pebble and the log.
const blobDir = "blob/"

// Put stores b under name, durably and in one step: after a crash the name has
// the old value or the new one. It is for few, small, rarely changed values such
// as the node's identity key.
func (v *Vault) Put(name string, b []byte) error {
	if len(b) > MaxBlob {
		return fmt.Errorf("%w: a blob of %d bytes, at most %d", ErrLimit, len(b), MaxBlob)
	}
	s, err := v.newSalt()
	if err != nil {
		return err
	}
	if err := v.lockWithNumber(); err != nil {
		return err
	}
	id := v.cursor
	v.cursor++
	v.mu.Unlock()

	// The object gets its name only when it is durable, so no crash can leave
	// the name with half a value.
	o := newWriter(v, id, s, gate.ClassTable, uint64(len(b)))
	if err := o.write(b); err != nil {
		return err
	}
	if err := o.finish(); err != nil {
		return err
	}
	path := blobDir + name
	v.mu.Lock()
	err = v.place(path,
		&nameRecord{Name: path, Obj: id, Salt: s, Class: gate.ClassTable},
		&closedRecord{Obj: id, Size: o.layout.size, Stored: o.layout.stored(), Regular: o.layout.regular()})
	v.mu.Unlock()
	if err != nil {
		return err
	}
	return v.syncCatalogue()
}

// Get returns what Put stored; an error that is fs.ErrNotExist if nothing was.
func (v *Vault) Get(name string) ([]byte, error) {
	o, err := v.open(blobDir + name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, o.size.Load())
	if _, err = o.readAt(b, 0); err == io.EOF && len(b) == 0 {
		err = nil
	}
	if rerr := v.release(o); err == nil {
		err = rerr
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Forget removes a blob, durably. Its bytes stay with the host for as long as
// the host likes, sealed.
func (v *Vault) Forget(name string) error {
	if err := v.remove(blobDir + name); err != nil {
		return err
	}
	return v.syncCatalogue()
}
