package archive

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// childDir names the directory in which a child of this test writes until it
// is killed.
const childDir = "CLOISTER_ARCHIVE_TEST_DIR"

const killBlocks = 800

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		writeUntilKilled(dir)
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled says on standard output which heights are durable.
func writeUntilKilled(dir string) {
	c := long("kill", killBlocks)
	a, err := Open(dir, Options{Genesis: c.Genesis, GroupInterval: time.Microsecond})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for _, f := range c.Finals[a.Height():] {
		if err := a.Append(f); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("durable", a.Height())
	}
	if err := a.Sync(); err != nil {
		fmt.Println("error", err)
	}
	fmt.Println("durable", a.Height())
}

// TestKilledWritersLoseNothingDurable kills a real process at random moments
// and opens what it left behind.
func TestKilledWritersLoseNothingDurable(t *testing.T) {
	c := long("kill", killBlocks)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 5))
	kills := 0
	for round := 0; kills < 12; round++ {
		if round == 60 {
			t.Fatalf("only %d of %d children were killed while writing", kills, round)
		}
		killed, durable := runAndKill(t, dir, 1+rng.IntN(80))
		a := openAt(t, dir, c.Genesis)
		if a.Height() < durable {
			t.Fatalf("round %d: %d blocks were durable, %d are left", round, durable, a.Height())
		}
		if round%4 == 0 {
			sound(t, a, c)
		}
		finished := a.Height() == killBlocks
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if killed {
			kills++
		}
		if finished { // begin again
			dir = t.TempDir()
		}
	}
	a := openAt(t, dir, c.Genesis)
	defer a.Close()
	appendAll(t, a, c.Finals)
	sound(t, a, c)
}

// runAndKill kills a child after it has said so many lines. It reports whether
// the child was still writing, and the newest height it called durable.
func runAndKill(t *testing.T, dir string, lines int) (killed bool, durable uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(out); scan.Scan(); lines-- {
		var height string
		if _, err := fmt.Sscanf(scan.Text(), "durable %s", &height); err != nil {
			t.Fatalf("child: %s", scan.Text())
		}
		if durable, err = strconv.ParseUint(height, 10, 64); err != nil {
			t.Fatal(err)
		}
		if lines == 1 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = child.Wait()
	if err != nil && child.ProcessState.Exited() {
		t.Fatalf("child: %v", err)
	}
	return !child.ProcessState.Exited(), durable
}
