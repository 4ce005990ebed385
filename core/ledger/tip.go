package ledger

import (
	"fmt"

	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Tip is the newest executed block and what headers above it commit to.
type Tip struct {
	Header   *wire.Header
	Hash     wire.Hash
	Exec     wire.Exec
	DataRoot wire.Hash    // over all data-layer leaves up to this block
	History  merkle.Range // over header hashes of heights 0 to this one: the next header's HistoryRoot
	Roster   *wire.Roster // as this block decides; shared, not to be changed
	DueMs    uint64       // block time from which on the next block is wanted, 0 if none is
}

// Height is the newest executed height.
func (t *Tip) Height() uint64 { return t.Header.Height }

// Executed is what executing one block gave.
type Executed struct {
	Tip
	Results [][]byte    // encoded wire.Result, in the order of the transactions
	Entries []wire.Hash // leaf hashes this block added to the data layer, in order
}

// record is the tip as stored: all that is needed to execute the next block.
type record struct {
	_       struct{} `cbor:",toarray"`
	Header  *wire.Header
	Tree    tree.Root
	History merkle.Range // header hashes, heights 0..Header.Height
	Results merkle.Range // roots over the results of each of these blocks
	Data    merkle.Range // data-layer leaves
	Roster  *wire.Roster // as the newest block decides
	DueMs   uint64
}

// maxRecord bounds an encoded record: a header, three edges of 62 hashes, a roster.
const maxRecord = wire.MaxHeader + 3*(16+62*32) + wire.MaxRoster + 64

func decodeRecord(b []byte) (*record, error) {
	r := new(record)
	if err := wire.Unmarshal(b, r, maxRecord); err != nil {
		return nil, fmt.Errorf("stored tip: %w", err)
	}
	switch {
	case r.Header == nil || r.Header.Version != wire.HeaderVersion:
		return nil, fmt.Errorf("stored tip: %w: no header this program knows", wire.ErrEncoding)
	case r.Roster == nil || r.Roster.Set == nil || len(r.Roster.Nodes) != len(r.Roster.Set.Members):
		return nil, fmt.Errorf("stored tip: %w: its roster is not whole", wire.ErrEncoding)
	case r.History.Size() != r.Header.Height+1 || r.Results.Size() != r.Header.Height+1:
		return nil, fmt.Errorf("stored tip: %w: %d headers and %d results at height %d",
			wire.ErrEncoding, r.History.Size(), r.Results.Size(), r.Header.Height)
	}
	return r, nil
}

func (r *record) checkpoint() checkpoint {
	return checkpoint{Tree: r.Tree, Results: r.Results.Root(), Data: r.Data.Root()}
}

func (r *record) tip() *Tip {
	p := r.checkpoint()
	return &Tip{
		Header: r.Header, Hash: r.Header.Hash(), History: r.History,
		Exec: p.exec(r.Header.Height), DataRoot: p.Data, Roster: r.Roster, DueMs: r.DueMs,
	}
}

// checkpoint is what proofs as of a height start from.
type checkpoint struct {
	_       struct{} `cbor:",toarray"`
	Tree    tree.Root
	Results wire.Hash
	Data    wire.Hash
}

const maxCheckpoint = 160

func decodeCheckpoint(b []byte) (checkpoint, error) {
	var p checkpoint
	if err := wire.Unmarshal(b, &p, maxCheckpoint); err != nil {
		return checkpoint{}, fmt.Errorf("stored checkpoint: %w", err)
	}
	return p, nil
}

func (p *checkpoint) exec(height uint64) wire.Exec {
	return wire.Exec{Height: height, StateRoot: p.Tree.Hash, ResultsRoot: p.Results}
}

// Outcome is a block and what its execution gave, as kept until it is archived:
// after a crash everything that has to reach the archive is here.
type Outcome struct {
	Header  *wire.Header
	Body    []byte
	Exec    wire.Exec   // after the block
	Results [][]byte    // encoded wire.Result
	Entries []wire.Hash // leaf hashes the block added to the data layer
}

// outcome is the stored form of Outcome.
type outcome struct {
	_       struct{} `cbor:",toarray"`
	Header  *wire.Header
	Body    []byte
	Exec    wire.Exec
	Results []byte // wire.EncodeList
	Entries []byte // concatenated
}

const maxOutcome = 16 << 20

func encodeOutcome(o *Outcome) []byte {
	entries := make([]byte, 0, len(o.Entries)*len(wire.Hash{}))
	for i := range o.Entries {
		entries = append(entries, o.Entries[i][:]...)
	}
	return wire.Marshal(outcome{
		Header: o.Header, Body: o.Body, Exec: o.Exec, Results: wire.EncodeList(o.Results), Entries: entries,
	})
}

func decodeOutcome(b []byte) (*Outcome, error) {
	var o outcome
	if err := wire.Unmarshal(b, &o, maxOutcome); err != nil {
		return nil, fmt.Errorf("stored outcome: %w", err)
	}
	results, err := wire.DecodeList(o.Results, wire.MaxBodyItems, wire.MaxResult)
	if err != nil {
		return nil, fmt.Errorf("stored outcome: %w", err)
	}
	const size = len(wire.Hash{})
	if o.Header == nil || len(o.Entries)%size != 0 {
		return nil, fmt.Errorf("stored outcome: %w: no header, or %d bytes of entries", wire.ErrEncoding, len(o.Entries))
	}
	out := &Outcome{Header: o.Header, Body: o.Body, Exec: o.Exec, Results: results, Entries: make([]wire.Hash, len(o.Entries)/size)}
	for i := range out.Entries {
		out.Entries[i] = wire.Hash(o.Entries[i*size:])
	}
	return out, nil
}
