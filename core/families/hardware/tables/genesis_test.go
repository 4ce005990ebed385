package tables_test

import (
	"testing"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
)

func genesisRoot(r trust.Root) trust.GenesisRoot { return trust.NewGenesisRoot(&r) }

func TestGenesisFillsTheTables(t *testing.T) {
	maker := newAuthority(t, "maker", nil)
	list := maker.list(t, 3, 0)
	strict := policy.Default(policy.Worker, true)
	strict.MinSVN = 9
	l := newLab(t, trust.Genesis{
		Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(maker.root())}, Items: []trust.GenesisItem{trust.NewGenesisItem(&list)},
		Measurements: images(1), Policies: []policy.Policy{strict}, Mandatory: []trust.Component{trust.Kernel, trust.Image},
	})
	l.must(func(st ledger.State, _, _ uint64) error {
		if roots, err := tables.Roots(st, evidence.Intel); err != nil || len(roots) != 1 || roots[0].Added != 0 {
			t.Errorf("%+v, %v", roots, err)
		}
		if roots, err := tables.Roots(st, evidence.AMD); err != nil || len(roots) != 0 {
			t.Errorf("%+v, %v", roots, err)
		}
		if keys, err := tables.CollateralKeys(st, 0); err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
		if m, ok, err := tables.Measurement(st, idOf(image(1, 0))); err != nil || !ok || !m.ValidAt(0) {
			t.Errorf("%+v, %t, %v", m, ok, err)
		}
		if testnet, err := tables.Testnet(st); !testnet || err != nil {
			t.Errorf("%t, %v", testnet, err)
		}
		if list, err := tables.Mandatory(st); err != nil || len(list) != 2 {
			t.Errorf("%v, %v", list, err)
		}
		for _, role := range policy.Roles {
			p, err := tables.Policy(st, role)
			if err != nil || p.Role != role || (p.MinSVN == 9) != (role == policy.Worker) {
				t.Errorf("%s: %+v, %v", role, p, err)
			}
		}
		if _, err := tables.Policy(st, 7); wire.CodeOf(err) != wire.ErrEvidencePolicy {
			t.Errorf("%v", err)
		}
		return nil
	})
}

func TestAnEmptyGenesisHasPoliciesAndTrustsNobody(t *testing.T) {
	l := newLab(t, trust.Genesis{})
	l.must(func(st ledger.State, _, _ uint64) error {
		list, err := tables.Mandatory(st)
		if err != nil || len(list) != 1 || list[0] != trust.Image {
			t.Errorf("%v, %v", list, err)
		}
		p, err := tables.Policy(st, policy.Voter)
		if err != nil || p.MinVendorClasses != 2 {
			t.Errorf("%+v, %v", p, err)
		}
		if testnet, err := tables.Testnet(st); testnet || err != nil {
			t.Errorf("%t, %v", testnet, err)
		}
		return nil
	})
}

func TestBadGenesesAreRefused(t *testing.T) {
	maker, other := newAuthority(t, "maker", nil), newAuthority(t, "other", nil)
	real := other.root()
	real.Simulated = false
	nameless := maker.root()
	nameless.Name = ""
	list := maker.list(t, 3, 0)
	late := maker.list(t, 3, 5)
	kernel := trust.Measurement{Component: trust.Kernel, Version: "1", Alg: trust.SHA256, Digest: make([]byte, 32), PCRs: []uint8{16}}
	roots := []trust.GenesisRoot{genesisRoot(maker.root())}
	voter := policy.Default(policy.Voter, true)
	bad := voter
	bad.Kinds = nil
	for name, x := range map[string]struct {
		g    trust.Genesis
		code wire.Code
	}{
		"simulated and no test network": {trust.Genesis{Roots: roots}, wire.ErrRootClass},
		"simulated beside real":         {trust.Genesis{Testnet: true, Roots: append(roots, genesisRoot(real))}, wire.ErrRootClass},
		"real beside simulated":         {trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(real), roots[0]}}, wire.ErrRootClass},
		"a root twice":                  {trust.Genesis{Testnet: true, Roots: append(roots, roots[0])}, wire.ErrRootExists},
		"a root without a name":         {trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(nameless)}}, wire.ErrMalformed},
		"an item without its root":      {trust.Genesis{Testnet: true, Items: []trust.GenesisItem{trust.NewGenesisItem(&list)}}, wire.ErrUnknownAnchor},
		"an item of later":              {trust.Genesis{Testnet: true, Roots: roots, Items: []trust.GenesisItem{trust.NewGenesisItem(&late)}}, wire.ErrCollateralNotYet},
		"an item twice":                 {trust.Genesis{Testnet: true, Roots: roots, Items: []trust.GenesisItem{trust.NewGenesisItem(&list), trust.NewGenesisItem(&list)}}, wire.ErrCollateralOlder},
		"an item of nothing":            {trust.Genesis{Items: []trust.GenesisItem{trust.NewGenesisItem(&evidence.Item{Type: evidence.CRL})}}, wire.ErrCollateralMalformed},
		"a version twice":               {trust.Genesis{Measurements: images(1, 1)}, wire.ErrMeasurementExists},
		"a resettable PCR":              {trust.Genesis{Measurements: []trust.GenesisMeasurement{trust.NewGenesisMeasurement(&kernel)}}, wire.ErrResettablePCR},
		"a policy twice":                {trust.Genesis{Policies: []policy.Policy{voter, voter}}, wire.ErrInternal},
		"a false policy":                {trust.Genesis{Policies: []policy.Policy{bad}}, wire.ErrMalformed},
		"a false order of components":   {trust.Genesis{Mandatory: []trust.Component{trust.Image, trust.Kernel}}, wire.ErrMalformed},
	} {
		if err := refused(x.g, t); err == nil || wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
}
