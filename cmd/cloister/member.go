package main

import (
	"fmt"
	"io"
	"strings"

	"cloister/host/node"
	"cloister/wire"
)

// memberFile is what an operator sends to whoever makes the genesis file.
const memberFile = "member.json"

const (
	memberFormat = "cloister-member/v1"
	maxMember    = 4096
)

// member is member.json: the public identity of a validator's core, and where
// other validators reach it.
type member struct {
	Format  string         `json:"format"`
	Name    string         `json:"name"`
	Key     wire.PublicKey `json:"key"`
	Node    wire.NodeID    `json:"node"`    // of the key
	Address string         `json:"address"` // host:port; empty if it serves no peers
}

func newMember(name string, key wire.PublicKey, address string) *member {
	return &member{Format: memberFormat, Name: name, Key: key, Node: wire.NodeIDOf(key), Address: address}
}

func (m *member) text(w io.Writer) {
	fields(w, "member", shown(m.Name), "key", m.Key.String(), "node", m.Node.String(), "address for peers", shown(m.Address))
}

// readMember reads a member.json, which may come from anybody.
func readMember(name string) (*member, error) {
	b, err := readFile(name, maxMember)
	if err != nil {
		return nil, err
	}
	m, err := parseMember(b)
	if err != nil {
		return nil, bad("%s is not a member.json made by 'cloister init': %v", name, err)
	}
	return m, nil
}

func parseMember(b []byte) (*member, error) {
	m := new(member)
	if err := wire.DecodeJSON(b, m, maxMember); err != nil {
		return nil, err
	}
	switch {
	case m.Format != memberFormat:
		return nil, fmt.Errorf("its format is %q", clip(m.Format))
	case m.Node != wire.NodeIDOf(m.Key):
		return nil, fmt.Errorf("the node is not that of the key")
	case m.Name == "" || len(m.Name) > 64:
		return nil, fmt.Errorf("its name has %d bytes, 1 to 64", len(m.Name))
	case m.Address == "":
		return m, nil
	}
	// What peerTable writes must be accepted by the hosts that read it.
	file := new(node.File)
	file.API.Listen, file.Peers = "localhost:1", map[string]string{m.Node.String(): m.Address}
	if _, err := node.ParseFile(file.Encode()); err != nil || shown(m.Address) != m.Address {
		return nil, fmt.Errorf("address %q is not of the form host:port", clip(m.Address))
	}
	return m, nil
}

// peerTable is the section of node.toml by which hosts find each other. A
// host's own line does no harm, so all hosts can have the same.
func peerTable(members []*member) string {
	var b strings.Builder
	fmt.Fprintln(&b, "[peers]")
	for _, m := range members {
		if m.Address != "" {
			fmt.Fprintf(&b, "%q = %q\n", m.Node, m.Address)
		}
	}
	return b.String()
}
