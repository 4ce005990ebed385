package node

import (
	"context"

	"cloister/host/supervise"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/query"
)

// registered finds where a node is reached that node.toml does not name: where
// its registration says. So the members of a network find a newcomer without
// anybody editing their files. It needs no proof: channels prove who answers.
type registered struct{ core *supervise.Supervisor }

// lookup is supervise.Config.Lookup. Errors: ErrNotRegistered, those of Query.
func (r *registered) lookup(ctx context.Context, id wire.NodeID) (string, error) {
	n, err := node.Of(func(key []byte) ([]byte, error) { return r.state(ctx, key) }, id)
	if err != nil {
		return "", err
	}
	if n == nil || checkAddress("endpoint", n.Endpoint) != nil {
		return "", wire.Faultf(wire.ErrNotRegistered, "node %s is registered with no address of the form host:port", id)
	}
	return n.Endpoint, nil
}

// state reads one key of the node family out of the own core.
func (r *registered) state(ctx context.Context, key []byte) ([]byte, error) {
	b, err := r.core.Query(ctx, query.KindState, (&query.StateRequest{Family: node.Name, Key: key}).Encode())
	if err != nil {
		return nil, err
	}
	s, err := query.DecodeState(b)
	if err != nil || !s.Present {
		return nil, err
	}
	return s.Value, nil
}
