package notary

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/record"
)

func journal(t testing.TB, file string) *Journal {
	t.Helper()
	j, err := OpenJournal(file, chain, alice.Public())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// Any batch's answer may be lost, and a part of the batch with it: what the ledger
// took is never paid again, what it did not take is recorded by a later run.
func TestWhatARunSentBeforeItWasInterruptedIsNotPaidTwice(t *testing.T) {
	for name, slow := range map[string]bool{"what is lost never arrives": false, "what is lost arrives once the next run has read the chain": true} {
		t.Run(name, func(t *testing.T) { interrupted(t, slow) })
	}
}

func interrupted(t *testing.T, slow bool) {
	root, n := grow(t, 60)
	file := filepath.Join(t.TempDir(), "journal")
	m := newMemory()
	m.slow = slow
	resumed := 0
	for cut := 1; ; cut++ { // each run dies with one more answer
		m.stamp = 0 // each process begins with the clock, which the one before was ahead of
		batches := 0
		m.lose = func(batch int) (int, error) {
			if batches++; batches >= min(cut, 2) && cut < 20 {
				return batch / 2, context.Canceled
			}
			return batch, nil
		}
		j := journal(t, file)
		s, err := Notarize(context.Background(), m, chain, name, alice, root, Options{Journal: j})
		resumed += s.Resumed
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if m.records(chain) != n || resumed == 0 {
		t.Fatalf("%d records of %d paths, %d of them resumed", m.records(chain), n, resumed)
	}
	if r := verify(t, m, wire.Account{}, root); !r.Clean() {
		t.Fatalf("differences %v", r.Differences)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 0 {
		t.Errorf("the journal of a run that succeeded has %d bytes, %v", info.Size(), err)
	}
}

// A transaction that can no longer be recorded is one that was not paid.
func TestWhatCanNeverBeRecordedIsMadeAnew(t *testing.T) {
	for _, code := range []wire.Code{wire.ErrOutsideWindow, wire.ErrReplayed} {
		root, n := grow(t, 10)
		file := filepath.Join(t.TempDir(), "journal")
		m := newMemory()
		m.refuse = func(int) error { return wire.ErrUnavailable }
		j := journal(t, file)
		if _, err := Notarize(context.Background(), m, chain, name, alice, root, Options{Journal: j}); !errors.Is(err, wire.ErrUnavailable) {
			t.Fatal(err)
		}
		j.Close()
		j, sent := journal(t, file), 0
		if err := j.each(func([]byte) error { sent++; return nil }); err != nil || sent == 0 {
			t.Fatalf("%d in the journal, %v", sent, err)
		}
		m.attempts, m.refuse = 0, func(attempt int) error {
			if attempt <= sent {
				return code
			}
			return nil
		}
		s, err := Notarize(context.Background(), m, chain, name, alice, root, Options{Journal: j})
		if err != nil || s.Resumed != 0 || s.Recorded != n || m.records(chain) != n {
			t.Errorf("%s: %+v, %v: %d records", code, s, err, m.records(chain))
		}
	}
}

func TestAJournalBelongsToOneChainKeyAndProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	j := journal(t, file)
	if err := j.sending([][]byte{sent(t, chain, "a")}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(file, chain, alice.Public()); !errors.Is(err, wire.ErrBadRequest) {
		t.Errorf("twice: %v", err)
	}
	j.Close()
	if _, err := OpenJournal(file, wire.Hash{7}, alice.Public()); !errors.Is(err, wire.ErrBadRequest) {
		t.Errorf("another chain: %v", err)
	}
	if _, err := OpenJournal(file, chain, mallo.Public()); !errors.Is(err, wire.ErrBadRequest) {
		t.Errorf("another key: %v", err)
	}
}

func TestALineWithoutItsEndWasNeverSent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	first, second := sent(t, chain, "a"), sent(t, chain, "b")
	j := journal(t, file)
	if err := j.sending([][]byte{first, second}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(file, chain, alice.Public())
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
		lines := max(0, bytes.Count(whole[:cut], []byte("\n"))-1)
		if err := j.sending([][]byte{second}); err != nil {
			t.Fatal(err)
		}
		var got [][]byte
		if err := j.each(func(tx []byte) error { got = append(got, bytes.Clone(tx)); return nil }); err != nil {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
		if len(got) != lines+1 || !bytes.Equal(got[lines], second) || lines == 1 && !bytes.Equal(got[0], first) {
			t.Fatalf("cut after %d bytes: %d transactions, want %d", cut, len(got), lines+1)
		}
		j.Close()
	}
}

func TestWhatIsNoJournalIsRefused(t *testing.T) {
	heading := (&Journal{chain: chain, signer: alice.Public()}).heading()
	line := func(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) + "\n" }
	reveal := wire.Carry(wire.Hash{1}, record.Name, record.Reveal([]byte{0})).Bytes()
	for name, text := range map[string]string{
		"another format":    "papers\n",
		"no base64":         heading + "%%%\n",
		"padded":            heading + strings.TrimSpace(line(sent(t, chain, "a"))) + "=\n",
		"no transaction":    heading + line([]byte{1, 2, 3}),
		"an empty line":     heading + "\n",
		"of another chain":  heading + line(sent(t, wire.Hash{9}, "a")),
		"not a pair":        heading + line(reveal),
		"a line too long":   heading + strings.Repeat("A", 3*maxLine) + "\n",
		"heading at length": strings.Repeat("x", 3*maxLine),
	} {
		if _, err := readJournal(strings.NewReader(text), chain, alice.Public(), func([]byte) error { return nil }); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := readJournal(strings.NewReader(heading+line(sent(t, chain, "a"))), chain, alice.Public(), func([]byte) error { return nil }); err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// sent is a transaction as a run would note it.
func sent(t testing.TB, chain wire.Hash, path string) []byte {
	t.Helper()
	entry, err := (&Record{Path: path, AtMs: 1}).Entry(chain, alice)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := record.AddEntry(entry, 1, alice)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Carry(wire.Hash{1}, record.Name, payload).Bytes()
}

func FuzzReadJournal(f *testing.F) {
	heading := (&Journal{chain: chain, signer: alice.Public()}).heading()
	f.Add([]byte(heading + base64.RawStdEncoding.EncodeToString(sent(f, chain, "a")) + "\n"))
	f.Add([]byte(heading + "AAAA"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		whole, err := readJournal(bytes.NewReader(b), chain, alice.Public(), func(tx []byte) error {
			n++
			_, err := entryOf(tx, chain)
			return err
		})
		switch {
		case err != nil && !errors.Is(err, wire.ErrBadRequest):
			t.Fatal(err)
		case err == nil && (whole > int64(len(b)) || n > max(0, bytes.Count(b, []byte("\n"))-1)):
			t.Fatalf("%d whole bytes of %d, %d transactions", whole, len(b), n)
		}
	})
}
