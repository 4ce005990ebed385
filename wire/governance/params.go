package governance

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cloister/wire"
)

// Params are the family's genesis parameters.
type Params struct {
	// Authorities are FA or EC addresses or 64 hex digits, 1 to MaxAuthorities.
	Authorities []string   `json:"authorities"`
	Threshold   *Threshold `json:"threshold,omitempty"`   // default: more than 2/3
	LifetimeMs  uint64     `json:"lifetime_ms,omitempty"` // default: 7 days
}

// JSON is the form FamilyGenesis.Params takes.
func (p *Params) JSON() json.RawMessage {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("governance: parameters: %v", err)) // a structure of numbers and texts
	}
	return b
}

// ParseParams reads and checks parameters, with defaults filled in.
func ParseParams(params json.RawMessage) (*Authorities, error) {
	p := new(Params)
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	a := &Authorities{Threshold: DefaultThreshold, LifetimeMs: DefaultLifetimeMs}
	if p.Threshold != nil {
		a.Threshold = *p.Threshold
	}
	if p.LifetimeMs != 0 {
		a.LifetimeMs = p.LifetimeMs
	}
	for _, text := range p.Authorities {
		account, err := wire.ParseAccount(text)
		if err != nil {
			return nil, fmt.Errorf("authority: %w", err)
		}
		a.Accounts = append(a.Accounts, account)
	}
	return a, a.Check()
}
