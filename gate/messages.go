package gate

import (
	"fmt"

	"cloister/wire"
)

// Options are what the host may choose for a core besides its configuration.
// None of them may weaken what the core promises.
type Options struct {
	_          struct{} `cbor:",toarray"`
	DevSealKey []byte   // seal key of simulated hardware, ≤ MaxSealKey bytes; refused elsewhere
	Archived   uint64   // highest block height the host has on stable storage
	MemoryMiB  uint32   // memory the core may use, MiB; 0 for its default
}

// Start is the host's first request.
type Start struct {
	_       struct{} `cbor:",toarray"`
	Config  []byte   // ≤ MaxConfig; its hash is in the core's measurement
	Options Options
}

// Ready is the core's answer to Start. The host believes it only as far as it
// needs to serve users; they check proofs.
type Ready struct {
	_         struct{} `cbor:",toarray"`
	Node      [32]byte // node id
	Key       [32]byte // Ed25519 public key
	ChainID   wire.Hash
	Height    uint64 // of the last block in the log
	Flushed   uint64 // height of the state on stable storage
	Mode      string // "new", "resumed" and the like; ≤ 32 bytes
	Simulated bool   // no real hardware protects this core
}

// SubmitResult is the verdict on one submitted transaction. Code 0 means it is
// in the pool, not that it is committed.
type SubmitResult struct {
	_    struct{} `cbor:",toarray"`
	TxID wire.Hash
	Code uint32 // of the registry in wire
}

// Final is a block for the archive. Its encoding has at most MaxFinal bytes.
type Final struct {
	_       struct{} `cbor:",toarray"`
	Height  uint64
	Header  []byte
	Body    []byte
	Seal    []byte
	Results []byte
}

// Undo tells the archive that blocks above ToHeight are no longer of the chain.
type Undo struct {
	_        struct{} `cbor:",toarray"`
	ToHeight uint64
	Head     wire.Hash // header hash of the block at ToHeight
}

// FetchKind says what Fetch asks for.
type FetchKind uint8

// Kinds of Fetch. Every answer is checked by the asker.
const (
	FetchBlock      FetchKind = 1 // key: height, u64
	FetchEntry      FetchKind = 2 // key: hash
	FetchCollateral FetchKind = 3
	FetchSnapshot   FetchKind = 4 // a part of a snapshot
)

// EventID names an event. Ids below FirstCoreEvent belong to the gate.
type EventID uint16

// Events of the gate itself. EventSlow is the driver's to send, from
// Core.StorageStalled.
const (
	EventProtocol  EventID = 1 // numbers: lane, frame type
	EventDropped   EventID = 2 // numbers: events not sent because of the rate
	EventArchived  EventID = 3 // numbers: height the host claims, newest published
	EventSlow      EventID = 4 // numbers: milliseconds the oldest storage answer is late
	FirstCoreEvent EventID = 16
)

// Event is a log line without free text, so that no secret can slip out.
type Event struct {
	_       struct{} `cbor:",toarray"`
	ID      EventID
	Numbers []uint64    // ≤ MaxNumbers
	Hashes  []wire.Hash // ≤ MaxHashes
}

// Fatal is the last frame before a deliberate exit.
type Fatal struct {
	_     struct{} `cbor:",toarray"`
	Code  uint16   // exit code
	Event EventID
	Hash  wire.Hash // of the evidence, or zero
}

type queryMessage struct {
	_    struct{} `cbor:",toarray"`
	Kind uint16
	Body []byte
}

type fetchMessage struct {
	_    struct{} `cbor:",toarray"`
	Kind FetchKind
	Key  []byte
}

type archivedMessage struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
}

type stopMessage struct {
	_       struct{} `cbor:",toarray"`
	GraceMS uint32
}

func (e Event) frame() frame { return frame{typ: typeEvent, body: wire.Marshal(e)} }

func (e *ProtocolError) event() Event {
	return Event{ID: EventProtocol, Numbers: []uint64{uint64(e.Lane), uint64(e.Type)}}
}

// decode reads a control payload strictly: the one deterministic encoding of
// the message and within its own bounds.
func decode[T any](p []byte, check func(*T) error) (m T, err error) {
	if err := wire.Unmarshal(p, &m, len(p)); err != nil {
		return m, err
	}
	return m, check(&m)
}

func within(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s: %d, at most %d are allowed", what, n, limit)
	}
	return nil
}

func checkStart(m *Start) error {
	if err := within("configuration bytes", len(m.Config), MaxConfig); err != nil {
		return err
	}
	return within("seal key bytes", len(m.Options.DevSealKey), MaxSealKey)
}

func checkReady(m *Ready) error { return within("mode bytes", len(m.Mode), 32) }

func checkQuery(m *queryMessage) error { return within("query bytes", len(m.Body), MaxQuery) }

func checkFetch(m *fetchMessage) error {
	if m.Kind < FetchBlock || m.Kind > FetchSnapshot {
		return fmt.Errorf("fetch of unknown kind %d", m.Kind)
	}
	return within("fetch key bytes", len(m.Key), MaxFetchKey)
}

func checkEvent(m *Event) error {
	if err := within("event numbers", len(m.Numbers), MaxNumbers); err != nil {
		return err
	}
	return within("event hashes", len(m.Hashes), MaxHashes)
}

func checkStop(m *stopMessage) error {
	return within("grace milliseconds", int(m.GraceMS), int(maxStopGrace.Milliseconds()))
}

func anything[T any](*T) error { return nil }
