package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestAGenesisFileReadsBackAsTheSameChain(t *testing.T) {
	g := vectorGenesis()
	g.Name = "a <b> & c \u2028 \"é\""
	g.Families[0].Params = []byte(`{"note":"<&>\u2028 é","allocations":[]}`)
	back, err := ParseGenesis(g.File())
	if err != nil || back.ChainID() != g.ChainID() {
		t.Fatalf("%v\n%s", err, g.File())
	}
	if canonical, err := DecodeGenesis(g.Bytes()); err != nil || canonical.ChainID() != g.ChainID() {
		t.Fatal(err)
	}
}

func TestWhiteSpaceAndOrderOfKeysDoNotChangeTheChain(t *testing.T) {
	want := vectorGenesis().ChainID()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(vectorGenesis().File(), &fields); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.MarshalIndent(fields, "\t", "   ")
	if err != nil {
		t.Fatal(err)
	}
	if g, err := ParseGenesis(sorted); err != nil || g.ChainID() != want {
		t.Errorf("%v", err)
	}
}

func TestAGenesisFileHasOneMeaning(t *testing.T) {
	file := string(vectorGenesis().File())
	for name, change := range map[string][2]string{
		"repeated key":             {`"name"`, `"name": "x", "name"`},
		"key in two cases":         {`"name"`, `"Name": "x", "name"`},
		"key with a long s":        {`"restart"`, `"re\u017ftart": "x", "restart"`},
		"repeated key of params":   {`"rate": 1000`, `"rate": 1, "rate": 1000`},
		"repeated key of a member": {`"key"`, `"name": "b", "key"`},
		"unknown key":              {`"name"`, `"nam": "x", "name"`},
		"second document":          {"\n}\n", "\n}\n{}"},
		"junk after it":            {"\n}\n", "\n}\n]"},
		"deep parameters":          {`"allocations": []`, `"allocations": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40)},
	} {
		changed := strings.Replace(file, change[0], change[1], 1)
		if changed == file {
			t.Errorf("%s: nothing to change", name)
		}
		if g, err := ParseGenesis([]byte(changed)); !errors.Is(err, ErrEncoding) || g != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseGenesis(append([]byte(file), bytes.Repeat([]byte{' '}, MaxGenesis)...)); !errors.Is(err, ErrEncoding) {
		t.Errorf("long file: %v", err)
	}
}

func TestAGenesisIsCheckedInBothForms(t *testing.T) {
	for name, change := range map[string]func(g *Genesis){
		"version":               func(g *Genesis) { g.Version = 2 },
		"no name":               func(g *Genesis) { g.Name = "" },
		"long name":             func(g *Genesis) { g.Name = strings.Repeat("n", 65) },
		"engine":                func(g *Genesis) { g.Engine = "pbft" },
		"restart":               func(g *Genesis) { g.Restart = "hope" },
		"no tee":                func(g *Genesis) { g.TEE = "" },
		"no members":            func(g *Genesis) { g.Members = nil },
		"many members":          func(g *Genesis) { g.Members = members(MaxGenesisMembers + 1) },
		"solo with two":         func(g *Genesis) { g.Engine, g.Members = "solo", members(2) },
		"member given twice":    func(g *Genesis) { g.Members = append(g.Members, g.Members[0]) },
		"member without key":    func(g *Genesis) { g.Members[0].Key = PublicKey{} },
		"member of small order": func(g *Genesis) { g.Members[0].Key = hex32(smallOrder[5]) },
		"member with long name": func(g *Genesis) { g.Members[0].Name = strings.Repeat("n", 65) },
		"small bodies":          func(g *Genesis) { g.Limits.BodyBytes = MaxTx },
		"large bodies":          func(g *Genesis) { g.Limits.BodyBytes = MaxBody + 1 },
		"no transactions":       func(g *Genesis) { g.Limits.BlockTxs = 0 },
		"many transactions":     func(g *Genesis) { g.Limits.BlockTxs = MaxBodyItems + 1 },
		"no lag":                func(g *Genesis) { g.Limits.ExecLag = 0 },
		"long lag":              func(g *Genesis) { g.Limits.ExecLag = 1025 },
		"no clock skew":         func(g *Genesis) { g.Limits.ClockSkewMs = 0 },
		"large clock skew":      func(g *Genesis) { g.Limits.ClockSkewMs = MaxClockSkewMs + 1 },
		"family with odd name":  func(g *Genesis) { g.Families[0].Name = "to/ken" },
		"family without name":   func(g *Genesis) { g.Families[0].Name = "" },
		"family with long name": func(g *Genesis) { g.Families[0].Name = strings.Repeat("f", MaxFamily+1) },
		"family given twice":    func(g *Genesis) { g.Families[1].Name = "token" },
		"large parameters": func(g *Genesis) {
			g.Families[0].Params = []byte(`"` + strings.Repeat("x", MaxGenesis) + `"`)
		},
	} {
		g := vectorGenesis()
		change(g)
		if _, err := ParseGenesis(g.File()); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s, file: %v", name, err)
		}
		if _, err := DecodeGenesis(g.Bytes()); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s, canonical form: %v", name, err)
		}
	}
}

func TestTheCanonicalFormHoldsCompactParametersOnly(t *testing.T) {
	for _, params := range []string{`{ }`, `{"a":1} `, `{`, `{"a":1,"a":2}`, "\"\xff\"", `{}{}`} {
		g := vectorGenesis()
		g.Families[0].Params = []byte(params)
		if _, err := DecodeGenesis(g.Bytes()); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func members(n int) (list []GenesisMember) {
	for i := range n {
		list = append(list, GenesisMember{Key: NewPrivateKey([32]byte{byte(i), byte(i >> 8)}).Public()})
	}
	return list
}

func TestMemberSets(t *testing.T) {
	for n, quorum := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 64: 33} {
		g := vectorGenesis()
		g.Members = members(n)
		s := g.MemberSet()
		if s.Quorum() != quorum || s.Voters() != n || s.Epoch != 1 || s.From != 1 {
			t.Errorf("%d members: %d voters, quorum %d", n, s.Voters(), s.Quorum())
		}
		for i, m := range g.Members {
			if a, b := s.BySlot(uint64(i+1)), s.ByID(NodeIDOf(m.Key)); a == nil || a != b || a.Key != m.Key || a.Role != Voter {
				t.Errorf("member %d is not found", i)
			}
		}
		if s.BySlot(0) != nil || s.BySlot(uint64(n+1)) != nil || s.ByID(NodeID{}) != nil {
			t.Error("a member nobody added")
		}
		s.Members[0].Role = Learner
		if s.Voters() != n-1 {
			t.Error("a learner votes")
		}
	}
}
