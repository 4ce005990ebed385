package directory

import (
	"context"
	"time"

	"cloister/host/api"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/query"
	"cloister/wire/record"
	"cloister/wire/token"
)

// queryTimeout bounds one question to the core.
const queryTimeout = 5 * time.Second

// Core asks the trusted core for what the data layer needs of the ledger's
// state. It implements Ledger. All methods are safe for concurrent use.
//
// Errors are those of the core, with their codes.
type Core struct {
	Genesis *wire.Genesis
	Queries api.Queries
}

var _ Ledger = (*Core)(nil)

// state is one key of public state; value is nil if there is none.
func (c *Core) state(ctx context.Context, family string, key []byte) (value []byte, height uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	body := (&query.StateRequest{Family: family, Key: key}).Encode()
	answer, err := c.Queries.Query(ctx, query.KindState, body)
	if err != nil {
		return nil, 0, err
	}
	st, err := query.DecodeState(answer)
	if err != nil {
		return nil, 0, senseless("state", err)
	}
	if !st.Present {
		return nil, st.Exec.Height, nil
	}
	return st.Value, st.Exec.Height, nil
}

// senseless: what the core sent makes no sense, which is no fault of the user.
func senseless(what string, err error) error {
	return wire.Faultf(wire.ErrInternal, "%s from the core: %v", what, err)
}

// Progress implements Ledger.
func (c *Core) Progress(ctx context.Context) (*record.Progress, uint64, error) {
	b, height, err := c.state(ctx, record.Name, record.ProgressKey)
	if err != nil {
		return nil, 0, err
	}
	p, err := record.DecodeProgress(b)
	if err != nil {
		return nil, 0, senseless("progress", err)
	}
	return p, height, nil
}

// Directory implements Ledger.
func (c *Core) Directory(ctx context.Context, height uint32) (*record.Directory, error) {
	b, _, err := c.state(ctx, record.Name, record.DirectoryKey(height))
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, notFound("directory block %d is not closed", height)
	}
	d, err := record.DecodeDirectory(b)
	if err != nil {
		return nil, senseless("directory block", err)
	}
	return d, nil
}

// balance is an account's, as of a ledger height.
func (c *Core) balance(ctx context.Context, a wire.Account) (b token.Balance, height uint64, err error) {
	value, height, err := c.state(ctx, token.Name, token.BalanceKey(a))
	if err != nil || value == nil { // an account nobody paid to has nothing
		return b, height, err
	}
	if err := wire.Unmarshal(value, &b, query.MaxValue); err != nil {
		return b, 0, senseless("balance", err)
	}
	return b, height, nil
}

// rate is what an entry credit costs now, and what it will, 0 if nothing is
// decided. Before the first block no period says it yet.
func (c *Core) rate(ctx context.Context) (now, coming uint64, err error) {
	p, _, err := c.Progress(ctx)
	if err != nil {
		return 0, 0, err
	}
	if p.First > 0 {
		return p.Rate, p.Coming, nil
	}
	value, _, err := c.state(ctx, token.Name, token.SupplyKey)
	if err != nil {
		return 0, 0, err
	}
	var s token.Supply
	if err := wire.Unmarshal(value, &s, query.MaxValue); err != nil {
		return 0, 0, senseless("supply", err)
	}
	return s.Rate, 0, nil
}

// members are who orders blocks: as the node family decides if there is one, else
// those of the genesis.
func (c *Core) members(ctx context.Context) (*wire.MemberSet, error) {
	if !c.enabled(node.Name) {
		return c.Genesis.MemberSet(), nil
	}
	r, err := node.RosterOf(func(key []byte) ([]byte, error) {
		b, _, err := c.state(ctx, node.Name, key)
		return b, err
	})
	switch {
	case err != nil && wire.CodeOf(err) != wire.ErrInternal:
		return nil, err
	case err != nil || r == nil || r.Set == nil:
		return nil, senseless("roster", err)
	}
	return r.Set, nil
}

func (c *Core) enabled(family string) bool {
	for _, f := range c.Genesis.Families {
		if f.Name == family {
			return true
		}
	}
	return false
}

// self is this node's id, zero while it has none.
func (c *Core) self(ctx context.Context) (wire.NodeID, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	answer, err := c.Queries.Query(ctx, query.KindStatus, nil)
	if err != nil {
		return wire.NodeID{}, err
	}
	st, err := query.DecodeStatus(answer)
	if err != nil {
		return wire.NodeID{}, senseless("status", err)
	}
	return st.Node, nil
}
