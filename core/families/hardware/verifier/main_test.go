package verifier_test

import (
	"os"
	"testing"
)

var tempDirs []string

// tempDir is a folder that lasts for all tests.
func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "verifier")
	tempDirs = append(tempDirs, dir)
	return dir, err
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range tempDirs {
		os.RemoveAll(d)
	}
	os.Exit(code)
}
