package receipt

import (
	"cloister/wire"
	"cloister/wire/merkle"
)

// Version is the only version this code writes and accepts.
const Version = 1

// MaxFile bounds a receipt file in bytes. Handovers make it long: one between
// sets of seven members takes about 4 KiB of it, so there is room for some two
// thousand changes of members since the genesis.
const MaxFile = 8 << 20

// Receipt is the content of the file. A header that serves two purposes is
// stored once.
type Receipt struct {
	Version uint16    `json:"version"`
	ChainID wire.Hash `json:"chain_id"`
	// Policy repeats what the genesis says, for readers of the file.
	Policy Policy `json:"policy"`
	// Handovers lead from the genesis's members to those of the sealed header:
	// encoded wire.Handover of epochs 1, 2, …, none if it is of epoch 1.
	Handovers []wire.Hex  `json:"handovers"`
	Tx        wire.Hex    `json:"tx"`      // encoded transaction
	Index     uint32      `json:"index"`   // of the transaction in its block
	TxPath    []wire.Hash `json:"tx_path"` // to Header.TxRoot
	Header    wire.Hex    `json:"header"`  // of the block that recorded the transaction
	// Cover is nil if Seal is of Header itself.
	Cover *Cover   `json:"cover"`
	Seal  wire.Hex `json:"seal"` // of Cover.Header, else of Header
	// Execution is nil in an ordered receipt.
	Execution *Execution `json:"execution"`
}

// Policy says how much a seal is worth: which engine, how nodes restart, and
// what hardware the members claim.
type Policy struct {
	Engine  string `json:"engine"`
	Restart string `json:"restart"`
	TEE     string `json:"tee"`
}

// PolicyOf is the policy a genesis sets.
func PolicyOf(g *wire.Genesis) Policy { return Policy{g.Engine, g.Restart, g.TEE} }

// Cover is the sealed header above the block.
type Cover struct {
	Header wire.Hex    `json:"header"`
	Path   []wire.Hash `json:"path"` // from Receipt.Header to its HistoryRoot
}

// Execution proves the result. It needs a cover: a header never commits to the
// execution of its own block.
type Execution struct {
	Result     wire.Hex    `json:"result"`      // encoded wire.Result
	ResultPath []wire.Hash `json:"result_path"` // to BlockRoot
	BlockRoot  wire.Hash   `json:"block_root"`  // over the results of the block
	BlockPath  []wire.Hash `json:"block_path"`  // from BlockRoot to Exec.ResultsRoot
	Exec       Exec        `json:"exec"`
	// Commitment is the header whose ExecRoot is Exec's; nil if the cover is it.
	Commitment *Commitment `json:"commitment"`
}

// Exec is wire.Exec as JSON shows it.
type Exec struct {
	Height      uint64    `json:"height"`
	StateRoot   wire.Hash `json:"state_root"`
	ResultsRoot wire.Hash `json:"results_root"`
}

// Commitment is a header between the block and the cover.
type Commitment struct {
	Header wire.Hex    `json:"header"`
	Path   []wire.Hash `json:"path"` // from this header to the cover's HistoryRoot
}

// Encode renders the file.
func Encode(r *Receipt) []byte {
	c := *r
	if c.Handovers == nil {
		c.Handovers = []wire.Hex{}
	}
	c.TxPath = listed(c.TxPath)
	if c.Cover != nil {
		c.Cover = &Cover{c.Cover.Header, listed(c.Cover.Path)}
	}
	if c.Execution != nil {
		e := *c.Execution
		e.ResultPath, e.BlockPath = listed(e.ResultPath), listed(e.BlockPath)
		if e.Commitment != nil {
			e.Commitment = &Commitment{e.Commitment.Header, listed(e.Commitment.Path)}
		}
		c.Execution = &e
	}
	return wire.EncodeJSON(&c)
}

// listed gives a path without hashes its one form, the empty list.
func listed(path []wire.Hash) []wire.Hash {
	if path == nil {
		return []wire.Hash{}
	}
	return path
}

// Decode reads a file that differs from what Encode writes in nothing but
// white space. It checks form and bounds; only Verify says what is true.
// Errors carry ErrProof.
func Decode(file []byte) (*Receipt, error) {
	r := new(Receipt)
	if err := wire.DecodeJSON(file, r, MaxFile); err != nil {
		return nil, wire.Faultf(wire.ErrProof, "receipt: %v", err)
	}
	if r.Handovers == nil { // nil is JSON's null
		return nil, wire.Faultf(wire.ErrProof, "receipt: the list of handovers is missing")
	}
	paths := [][]wire.Hash{r.TxPath}
	if r.Cover != nil {
		paths = append(paths, r.Cover.Path)
	}
	if e := r.Execution; e != nil {
		paths = append(paths, e.ResultPath, e.BlockPath)
		if e.Commitment != nil {
			paths = append(paths, e.Commitment.Path)
		}
	}
	for _, p := range paths {
		// Nil is JSON's null, which Encode never writes.
		if p == nil || len(p) > merkle.MaxPath {
			return nil, wire.Faultf(wire.ErrProof, "receipt: a path is missing, or has more than %d hashes", merkle.MaxPath)
		}
	}
	if r.Version != Version {
		return nil, wire.Faultf(wire.ErrProof, "receipt: version %d, this program knows %d", r.Version, Version)
	}
	return r, nil
}
