package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// deciding are the packages whose every step must come out the same in each
// replica and each replay: the machines and the rules they call.
var deciding = []string{"core/step", "core/consensus", "core/families"}

// justification lets one map range stand; the rest of the line says why the
// order does not matter.
const justification = "//deterministic:"

func machines(r *report, p *Package) {
	if p.Path != "core" && !underAny(p.Path, deciding) {
		return
	}
	for _, f := range p.Files {
		for _, spec := range f.Imports {
			if spec.Path.Value == `"time"` {
				r.at(spec.Pos(), "machine", "time is given to a machine in milliseconds, as step.Now")
			}
		}
		justified := justifiedLines(r.m.Fset, f)
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				r.at(n.Pos(), "machine", "a machine starts no goroutine; return a Compute effect")
			case *ast.SelectStmt:
				r.at(n.Pos(), "machine", "a machine does not wait; it is given one event at a time")
			case *ast.RangeStmt:
				if line := r.m.Fset.Position(n.Pos()).Line; unordered(p.Info, n.X) && !justified[line] {
					r.at(n.Pos(), "map-order", "the order of a map differs between replicas; range over sorted keys, or say after %s why it does not matter", justification)
				}
			}
			return true
		})
	}
}

// unordered reports whether ranging over x follows a map's order: x is a map,
// or an iterator made by package maps.
func unordered(info *types.Info, x ast.Expr) bool {
	if t := info.TypeOf(x); t != nil {
		if _, isMap := t.Underlying().(*types.Map); isMap {
			return true
		}
	}
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	fun := ast.Unparen(call.Fun)
	if index, ok := fun.(*ast.IndexExpr); ok { // an explicit instantiation
		fun = index.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	obj := info.Uses[sel.Sel]
	return obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == "maps"
}

// justifiedLines are the lines a justification speaks for: its own and the next.
func justifiedLines(fset *token.FileSet, f *ast.File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, justification); ok && strings.TrimSpace(reason) != "" {
				line := fset.Position(c.Pos()).Line
				lines[line], lines[line+1] = true, true
			}
		}
	}
	return lines
}
