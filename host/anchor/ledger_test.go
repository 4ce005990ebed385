package anchor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloister/host/anchor"
	"cloister/host/anchor/btcdlab"
	"cloister/host/anchor/rpc"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// ledger is one that the tests close blocks of. It records what a core would:
// nothing without a proof that holds.
type ledger struct {
	mu      sync.Mutex
	changed chan struct{} // closed and made anew with every height
	keyMRs  []wire.Hash
	records map[uint32]*factom.AnchorRecord
	times   map[uint32]int // records written for a height
	notMine map[uint32]bool
	out     bool // answers nothing
}

func newLedger() *ledger {
	return &ledger{changed: make(chan struct{}), records: map[uint32]*factom.AnchorRecord{}, times: map[uint32]int{}, notMine: map[uint32]bool{}}
}

func (l *ledger) close(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.keyMRs = append(l.keyMRs, sha256.Sum256(fmt.Appendf(nil, "block %d", len(l.keyMRs))))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) Closed(ctx context.Context, height uint32) (wire.Hash, error) {
	for {
		l.mu.Lock()
		changed, there := l.changed, int(height) < len(l.keyMRs)
		if there {
			defer l.mu.Unlock()
			return l.keyMRs[height], nil
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return wire.Hash{}, ctx.Err()
		case <-changed:
		}
	}
}

var errOut = errors.New("the ledger is out")

func (l *ledger) Turn(_ context.Context, height uint32) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out {
		return false, errOut
	}
	return !l.notMine[height], nil
}

func (l *ledger) Recorded(_ context.Context, height uint32) (*factom.AnchorRecord, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out {
		return nil, false, errOut
	}
	r, ok := l.records[height]
	return r, ok, nil
}

func (l *ledger) Record(_ context.Context, height uint32, p *bitcoin.Proof, address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out {
		return errOut
	}
	p, err := bitcoin.ParseProof(p.Encode())
	if err != nil {
		return err
	}
	script := factom.AnchorScript(height, l.keyMRs[height])
	at, err := p.Verify(simnet(), script[:])
	if err != nil {
		return err
	}
	if at.Depth < depth {
		return fmt.Errorf("only %d deep", at.Depth)
	}
	r := &factom.AnchorRecord{AnchorRecordVer: 2, DBHeight: height, KeyMR: l.keyMRs[height], RecordHeight: uint32(len(l.keyMRs)), Bitcoin: &factom.BitcoinAnchor{
		Address: address, TXID: at.TxID.String(), BlockHeight: at.Height, BlockHash: at.Block.String(), Offset: at.Offset,
	}}
	if err := r.Check(); err != nil {
		return err
	}
	l.records[height] = r
	l.times[height]++
	return nil
}

func (l *ledger) record(height uint32) *factom.AnchorRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[height]
}

func (l *ledger) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func simnet() *bitcoin.Network {
	n, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		panic(err)
	}
	return n
}

const depth = 3

// bench is a node, a ledger and an anchorer that can be stopped and started.
type bench struct {
	t      *testing.T
	lab    *btcdlab.Lab
	ledger *ledger
	cfg    anchor.Config
	a      *anchor.Anchorer
	stop   func()
}

// begin starts a node whose blocks pay the key, with money that can be spent.
func begin(t *testing.T, change func(c *anchor.Config), more ...string) *bench {
	t.Helper()
	key, err := anchor.ParseKey("0101010101010101010101010101010101010101010101010101010101010101", anchor.P2WPKH, simnet())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, ledger: newLedger(), cfg: anchor.Config{
		Network: simnet(), Key: key, Dir: t.TempDir(), Depth: depth, Settle: 20,
		Fees: anchor.Fees{Floor: 2, Ceiling: 100, After: 3}, Poll: 10 * time.Millisecond, MaxPause: 40 * time.Millisecond,
	}}
	if change != nil {
		change(&b.cfg)
	}
	if b.lab, err = btcdlab.Start(t.Context(), t.TempDir(), b.cfg.Key.Address(), more...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.lab.Close)
	b.cfg.Ledger, b.cfg.Bitcoin = b.ledger, b.lab.Node
	return b
}

func (b *bench) run() {
	b.t.Helper()
	a, err := anchor.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	b.a = a
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
	b.t.Cleanup(b.stop)
}

func (b *bench) generate(n uint32) {
	b.t.Helper()
	if _, err := b.lab.Generate(b.t.Context(), n); err != nil {
		b.t.Fatal(err)
	}
}

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// until waits for a state that the anchorer must reach by itself.
func (b *bench) until(what string, ok func(s anchor.Status) bool) anchor.Status {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if s := b.a.Status(); ok(s) {
			return s
		}
	}
	b.t.Fatalf("never %s: %+v", what, b.a.Status())
	return anchor.Status{}
}

// phase waits until a height is in a phase and the anchorer has seen the tip.
func (b *bench) phase(height uint32, p anchor.Phase) anchor.HeightStatus {
	b.t.Helper()
	tip := b.height()
	var found anchor.HeightStatus
	b.until(fmt.Sprintf("height %d %s at %d", height, p, tip), func(s anchor.Status) bool {
		for _, h := range s.Heights {
			if h.Height == height && h.Phase == p && s.Tip.Height == tip && s.Node == nil {
				found = h
				return true
			}
		}
		return false
	})
	return found
}

func (b *bench) height() uint32 {
	b.t.Helper()
	h, err := b.lab.Node.Height(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

// anchors counts the transactions of each height in the best chain.
func (b *bench) anchors() map[uint32]int {
	b.t.Helper()
	count := map[uint32]int{}
	for h := uint32(1); h <= b.height(); h++ {
		hash, err := b.lab.Node.BlockHash(b.t.Context(), h)
		if err != nil {
			b.t.Fatal(err)
		}
		raw, err := b.lab.Node.Block(b.t.Context(), hash)
		if err != nil {
			b.t.Fatal(err)
		}
		block, err := bitcoin.ParseBlock(raw)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, tx := range block.Txs {
			if height, keyMR, err := factom.ParseAnchorScript(tx.Outputs[0].Script); err == nil {
				if keyMR != b.ledger.keyMRs[height] {
					b.t.Fatalf("height %d is anchored with another KeyMR", height)
				}
				count[height]++
			}
		}
	}
	return count
}

// holds checks a record against the best chain.
func (b *bench) holds(height uint32) {
	b.t.Helper()
	r := b.ledger.record(height)
	if r == nil {
		b.t.Fatalf("height %d is not recorded", height)
	}
	hash, err := b.lab.Node.BlockHash(b.t.Context(), r.Bitcoin.BlockHeight)
	if err != nil || hash.String() != r.Bitcoin.BlockHash {
		b.t.Fatalf("the record of height %d names block %s, the chain has %s (%v)", height, r.Bitcoin.BlockHash, hash, err)
	}
	if n := b.anchors()[height]; n != 1 {
		b.t.Fatalf("%d transactions of height %d in the chain", n, height)
	}
}

var _ anchor.Bitcoin = rpc.Node{}
