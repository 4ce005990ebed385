package fileledger_test

import (
	"os"
	"path/filepath"
	"testing"

	"cloister/host/anchor/fileledger"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

var script = []byte{0x51}

func open(t testing.TB, path string) *fileledger.Ledger {
	l, err := fileledger.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestBlocksSurviveAndFollowTheRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain")
	l := open(t, path)
	if err := l.Mine(30, script, 1000); err != nil {
		t.Fatal(err)
	}
	// A crash in the middle of a block leaves the one before it.
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if height, _ := again.Height(t.Context()); height != 29 {
		t.Fatalf("height %d", height)
	}
	if err := again.Mine(1, script, 1000); err != nil {
		t.Fatal(err)
	}
	n, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		t.Fatal(err)
	}
	var headers []bitcoin.Header
	for height := range uint32(31) {
		hash, err := again.BlockHash(t.Context(), height)
		if err != nil {
			t.Fatal(err)
		}
		h, err := again.Header(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, h)
	}
	if _, err := bitcoin.CheckChain(n, n.Checkpoint(), headers); err != nil {
		t.Fatal(err)
	}
	if u, err := again.Unspent(t.Context(), script); err != nil || len(u.Coins) != 30 || u.Tip.Height != 30 {
		t.Fatal(u, err)
	}
}

func TestAnotherFileIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain")
	l := open(t, path)
	if err := l.Mine(2, script, 1000); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"large": {0xff, 0xff, 0xff, 0xff},
		"text":  []byte("\x00\x00\x00\x04text"),
		"twice": append(append([]byte(nil), good...), good...),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := fileledger.Open(path); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "chain")
	if err := open(f, path).Mine(2, script, 1000); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "chain")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := fileledger.Open(path)
		if err != nil {
			return
		}
		defer l.Close()
		if err := l.Mine(1, script, 1); err != nil {
			t.Fatal(err)
		}
	})
}
