package node

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What the guides show of node.toml has to be what ParseFile takes.
func TestTheGuidesShowFilesThatParse(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "factom.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(b, -1)
	if len(parts) == 0 {
		t.Fatal("the guide shows no file")
	}
	for _, part := range parts {
		if _, err := ParseFile(append([]byte("[api]\nlisten = \"127.0.0.1:7401\"\n"), part[1]...)); err != nil {
			t.Errorf("%v in\n%s", err, part[1])
		}
	}
}
