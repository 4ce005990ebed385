package btcdlab_test

import (
	"context"
	"testing"

	"cloister/host/anchor"
	"cloister/host/anchor/btcdlab"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

func start(t *testing.T) (*btcdlab.Lab, *anchor.Key) {
	n, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		t.Fatal(err)
	}
	key, err := anchor.ParseKey("0101010101010101010101010101010101010101010101010101010101010101", anchor.P2WPKH, n)
	if err != nil {
		t.Fatal(err)
	}
	l, err := btcdlab.Start(t.Context(), t.TempDir(), key.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, key
}

func TestBlocksAreMinedTakenBackAndKept(t *testing.T) {
	ctx := context.Background()
	l, _ := start(t)
	first, err := l.Generate(ctx, 10)
	if err != nil || len(first) != 10 {
		t.Fatal(first, err)
	}
	other, err := l.Reorg(ctx, 3)
	if err != nil || len(other) != 4 {
		t.Fatal(other, err)
	}
	if height, err := l.Node.Height(ctx); err != nil || height != 11 {
		t.Fatal(height, err)
	}
	l.Stop()
	if _, err := l.Node.Height(ctx); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Fatalf("a stopped node answers: %v", err)
	}
	if err := l.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	for height, want := range map[uint32]bitcoin.Hash{7: first[6], 8: other[0]} {
		if hash, err := l.Node.BlockHash(ctx, height); err != nil || hash != want {
			t.Errorf("block %d: %s, %v", height, hash, err)
		}
	}
	l.Kill()
	if err := l.Restart(ctx); err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	if _, err := l.Reorg(ctx, 100); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("more blocks replaced than there are: %v", err)
	}
}

func TestMissingProgramSaysHowToInstallIt(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	t.Setenv(btcdlab.Variable, "")
	_, err := btcdlab.Start(t.Context(), t.TempDir(), "x")
	if wire.CodeOf(err) != wire.ErrNotFound {
		t.Fatal(err)
	}
}
