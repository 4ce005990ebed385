package btcdlab

import (
	"os"
	"os/exec"
	"path/filepath"

	"cloister/wire"
)

// Variable names the btcd program if it stands elsewhere.
const Variable = "CLOISTER_BTCD"

// program finds btcd: where Variable says, in .bin under the module's root, on
// PATH. Errors carry ErrNotFound.
func program() (string, error) {
	if named := os.Getenv(Variable); named != "" {
		return named, nil
	}
	if root, ok := moduleRoot(); ok {
		if path := filepath.Join(root, ".bin", "btcd"); isFile(path) {
			return path, nil
		}
	}
	if path, err := exec.LookPath("btcd"); err == nil {
		return path, nil
	}
	return "", wire.Faultf(wire.ErrNotFound, "no btcd: run scripts/install-btcd.sh in the module's root, or name one in %s", Variable)
}

// moduleRoot is the folder above the current one that holds go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for !isFile(filepath.Join(dir, "go.mod")) {
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
	return dir, true
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
