package evidencetest

import (
	"os"
	"path/filepath"
	"testing"
)

// Samples is the folder of real evidence. A test that asks for it is skipped
// where it is absent.
func Samples(t testing.TB) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("these tests do not run inside the module")
		}
		root = filepath.Dir(root)
	}
	folder := filepath.Join(root, "..", "shared", "testdata", "attestation")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("real evidence is not at hand: %v", err)
	}
	return folder
}
