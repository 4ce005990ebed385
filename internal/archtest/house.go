package archtest

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// vague are package names that promise nothing and so collect everything.
var vague = []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "misc", "shared"}

// lateWords mark work left for later. Spelled in parts so that this file is
// judged by its own rule.
var lateWords = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// skips finds tests that can pass without running.
var skips = regexp.MustCompile(`\b(t|tb|b|f)\.Skip(f|Now)?\(`)

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// house checks what every package owes its readers.
func house(r *report, p *Package) {
	name := path.Base(p.Path)
	if slices.Contains(vague, name) {
		r.add(p.Dir, 1, "name", "package name %q says nothing; name it for its one idea", name)
	}
	if len(p.GoFiles) > 0 && !isGenerated(p.GoFiles[0]) && !documented(p) {
		r.add(p.Dir, 1, "doc", "package %s has no doc.go that says what it is for, what it must never do, and its invariants", p.Path)
	}
	for _, f := range p.Files {
		for _, spec := range f.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if inside, folder := r.internal(to); inside && strings.HasSuffix(folder, "test") && folder != "core/attest" &&
				!strings.HasSuffix(p.Path, "test") && !under(p.Path, "sim") {
				r.at(spec.Pos(), "test-only", "%s is for tests and simulations", folder)
			}
		}
	}
	for _, file := range slices.Concat(p.GoFiles, p.TestFiles, p.Ignored) {
		words(r, file, p.Path == "evidence/evidencetest")
	}
}

// documented reports whether doc.go carries the package's comment.
func documented(p *Package) bool {
	for i, f := range p.Files {
		if filepath.Base(p.GoFiles[i]) == "doc.go" && f.Doc != nil {
			return true
		}
	}
	return false
}

func isGenerated(file string) bool {
	text, err := os.ReadFile(file)
	return err == nil && generated.Match(text)
}

// words looks at every line of a file, comments and code alike. One package may
// skip tests: that of real evidence, which does not come with the source.
func words(r *report, file string, maySkip bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		r.add(file, 1, "unreadable", "%v", err)
		return
	}
	if generated.Match(text) {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		if w := lateWords.FindString(lines.Text()); w != "" {
			r.add(file, n, "late", "%s: finish it, or leave it out", w)
		}
		if !maySkip && skips.MatchString(lines.Text()) {
			r.add(file, n, "skip", "a test that can skip itself proves nothing; install what it needs in make test")
		}
	}
}
