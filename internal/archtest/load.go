package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Package is one package of the checked module, parsed and typed.
type Package struct {
	Path        string // relative to the module, "" for its root: "core/step"
	Dir         string
	Imports     []string // import paths of the non-test files
	TestImports []string // of its test files, internal and external
	Files       []*ast.File
	Info        *types.Info
	GoFiles     []string // absolute, non-test
	TestFiles   []string // absolute
	Ignored     []string // absolute: excluded here by build constraints
}

// Module is everything a check looks at.
type Module struct {
	Name     string // module path
	Root     string
	Fset     *token.FileSet
	Packages []*Package
}

// listed is the part of `go list -json` that is used.
type listed struct {
	Dir, ImportPath, Name, Export                      string
	GoFiles, TestGoFiles, XTestGoFiles                 []string
	IgnoredGoFiles, Imports, TestImports, XTestImports []string
	Module                                             *struct{ Path, Dir string }
	Error                                              *struct{ Err string }
	Standard, DepOnly                                  bool
}

// Load reads the module that dir is in. Export data of the packages it imports
// comes from the build cache, so types are exact and nothing is compiled twice.
func Load(dir string) (*Module, error) {
	list, err := goList(dir)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range list {
		exports[l.ImportPath] = l.Export
	}
	m := &Module{Fset: token.NewFileSet()}
	imp := importer.ForCompiler(m.Fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})
	for _, l := range list {
		if l.DepOnly || l.Module == nil {
			continue
		}
		if l.Error != nil {
			return nil, fmt.Errorf("%s: %s", l.ImportPath, l.Error.Err)
		}
		m.Name, m.Root = l.Module.Path, l.Module.Dir
		p, err := typed(m.Fset, imp, l)
		if err != nil {
			return nil, err
		}
		m.Packages = append(m.Packages, p)
	}
	if len(m.Packages) == 0 {
		return nil, fmt.Errorf("no packages under %s", dir)
	}
	return m, nil
}

func goList(dir string) ([]*listed, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps",
		"-json=Dir,ImportPath,Name,Export,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports,Module,Error,Standard,DepOnly", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var list []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		l := new(listed)
		if err := dec.Decode(l); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, l)
	}
}

func typed(fset *token.FileSet, imp types.Importer, l *listed) (*Package, error) {
	p := &Package{
		Path: strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, l.Module.Path), "/"), Dir: l.Dir,
		Imports: l.Imports, TestImports: append(l.TestImports, l.XTestImports...),
		Info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}},
	}
	for _, f := range l.GoFiles {
		name := filepath.Join(l.Dir, f)
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.Files, p.GoFiles = append(p.Files, file), append(p.GoFiles, name)
	}
	for _, f := range append(l.TestGoFiles, l.XTestGoFiles...) {
		p.TestFiles = append(p.TestFiles, filepath.Join(l.Dir, f))
	}
	for _, f := range l.IgnoredGoFiles {
		p.Ignored = append(p.Ignored, filepath.Join(l.Dir, f))
	}
	if len(p.Files) == 0 {
		return p, nil // a folder of tests alone
	}
	conf := types.Config{Importer: imp}
	if _, err := conf.Check(l.ImportPath, fset, p.Files, p.Info); err != nil {
		return nil, fmt.Errorf("%s does not compile: %w", l.ImportPath, err)
	}
	return p, nil
}
