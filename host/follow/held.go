package follow

import (
	"cloister/gate"
	"cloister/wire"
	"cloister/wire/archived"
)

// Bounds of what waits for a later header: execution is at most 1024 blocks
// behind ordering (wire.Limits.ExecLag).
const (
	maxHeld      = 1024 + 2
	maxHeldBytes = 256 << 20
)

// held are proved blocks whose outcome no sealed header commits to yet. A header
// commits to the state after one block and, in one root, to the results of all
// blocks up to it.
type held struct {
	blocks []*gate.Final // of consecutive heights
	bytes  int
}

// add takes the next block with its proved header, and returns what that header
// commits to. Errors carry ErrProof, or ErrTooLarge for more than may wait.
func (w *held) add(h *wire.Header, f *gate.Final) (ready []*gate.Final, err error) {
	if len(w.blocks) > 0 && h.ExecHeight >= w.blocks[0].Height && h.ExecHeight < h.Height {
		n := int(h.ExecHeight - w.blocks[0].Height + 1)
		if n > len(w.blocks) {
			return nil, wire.Faultf(wire.ErrProof, "block %d commits to block %d, which did not come", h.Height, h.ExecHeight)
		}
		var o wire.Outcome
		if err := wire.Unmarshal(w.blocks[n-1].Results, &o, archived.MaxOutcome); err != nil {
			return nil, wire.Faultf(wire.ErrProof, "outcome of block %d: %v", h.ExecHeight, err)
		}
		if o.Exec.Height != h.ExecHeight || o.Exec.Root() != h.ExecRoot {
			return nil, wire.Faultf(wire.ErrProof, "the outcome of block %d is not what block %d commits to", h.ExecHeight, h.Height)
		}
		ready, w.blocks = w.blocks[:n:n], w.blocks[n:]
		for _, f := range ready {
			w.bytes -= size(f)
		}
	}
	w.blocks, w.bytes = append(w.blocks, f), w.bytes+size(f)
	if len(w.blocks) > maxHeld || w.bytes > maxHeldBytes {
		return nil, wire.Faultf(wire.ErrTooLarge, "%d blocks with %d bytes wait for a header that commits to them", len(w.blocks), w.bytes)
	}
	return ready, nil
}

func size(f *gate.Final) int { return len(f.Header) + len(f.Seal) + len(f.Body) + len(f.Results) }
