package factom

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloister/wire"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// exchange is one recorded call. A request that is a JSON text is the body
// itself, for bodies that are no JSON or have a form of their own.
type exchange struct {
	Case    string          `json:"case"`
	Request json.RawMessage `json:"request"`
	Status  int             `json:"status"`
	Answer  json.RawMessage `json:"answer"`
}

func (x *exchange) body() string {
	var text string
	if json.Unmarshal(x.Request, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if err := json.Compact(&b, x.Request); err != nil {
		panic(err)
	}
	return b.String()
}

func recordings(t testing.TB) (files []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "vectors.json" })
}

func exchanges(t testing.TB, file string) (list []exchange) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return list
}

func TestAnswersAreThoseRecorded(t *testing.T) {
	for _, file := range recordings(t) {
		list := exchanges(t, file)
		for i := range list {
			x := &list[i]
			status, answer := ask(serve(t, newWorld(t)), "192.0.2.1:1000", x.body())
			if *update {
				x.Status, x.Answer = status, json.RawMessage(answer)
				continue
			}
			var want bytes.Buffer
			if err := json.Compact(&want, x.Answer); err != nil {
				t.Fatalf("%s: %s: %v", file, x.Case, err)
			}
			if status != x.Status || answer != want.String() {
				t.Errorf("%s: %s: %d %s\nwant %d %s", file, x.Case, status, answer, x.Status, want.String())
			}
		}
		if *update {
			if err := os.WriteFile(file, wire.EncodeJSON(list), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEveryMethodIsRecordedWithAResult(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range recordings(t) {
		for _, x := range exchanges(t, file) {
			if r, ok := parseRequest([]byte(x.body())); ok && x.Status == 200 {
				seen[string(r.method)] = true
			}
		}
	}
	for name := range methods {
		if !seen[name] {
			t.Errorf("%s is never answered", name)
		}
	}
}
