package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cloister/client"
	"cloister/client/factomd"
	"cloister/wire"
	"cloister/wire/factom"
)

// Reads are a kind of load by itself: entries read one by one through factomd's
// interface of one host.
const Reads = "reads"

// readEntries is how many different entries are read, in turn.
const readEntries = 5000

// ReadsResult is what reading gave.
type ReadsResult struct {
	Entries  int     `json:"entries"` // different ones
	Workers  int     `json:"workers"`
	Seconds  float64 `json:"seconds"`
	Reads    int64   `json:"reads"`
	PerSec   float64 `json:"reads_per_second"`
	Failures int64   `json:"failures"`
}

// Read writes entries and then has workers read them from one host, each answer's
// bytes checked against the hash, for a time.
func Read(ctx context.Context, c *client.Client, key wire.PrivateKey, endpoint string, workers int, duration time.Duration, o Options) (*ReadsResult, error) {
	o.Kind = Entries
	g, err := newGenerator(ctx, c, key, o)
	if err != nil {
		return nil, err
	}
	hashes := make([]wire.Hash, readEntries)
	var write sync.WaitGroup
	var failed atomic.Pointer[error]
	for w := range 256 {
		write.Go(func() {
			for i := w; i < readEntries; i += 256 {
				entry := g.entry(uint64(i))
				if _, err := c.AddEntry(ctx, key, entry); err != nil {
					failed.Store(&err)
					return
				}
				hashes[i] = factom.EntryHash(entry)
			}
		})
	}
	write.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	f, err := factomd.New(endpoint, factomd.Options{})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &ReadsResult{Entries: readEntries, Workers: workers}
	reading, stop := context.WithTimeout(ctx, duration)
	defer stop()
	var reads, failures atomic.Int64
	var work sync.WaitGroup
	begun := time.Now()
	for w := range workers {
		work.Go(func() {
			for i := w; reading.Err() == nil; i++ {
				if _, err := f.RawEntry(reading, hashes[i%readEntries]); err == nil {
					reads.Add(1)
				} else if reading.Err() == nil {
					failures.Add(1)
				}
			}
		})
	}
	work.Wait()
	r.Seconds = time.Since(begun).Seconds()
	r.Reads, r.Failures = reads.Load(), failures.Load()
	r.PerSec = float64(r.Reads) / r.Seconds
	return r, nil
}
