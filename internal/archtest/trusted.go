package archtest

import (
	"go/ast"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// drive is the only package under core with goroutines and the clock.
const drive = "core/drive"

// forbiddenImports are out of reach of the trusted program: it asks the host
// through the gate instead. A prefix forbids what lies below it too.
var forbiddenImports = []struct {
	path, instead string
	except        []string // folders that may import it
	typesOnly     []string // folders that may use its types and constants, nothing that acts
}{
	{"os", "the host owns files and environment", []string{drive}, []string{"core/vault", "core/ledger"}},
	{"os/exec", "the trusted program starts nothing", nil, nil},
	{"os/signal", "the gate says when to stop", nil, nil},
	{"net", "bytes reach other cores as streams of the gate", []string{drive}, []string{"core/channel"}},
	{"net/http", "bytes reach other cores as streams of the gate", nil, nil},
	{"syscall", "the gate is the one boundary", nil, nil},
	{"golang.org/x/sys", "the gate is the one boundary", nil, nil},
	{"unsafe", "the trusted program is memory safe", nil, nil},
	{"math/rand", "take a seeded generator of math/rand/v2", nil, nil},
	{"crypto/rand", "take an io.Reader; only the driver knows where randomness comes from", []string{drive}, nil},
}

// forbiddenUses are functions of packages that are otherwise welcome.
var forbiddenUses = map[string]struct {
	names   []string
	instead string
}{
	"time": {
		[]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"},
		"time reaches the core as an event; only core/drive reads the clock",
	},
}

// seeded are the functions of math/rand/v2 that do not touch its global source.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "NewZipf"}

// trusted checks what no package under core may do, wherever it stands.
func trusted(r *report, p *Package) {
	if !under(p.Path, "core") {
		return
	}
	for _, file := range p.Ignored {
		r.add(file, 1, "hidden", "the trusted program is the same everywhere: no build constraints under core")
	}
	typesOnly := map[string]string{}
	for _, f := range p.Files {
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			for _, ban := range forbiddenImports {
				switch exact := path == ban.path || (strings.Contains(ban.path, ".") && under(path, ban.path)); {
				case !exact || underAny(p.Path, ban.except):
				case underAny(p.Path, ban.typesOnly):
					typesOnly[path] = ban.instead
				default:
					r.at(spec.Pos(), "trusted", "%s must not import %s: %s", p.Path, path, ban.instead)
				}
			}
		}
		if under(p.Path, drive) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				r.at(n.Pos(), "goroutine", "only core/drive starts goroutines; return an effect instead")
			case *ast.Ident:
				usesOf(r, p, n, typesOnly)
			}
			return true
		})
	}
}

// usesOf judges one identifier that may name something of another package.
func usesOf(r *report, p *Package, id *ast.Ident, typesOnly map[string]string) {
	obj := p.Info.Uses[id]
	if obj == nil || obj.Pkg() == nil || obj.Parent() != obj.Pkg().Scope() {
		return // a builtin, a method, a field or a local
	}
	from, name := obj.Pkg().Path(), obj.Name()
	_, isFunc := obj.(*types.Func)
	if ban := forbiddenUses[from]; slices.Contains(ban.names, name) {
		r.at(id.Pos(), "clock", "%s.%s: %s", from, name, ban.instead)
	}
	if from == "math/rand/v2" && isFunc && !slices.Contains(seeded, name) {
		r.at(id.Pos(), "random", "%s.%s draws from the process's generator; take a seeded one", from, name)
	}
	if why, limited := typesOnly[from]; limited && acts(obj) {
		r.at(id.Pos(), "trusted", "%s.%s is more than a type of %s: %s", from, name, from, why)
	}
}

// acts reports whether an object can do something: functions, and variables
// such as os.Stdin. Types, constants and error values only name.
func acts(obj types.Object) bool {
	switch o := obj.(type) {
	case *types.Func:
		return true
	case *types.Var:
		return !types.Identical(o.Type(), types.Universe.Lookup("error").Type())
	}
	return false
}
