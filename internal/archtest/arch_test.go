package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheHouseRulesHold(t *testing.T) {
	root := filepath.Join("..", "..")
	if err := listFolders(root); err != nil {
		t.Fatal(err)
	}
	m, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Check(m) {
		t.Error(f)
	}
}

func TestEveryRuleFiresOnAPlantedViolationAndNothingElseDoes(t *testing.T) {
	root := t.TempDir()
	want := plant(t, filepath.Join("testdata", "planted.txt"), root)
	m, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	rules := map[string]bool{}
	for _, f := range Check(m) {
		got = append(got, place(f.File, f.Line, f.Rule))
		rules[f.Rule] = true
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("found %s, which was not planted", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("planted %s was not found", w)
		}
	}
	for _, rule := range []string{"direction", "room", "trusted", "goroutine", "clock", "random", "machine", "map-order", "name", "doc", "late", "skip", "test-only", "hidden"} {
		if !rules[rule] {
			t.Errorf("no violation of rule %q is planted", rule)
		}
	}
}

func TestAPackageThatDoesNotCompileIsAnError(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module cloister\n\ngo 1.26\n")
	write(t, root, "wire/doc.go", "package wire\n\nvar x int = \"text\"\n")
	if m, err := Load(root); err == nil {
		t.Fatalf("loaded %d packages of a module that does not compile", len(m.Packages))
	}
}

var (
	section     = regexp.MustCompile(`(?m)^-- (\S+) --\n`)
	wantHere    = regexp.MustCompile(`// want: ([a-z -]+)$`)
	wantAbove   = regexp.MustCompile(`// want-above: ([a-z -]+)$`)
	wantPackage = regexp.MustCompile(`want-package: ([a-z -]+)$`)
)

// plant writes the files of an archive under root and returns the findings
// their comments expect.
func plant(t *testing.T, archive, root string) (want []string) {
	t.Helper()
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	marks := section.FindAllSubmatchIndex(text, -1)
	if len(marks) == 0 {
		t.Fatalf("%s holds no files", archive)
	}
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name, body := string(text[m[2]:m[3]]), string(text[m[1]:end])
		write(t, root, name, body)
		for n, line := range strings.Split(body, "\n") {
			want = append(want, expected(name, n+1, wantHere, line)...)
			want = append(want, expected(name, n, wantAbove, line)...)
			want = append(want, expected(filepath.ToSlash(filepath.Dir(name)), 1, wantPackage, line)...)
		}
	}
	return want
}

func expected(file string, line int, mark *regexp.Regexp, text string) (want []string) {
	if m := mark.FindStringSubmatch(text); m != nil {
		for _, rule := range strings.Fields(m[1]) {
			want = append(want, place(file, line, rule))
		}
	}
	return want
}

func place(file string, line int, rule string) string {
	return Finding{File: file, Line: line, Rule: rule}.String()
}

func write(t *testing.T, root, name, body string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listFolders reads every folder of the module, so that the go command, which
// remembers what a test has read, runs this one again when a file is new.
func listFolders(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") {
			return fs.SkipDir
		}
		return err
	})
}
