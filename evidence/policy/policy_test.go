package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/evidence"
	"cloister/wire"
)

// drawPolicy draws any policy that Check accepts.
func drawPolicy(t *rapid.T) *Policy {
	role := rapid.SampledFrom(Roles).Draw(t, "role")
	p := Default(role, rapid.Bool().Draw(t, "testnet"))
	p.Kinds = append(Kinds(nil), p.Kinds[rapid.IntRange(0, 2).Draw(t, "kinds"):]...)
	row := rapid.Custom(func(t *rapid.T) Acceptance { return Acceptance(rapid.IntRange(0, 4).Draw(t, "acceptance")) })
	p.Status = Table{
		UpToDate: row.Draw(t, "1"), SWHardeningNeeded: row.Draw(t, "2"), ConfigurationNeeded: row.Draw(t, "3"),
		ConfigurationAndSWHardeningNeeded: row.Draw(t, "4"), OutOfDate: row.Draw(t, "5"), OutOfDateConfigurationNeeded: row.Draw(t, "6"),
	}
	list := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z0-9-]{1,32}`), 0, 5, rapid.ID[string])
	p.Advisories, p.RefusedProducts = list.Draw(t, "advisories"), list.Draw(t, "products")
	slices.Sort(p.Advisories)
	slices.Sort(p.RefusedProducts)
	for i := range rapid.IntRange(0, 3).Draw(t, "lines") {
		p.MinTCB = append(p.MinTCB, MinTCB{Product: fmt.Sprintf("Line%d", i), SNP: rapid.Byte().Draw(t, "snp")})
	}
	p.MinSVN = uint16(rapid.IntRange(0, 4).Draw(t, "svn"))
	p.MinTCBNumber = uint64(rapid.IntRange(0, 20).Draw(t, "number"))
	p.Masked, p.Provisional = rapid.Bool().Draw(t, "masked"), rapid.Bool().Draw(t, "provisional")
	return &p
}

func TestPoliciesReadBackInBothForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		got, err := Decode(p.Bytes())
		if err != nil || !bytes.Equal(got.Bytes(), p.Bytes()) {
			t.Fatalf("%+v, %v", got, err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again Policy
		if err := json.Unmarshal(text, &again); err != nil || !bytes.Equal(again.Bytes(), p.Bytes()) {
			t.Fatalf("%s: %+v, %v", text, again, err)
		}
	})
}

func TestThePublicFormSaysNames(t *testing.T) {
	p := Default(Worker, false)
	text, err := json.Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"role":"worker"`, `"kinds":["sgx","tdx","snp"]`, `"UpToDate":"accept"`, `"OutOfDate":"grace"`, `"ConfigurationNeeded":"listed"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
	for _, bad := range []string{`{"role":"king"}`, `{"kinds":["sgx","abacus"]}`, `{"status":{"UpToDate":"perhaps"}}`, `{"kinds":[1]}`} {
		var p Policy
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestFormIsBounded(t *testing.T) {
	long := make([]string, MaxAdvisories+1)
	for i := range long {
		long[i] = fmt.Sprintf("SA-%05d", i)
	}
	for name, change := range map[string]func(p *Policy){
		"no such role":              func(p *Policy) { p.Role = 5 },
		"no role":                   func(p *Policy) { p.Role = 0 },
		"no kinds":                  func(p *Policy) { p.Kinds = nil },
		"a kind twice":              func(p *Policy) { p.Kinds = Kinds{evidence.SGX, evidence.SGX} },
		"kinds descending":          func(p *Policy) { p.Kinds = Kinds{evidence.TDX, evidence.SGX} },
		"an unknown kind":           func(p *Policy) { p.Kinds = Kinds{9} },
		"an unknown acceptance":     func(p *Policy) { p.Status.OutOfDate = 5 },
		"too many advisories":       func(p *Policy) { p.Advisories = long },
		"advisories out of order":   func(p *Policy) { p.Advisories = []string{"B", "A"} },
		"an advisory twice":         func(p *Policy) { p.Advisories = []string{"A", "A"} },
		"an empty advisory":         func(p *Policy) { p.Advisories = []string{""} },
		"an advisory too long":      func(p *Policy) { p.Advisories = []string{strings.Repeat("A", 33)} },
		"an advisory not printable": func(p *Policy) { p.Advisories = []string{"A\n"} },
		"too many products":         func(p *Policy) { p.RefusedProducts = long[:MaxProducts+1] },
		"a product twice":           func(p *Policy) { p.MinTCB = []MinTCB{{Product: "X"}, {Product: "X"}} },
		"VMPL 4":                    func(p *Policy) { p.MaxVMPL = 4 },
		"no age in blocks":          func(p *Policy) { p.MaxEvidenceBlocks = 0 },
		"too many blocks":           func(p *Policy) { p.MaxEvidenceBlocks = MaxEvidenceBlocks + 1 },
		"no age in time":            func(p *Policy) { p.MaxEvidenceMs = 0 },
		"a registration of no time": func(p *Policy) { p.MaxRegistrationMs = 0 },
		"eternal grace":             func(p *Policy) { p.GraceMs = maxDurationMs + 1 },
		"four vendors":              func(p *Policy) { p.MinVendorClasses = 4 },
	} {
		p := Default(Audit, false)
		change(&p)
		if _, err := Decode(p.Bytes()); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := Default(Audit, false)
	p.Advisories = long[:MaxAdvisories]
	if n := len(p.Bytes()); n > MaxPolicy {
		t.Errorf("%d bytes, at most %d", n, MaxPolicy)
	}
	if _, err := Decode(p.Bytes()); err != nil {
		t.Errorf("the longest list: %v", err)
	}
}

func TestNamesOfValuesFromTheFuture(t *testing.T) {
	if Role(9).String() != "role-9" || Acceptance(9).String() != "acceptance-9" {
		t.Errorf("%s, %s", Role(9), Acceptance(9))
	}
}

func FuzzDecode(f *testing.F) {
	for _, role := range Roles {
		p := Default(role, false)
		f.Add(p.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Fatal("another encoding of the same policy was read")
		}
		Explain(p, enclave())
	})
}
