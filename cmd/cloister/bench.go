package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"cloister/bench"
	"cloister/client"
	"cloister/cmd/cloister/devnet"
	"cloister/wire"
)

// benchCredits are bought before the load: more than any run can spend.
const benchCredits = 50_000_000

func benchCommand(a *app) *cobra.Command {
	o := bench.Options{}
	var validators int
	var attach bool
	hardware := hardwareFlag(hardwareSimulated)
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure throughput, latency and cost of a network",
		Long: `Measure throughput, latency and cost of a network: signed transactions are submitted,
and those recorded under a seal are counted. By default a network of its own is
started in a temporary folder, and removed afterwards; with --attach the network in
force is measured, without the servers' cost.

Latency is from submission to the answer that says "sealed"; in open mode from the
moment a transaction was due. Of pairs, both halves count as one, and the reveal is
submitted when its commit is sealed. A sample of receipts is verified afterwards.`,
		Example: `  cloister bench --duration 5s
  cloister bench --mode open --rate 500 --duration 5s --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Rate <= 0 || o.InFlight < 1 || o.Duration <= 0 || o.Warmup < 0 {
				return bad("rate, inflight and duration must be above zero")
			}
			o.Progress = func(done time.Duration, sealed int64) {
				a.note("%3.0f s  %d sealed", done.Seconds(), sealed)
			}
			if attach {
				c, done, err := a.signing(client.Options{Queue: 100_000})
				if err != nil {
					return err
				}
				defer done()
				key, err := a.signingKey()
				if err != nil {
					return err
				}
				endpoints, err := a.endpointList()
				if err != nil {
					return err
				}
				return a.measure(cmd.Context(), c, key, endpoints[0], o)
			}
			return a.benchOwn(cmd.Context(), validators, hardware, o)
		},
	}
	f := c.Flags()
	f.IntVar(&validators, "validators", 3, "validators of the network that is started")
	f.Var(&hardware, "hardware", "what the cores of that network run on: simulated, or none")
	f.BoolVar(&attach, "attach", false, "measure the network in force instead of starting one")
	f.StringVar(&o.Mode, "mode", bench.Closed, "closed: --inflight transactions unsealed at any time; open: --rate a second")
	f.StringVar(&o.Kind, "kind", bench.Entries, "entries: each with its commit in one transaction; pairs: commit and reveal apart; transfers: factoids; reads: entries from one host")
	f.IntVar(&o.Size, "size", 256, "bytes of an entry")
	f.Float64Var(&o.Rate, "rate", 500, "open mode: transactions a second")
	f.IntVar(&o.InFlight, "inflight", 1024, "closed mode: transactions submitted and not sealed; open mode: the most of them")
	f.DurationVar(&o.Duration, "duration", 20*time.Second, "measured time")
	f.DurationVar(&o.Warmup, "warmup", 3*time.Second, "load before that")
	f.IntVar(&o.Sample, "receipts", 20, "receipts to verify afterwards, at most")
	return c
}

// benchOwn measures a network made for it.
func (a *app) benchOwn(ctx context.Context, validators int, hardware hardwareFlag, o bench.Options) error {
	home, err := os.MkdirTemp("", "cloister-bench-")
	if err != nil {
		return fileError("create", os.TempDir(), err)
	}
	defer os.RemoveAll(home)
	a.note("starting %d validators", validators)
	d := &devRun{a: a, home: home, firstPort: devnet.FirstPort, validators: validators, hardware: hardware, period: devPeriod, chosen: true}
	ps, err := d.launch(ctx)
	if err != nil {
		return err
	}
	defer ps.Stop()
	var pids []int
	for i := range d.layout.Validators {
		pids = append(pids, ps.PID(i))
	}
	o.PIDs = bench.Family(pids)
	c, err := client.Dial(d.layout.Endpoints(), d.genesis, client.Options{Queue: 100_000})
	if err != nil {
		return err
	}
	defer c.Close()
	file, err := readKeyFile(keyPath(home, devKey))
	if err != nil {
		return err
	}
	key, err := file.Open(nil)
	if err != nil {
		return err
	}
	if o.Kind != bench.Transfers {
		if _, err := c.BuyCredits(ctx, key, key.Public(), benchCredits); err != nil {
			return fmt.Errorf("buying entry credits for the load: %w", err)
		}
	}
	return a.measure(ctx, c, key, d.layout.Validators[0].Endpoint(), o)
}

// readWorkers ask one host at a time for entries.
const readWorkers = 64

// shownReads prints what reading gave.
type shownReads bench.ReadsResult

func (r *shownReads) text(w io.Writer) {
	fields(w,
		"load", fmt.Sprintf("%d entries read one by one from one host by %d workers, through factomd's interface", r.Entries, r.Workers),
		"measured", fmt.Sprintf("%.1f s", r.Seconds),
		"read", fmt.Sprintf("%d entries, %.0f a second, each checked against its hash; %d failures", r.Reads, r.PerSec, r.Failures))
}

func (a *app) measure(ctx context.Context, c *client.Client, key wire.PrivateKey, endpoint string, o bench.Options) error {
	if o.Kind == bench.Reads {
		r, err := bench.Read(ctx, c, key, endpoint, readWorkers, o.Duration, o)
		if err != nil {
			return err
		}
		return a.print((*shownReads)(r))
	}
	r, err := bench.Run(ctx, c, key, o)
	if err != nil {
		return err
	}
	if r.Refused > 0 {
		a.note("%d of the load were refused or lost; the first: %s", r.Refused, r.FirstRefusal)
	}
	return a.print((*shownBench)(r))
}

// shownBench prints a result.
type shownBench bench.Result

func (r *shownBench) text(w io.Writer) {
	fields(w,
		"load", fmt.Sprintf("%s, %s of %d bytes, %d in flight at most", r.Mode, r.Kind, r.Size, r.InFlight),
		"validators", decimal(r.Validators),
		"measured", fmt.Sprintf("%.1f s", r.Seconds),
		"sealed", fmt.Sprintf("%d %s, %.0f a second (offered %.0f)", r.Sealed, r.Kind, r.SealedTPS, r.OfferedTPS),
		"latency to seal", fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms", r.P50, r.P95, r.P99),
		"client", fmt.Sprintf("%.3f CPU seconds per 1000 transactions", r.ClientPer1k),
		"receipts", fmt.Sprintf("%d verified", r.Receipts),
	)
	if r.CPUPer1000 > 0 {
		fields(w,
			"servers", fmt.Sprintf("%.3f CPU seconds per 1000 transactions", r.CPUPer1000),
			"memory", fmt.Sprintf("%.0f MiB, peak of all servers together", r.RSSMiB),
			"disk", fmt.Sprintf("%.0f bytes written per transaction", r.DiskPerTx))
	}
}
