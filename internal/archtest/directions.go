package archtest

import (
	"sort"
	"strings"
)

// rooms says what each folder may import of the project. The longest matching
// folder decides; a folder always may import itself and what lies below it.
// Dependency direction is downward only: cmd → host, core → gate, evidence → wire.
var rooms = map[string][]string{
	"wire":     {},
	"evidence": {"wire"},
	"gate":     {"wire"},
	// What crosses between a core and its hardware is evidence.
	"gate/backend": {"evidence", "wire"},
	"gen":          {},
	"proto":        {},

	// The trusted side. host is in none of these lists, and core in none of host's.
	"core": {"gate", "evidence", "wire"},
	// Clients and auditors link the engines' pure halves, so these stay tiny.
	"core/consensus/rules":  {"core/consensus/quorum", "wire"},
	"core/consensus/quorum": {"wire"},
	"core/step":             {"wire"},

	"host": {"gate", "evidence", "wire", "gen"},
	// A host that follows another network's hosts is their client.
	"host/follow": {"client", "host/archive", "gate", "evidence", "wire", "gen"},

	// A device's own side of the registry: an outside user, with a TPM.
	"device": {"client", "core/families/hardware/committee", "core/families/hardware/verifier", "evidence", "wire"},

	// What outside users link.
	"client": {"core/consensus/rules", "evidence", "wire", "gen"},
	"sdk":    {"wire"},
	"notary": {"client", "wire"},

	"cmd/cloister":        {"host", "device", "simtee", "client", "notary", "bench", "gate", "evidence", "wire", "gen"},
	"cmd/cloister-core":   {"core", "gate", "evidence", "wire"},
	"cmd/cloister-simtee": {"simtee", "gate", "evidence", "wire"},
	// Simulated hardware is no part of what it measures.
	"simtee": {"gate", "evidence", "wire"},

	// The simulator puts a simulated host behind the same gate.
	"sim":   {"core", "gate", "evidence", "wire"},
	"bench": {"client", "wire", "gen"},
	// Named stories with real processes, driven from outside.
	"scenario":         {"bench", "client", "host/anchor", "wire"},
	"scenario/tpmtour": {"device", "evidence", "wire"},
	// It starts a Bitcoin node as the anchors' tests do.
	"scenario/bitcointour": {"host/anchor", "wire"},

	"internal/archtest": {},
}

// harness lists what test files may import beyond their package's own row: an
// outside user's package is tested against the real thing, from outside.
var harness = map[string][]string{
	"wire":         {"core/consensus/rules", "core/consensus/quorum"},
	"client":       {"host", "gate"},
	"notary":       {"host", "gate", "gen"},
	"cmd/cloister": {"core/consensus/rules"},
	"host":         {"client"},
	"host/follow":  {"host"},
	// Rules about evidence are tried with evidence.
	"core/families/node":     {"simtee"},
	"core/families/hardware": {"simtee"},
	"device":                 {"core", "simtee", "host"},
}

func directions(r *report, p *Package) {
	room, allowed, ok := roomOf(p.Path)
	if !ok {
		r.add(p.Dir, 1, "room", "folder %q is in no room; give it a row in the table of internal/archtest/directions.go", p.Path)
		return
	}
	for _, f := range p.Files {
		for _, spec := range f.Imports {
			if inside, to := r.internal(spec.Path.Value); inside && !under(to, room) && !underAny(to, allowed) {
				r.at(spec.Pos(), "direction", "%s must not import %s (allowed: %s)", p.Path, to, listing(room, allowed))
			}
		}
	}
	tests := append(append([]string{}, allowed...), harnessOf(p.Path)...)
	for _, path := range p.TestImports {
		if inside, to := r.internal(path); inside && !under(to, room) && !underAny(to, tests) {
			file := p.Dir
			if len(p.TestFiles) > 0 {
				file = p.TestFiles[0]
			}
			r.add(file, 1, "direction", "tests of %s must not import %s (allowed: %s)", p.Path, to, listing(room, tests))
		}
	}
}

// internal reports whether an import path is of the project, and its folder.
func (r *report) internal(path string) (bool, string) {
	path = strings.Trim(path, `"`)
	if !under(path, r.m.Name) {
		return false, ""
	}
	return true, strings.TrimPrefix(strings.TrimPrefix(path, r.m.Name), "/")
}

// roomOf finds the row of the longest folder that path lies under.
func roomOf(path string) (room string, allowed []string, ok bool) {
	for folder, list := range rooms { //deterministic: the longest match wins whatever the order
		if under(path, folder) && len(folder) >= len(room) {
			room, allowed, ok = folder, list, true
		}
	}
	return room, allowed, ok
}

func harnessOf(path string) (allowed []string) {
	for folder, list := range harness { //deterministic: a set is collected
		if under(path, folder) {
			allowed = append(allowed, list...)
		}
	}
	return allowed
}

func listing(room string, allowed []string) string {
	all := append([]string{room}, allowed...)
	sort.Strings(all)
	return strings.Join(all, ", ")
}
