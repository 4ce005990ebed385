package ledger

import (
	"encoding/binary"

	"cloister/core/ledger/store"
	"cloister/wire"
)

// The store's keys begin with one of these. Numbers in keys are big-endian, so
// that ranges are ranges of heights or minutes.
const (
	atState      = 's' // family ‖ 0x00 ‖ key: value
	atAside      = 'a' // family ‖ 0x00 ‖ key: value that no root commits to
	atPage       = 't' // key of a tree page: page
	atStale      = 'x' // version: keys of the pages no root from it on reads
	atUndo       = 'u' // height / undoSpan ‖ key hash ‖ height: value before that block
	atCheckpoint = 'p' // height: checkpoint
	atOutcome    = 'o' // height: outcome
	atReplay     = 'r' // minute of not-after ‖ transaction id: 1
	atTip        = 'm' // the tip
	atHash       = 'h' // height: header hash
)

func appendStateKey(b []byte, family string, key []byte) []byte {
	return appendFamilyKey(append(b, atState), family, key)
}

func appendAsideKey(b []byte, family string, key []byte) []byte {
	return appendFamilyKey(append(b, atAside), family, key)
}

func appendFamilyKey(b []byte, family string, key []byte) []byte {
	return append(append(append(b, family...), 0), key...)
}

// applicationKey is what the tree and its proofs know a state key by:
// family ‖ 0x00 ‖ key.
func applicationKey(stateKey []byte) []byte { return stateKey[1:] }

// ApplicationKey is the key that smt.Verify takes for a family's key.
func ApplicationKey(family string, key []byte) []byte {
	return applicationKey(appendStateKey(nil, family, key))
}

// numbered is the key under which a kind keeps what belongs to a height,
// version or minute.
func numbered(kind byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), kind), n)
}

const minuteMs = 60_000

// replayKey is where the id of a charged transaction is remembered. The id binds
// the time, so one look suffices, and a minute's ids end together.
func replayKey(notAfterMs uint64, id wire.Hash) []byte {
	b := append(make([]byte, 0, 9+len(id)), atReplay)
	return append(binary.BigEndian.AppendUint64(b, notAfterMs/minuteMs), id[:]...)
}

// undoSpan heights share a range of undo keys: few enough that the range can
// be dropped soon after its last height is too old, and many enough that a
// reader has few ranges to look into.
const undoSpan = 64

// undoKeySize is the size of an undo key in bytes.
const undoKeySize = 1 + 8 + 32 + 8

func appendUndoKey(b []byte, span uint64, key wire.Hash, height uint64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, atUndo), span)
	return binary.BigEndian.AppendUint64(append(b, key[:]...), height)
}

// pages is the tree's view of a store.
type pages struct{ store.Reader }

func (p pages) Get(key []byte) ([]byte, error) { return p.Reader.Get(pageKey(key)) }

func pageKey(key []byte) []byte { return append(append(make([]byte, 0, 1+len(key)), atPage), key...) }
