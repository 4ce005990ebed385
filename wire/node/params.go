package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"cloister/wire"
)

// Defaults and bounds of parameters.
const (
	DefaultMaxNodes = 64
	MaxFoundingMs   = 366 * 24 * 3600 * 1000
)

// Params are the family's genesis parameters. Founders repeats the genesis's
// members, because a family is given its own parameters only; make it with
// FoundingParams.
type Params struct {
	Founders   []Founder `json:"founders"`
	FoundingMs uint64    `json:"founding_ms"` // block time founders have to register, from the first block on; 0: for ever
	MaxNodes   uint64    `json:"max_nodes"`
}

// Founder is a member of the genesis.
type Founder struct {
	Key  wire.PublicKey `json:"key"`
	Slot uint64         `json:"slot"`
	Name string         `json:"name"`
	// Operator is an FA or EC address or 64 hex digits; empty: whoever the
	// core's first claims name, if it is the payer, or the core's own account.
	Operator string `json:"operator,omitempty"`
}

// FoundingParams are the parameters for the members of a genesis, which must be
// whole but for the families: to be put into it with Operator set where known.
func FoundingParams(g *wire.Genesis) *Params {
	p := &Params{MaxNodes: DefaultMaxNodes}
	for i, m := range g.Members {
		p.Founders = append(p.Founders, Founder{Key: m.Key, Slot: uint64(i + 1), Name: m.Name})
	}
	return p
}

// JSON is the form FamilyGenesis.Params takes.
func (p *Params) JSON() json.RawMessage {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("node: parameters: %v", err)) // a structure of numbers and texts
	}
	return b
}

// ParseParams reads and checks parameters.
func ParseParams(params json.RawMessage) (*Params, error) {
	p := new(Params)
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	switch {
	case len(p.Founders) == 0 || len(p.Founders) > wire.MaxGenesisMembers:
		return nil, fmt.Errorf("%d founders, 1 to %d", len(p.Founders), wire.MaxGenesisMembers)
	case p.MaxNodes == 0 || p.MaxNodes > MaxNodes:
		return nil, fmt.Errorf("max_nodes must be 1 to %d", MaxNodes)
	case p.FoundingMs > MaxFoundingMs:
		return nil, fmt.Errorf("founding_ms must be at most %d", uint64(MaxFoundingMs))
	}
	seen := map[wire.PublicKey]bool{}
	for i, f := range p.Founders {
		if seen[f.Key] || !f.Key.Valid() || f.Slot != uint64(i+1) || !text(f.Name, MaxName) {
			return nil, fmt.Errorf("founder %d: key missing, not valid or given twice, slot not %d, or a name that is not printable", i+1, i+1)
		}
		seen[f.Key] = true
		if _, err := f.Account(); err != nil {
			return nil, fmt.Errorf("operator of founder %d: %w", i+1, err)
		}
	}
	return p, nil
}

// Account is the operator's, zero if none is named.
func (f *Founder) Account() (a wire.Account, err error) {
	if f.Operator == "" {
		return a, nil
	}
	if a, err = wire.ParseAccount(f.Operator); err == nil && a == (wire.Account{}) {
		err = errors.New("the zero account belongs to nobody")
	}
	return a, err
}

// MemberSet is the set of epoch 1; it equals that of the genesis the parameters
// were made for.
func (p *Params) MemberSet() *wire.MemberSet {
	s := &wire.MemberSet{Epoch: 1, From: 1}
	for _, f := range p.Founders {
		s.Members = append(s.Members, wire.Member{ID: wire.NodeIDOf(f.Key), Slot: f.Slot, Weight: 1, Role: wire.Voter, Key: f.Key})
	}
	return s
}
