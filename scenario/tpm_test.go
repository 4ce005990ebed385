package scenario

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Three emulated machines of two makers join a network, are attested, one boots
// what nobody approved, one is copied: the tour's part on TPMs, whole.
func TestMachinesWithTPMsJoinAndAreFoundOut(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	tour := filepath.Join(t.TempDir(), "tpmtour")
	build := exec.Command("go", "build", "-o", tour, "cloister/scenario/tpmtour")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(tour, "--cloister", program(t), "--home", n.home).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
