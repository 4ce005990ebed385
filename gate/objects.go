package gate

import "errors"

// Class tells the host what an object is for; it may place classes differently.
type Class uint8

// Object classes of gate.md §4.1.
const (
	ClassTable     Class = 1
	ClassLog       Class = 2
	ClassJournal   Class = 3
	ClassCatalogue Class = 4
)

// Errors an answer can carry; on the wire they are the Fail codes of gate.md §4.
var (
	ErrNotFound   = errors.New("gate: no such object")
	ErrNoSpace    = errors.New("gate: the host has no space left")
	ErrIO         = errors.New("gate: the host failed to read or write")
	ErrBusy       = errors.New("gate: busy, try again")
	ErrBadRequest = errors.New("gate: request refused as malformed or out of order")
	ErrNotReady   = errors.New("gate: the core has not been started")
	ErrTooLarge   = errors.New("gate: larger than the limit")
	ErrRefused    = errors.New("gate: refused")
	ErrStopped    = errors.New("gate: the core is stopping")
	// ErrGateClosed ends every open request when a lane breaks. Nothing may be
	// promised after it.
	ErrGateClosed = errors.New("gate: the connection to the other side is closed")
	// ErrProtocol ends all lanes: the other side broke a rule of the gate. It
	// is not retried; the core exits with ExitProtocol.
	ErrProtocol = errors.New("gate: the other side broke the protocol")
	// ErrLanes is returned by Open when the three lanes did not come up.
	ErrLanes = errors.New("gate: the lanes to the host did not come up")
)

// ObjectInfo is one row of a List answer.
type ObjectInfo struct{ ID, Len uint64 }

// Range names bytes of one object.
type Range struct {
	ID, Off uint64
	N       uint32
}

// Objects is the host's store of numbered append-only objects as the core sees
// it (gate.md §4.1). The host may lie in every answer; the vault checks each.
// Implementations are safe for concurrent use; order per object is call order.
type Objects interface {
	// Create and Append return before the host has acted. The host's first
	// refusal for an object is reported by the next Sync of it and sticks.
	// They return an error only when the call is malformed by itself, which
	// has no effect, or when the gate is closed.
	Create(obj uint64, class Class, hint uint64) error
	// Append adds data at off, which must be the object's present length.
	// It waits while too much is unwritten; data is not kept.
	Append(obj, off uint64, data []byte) error
	// Sync returns once everything appended earlier is on stable storage.
	Sync(obj uint64) error
	// Read fills p from off and returns how many bytes the host had; fewer
	// than len(p) only at the object's end.
	Read(obj, off uint64, p []byte) (int, error)
	// ReadMany returns the concatenation of all ranges, or an error. It is
	// shorter than their sum when a range passes its object's end.
	ReadMany(rs []Range) ([]byte, error)
	// Delete returns before the host has acted; missing objects are ignored.
	Delete(objs ...uint64) error
	// List returns every object in ascending order.
	List() ([]ObjectInfo, error)
	// Usage returns free and used bytes: a hint, never believed for safety.
	Usage() (free, used uint64, err error)
}
