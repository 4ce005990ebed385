package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/receipt"
	"cloister/wire/token"
)

// Modes of load.
const (
	Closed = "closed" // a fixed number of transactions submitted and not sealed
	Open   = "open"   // a fixed rate, whatever the answers
)

// Kinds of load.
const (
	Entries   = "entries"   // an entry with its commit in one transaction
	Pairs     = "pairs"     // the commit in one, and when that is recorded the entry in another
	Transfers = "transfers" // factoids to an account
)

// Options describe a run.
type Options struct {
	Mode     string
	Kind     string
	Size     int     // bytes of an entry, 64 to factom.MaxEntry
	Rate     float64 // open: transactions per second
	InFlight int     // closed: submitted and not sealed; open: at most so many, the rest is late
	Warmup   time.Duration
	Duration time.Duration
	Sample   int   // receipts to verify afterwards
	PIDs     []int // server processes to account for; none: cost is not measured
	Progress func(done time.Duration, sealed int64)
}

// Result is a measured window. Costs are zero when Options.PIDs was empty.
type Result struct {
	Mode         string  `json:"mode"`
	Kind         string  `json:"kind"`
	Validators   int     `json:"validators"`
	Size         int     `json:"size"`
	InFlight     int     `json:"inflight"`
	Seconds      float64 `json:"seconds"`
	Sealed       int64   `json:"sealed"` // of pairs, both halves counted as one
	Refused      int64   `json:"refused"`
	SealedTPS    float64 `json:"sealed_tps"`
	OfferedTPS   float64 `json:"offered_tps"`
	P50          float64 `json:"p50_ms"`
	P95          float64 `json:"p95_ms"`
	P99          float64 `json:"p99_ms"`
	CPUPer1000   float64 `json:"cpu_s_per_1000_tx"`
	ClientPer1k  float64 `json:"client_cpu_s_per_1000_tx"`
	RSSMiB       float64 `json:"rss_mib"`
	DiskPerTx    float64 `json:"disk_bytes_per_tx"`
	Receipts     int     `json:"receipts_verified"`
	FirstRefusal string  `json:"first_refusal,omitempty"`
}

// chains is how many chains entries are spread over.
const chains = 8

// Run puts load on the network behind c, paid by key, until ctx or the
// duration ends. The window starts after the warm-up.
func Run(ctx context.Context, c *client.Client, key wire.PrivateKey, o Options) (*Result, error) {
	g, err := newGenerator(ctx, c, key, o)
	if err != nil {
		return nil, err
	}
	var load sync.WaitGroup
	loading, stop := context.WithCancel(ctx)
	defer stop()
	switch o.Mode {
	case Closed:
		for range o.InFlight {
			load.Go(func() {
				for loading.Err() == nil {
					g.one(ctx, time.Now())
				}
			})
		}
	case Open:
		load.Go(func() { g.pace(loading, ctx, &load) })
	default:
		return nil, wire.Faultf(wire.ErrBadRequest, "mode %q is neither closed nor open", o.Mode)
	}
	if err := g.wait(ctx, o.Warmup, false); err != nil {
		return nil, err
	}
	m := startMeter(o.PIDs)
	offered := g.offered.Load()
	g.measuring.Store(true)
	err = g.wait(ctx, o.Duration, true)
	g.measuring.Store(false)
	offered = g.offered.Load() - offered
	r := &Result{Mode: o.Mode, Kind: o.Kind, Validators: len(c.Trust().Genesis().Members), Size: o.Size, InFlight: o.InFlight}
	m.stop(r, g.sealed.Load())
	stop()
	load.Wait()
	if err != nil {
		return nil, err
	}
	g.fill(r)
	r.OfferedTPS = float64(offered) / r.Seconds
	r.Receipts, err = g.verify(ctx)
	return r, err
}

// generator makes and submits transactions.
type generator struct {
	c     *client.Client
	key   wire.PrivateKey
	o     Options
	run   [8]byte // makes this run's data unique
	chain [chains]wire.Hash
	rate  uint64        // transfers: factoshis per entry credit
	times client.Stamps // transfers

	made, sealed, refused, offered atomic.Int64
	measuring                      atomic.Bool

	mu      sync.Mutex
	hist    *hdrhistogram.Histogram // microseconds
	sample  []wire.Hash
	refusal string
}

func newGenerator(ctx context.Context, c *client.Client, key wire.PrivateKey, o Options) (*generator, error) {
	g := &generator{c: c, key: key, o: o, hist: hdrhistogram.New(1, 120_000_000, 3)}
	if _, err := rand.Read(g.run[:]); err != nil {
		return nil, err
	}
	switch o.Kind {
	case Entries, Pairs:
		return g, g.createChains(ctx)
	case Transfers:
		var err error
		g.rate, err = c.Rate(ctx)
		return g, err
	}
	return nil, wire.Faultf(wire.ErrBadRequest, "kind %q is none of %s, %s and %s", o.Kind, Entries, Pairs, Transfers)
}

func (g *generator) createChains(ctx context.Context) error {
	if g.o.Size < 64 || g.o.Size > factom.MaxEntry {
		return wire.Faultf(wire.ErrBadRequest, "size %d is not within 64 to %d", g.o.Size, factom.MaxEntry)
	}
	for i := range g.chain {
		e := factom.Entry{ExtIDs: [][]byte{[]byte("bench"), g.run[:], {byte(i)}}}
		e.ChainID = factom.ChainID(e.ExtIDs)
		g.chain[i] = e.ChainID
		b, err := e.Marshal()
		if err != nil {
			return err
		}
		if _, err := g.c.CreateChain(ctx, g.key, b); err != nil {
			return fmt.Errorf("creating a chain for the load: %w", err)
		}
	}
	return nil
}

// submit makes one item of the load and submits it; the id is that of its last
// transaction.
func (g *generator) submit(ctx context.Context) (wire.Hash, error) {
	n := uint64(g.made.Add(1))
	if g.o.Kind == Transfers {
		return g.pay(ctx, n)
	}
	entry := g.entry(n)
	write := g.c.EntryTx
	if g.o.Kind == Pairs {
		if _, err := g.c.CommitEntry(ctx, g.key, entry); err != nil {
			return wire.Hash{}, err
		}
		write = func(_ context.Context, _ wire.PrivateKey, entry []byte) (*wire.Tx, error) { return g.c.RevealTx(entry) }
	}
	tx, err := write(ctx, g.key, entry)
	if err != nil {
		return wire.Hash{}, err
	}
	_, err = g.c.Submit(ctx, tx)
	return tx.ID(), err
}

func (g *generator) pay(ctx context.Context, n uint64) (wire.Hash, error) {
	at, err := g.times.Next(ctx)
	if err != nil {
		return wire.Hash{}, err
	}
	to := wire.Account(wire.TH("cloister/bench/to/v1", g.run[:], wire.U64(n%10_000)))
	t, err := token.Pay(g.key, at, g.rate, []token.Output{{To: to, Amount: 1}}, nil)
	if err != nil {
		return wire.Hash{}, err
	}
	tx := g.c.Trust().Carry(token.Name, t.Bytes())
	_, err = g.c.Submit(ctx, tx)
	return tx.ID(), err
}

func (g *generator) entry(n uint64) []byte {
	content := make([]byte, g.o.Size-factom.EntryHeader)
	copy(content, g.run[:])
	binary.BigEndian.PutUint64(content[8:], n)
	e := factom.Entry{ChainID: g.chain[n%chains], Content: content}
	b, err := e.Marshal()
	if err != nil {
		panic(fmt.Sprintf("bench: entry within its bounds: %v", err))
	}
	return b
}

// one submits an item and notes what became of it. due is when it was to be
// submitted.
func (g *generator) one(ctx context.Context, due time.Time) {
	g.offered.Add(1)
	id, err := g.submit(ctx)
	if !g.measuring.Load() {
		return
	}
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			g.refused.Add(1)
			g.mu.Lock()
			if g.refusal == "" {
				g.refusal = err.Error()
			}
			g.mu.Unlock()
		}
		return
	}
	n := g.sealed.Add(1)
	took := time.Since(due).Microseconds()
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.hist.RecordValue(min(max(1, took), 120_000_000))
	if every := int64(500); n%every == 0 && len(g.sample) < g.o.Sample {
		g.sample = append(g.sample, id)
	}
}

// pace submits at the rate, each at the moment it is due.
func (g *generator) pace(loading, ctx context.Context, load *sync.WaitGroup) {
	slots := make(chan struct{}, max(1, g.o.InFlight))
	begin := time.Now()
	for n := 0; loading.Err() == nil; n++ {
		due := begin.Add(time.Duration(float64(n) / g.o.Rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			time.Sleep(d)
		}
		select {
		case slots <- struct{}{}:
		case <-loading.Done():
			return
		}
		load.Go(func() {
			g.one(ctx, due)
			<-slots
		})
	}
}

func (g *generator) wait(ctx context.Context, d time.Duration, show bool) error {
	begin := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ticker.C:
			if show && g.o.Progress != nil {
				g.o.Progress(time.Since(begin), g.sealed.Load())
			}
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *generator) fill(r *Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.Refused, r.FirstRefusal = g.refused.Load(), g.refusal
	ms := func(p float64) float64 { return float64(g.hist.ValueAtQuantile(p)) / 1000 }
	r.P50, r.P95, r.P99 = ms(50), ms(95), ms(99)
}

// verify fetches receipts of a sample of what was counted and verifies them.
func (g *generator) verify(ctx context.Context) (int, error) {
	for i, id := range g.sample {
		if _, _, err := g.c.Receipt(ctx, id, receipt.Executed); err != nil {
			return i, fmt.Errorf("receipt of counted transaction %s: %w", id, err)
		}
	}
	return len(g.sample), nil
}
