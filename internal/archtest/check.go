package archtest

import (
	"fmt"
	"go/token"
	"path/filepath"
	"sort"
	"strings"
)

// Finding is one broken rule.
type Finding struct {
	File string // relative to the module root, with '/'
	Line int    // 1 when it is about the whole package or file
	Rule string // the rule's short name
	What string // what was found, and what to do instead
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.What)
}

// report collects findings.
type report struct {
	m    *Module
	list []Finding
}

func (r *report) at(pos token.Pos, rule, format string, args ...any) {
	p := r.m.Fset.Position(pos)
	r.add(p.Filename, p.Line, rule, format, args...)
}

func (r *report) add(file string, line int, rule, format string, args ...any) {
	if rel, err := filepath.Rel(r.m.Root, file); err == nil {
		file = filepath.ToSlash(rel)
	}
	r.list = append(r.list, Finding{file, line, rule, fmt.Sprintf(format, args...)})
}

// Check applies every rule to every package and returns what broke them,
// sorted by place.
func Check(m *Module) []Finding {
	r := &report{m: m}
	for _, p := range m.Packages {
		directions(r, p)
		trusted(r, p)
		machines(r, p)
		house(r, p)
	}
	sort.Slice(r.list, func(i, j int) bool {
		a, b := r.list[i], r.list[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Rule < b.Rule
	})
	return r.list
}

// under reports whether path is folder or lies below it.
func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// underAny is under for several folders.
func underAny(path string, folders []string) bool {
	for _, f := range folders {
		if under(path, f) {
			return true
		}
	}
	return false
}
