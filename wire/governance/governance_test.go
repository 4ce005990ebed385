package governance

import (
	"bytes"
	"strings"
	"testing"

	"cloister/wire"
)

func good() *Authorities {
	return &Authorities{Accounts: []wire.Account{{1}, {2}}, Threshold: DefaultThreshold, LifetimeMs: DefaultLifetimeMs}
}

func payloads() []interface{ Bytes() []byte } {
	return []interface{ Bytes() []byte }{
		&Propose{Family: "node", Order: []byte{1}, ExpiresMs: 7, Unanimous: true},
		&Approve{ID: wire.Hash{1}}, &Withdraw{ID: wire.Hash{1}},
	}
}

func TestPayloadsReadBack(t *testing.T) {
	for i, p := range payloads() {
		b := p.Bytes()
		got, err := Decode(b)
		if err != nil || int(b[0]) != i+1 || !bytes.Equal(got.(interface{ Bytes() []byte }).Bytes(), b) {
			t.Errorf("%+v, %v", got, err)
		}
		for cut := range b {
			if got, err := Decode(b[:cut]); wire.CodeOf(err) != wire.ErrMalformed || got != nil {
				t.Fatalf("kind %d cut to %d bytes: %v, %v", i+1, cut, got, err)
			}
		}
	}
	for name, p := range map[string]*Propose{
		"no family": {Order: []byte{1}}, "no order": {Family: "node"}, "long family": {Family: strings.Repeat("f", 33), Order: []byte{1}},
		"long order": {Family: "node", Order: make([]byte, MaxOrder+1)},
	} {
		if got, err := Decode(p.Bytes()); wire.CodeOf(err) != wire.ErrMalformed || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode([]byte{4, 0x80}); wire.CodeOf(err) != wire.ErrMalformed {
		t.Errorf("kind 4: %v", err)
	}
}

func TestTheLargestOrderFitsATransactionAndState(t *testing.T) {
	p := &Propose{Family: strings.Repeat("f", wire.MaxFamily), Order: make([]byte, MaxOrder), ExpiresMs: 1 << 63, Unanimous: true}
	if n := len(p.Bytes()); n > wire.MaxPayload {
		t.Errorf("%d bytes", n)
	}
	stored := &Proposal{Family: p.Family, Order: p.Order, Approvals: make([]wire.Account, MaxAuthorities), Height: 1 << 63, ExpiresMs: 1 << 63}
	if got, err := ProposalOf(func([]byte) ([]byte, error) { return wire.Marshal(stored), nil }, wire.Hash{}); err != nil || len(got.Order) != MaxOrder {
		t.Errorf("%v", err)
	}
	full := make([]Open, MaxOpen)
	for i := range full {
		full[i].ExpiresMs = 1 << 63
	}
	if got, err := List(func([]byte) ([]byte, error) { return wire.Marshal(full), nil }); err != nil || len(got) != MaxOpen {
		t.Errorf("%d, %v", len(got), err)
	}
	if got, err := List(func([]byte) ([]byte, error) { return nil, nil }); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if n := len((&Answer{Executed: true, Result: make([]byte, MaxResult)}).Bytes()); n > wire.MaxOutput {
		t.Errorf("an answer of %d bytes", n)
	}
}

func TestMoreThanTheThreshold(t *testing.T) {
	for _, x := range []struct {
		t              Threshold
		approvals, all int
		met            bool
	}{
		{DefaultThreshold, 1, 1, true}, {DefaultThreshold, 1, 2, false}, {DefaultThreshold, 2, 3, false}, {DefaultThreshold, 3, 3, true},
		{DefaultThreshold, 3, 4, true}, {DefaultThreshold, 4, 6, false}, {DefaultThreshold, 5, 6, true}, {DefaultThreshold, 21, 32, false},
		{DefaultThreshold, 22, 32, true}, {Threshold{Num: 1, Den: 2}, 2, 4, false}, {Threshold{Num: 1, Den: 2}, 3, 4, true}, {Threshold{Num: 254, Den: 255}, 31, 32, false},
	} {
		if x.t.Met(x.approvals, x.all) != x.met {
			t.Errorf("%d of %d against %+v", x.approvals, x.all, x.t)
		}
	}
	for th, valid := range map[Threshold]bool{
		{Num: 1, Den: 2}: true, {Num: 2, Den: 3}: true, {Num: 200, Den: 255}: true, {Num: 1, Den: 3}: false, {Num: 1, Den: 1}: false, {}: false, {Num: 3, Den: 2}: false,
	} {
		if th.Valid() != valid {
			t.Errorf("%+v", th)
		}
	}
}

func TestApprovalsOfFormerAuthoritiesDoNotCount(t *testing.T) {
	p := &Proposal{Approvals: []wire.Account{{1}, {9}}}
	if a := good(); p.Counted(a) != 1 || p.Passes(a) {
		t.Error("a stranger's approval counted")
	}
	p.Unanimous = true
	one := &Authorities{Accounts: []wire.Account{{1}}, Threshold: DefaultThreshold}
	if !p.Passes(one) {
		t.Error("all of one")
	}
}

func TestOrdersAboutTheAuthorities(t *testing.T) {
	if a, err := DecodeOrder(SetAuthorities(good())); err != nil || len(a.Accounts) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	for name, x := range map[string]struct {
		spoil func(a *Authorities)
		code  wire.Code
	}{
		"none":         {func(a *Authorities) { a.Accounts = nil }, wire.ErrAuthorities},
		"nobody":       {func(a *Authorities) { a.Accounts[0] = wire.Account{} }, wire.ErrAuthorities},
		"twice":        {func(a *Authorities) { a.Accounts[0] = a.Accounts[1] }, wire.ErrAuthorities},
		"threshold":    {func(a *Authorities) { a.Threshold = Threshold{} }, wire.ErrAuthorities},
		"too many":     {func(a *Authorities) { a.Accounts = make([]wire.Account, MaxAuthorities+1) }, wire.ErrAuthorities},
		"no lifetime":  {func(a *Authorities) { a.LifetimeMs = 0 }, wire.ErrProposalLifetime},
		"for too long": {func(a *Authorities) { a.LifetimeMs = MaxLifetimeMs + 1 }, wire.ErrProposalLifetime},
	} {
		a := good()
		x.spoil(a)
		if _, err := DecodeOrder(SetAuthorities(a)); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, {1}, {2, 0x80}, append(SetAuthorities(good()), 0)} {
		if _, err := DecodeOrder(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range payloads() {
		f.Add(p.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed || v != nil {
				t.Fatalf("%v carries %s", err, wire.CodeOf(err))
			}
			return
		}
		if again := v.(interface{ Bytes() []byte }).Bytes(); !bytes.Equal(again, b) {
			t.Fatalf("%x is a second encoding of %x", b, again)
		}
	})
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add(SetAuthorities(good()))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeOrder(b)
		if err == nil && !bytes.Equal(SetAuthorities(a), b) {
			t.Fatalf("%x is a second encoding", b)
		}
		if c := wire.CodeOf(err); c != wire.OK && c != wire.ErrMalformed && c != wire.ErrAuthorities && c != wire.ErrProposalLifetime {
			t.Fatalf("%v carries %s", err, c)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add((&Answer{ID: wire.Hash{1}, Executed: true, Result: []byte{1}}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := DecodeAnswer(b); err == nil && !bytes.Equal(a.Bytes(), b) {
			t.Fatalf("%x is a second encoding", b)
		}
	})
}

func FuzzParseParams(f *testing.F) {
	f.Add([]byte(`{"authorities":["0101010101010101010101010101010101010101010101010101010101010101"],"threshold":{"num":2,"den":3}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseParams(b); err == nil && a.Check() != nil {
			t.Fatalf("%+v", a)
		}
	})
}

func TestIDsAreFixed(t *testing.T) {
	if got := ProposalID(wire.Hash{1}, wire.Hash{2}).String(); got != "08be825f2b55b34e1aa67bb843ab08f251f72cc2bdeb3cf649045f896cd020ee" {
		t.Errorf("proposal: %s", got)
	}
	if got := OrderHash("node", []byte{1}).String(); got != "11d98c892e313531dd8603639b2edba4d197d3d2c46c3c2dc7ce11d1ca3525b1" {
		t.Errorf("order: %s", got)
	}
}
