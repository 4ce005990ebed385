package anchor_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"cloister/host/anchor"
	"cloister/host/anchor/fileledger"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// offNode begins without a node: Bitcoin is a file whose blocks pay the key.
func offNode(t *testing.T, blocks int) (*bench, *fileledger.Ledger) {
	t.Helper()
	key, err := anchor.ParseKey(strings.Repeat("5", 64), anchor.P2WPKH, simnet())
	if err != nil {
		t.Fatal(err)
	}
	f, err := fileledger.Open(filepath.Join(t.TempDir(), "chain"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := &bench{t: t, ledger: newLedger(), cfg: anchor.Config{
		Network: simnet(), Key: key, Dir: t.TempDir(), Depth: depth, Settle: 20, Poll: 5 * time.Millisecond, MaxPause: 20 * time.Millisecond,
		Bitcoin: f,
	}}
	b.cfg.Ledger = b.ledger
	if err := f.Mine(blocks, key.Script(), 100_000); err != nil {
		t.Fatal(err)
	}
	return b, f
}

func TestAnotherLedgerIsAnchoredInLikeBitcoin(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, f := offNode(t, 101)
	b.run()
	b.ledger.close(3)
	b.until("sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 3 })
	if err := f.Mine(depth, []byte{0x51}, 1); err != nil {
		t.Fatal(err)
	}
	b.until("recorded", func(s anchor.Status) bool { return s.Counts[anchor.Recorded] == 3 })
	b.stop()
}

// watched is a Bitcoin that sees what is durable when a transaction is sent.
type watched struct {
	anchor.Bitcoin
	dir string

	mu   sync.Mutex
	sent int
	last []byte
	bad  string
}

func (w *watched) Send(ctx context.Context, tx []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(w.dir, "anchor.state"))
	w.last = bytes.Clone(tx)
	if w.sent++; err != nil || !bytes.Contains(b, tx) {
		w.bad = "a transaction was sent that a crash would have lost"
	}
	return w.Bitcoin.Send(ctx, tx)
}

func TestTransactionsAreDurableBeforeTheyAreSent(t *testing.T) {
	b, f := offNode(t, 110)
	w := &watched{Bitcoin: f, dir: b.cfg.Dir}
	b.cfg.Bitcoin = w
	b.run()
	b.ledger.close(5)
	b.until("sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 5 })
	b.stop()
	if w.bad != "" || w.sent < 5 {
		t.Fatalf("%d sent: %s", w.sent, w.bad)
	}
}

// dead is a Bitcoin that is out.
type dead struct{ anchor.Bitcoin }

func (dead) BlockHash(context.Context, uint32) (bitcoin.Hash, error) {
	return bitcoin.Hash{}, wire.Faultf(wire.ErrUnavailable, "out")
}

// A reorganisation below the block that the wallet began with leaves nothing to
// undo: it begins anew, and must find what it sent in blocks before the new tip.
func TestWalletThatBeginsAnewFindsWhatItSent(t *testing.T) {
	b, f := offNode(t, 110)
	path := filepath.Join(t.TempDir(), "other")
	if err := f.CopyTo(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Mine(2, []byte{0x51}, 1); err != nil {
		t.Fatal(err)
	}
	w := &watched{Bitcoin: f, dir: b.cfg.Dir}
	b.cfg.Bitcoin = w
	b.run()
	b.ledger.close(1)
	sent := b.until("sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 1 }).Heights[0]
	b.stop()

	other, err := fileledger.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Send(t.Context(), w.last); err != nil {
		t.Fatal(err)
	}
	if err := other.Mine(depth+1, []byte{0x52}, 1); err != nil {
		t.Fatal(err)
	}
	b.cfg.Bitcoin = other
	b.run()
	s := b.until("recorded", func(s anchor.Status) bool { return s.Counts[anchor.Recorded] == 1 })
	if h := s.Heights[0]; h.TxID != sent.TxID || h.Versions != 1 || h.Depth != depth+1 {
		t.Fatalf("%+v, begun anew %+v", sent, h)
	}
	b.stop()
}

func TestPausesGrowToTheirBound(t *testing.T) {
	b, f := offNode(t, 1)
	b.cfg.Bitcoin = dead{f}
	b.cfg.Poll, b.cfg.MaxPause = time.Second, 10*time.Second
	b.cfg.Random = func(n int64) int64 { return n - 1 }
	var pauses []time.Duration
	enough := make(chan struct{})
	b.cfg.After = func(d time.Duration) <-chan time.Time {
		if pauses = append(pauses, d); len(pauses) == 7 {
			close(enough)
			return nil
		}
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}
	b.run()
	<-enough
	b.stop()
	for i, want := range []time.Duration{2, 4, 8, 10, 10, 10, 10} {
		if pauses[i] != want*time.Second {
			t.Fatalf("pauses %v", pauses)
		}
	}
}

func TestQueueIsBoundedAndNothingIsLost(t *testing.T) {
	b, f := offNode(t, 101)
	b.cfg.Queue = 4
	b.cfg.Bitcoin = dead{f}
	b.run()
	b.ledger.close(30)
	b.until("full", func(s anchor.Status) bool { return s.Next == 4 && s.Node != nil })
	b.stop()
	b.cfg.Bitcoin, b.cfg.Settle = f, depth
	b.run()
	for range 200 {
		s := b.a.Status()
		if len(s.Heights) > 4 {
			t.Fatalf("%d heights on their way", len(s.Heights))
		}
		if err := f.Mine(1, []byte{0x51}, 1); err != nil {
			t.Fatal(err)
		}
		tip, _ := f.Height(t.Context())
		s = b.until("at the tip", func(s anchor.Status) bool { return s.Tip.Height == tip })
		if s.Next == 30 && len(s.Heights) == 0 {
			break
		}
	}
	for height := range uint32(30) {
		if b.ledger.record(height) == nil {
			t.Fatalf("height %d was lost: %+v", height, b.a.Status())
		}
	}
}

func TestRecordOfAnotherBlockStopsIt(t *testing.T) {
	b, f := offNode(t, 101)
	hash, err := f.BlockHash(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.records[0] = &factom.AnchorRecord{AnchorRecordVer: 2, DBHeight: 0, KeyMR: wire.Hash{1}, Bitcoin: &factom.BitcoinAnchor{BlockHeight: 5, BlockHash: hash.String()}}
	b.ledger.close(1)
	a, err := anchor.New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); !errors.Is(err, anchor.ErrFork) {
		t.Fatal(err)
	}
}

func TestRecordOfAnotherHostIsEnough(t *testing.T) {
	b, f := offNode(t, 101)
	hash, err := f.BlockHash(t.Context(), 90)
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.close(2)
	b.ledger.records[0] = &factom.AnchorRecord{AnchorRecordVer: 2, DBHeight: 0, KeyMR: b.ledger.keyMRs[0], Bitcoin: &factom.BitcoinAnchor{BlockHeight: 90, BlockHash: hash.String()}}
	b.ledger.records[1] = &factom.AnchorRecord{AnchorRecordVer: 2, DBHeight: 1, KeyMR: b.ledger.keyMRs[1], Bitcoin: &factom.BitcoinAnchor{BlockHeight: 90, BlockHash: bitcoin.Hash{1}.String()}}
	b.run()
	// The second record names a block that is not there: this host posts again.
	s := b.until("one sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 1 })
	for _, h := range s.Heights {
		if h.Height == 0 && (h.Versions > 0 || h.Phase != anchor.Recorded) || h.Height == 1 && h.Phase != anchor.Sent {
			t.Fatalf("%+v", h)
		}
	}
}

func TestStateBelongsToOneKeyAndNetwork(t *testing.T) {
	b, _ := offNode(t, 101)
	b.run()
	b.ledger.close(1)
	b.until("sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 1 })
	b.stop()
	other, err := anchor.ParseKey(strings.Repeat("6", 64), anchor.P2WPKH, simnet())
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.cfg
	cfg.Key = other
	if _, err := anchor.New(cfg); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Fatal(err)
	}
	path := filepath.Join(b.cfg.Dir, "anchor.state")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := anchor.New(b.cfg); wire.CodeOf(err) != wire.ErrMalformed {
		t.Fatalf("a torn state was taken: %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	b, _ := offNode(t, 1)
	for name, change := range map[string]func(c *anchor.Config){
		"no key":           func(c *anchor.Config) { c.Key = nil },
		"no folder":        func(c *anchor.Config) { c.Dir = "" },
		"settles too soon": func(c *anchor.Config) { c.Depth, c.Settle = 6, 5 },
		"settles too late": func(c *anchor.Config) { c.Settle = 145 },
		"queue":            func(c *anchor.Config) { c.Queue = 10_001 },
		"chain":            func(c *anchor.Config) { c.MaxChain = 25 },
		"poll":             func(c *anchor.Config) { c.Poll, c.MaxPause = 2*time.Hour, 3*time.Hour },
		"pause":            func(c *anchor.Config) { c.Poll, c.MaxPause = time.Minute, time.Second },
		"floor":            func(c *anchor.Config) { c.Fees = anchor.Fees{Floor: 10, Ceiling: 9} },
		"fixed":            func(c *anchor.Config) { c.Fees = anchor.Fees{Fixed: 201} },
		"ceiling in units": func(c *anchor.Config) { c.Fees = anchor.Fees{Ceiling: 1_000_000} },
	} {
		cfg := b.cfg
		change(&cfg)
		if _, err := anchor.New(cfg); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMetricsShowTheStatus(t *testing.T) {
	b, _ := offNode(t, 101)
	registry := prometheus.NewRegistry()
	b.cfg.Metrics = registry
	b.run()
	b.ledger.close(2)
	b.until("sent", func(s anchor.Status) bool { return s.Counts[anchor.Sent] == 2 })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "cloister_anchor_heights" {
			continue
		}
		for _, m := range f.GetMetric() {
			if l := m.GetLabel()[0]; l.GetValue() == string(anchor.Sent) && m.GetGauge().GetValue() == 2 {
				return
			}
		}
	}
	t.Fatalf("no gauge shows the two heights: %v", families)
}
