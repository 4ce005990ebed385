package devnet

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cloister/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPortsDifferAndSkipThoseInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	l, err := Plan(3, busy.Addr().(*net.TCPAddr).Port)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{busy.Addr().String(): true}
	for _, v := range l.Validators {
		for _, addr := range []string{v.API, v.Peer} {
			if seen[addr] {
				t.Errorf("%s is given twice or in use", addr)
			}
			seen[addr] = true
		}
	}
	for _, n := range []int{0, -1, MaxValidators + 1} {
		if _, err := Plan(n, FirstPort); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%d validators: %v, want ErrBadRequest", n, err)
		}
	}
	if _, err := Plan(2, 65535); !errors.Is(err, wire.ErrBadRequest) {
		t.Errorf("four ports from 65535 up: %v, want ErrBadRequest", err)
	}
}

func TestALayoutComesBackAndAForeignOneIsRefused(t *testing.T) {
	home := t.TempDir()
	if _, ok, err := Load(home); ok || err != nil {
		t.Fatalf("an empty home: %v, %v", ok, err)
	}
	l, err := Plan(2, FirstPort)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Save(home); err != nil {
		t.Fatal(err)
	}
	got, ok, err := Load(home)
	if err != nil || !ok || len(got.Validators) != 2 || got.Validators[1] != l.Validators[1] {
		t.Fatalf("%+v, %v, %v", got, ok, err)
	}
	good, err := os.ReadFile(filepath.Join(home, layoutFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{format, "cloister-dev/v2"}, {`"validator-1"`, `"../elsewhere"`}, {`"validator-1"`, `".."`}, {"{", "["}} {
		if err := os.WriteFile(filepath.Join(home, layoutFile), []byte(strings.Replace(string(good), change[0], change[1], 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(home); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%s for %s: %v, want ErrBadRequest", change[1], change[0], err)
		}
	}
}

func TestOneNetworkPerHomeAtATime(t *testing.T) {
	home := t.TempDir()
	release, err := Lock(home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(home); !errors.Is(err, wire.ErrBadRequest) {
		t.Fatalf("second lock: %v, want ErrBadRequest", err)
	}
	release()
	again, err := Lock(home)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// network makes a home whose validators are shell scripts.
func network(t *testing.T, n int, script string) (string, *Processes) {
	t.Helper()
	home := t.TempDir()
	l, err := Plan(n, FirstPort)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range l.Validators {
		if err := os.Mkdir(filepath.Join(home, v.Name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ps, err := Start(home, l, "/bin/sh", func(folder string) []string { return []string{"-c", script, "sh", folder} })
	if err != nil {
		t.Fatal(err)
	}
	return home, ps
}

func TestStopClosesStandardInputAndWaitsForEveryProcess(t *testing.T) {
	home, ps := network(t, 3, `echo started; cat; echo ended >"$1/end"; exit 3`)
	ps.Stop()
	for range 3 {
		e := <-ps.Exits()
		if e.Err == nil || !strings.Contains(e.Err.Error(), "3") {
			t.Errorf("%s ended with %v, want exit status 3", e.Validator.Name, e.Err)
		}
		if b, err := os.ReadFile(filepath.Join(home, e.Validator.Name, "end")); err != nil || string(b) != "ended\n" {
			t.Errorf("%s did not end in good order: %q, %v", e.Validator.Name, b, err)
		}
		if b, err := os.ReadFile(filepath.Join(home, e.Validator.Name, LogFile)); err != nil || string(b) != "started\n" {
			t.Errorf("log of %s: %q, %v", e.Validator.Name, b, err)
		}
	}
}

func TestAwaitNamesTheValidatorThatEnded(t *testing.T) {
	_, ps := network(t, 2, `exit 1`)
	defer ps.Stop()
	err := ps.Await(context.Background(), func(context.Context, *Validator) error { return errors.New("not yet") })
	if !errors.Is(err, wire.ErrUnavailable) || !strings.Contains(err.Error(), "validator-1") {
		t.Fatalf("error %v, want ErrUnavailable of validator-1", err)
	}
}

func TestAwaitAsksEveryValidator(t *testing.T) {
	_, ps := network(t, 3, `cat`)
	defer ps.Stop()
	asked := map[string]int{}
	err := ps.Await(context.Background(), func(_ context.Context, v *Validator) error {
		asked[v.Name]++
		if asked[v.Name] < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || len(asked) != 3 {
		t.Fatalf("asked %v: %v", asked, err)
	}
}

func TestAProgramThatDoesNotExistLeavesNothingRunning(t *testing.T) {
	home := t.TempDir()
	l, err := Plan(1, FirstPort)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, l.Validators[0].Name), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(home, l, "/nowhere/cloister", func(string) []string { return nil }); !errors.Is(err, wire.ErrUnavailable) {
		t.Fatalf("error %v, want ErrUnavailable", err)
	}
}
