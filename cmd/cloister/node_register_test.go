package main

import (
	"bytes"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/node"
)

func TestOnlyACoreOnThisMachineIsAskedForEvidence(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:7401": true, "127.0.0.1:7401": true, "https://localhost": true, "[::1]:80": true, "http://127.9.9.9": true, "[::ffff:127.0.0.1]:80": true,
		"http://10.0.0.1:7401": false, "example.org:7401": false, "http://localhost.example.org": false, "http://127.0.0.1.example.org": false, "": false, "http://[": false,
	} {
		if local(endpoint) != want {
			t.Errorf("%q is local: %t", endpoint, !want)
		}
	}
	a := &app{endpoints: []string{"http://10.0.0.1:1", "127.0.0.1:1"}, env: func(string) string { return "" }, genesis: "/nowhere"}
	for endpoint, says := range map[string]string{"1": "not on this machine", "0": "none of them", "3": "none of them", "2": "no genesis file", "example.org:1": "not on this machine"} {
		if _, err := a.ownCore(endpoint); wire.CodeOf(err) != wire.ErrBadRequest || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestRolesAreNamed(t *testing.T) {
	if r, err := parseRoles([]string{"voter", "worker", "voter"}); err != nil || r != node.VoterRole|node.WorkerRole {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := parseRoles([]string{"gatekeeper", "audit"}); err != nil || strings.Join(roleList(r), " ") != "gatekeeper audit" {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := parseRoles([]string{"king"}); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Error(err)
	}
}

func TestARenewalIsLeftToTheCoreWhereItDoesItItself(t *testing.T) {
	const now = 1000
	good := node.Node{Status: node.Active, AttestedMs: 700, ExpiresMs: 1300}
	with := func(change func(n *node.Node)) *node.Node {
		n := good
		change(&n)
		return &n
	}
	for name, x := range map[string]struct {
		n      *node.Node
		member bool
		says   string // empty: the operator has to
	}{
		"member":                {&good, true, "by itself from " + when(1100)},
		"suspended member":      {with(func(n *node.Node) { n.Suspended = wire.ErrEvidenceCode }), true, "ErrNodeSuspended"},
		"expired member":        {with(func(n *node.Node) { n.ExpiresMs = now }), true, "ErrNodeExpired"},
		"founder":               {with(func(n *node.Node) { n.Status = node.Awaited }), true, "founder"},
		"other":                 {&good, false, "holds until"},
		"expired":               {with(func(n *node.Node) { n.ExpiresMs = now }), false, ""},
		"retired":               {with(func(n *node.Node) { n.Status = node.Retired }), false, ""},
		"barred":                {with(func(n *node.Node) { n.Status, n.Reason = node.Revoked, "why" }), false, "for ever: why"},
		"barred and still here": {with(func(n *node.Node) { n.Status, n.Reason = node.Revoked, "why" }), true, "for ever: why"},
	} {
		if got := unneeded(x.n, x.member, now); (got == "") != (x.says == "") || !strings.Contains(got, x.says) {
			t.Errorf("%s: %q, want %q", name, got, x.says)
		}
	}
}

func TestANodesTextCannotMoveTheCursor(t *testing.T) {
	var b bytes.Buffer
	n := &shownNodeState{Name: "\u202eevil", Endpoint: "a\u2028b", Reason: "\u202e", Platform: &shownPlatform{Product: "\x1b"}, Standing: wire.ErrNodeRevoked, StandingIs: "ErrNodeRevoked"}
	n.text(&b)
	(&shownNodeList{Nodes: []*shownNodeState{n}}).text(&b)
	if strings.ContainsAny(b.String(), "\u202e\u2028\x1b") {
		t.Errorf("%q", b.String())
	}
	if !strings.Contains(b.String(), wire.ErrNodeRevoked.Info().Advice) {
		t.Errorf("what to do is not said: %q", b.String())
	}
}

func TestStatusesAndChangesHaveNames(t *testing.T) {
	for s := node.Awaited; s <= node.Revoked; s++ {
		if nodeStatuses[s] == "" {
			t.Errorf("status %d has no name", s)
		}
	}
	for _, c := range []node.Change{{Kind: node.Add, Role: wire.Learner}, {Kind: node.Raise}, {Kind: node.Expel}, {Kind: node.Expel, Cause: wire.ErrNodeExpired}} {
		if text := waiting(&c); !strings.HasPrefix(text, "to be ") {
			t.Errorf("%+v: %q", c, text)
		}
	}
	for name, role := range memberRoles {
		if memberRole(role) != name {
			t.Errorf("%s is shown as %s", name, memberRole(role))
		}
	}
}
