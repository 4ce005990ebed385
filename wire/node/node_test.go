package node

import (
	"bytes"
	"strings"
	"testing"

	"cloister/wire"
)

func key(n byte) wire.PrivateKey { return wire.NewPrivateKey([32]byte{n}) }

func attestation() Attestation {
	return Attestation{Claims: []byte{1}, Evidence: []byte{2}, Boots: 3, Endpoint: "host:1", Signature: wire.Signature{4}}
}

// payloads and orders hold one good value of each kind.
func payloads() map[byte]interface{ Bytes() []byte } {
	return map[byte]interface{ Bytes() []byte }{
		KindRegister: &Register{Shown: attestation(), Roles: VoterRole | WorkerRole, Name: "Ärzte e. V."},
		KindRenew:    &Renew{Shown: attestation()},
		KindBoot:     &Boot{Shown: attestation()},
		KindRetire:   &Retire{Node: wire.NodeID{1}},
		KindPromote:  &Promote{Node: wire.NodeID{1}},
	}
}

func orders() map[byte]interface{ Bytes() []byte } {
	return map[byte]interface{ Bytes() []byte }{
		OrderAdmit:     &Admit{Node: wire.NodeID{1}, Role: wire.Voter},
		OrderRemove:    &Remove{Node: wire.NodeID{1}},
		OrderRevoke:    &Revoke{Node: wire.NodeID{1}, Reason: "leaked"},
		OrderSetParams: &SetParams{MaxNodes: 5, FoundingMs: 7},
	}
}

func TestPayloadsAndOrdersReadBack(t *testing.T) {
	for name, x := range map[string]struct {
		all    map[byte]interface{ Bytes() []byte }
		decode func([]byte) (any, error)
	}{"payload": {payloads(), Decode}, "order": {orders(), DecodeOrder}} {
		for kind, v := range x.all {
			b := v.Bytes()
			got, err := x.decode(b)
			if err != nil || b[0] != kind || !bytes.Equal(got.(interface{ Bytes() []byte }).Bytes(), b) {
				t.Errorf("%s %d: %+v, %v", name, kind, got, err)
			}
			for other := range x.all {
				if other != kind && len(b) > 40 {
					wrong := append([]byte{other}, b[1:]...)
					if got, err := x.decode(wrong); err == nil && !bytes.Equal(got.(interface{ Bytes() []byte }).Bytes(), wrong) {
						t.Errorf("%s %d as %d: %+v", name, kind, other, got)
					}
				}
			}
			for cut := range b {
				if got, err := x.decode(b[:cut]); wire.CodeOf(err) != wire.ErrMalformed || got != nil {
					t.Fatalf("%s %d cut to %d bytes: %v", name, kind, cut, err)
				}
			}
			if _, err := x.decode(append(bytes.Clone(b), 0)); wire.CodeOf(err) != wire.ErrMalformed {
				t.Errorf("%s %d with a byte more: %v", name, kind, err)
			}
		}
	}
}

func TestTheLargestRegistrationFitsATransaction(t *testing.T) {
	r := &Register{Shown: attestation(), Roles: allRoles, Name: strings.Repeat("n", MaxName)}
	r.Shown.Claims, r.Shown.Endpoint = make([]byte, MaxClaims), strings.Repeat("e", MaxEndpoint)
	r.Shown.Evidence = make([]byte, 8<<10) // a quote with its certificates has 4 to 6 KiB
	if n := len(r.Bytes()); n > wire.MaxPayload {
		t.Errorf("%d bytes, a transaction has room for %d", n, wire.MaxPayload)
	}
}

func TestTheLargestNodeReadsBack(t *testing.T) {
	n := &Node{
		Identity: key(1).Public(), Name: strings.Repeat("n", MaxName), Endpoint: strings.Repeat("e", MaxEndpoint), Reason: strings.Repeat("r", MaxReason),
		Platform:   Platform{Level: make([]byte, 128), Product: strings.Repeat("p", 64), TCBNumber: 1 << 63, Keys: make([]wire.Hash, MaxKeys)},
		Registered: 1 << 63, Boots: 1 << 63, Attested: 1 << 63, AttestedMs: 1 << 63, ExpiresMs: 1 << 63, GraceMs: 1 << 63,
	}
	get := func([]byte) ([]byte, error) { return wire.Marshal(n), nil }
	if got, err := Of(get, n.ID()); err != nil || got.ID() != n.ID() {
		t.Errorf("%v", err)
	}
	full := make([]Listed, MaxNodes)
	for i := range full {
		full[i] = Listed{ExpiresMs: 1 << 63, Roles: allRoles}
	}
	get = func([]byte) ([]byte, error) { return wire.Marshal(full), nil }
	if got, err := List(get); err != nil || len(got) != MaxNodes || len(wire.Marshal(full)) > 64<<10 {
		t.Errorf("%d listed, %v", len(got), err)
	}
	changes := make([]Change, maxQueued)
	for i := range changes {
		changes[i] = Change{Kind: Expel, Height: 1 << 63, Cause: wire.ErrNodeRevoked}
	}
	get = func([]byte) ([]byte, error) { return wire.Marshal(changes), nil }
	if got, err := Queue(get); err != nil || len(got) != maxQueued {
		t.Errorf("%d wait, %v", len(got), err)
	}
}

func TestRoles(t *testing.T) {
	if got := (VoterRole | AuditRole).Numbers(); !bytes.Equal(got, []byte{1, 4}) {
		t.Errorf("numbers %d", got)
	}
	for roles, valid := range map[Roles]bool{0: false, 1: true, allRoles: true, 0x10: false, 0x81: false} {
		if roles.Valid() != valid {
			t.Errorf("%#x", uint8(roles))
		}
	}
}

func TestStandingFollowsStatusTimeAndEvidence(t *testing.T) {
	for name, x := range map[string]struct {
		n    Node
		want wire.Code
	}{
		"good":                  {Node{Status: Active, ExpiresMs: 11}, wire.OK},
		"leaving":               {Node{Status: Leaving, ExpiresMs: 11}, wire.OK},
		"expired":               {Node{Status: Active, ExpiresMs: 10}, wire.ErrNodeExpired},
		"suspended":             {Node{Status: Active, ExpiresMs: 11, Suspended: wire.ErrEvidenceCode}, wire.ErrNodeSuspended},
		"expired and suspended": {Node{Status: Active, Suspended: wire.ErrEvidenceCode}, wire.ErrNodeExpired},
		"awaited":               {Node{Status: Awaited, ExpiresMs: 11}, wire.ErrNotRegistered},
		"retired":               {Node{Status: Retired, ExpiresMs: 11}, wire.ErrNodeRetired},
		"revoked":               {Node{Status: Revoked, ExpiresMs: 11}, wire.ErrNodeRevoked},
	} {
		if got := x.n.Standing(10); got != x.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestStateKeysDoNotMeet(t *testing.T) {
	id := wire.NodeID{1}
	seen := map[string]bool{}
	for _, k := range [][]byte{Key(id), VRFKey(id), SetKey(1), SetKey(2), RosterKey, ListKey, QueueKey, MetaKey, ClockKey, Key(wire.NodeID{2})} {
		if seen[string(k)] {
			t.Errorf("key %x twice", k)
		}
		seen[string(k)] = true
	}
}

// chainOf is state in a map.
func chainOf(values map[string]any) Reader {
	return func(key []byte) ([]byte, error) {
		if v, ok := values[string(key)]; ok {
			return wire.Marshal(v), nil
		}
		return nil, nil
	}
}

func TestWhatACoreOwes(t *testing.T) {
	self := Self{Identity: key(1).Public(), Boots: 2, BootID: wire.Hash{2}}
	id := wire.NodeIDOf(self.Identity)
	row := Node{Identity: self.Identity, Status: Active, Boots: 2, BootID: wire.Hash{2}, AttestedMs: 1000, ExpiresMs: 4000}
	for name, x := range map[string]struct {
		change func(n *Node)
		at     uint64
		kind   byte
		code   wire.Code
	}{
		"nothing":              {func(*Node) {}, 2999, 0, wire.OK},
		"to renew in time":     {func(*Node) {}, 3000, KindRenew, wire.OK},
		"to renew too late":    {func(*Node) {}, 9000, KindRenew, wire.OK},
		"to renew suspended":   {func(n *Node) { n.Suspended = wire.ErrEvidenceCode }, 1000, KindRenew, wire.OK},
		"a founder's first":    {func(n *Node) { *n = Node{Identity: n.Identity, Status: Awaited} }, 1000, KindRegister, wire.OK},
		"its run":              {func(n *Node) { n.Boots, n.BootID = 1, wire.Hash{1} }, 1000, KindBoot, wire.OK},
		"its run, expired":     {func(n *Node) { n.Boots, n.BootID = 1, wire.Hash{1} }, 9000, KindBoot, wire.OK},
		"nothing: superseded":  {func(n *Node) { n.Boots, n.BootID = 3, wire.Hash{3} }, 1000, 0, wire.ErrBootReplayed},
		"nothing: another one": {func(n *Node) { n.BootID = wire.Hash{3} }, 1000, 0, wire.ErrBootReplayed},
		"nothing: revoked":     {func(n *Node) { n.Status = Revoked }, 1000, 0, wire.ErrNodeRevoked},
		"nothing: retired":     {func(n *Node) { n.Status = Retired }, 1000, 0, wire.ErrNodeRetired},
	} {
		n := row
		x.change(&n)
		due, err := Due(chainOf(map[string]any{string(Key(id)): &n}), self, x.at)
		if wire.CodeOf(err) != x.code || x.kind == 0 && len(due) != 0 || x.kind != 0 && (len(due) != 1 || due[0].Kind != x.kind) {
			t.Errorf("owes %s: %+v, %v", name, due, err)
		}
	}
	if due, err := Due(chainOf(nil), self, 1000); err != nil || len(due) != 1 || due[0].Kind != KindRegister {
		t.Errorf("unknown: %+v, %v", due, err)
	}
}

func TestAVoterOwesRipeLearnersTheirPromotion(t *testing.T) {
	row := func(n byte, admitted wire.Role) *Node {
		return &Node{Identity: key(n).Public(), Status: Active, Boots: 1, BootID: wire.Hash{n}, AttestedMs: 1000, ExpiresMs: 1 << 40, Admitted: admitted}
	}
	set := &wire.MemberSet{Epoch: 1, From: 1}
	state := map[string]any{}
	for n := byte(1); n <= 6; n++ {
		role, admitted := wire.Learner, wire.Voter
		if n == 1 {
			role = wire.Voter
		}
		if n == 3 {
			admitted = wire.Learner
		}
		r := row(n, admitted)
		if n == 4 {
			r.Suspended = wire.ErrEvidenceCode
		}
		set.Members = append(set.Members, wire.Member{ID: r.ID(), Slot: uint64(n), Weight: 1, Role: role, Key: r.Identity})
		state[string(Key(r.ID()))] = r
	}
	roster := wire.NewRoster(set)
	roster.Nodes[4].Barred = wire.ErrNodeRevoked
	state[string(RosterKey)] = roster
	state[string(QueueKey)] = []Change{{Kind: Raise, Node: set.Members[5].ID}}
	self := func(n byte) Self { return Self{Identity: key(n).Public(), Boots: 1, BootID: wire.Hash{n}} }
	due, err := Due(chainOf(state), self(1), 1000)
	if err != nil || len(due) != 1 || due[0] != (Duty{KindPromote, set.Members[1].ID}) {
		t.Errorf("%+v, %v", due, err)
	}
	if due, err := Due(chainOf(state), self(2), 1000); err != nil || len(due) != 0 {
		t.Errorf("a learner owes %+v, %v", due, err)
	}
}

func TestDamagedStateIsAnError(t *testing.T) {
	damaged := func([]byte) ([]byte, error) { return []byte("damaged"), nil }
	if _, err := Due(damaged, Self{Identity: key(1).Public()}, 1); err == nil {
		t.Error("read")
	}
	if _, err := SetOf(damaged, 1); err == nil {
		t.Error("read")
	}
}

func TestFoundingParamsGiveTheGenesissSet(t *testing.T) {
	g := &wire.Genesis{Members: []wire.GenesisMember{{Name: "a", Key: key(1).Public()}, {Name: "b", Key: key(2).Public()}}}
	p, err := ParseParams(FoundingParams(g).JSON())
	if err != nil || p.MemberSet().Hash() != g.MemberSet().Hash() {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range payloads() {
		f.Add(p.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) { readsBack(t, b, Decode) })
}

func FuzzDecodeOrder(f *testing.F) {
	for _, o := range orders() {
		f.Add(o.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) { readsBack(t, b, DecodeOrder) })
}

func readsBack(t *testing.T, b []byte, decode func([]byte) (any, error)) {
	v, err := decode(b)
	if err != nil {
		if wire.CodeOf(err) != wire.ErrMalformed {
			t.Fatalf("%v carries %s", err, wire.CodeOf(err))
		}
		return
	}
	if again := v.(interface{ Bytes() []byte }).Bytes(); !bytes.Equal(again, b) {
		t.Fatalf("%x is a second encoding of %x", b, again)
	}
}

func FuzzParseParams(f *testing.F) {
	g := &wire.Genesis{Members: []wire.GenesisMember{{Name: "a", Key: key(1).Public()}}}
	f.Add([]byte(FoundingParams(g).JSON()))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParams(b)
		if err != nil {
			return
		}
		again, err := ParseParams(p.JSON())
		if err != nil || again.MemberSet().Hash() != p.MemberSet().Hash() {
			t.Fatalf("%v", err)
		}
	})
}

// What cores sign must never change under them.
func TestDigestsAreFixed(t *testing.T) {
	a := Attestation{Claims: []byte{1, 2}, Evidence: []byte{3}, Boots: 4, Endpoint: "e"}
	for want, got := range map[string]wire.Hash{
		"register": (&Register{Shown: a, Roles: VoterRole, Name: "n"}).Digest(wire.Hash{9}),
		"renew":    (&Renew{Shown: a}).Digest(wire.Hash{9}),
		"boot":     (&Boot{Shown: a}).Digest(wire.Hash{9}),
	} {
		if got.String() != golden[want] {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// golden was computed by an independent implementation of the tagged hash.
var golden = map[string]string{
	"register": "2500cb2c3554d5038ac3ddbd4e2fd9119fcbfe078be6fe704400c4ed558e3b54",
	"renew":    "fd697fb8013bd44f55f5645d357445458b9074a1f47ef1ef85f5062c732fb03b",
	"boot":     "6e6045472ce1a4bc599bb05faab1ca541080839aae82551951b1d59a2ebed30f",
}
