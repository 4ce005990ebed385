package scenario

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is the folder with go.mod.
const module = ".."

// TestTwoBuildsInDifferentPlacesAreTheSameProgram: whoever builds the source gets
// the bytes, and the code ids, that a ledger approves (TEE specification §7.3).
func TestTwoBuildsInDifferentPlacesAreTheSameProgram(t *testing.T) {
	places := []struct {
		folder string
		env    []string // of a user with habits of their own
	}{
		{filepath.Join(t.TempDir(), "a"), []string{"GOFLAGS=", "GOAMD64=v1"}},
		{filepath.Join(t.TempDir(), "another", "place"), []string{"GOFLAGS=-ldflags=-X=main.habit=1", "GOAMD64=v3", "CGO_ENABLED=1"}},
	}
	var built [][]byte
	var codes []string
	for _, p := range places {
		copyModule(t, p.folder)
		file := makeCore(t, p.folder, p.env)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(p.folder)) {
			t.Errorf("the program names the folder %s it was built in", p.folder)
		}
		built, codes = append(built, b), append(codes, measured(t, file))
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Errorf("two builds of one source differ: %d and %d bytes", len(built[0]), len(built[1]))
	}
	if codes[0] != codes[1] {
		t.Errorf("code ids differ:\n%s\n%s", codes[0], codes[1])
	}
}

// makeCore builds the trusted program with the Makefile, as anyone would. Both
// builds share the build cache, which the compiler's own inputs name.
func makeCore(t *testing.T, folder string, env []string) string {
	t.Helper()
	build := exec.Command("make", "-s", "build", "PROGRAMS=./cmd/cloister-core")
	build.Dir = folder
	for _, v := range os.Environ() {
		// The make that runs the tests must not tell this one what to do.
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			build.Env = append(build.Env, v)
		}
	}
	build.Env = append(build.Env, env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build in %s: %v\n%s", folder, err, out)
	}
	return filepath.Join(folder, "bin", "cloister-core")
}

// measured are a program's code ids, as the command line says them.
func measured(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command(program(t), "measure", "--json", "--binary", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		CodeIDs []struct {
			Kind   string `json:"kind"`
			CodeID string `json:"code_id"`
		} `json:"code_ids"`
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.CodeIDs) == 0 {
		t.Fatalf("no code id: %s", out)
	}
	var all []string
	for _, c := range m.CodeIDs {
		all = append(all, c.Kind+" "+c.CodeID)
	}
	return strings.Join(all, "\n")
}

// copyModule copies what a release has: everything but hidden folders (version
// control, tools, networks) and built programs.
func copyModule(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(module, path)
		if err != nil {
			return err
		}
		into := filepath.Join(to, rel)
		switch {
		case rel == ".":
			return os.MkdirAll(into, 0o755)
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || rel == "bin"):
			return fs.SkipDir
		case d.IsDir():
			return os.Mkdir(into, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		return copyFile(path, into)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}
