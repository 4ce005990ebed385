package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing says that the emulator is not installed, and what to do about it.
var ErrMissing = errors.New("the TPM emulator is not installed: apt-get install swtpm swtpm-tools")

// programs are the paths of what the lab runs.
type programs struct{ swtpm, setup, localca string }

// places are where distributions keep programs that people do not start.
var places = []string{"/usr/bin", "/usr/local/bin", "/usr/share/swtpm", "/usr/lib/swtpm", "/usr/libexec/swtpm"}

// find locates the programs. Errors: ErrMissing.
func find() (p programs, err error) {
	var missing []string
	for _, f := range []struct {
		name string
		to   *string
	}{{"swtpm", &p.swtpm}, {"swtpm_setup", &p.setup}, {"swtpm_localca", &p.localca}} {
		if *f.to = locate(f.name); *f.to == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return p, fmt.Errorf("lab: no %s: %w", strings.Join(missing, ", "), ErrMissing)
	}
	return p, nil
}

func locate(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, folder := range places {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
