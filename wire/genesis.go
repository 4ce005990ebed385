package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Genesis starts a chain. The JSON file of it is the one thing a user must
// have from a source they trust: everything else verifies against it.
type Genesis struct {
	_       struct{}        `cbor:",toarray"`
	Version uint16          `json:"version"`
	Name    string          `json:"name"`
	TimeMs  uint64          `json:"time_ms"`
	Engine  string          `json:"engine"`  // "raft" or "solo"
	Restart string          `json:"restart"` // "trust-disk"
	TEE     string          `json:"tee"`     // what hardware the members claim: "none" for development
	Limits  Limits          `json:"limits"`
	Members []GenesisMember `json:"members"`
	// Families lists the enabled families in execution order, each with the
	// parameters its Genesis function reads.
	Families []FamilyGenesis `json:"families"`
}

// Limits are chain parameters every node must share.
type Limits struct {
	_           struct{} `cbor:",toarray"`
	BodyBytes   uint32   `json:"body_bytes"`    // at most MaxBody
	BlockTxs    uint32   `json:"block_txs"`     // at most MaxBodyItems
	ExecLag     uint32   `json:"exec_lag"`      // blocks execution may be behind ordering
	ClockSkewMs uint32   `json:"clock_skew_ms"` // how far a block's time may be ahead of a voter's clock; at most MaxClockSkewMs
}

// DefaultLimits are the values the specification names.
var DefaultLimits = Limits{BodyBytes: MaxBody, BlockTxs: MaxBodyItems, ExecLag: 64, ClockSkewMs: 2000}

// GenesisMember is one founding validator; its slot is its position plus one.
type GenesisMember struct {
	_    struct{}  `cbor:",toarray"`
	Name string    `json:"name"`
	Key  PublicKey `json:"key"`
}

// FamilyGenesis enables a family. Params is compact JSON in the hashed form.
type FamilyGenesis struct {
	_      struct{}        `cbor:",toarray"`
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params,omitempty"`
}

// Bounds of a genesis file.
const (
	MaxGenesis        = 256 << 10
	MaxGenesisMembers = 64
	MaxClockSkewMs    = 60_000 // well below MaxValidity: a block's time is believed that far
)

// ParseGenesis reads a genesis file (JSON) and checks it. People edit the
// file, so order and white space are free, but it has one meaning: no unknown
// or repeated key, nothing after the end. Errors wrap ErrEncoding.
func ParseGenesis(file []byte) (*Genesis, error) {
	if len(file) > MaxGenesis {
		return nil, fmt.Errorf("genesis: %w: file of %d bytes, at most %d", ErrEncoding, len(file), MaxGenesis)
	}
	var compact bytes.Buffer // refuses a second document after the first
	if err := json.Compact(&compact, file); err != nil {
		return nil, fmt.Errorf("genesis: %w: %v", ErrEncoding, err)
	}
	if err := uniqueKeys(json.NewDecoder(bytes.NewReader(compact.Bytes())), maxJSONDepth); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	g := new(Genesis)
	dec := json.NewDecoder(&compact)
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("genesis: %w: %v", ErrEncoding, err)
	}
	return checked(g)
}

// DecodeGenesis reads the canonical form, as the gate carries it. Errors wrap
// ErrEncoding.
func DecodeGenesis(b []byte) (*Genesis, error) {
	g := new(Genesis)
	if err := Unmarshal(b, g, MaxGenesis); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return checked(g)
}

func checked(g *Genesis) (*Genesis, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	if n := max(len(g.Bytes()), len(g.File())); n > MaxGenesis { // so that each form reads back
		return nil, fmt.Errorf("genesis: %w: rendered it has %d bytes, at most %d", ErrEncoding, n, MaxGenesis)
	}
	return g, nil
}

func (g *Genesis) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("genesis: %w: %s", ErrEncoding, fmt.Sprintf(format, args...))
	}
	switch {
	case g.Version != 1:
		return bad("version %d, this program knows 1", g.Version)
	case g.Name == "" || len(g.Name) > 64:
		return bad("name must have 1 to 64 bytes")
	case g.Engine != "raft" && g.Engine != "solo":
		return bad("engine %q, this program knows raft and solo", clip(g.Engine))
	case g.Restart != "trust-disk":
		return bad("restart mode %q, this program knows trust-disk", clip(g.Restart))
	case len(g.TEE) == 0 || len(g.TEE) > 32:
		return bad("tee must have 1 to 32 bytes")
	case len(g.Members) == 0 || len(g.Members) > MaxGenesisMembers:
		return bad("%d members, 1 to %d", len(g.Members), MaxGenesisMembers)
	case g.Engine == "solo" && len(g.Members) != 1:
		return bad("engine solo has exactly one member")
	case g.Limits.BodyBytes < MaxTx+16 || g.Limits.BodyBytes > MaxBody:
		return bad("limits.body_bytes must be %d to %d", MaxTx+16, MaxBody)
	case g.Limits.BlockTxs == 0 || g.Limits.BlockTxs > MaxBodyItems:
		return bad("limits.block_txs must be 1 to %d", MaxBodyItems)
	case g.Limits.ExecLag == 0 || g.Limits.ExecLag > 1024:
		return bad("limits.exec_lag must be 1 to 1024")
	case g.Limits.ClockSkewMs == 0 || g.Limits.ClockSkewMs > MaxClockSkewMs:
		return bad("limits.clock_skew_ms must be 1 to %d", MaxClockSkewMs)
	}
	seen := map[PublicKey]bool{}
	for _, m := range g.Members {
		if seen[m.Key] || !m.Key.Valid() || len(m.Name) > 64 {
			return bad("member %q: key missing, not valid or given twice, or name over 64 bytes", clip(m.Name))
		}
		seen[m.Key] = true
	}
	names := map[string]bool{}
	for _, f := range g.Families {
		if !IsFamily(f.Name) || names[f.Name] {
			return bad("family %q: name is not 1 to %d of a-z, 0-9 and hyphen, or given twice", clip(f.Name), MaxFamily)
		}
		names[f.Name] = true
		if err := checkParams(f.Params); err != nil {
			return bad("parameters of family %s: %v", f.Name, err)
		}
	}
	return nil
}

// checkParams demands the hashed form: nothing, or one compact JSON document
// that every program reads alike.
func checkParams(params []byte) error {
	if len(params) == 0 {
		return nil
	}
	var compact bytes.Buffer
	switch err := json.Compact(&compact, params); {
	case err != nil:
		return err
	case !bytes.Equal(compact.Bytes(), params) || !utf8.Valid(params):
		return errors.New("not compact JSON in UTF-8")
	}
	return uniqueKeys(json.NewDecoder(&compact), maxJSONDepth-3) // three levels are around it in the file
}

// Bytes is the canonical form.
func (g *Genesis) Bytes() []byte { return Marshal(g) }

// ChainID names the chain for ever.
func (g *Genesis) ChainID() Hash { return TH("cloister/genesis/v1", g.Bytes()) }

// MemberSet is the set of epoch 1, in force from height 1.
func (g *Genesis) MemberSet() *MemberSet {
	s := &MemberSet{Epoch: 1, From: 1}
	for i, m := range g.Members {
		s.Members = append(s.Members, Member{
			ID: NodeIDOf(m.Key), Slot: uint64(i + 1), Weight: 1, Role: Voter, Key: m.Key,
		})
	}
	return s
}

// EngineKind is the header's name for the engine.
func (g *Genesis) EngineKind() uint8 {
	if g.Engine == "solo" {
		return EngineSolo
	}
	return EngineRaft
}

// Header is block 0. Anyone computes it from the genesis file alone, so it
// commits to no state; block 1 commits to the state the families start with.
func (g *Genesis) Header() *Header {
	return &Header{
		Version: HeaderVersion, ChainID: g.ChainID(), Epoch: 1, TimeMs: g.TimeMs,
		TxRoot: EmptyRoot, DataRoot: EmptyRoot, HistoryRoot: EmptyRoot,
		MembersHash: g.MemberSet().Hash(), EngineKind: g.EngineKind(), Engine: []byte{},
	}
}

// EmptyRoot is the RFC 6962 root of no leaves: SHA-256 of the empty string.
var EmptyRoot = Hash{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// File renders the genesis as the JSON file users keep; ParseGenesis reads it back.
func (g *Genesis) File() []byte { return EncodeJSON(g) }
