package gate

import (
	"context"
	"net"
	"syscall"
)

var errReset = syscall.ECONNRESET

// heldObjects answers nothing until it is released.
type heldObjects struct {
	release chan struct{}
}

func (h *heldObjects) Create(uint64, Class, uint64) error  { <-h.release; return nil }
func (h *heldObjects) Append(uint64, uint64, []byte) error { <-h.release; return nil }
func (h *heldObjects) Sync(uint64) error                   { <-h.release; return nil }
func (h *heldObjects) Delete(...uint64) error              { <-h.release; return nil }
func (h *heldObjects) List() ([]ObjectInfo, error)         { <-h.release; return nil, nil }
func (h *heldObjects) Usage() (uint64, uint64, error)      { <-h.release; return 0, 0, nil }
func (h *heldObjects) ReadMany([]Range) ([]byte, error)    { <-h.release; return nil, nil }
func (h *heldObjects) Read(_, _ uint64, p []byte) (int, error) {
	<-h.release
	return len(p), nil
}

// fixedObjects does nothing, at once.
type fixedObjects struct{}

func (fixedObjects) Create(uint64, Class, uint64) error        { return nil }
func (fixedObjects) Append(uint64, uint64, []byte) error       { return nil }
func (fixedObjects) Sync(uint64) error                         { return nil }
func (fixedObjects) Delete(...uint64) error                    { return nil }
func (fixedObjects) List() ([]ObjectInfo, error)               { return nil, nil }
func (fixedObjects) Usage() (uint64, uint64, error)            { return 1, 2, nil }
func (fixedObjects) Read(_, _ uint64, p []byte) (int, error)   { return len(p), nil }
func (fixedObjects) TryRead(_, _ uint64, p []byte) (int, bool) { return len(p), true }
func (fixedObjects) ReadMany(rs []Range) ([]byte, error) {
	n := 0
	for _, r := range rs {
		n += int(r.N)
	}
	return make([]byte, n), nil
}

// heldDial waits until the core gives up.
func heldDial(ctx context.Context, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// countingObjects remembers how many bytes were appended to its one object.
type countingObjects struct {
	fixedObjects
	total int
}

func (c *countingObjects) Append(_, _ uint64, data []byte) error {
	c.total += len(data)
	return nil
}
