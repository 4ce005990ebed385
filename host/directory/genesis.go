package directory

import (
	"encoding/json"
	"fmt"

	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/token"
)

// increase is an entry credit balance the genesis gives to a key.
type increase struct {
	key     wire.PublicKey
	credits uint64
}

// parameters are what the genesis says about the data layer.
func parameters(g *wire.Genesis) (*record.Params, []increase, error) {
	p, err := record.ParseParams(paramsOf(g, record.Name))
	if err != nil {
		return nil, nil, fmt.Errorf("directory: family %s: %w", record.Name, err)
	}
	t, err := token.ParseParams(paramsOf(g, token.Name))
	if err != nil {
		return nil, nil, fmt.Errorf("directory: family %s: %w", token.Name, err)
	}
	return p, opening(t.Allocations), nil
}

func paramsOf(g *wire.Genesis, family string) json.RawMessage {
	for _, f := range g.Families {
		if f.Name == family {
			return f.Params
		}
	}
	return nil
}

// opening are the allocations that the first entry credit block has: those of
// credits to an entry credit address. Credits of who is known by an account alone
// have no place there, which names keys.
func opening(list []token.Allocation) (credits []increase) {
	for _, a := range list {
		kind, key, err := wire.ParseAddress(a.Address)
		if err == nil && kind == wire.CreditAddressKind && a.Credits > 0 {
			credits = append(credits, increase{key, a.Credits})
		}
	}
	return credits
}
