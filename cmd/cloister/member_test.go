package main

import (
	"bytes"
	"strings"
	"testing"

	"cloister/host/node"
	"cloister/wire"
)

var testMember = newMember("alpha", wire.NewPrivateKey([32]byte{1}).Public(), "alpha.example.org:7421")

func TestAMemberComesBackAndADoctoredOneIsRefused(t *testing.T) {
	good := wire.EncodeJSON(testMember)
	if m, err := parseMember(good); err != nil || *m != *testMember {
		t.Fatalf("%+v, %v", m, err)
	}
	other := wire.NewPrivateKey([32]byte{2}).Public()
	for _, change := range [][2]string{
		{memberFormat, "cloister-member/v2"},
		{testMember.Key.String(), other.String()},
		{`"alpha"`, `""`},
		{`"alpha"`, `"` + strings.Repeat("a", 65) + `"`},
		{"alpha.example.org:7421", "alpha.example.org"},
		{"alpha.example.org:7421", `x:1\"\n[core]\npath = \"/evil`},
		{"alpha.example.org:7421", `\u001b[2Jx:1`},
		{"{", "["},
	} {
		b := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if m, err := parseMember(b); err == nil {
			t.Errorf("%s for %s is accepted: %+v", change[1], change[0], m)
		}
	}
}

func FuzzParseMember(f *testing.F) {
	f.Add(wire.EncodeJSON(testMember))
	f.Add(wire.EncodeJSON(newMember("solo", testMember.Key, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMember(b)
		if err != nil {
			return
		}
		// Hosts must be able to read the table, and find in it what was meant.
		file, err := node.ParseFile([]byte("[api]\nlisten = \"localhost:1\"\n" + peerTable([]*member{m})))
		if err != nil {
			t.Fatalf("a table that no host reads: %v", err)
		}
		if got := file.Peers[m.Node.String()]; got != m.Address {
			t.Fatalf("address %q became %q", m.Address, got)
		}
	})
}
