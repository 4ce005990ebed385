package node

import (
	"encoding/json"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// Genesis implements ledger.Family; params is a node.Params.
func (Family) Genesis(st ledger.State, params json.RawMessage) error {
	p, err := node.ParseParams(params)
	if err != nil {
		return err
	}
	set := p.MemberSet()
	for i, f := range p.Founders {
		operator, err := f.Account()
		if err != nil {
			return err
		}
		n := &node.Node{Identity: f.Key, Operator: operator, Name: f.Name, Status: node.Awaited, Admitted: set.Members[i].Role}
		if err := saveNode(st, n); err != nil {
			return err
		}
	}
	if err := st.Set(node.SetKey(set.Epoch), wire.Marshal(set)); err != nil {
		return err
	}
	if err := st.Set(node.RosterKey, wire.Marshal(wire.NewRoster(set))); err != nil {
		return err
	}
	return ledger.Save(st, node.MetaKey, node.Meta{
		MaxNodes: p.MaxNodes, FoundingMs: p.FoundingMs, NextSlot: uint64(len(set.Members) + 1),
	})
}
