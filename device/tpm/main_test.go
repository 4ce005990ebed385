package tpm_test

import (
	"fmt"
	"os"
	"testing"

	"cloister/device/lab"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "makers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	makersFolder = folder
	return m.Run()
}

func bootLog(t *testing.T, m *lab.Machine) []byte {
	t.Helper()
	return must(os.ReadFile(m.BootLogFile()))(t)
}
