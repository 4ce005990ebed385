package ledger

import (
	"fmt"

	"cloister/core/ledger/store"
	"cloister/wire"
)

// State as of an older height is what the store holds with later changes taken
// back: each change leaves the value it replaced under (key, height), and the
// value as of height e is the one replaced by the first change after e. The tree
// keeps its older pages itself and says which of them become useless.

// maxStale bounds the list of pages one block made useless, in keys and bytes of a key.
const (
	maxStale    = 1 << 20
	maxStaleKey = 64
)

// addRetention keeps what proofs as of this height need.
func addRetention(b *store.Batch, height uint64, next *record, stale [][]byte) {
	p := next.checkpoint()
	b.Set(numbered(atCheckpoint, height), wire.Marshal(p))
	if len(stale) > 0 {
		b.Set(numbered(atStale, height), wire.EncodeList(stale))
	}
}

// expire drops what no longer can be asked for once the block of this header is
// the tip: proofs below the last Kept heights, replay ids of transactions that
// can no longer be recorded, and outcomes that are archived.
func (l *Ledger) expire(b *store.Batch, h *wire.Header) error {
	if l.tip != nil {
		if minute := h.TimeMs / minuteMs; minute > l.tip.Header.TimeMs/minuteMs {
			b.DeleteRange([]byte{atReplay}, numbered(atReplay, minute))
		}
	}
	if l.prune > 0 {
		// Never the new block's own outcome, whatever the host claims to have.
		b.DeleteRange([]byte{atOutcome}, numbered(atOutcome, min(l.prune, h.Height)))
		l.prune = 0
	}
	if h.Height < Kept {
		return nil
	}
	oldest := h.Height - Kept + 1
	b.Delete(numbered(atCheckpoint, oldest-1))
	b.Delete(numbered(atHash, oldest-1))
	if oldest%undoSpan == 0 {
		b.DeleteRange([]byte{atUndo}, numbered(atUndo, oldest/undoSpan))
	}
	return l.expirePages(b, oldest)
}

// expirePages drops the tree pages that only roots older than this version read.
func (l *Ledger) expirePages(b *store.Batch, version uint64) error {
	list, err := l.store.Get(numbered(atStale, version))
	if err != nil || list == nil {
		return err
	}
	keys, err := wire.DecodeList(list, maxStale, maxStaleKey)
	if err != nil {
		return fmt.Errorf("stale pages of version %d: %w", version, err)
	}
	for _, key := range keys {
		b.Delete(pageKey(key))
	}
	b.Delete(numbered(atStale, version))
	return nil
}

// encodeUndo is a value with a byte before it that says whether there was one.
func encodeUndo(before []byte) []byte {
	if before == nil {
		return []byte{0}
	}
	return append(append(make([]byte, 0, 1+len(before)), 1), before...)
}

func decodeUndo(b []byte) ([]byte, error) {
	switch {
	case len(b) == 1 && b[0] == 0:
		return nil, nil
	case len(b) > 1 && b[0] == 1:
		return b[1:], nil
	}
	return nil, fmt.Errorf("undo entry: %w: %d bytes", wire.ErrEncoding, len(b))
}

// valueAt is the value of a state key as of a height not older than the last Kept.
func valueAt(r store.Reader, tip, height uint64, stateKey []byte, hash wire.Hash) (value []byte, err error) {
	for span := (height + 1) / undoSpan; span <= tip/undoSpan; span++ {
		lo := appendUndoKey(nil, span, hash, height+1)
		hi := appendUndoKey(nil, span, hash, tip+1)
		var found []byte
		if err := r.Iter(lo, hi, func(_, entry []byte) bool {
			found = append([]byte{}, entry...)
			return false
		}); err != nil {
			return nil, err
		}
		if found != nil {
			return decodeUndo(found)
		}
	}
	return r.Get(stateKey)
}

// blockHash is the header hash of one of the last Kept heights.
func blockHash(r store.Reader, height uint64) (hash wire.Hash, ok bool, err error) {
	b, err := r.Get(numbered(atHash, height))
	if err != nil || b == nil {
		return hash, false, err
	}
	if len(b) != len(hash) {
		return hash, false, fmt.Errorf("stored hash of height %d: %w: %d bytes", height, wire.ErrEncoding, len(b))
	}
	return wire.Hash(b), true, nil
}
