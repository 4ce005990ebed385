package main

import (
	"io"

	"cloister/wire"
)

// memberFile is what an operator sends to whoever makes the genesis file.
const memberFile = "member.json"

const (
	memberFormat = "cloister-member/v1"
	maxMember    = 4096
)

// member is member.json: the public identity of a validator's core.
type member struct {
	Format string         `json:"format"`
	Name   string         `json:"name"`
	Key    wire.PublicKey `json:"key"`
	Node   wire.NodeID    `json:"node"` // of the key
}

func newMember(name string, key wire.PublicKey) *member {
	return &member{Format: memberFormat, Name: name, Key: key, Node: wire.NodeIDOf(key)}
}

func (m *member) text(w io.Writer) {
	fields(w, "member", shown(m.Name), "key", m.Key.String(), "node", m.Node.String())
}

// readMember reads a member.json.
func readMember(name string) (wire.GenesisMember, error) {
	b, err := readFile(name, maxMember)
	if err != nil {
		return wire.GenesisMember{}, err
	}
	m := new(member)
	if err := wire.DecodeJSON(b, m, maxMember); err != nil {
		return wire.GenesisMember{}, bad("%s: %v", name, err)
	}
	if m.Format != memberFormat || m.Node != wire.NodeIDOf(m.Key) {
		return wire.GenesisMember{}, bad("%s is not a member.json made by 'cloister init'", name)
	}
	return wire.GenesisMember{Name: m.Name, Key: m.Key}, nil
}
