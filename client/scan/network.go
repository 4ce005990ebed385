package scan

import (
	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/token"
)

// Network is what a client must have from a source it trusts. It needs KeyMR or
// Servers.
type Network struct {
	// KeyMR is the genesis directory block's. Zero: the block is recognised by
	// Servers, which it must name exactly, and their signatures.
	KeyMR wire.Hash
	ID    uint32 // the network id in directory blocks; 0: that of the genesis block
	// Servers are in force before the genesis block, which may change them if KeyMR
	// is known.
	Servers []Server
	// Anchors may anchor every block, besides the keys that admin blocks allow.
	Anchors  []Spender
	PeriodMs uint64 // length of a period; 0: record.DefaultPeriodMs
	// Coinbase says when servers are paid; nil: never.
	Coinbase *Coinbase
	// ClosedMoney: factoids and credits move in the data layer alone, so that a
	// balance that does not suffice is a fault. Else it is a note.
	ClosedMoney bool
}

// Server is one of those who sign directory blocks.
type Server struct {
	Identity wire.Hash
	Key      wire.PublicKey // its block signing key
}

// Coinbase: every Every-th block may promise payments, made Delay blocks later.
type Coinbase struct {
	Every, Delay uint32
}

// NetworkOf reads what a ledger's genesis says of its data layer. Errors carry
// ErrBadRequest: the genesis has no data layer.
func NetworkOf(g *wire.Genesis) (*Network, error) {
	n := &Network{}
	for _, m := range g.Members {
		n.Servers = append(n.Servers, Server{wire.NodeIDOf(m.Key), m.Key})
	}
	recorded := false
	for _, f := range g.Families {
		switch f.Name {
		case record.Name:
			p, err := record.ParseParams(f.Params)
			if err != nil {
				return nil, wire.Faultf(wire.ErrBadRequest, "genesis, family %s: %v", f.Name, err)
			}
			n.ID, n.PeriodMs, recorded = p.NetworkID, p.PeriodMs, true
		case token.Name:
			p, err := token.ParseParams(f.Params)
			if err != nil {
				return nil, wire.Faultf(wire.ErrBadRequest, "genesis, family %s: %v", f.Name, err)
			}
			if p.Coinbase != nil {
				n.Coinbase = &Coinbase{p.Coinbase.Every, p.Coinbase.Delay}
			}
		}
	}
	if !recorded {
		return nil, wire.Faultf(wire.ErrBadRequest, "genesis: family %s is not enabled, so there is nothing to scan", record.Name)
	}
	return n, nil
}

func (n *Network) check() error {
	switch {
	case n.KeyMR.IsZero() && len(n.Servers) == 0:
		return wire.Faultf(wire.ErrBadRequest, "scan: neither the genesis block's KeyMR nor the first servers are known, so everything would be believed")
	case len(n.Servers) > maxServers:
		return wire.Faultf(wire.ErrBadRequest, "scan: %d servers, at most %d", len(n.Servers), maxServers)
	case n.Coinbase != nil && (n.Coinbase.Every == 0 || n.Coinbase.Delay == 0):
		return wire.Faultf(wire.ErrBadRequest, "scan: coinbase intervals are above zero")
	}
	return nil
}

func (n *Network) periodMs() uint64 {
	if n.PeriodMs == 0 {
		return record.DefaultPeriodMs
	}
	return n.PeriodMs
}
