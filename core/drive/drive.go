package drive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"cloister/core"
	"cloister/core/attest"
	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/store"
	"cloister/core/step"
	"cloister/core/vault"
	"cloister/gate"
	"cloister/wire"
)

// Version is the program's, shown in status.
const Version = "0.1.0"

// Event ids of the driver for the host's log.
const (
	NoteStarted     = 0x0020 // numbers: height, log records
	NoteSlowStep    = 0x0021 // numbers: milliseconds
	NoteSlowDisk    = 0x0022 // numbers: seconds the host owes a storage answer
	NotePeerUp      = 0x0024 // hashes: node
	NotePeerDown    = 0x0025 // hashes: node
	NoteBadConfig   = 0x0026
	NoteUnpublished = 0x0027 // numbers: height that could not be published
)

// identityName is the vault's blob with the node's identity seed.
const identityName = "identity"

// Run serves one host until it stops the core, and returns the exit code
// (gate specification §5). platform is the hardware under the core; nil if
// there is none, and the host then has to give a key to seal the store with.
func Run(c *gate.Core, platform attest.Backend) int {
	d := &driver{gate: c, platform: platform, stopped: make(chan struct{}), begun: time.Now(), inbox: make(chan step.Event, inboxSize)}
	c.Handle(&handler{d})
	select {
	case <-d.stopped:
	case <-c.Done():
		d.end(gate.ExitCode(c.Err()), nil) // unless the run is ending already, with its own code
	}
	d.close()
	return d.code
}

// driver owns one node's run.
type driver struct {
	gate     *gate.Core
	platform attest.Backend // nil without hardware
	begun    time.Time
	inbox    chan step.Event

	once    sync.Once
	stopped chan struct{} // closed when the run is over
	code    int           // exit code; set before stopped is closed

	cancel context.CancelFunc // of everything below; nil until started
	group  sync.WaitGroup

	key     wire.PrivateKey
	boots   uint64    // number of this run
	bootID  wire.Hash // its id
	vault   *vault.Vault
	state   *store.Pebble
	ledger  *ledger.Ledger
	log     *vault.Log
	node    *core.Node
	genesis *wire.Genesis
	busy    uint64

	archived atomic.Uint64 // newest height the host says it stores

	lanes   lanes
	peers   *peers
	replies replies
	views   views
}

// end finishes the run, after last words if there are any; the first caller's
// code counts.
func (d *driver) end(code int, lastWords func()) {
	d.once.Do(func() {
		d.code = code
		if lastWords != nil {
			lastWords()
		}
		close(d.stopped)
	})
}

// close stops every goroutine. Nothing is flushed: what was promised is in the log.
func (d *driver) close() {
	if d.cancel != nil {
		d.cancel()
	}
	d.gate.Close()
}

// start opens everything and answers Ready. An empty configuration only makes
// or shows the identity.
func (d *driver) start(s gate.Start, reply *gate.Reply[gate.Ready]) {
	ready, err := d.open(s)
	if err != nil {
		code := gate.ExitCorrupt
		if errors.Is(err, errConfig) {
			code = gate.ExitQuarantine
		}
		d.gate.Event(gate.Event{ID: NoteBadConfig})
		reply.Fail(&gate.Failure{Err: gate.ErrRefused, Text: err.Error()})
		d.end(code, nil)
		return
	}
	reply.Answer(ready)
}

var errConfig = errors.New("configuration refused")

func (d *driver) open(s gate.Start) (gate.Ready, error) {
	seal, err := d.sealKey(s.Options.DevSealKey)
	if err != nil {
		return gate.Ready{}, err
	}
	if len(s.Config) > 0 {
		g, err := wire.DecodeGenesis(s.Config)
		if err != nil {
			return gate.Ready{}, fmt.Errorf("%w: %w", errConfig, err)
		}
		d.genesis = g
	}
	opts := vault.Options{SealKey: seal, Random: rand.Reader, Failed: d.vaultFailed}
	if d.genesis != nil {
		opts.ChainID = d.genesis.ChainID()
	}
	if err := d.openVault(opts); err != nil {
		return gate.Ready{}, err
	}
	if err := d.identity(); err != nil {
		return gate.Ready{}, err
	}
	if _, err := io.ReadFull(rand.Reader, d.bootID[:]); err != nil {
		return gate.Ready{}, err
	}
	ready := gate.Ready{
		Node: wire.NodeIDOf(d.key.Public()), Key: d.key.Public(), Mode: string(d.vault.Info().Mode), Simulated: d.simulated(),
	}
	if d.genesis == nil {
		return ready, nil
	}
	height, flushed, err := d.openChain(s.Options)
	if err != nil {
		return gate.Ready{}, err
	}
	ready.ChainID, ready.Height, ready.Flushed = d.genesis.ChainID(), height, flushed
	return ready, nil
}

// identity reads the node's key from the vault or makes it there.
func (d *driver) identity() error {
	b, err := d.vault.Get(identityName)
	switch {
	case err == nil && len(b) == 32:
		d.key = wire.NewPrivateKey([32]byte(b))
		return nil
	case err == nil:
		return fmt.Errorf("%w: the identity has %d bytes", vault.ErrCorrupt, len(b))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var seed [32]byte
	if _, err := io.ReadFull(rand.Reader, seed[:]); err != nil {
		return err
	}
	if err := d.vault.Put(identityName, seed[:]); err != nil {
		return err
	}
	d.key = wire.NewPrivateKey(seed)
	return nil
}

func (d *driver) openChain(o gate.Options) (height, flushed uint64, err error) {
	enabled, err := ledger.Enabled(d.genesis, families.All())
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errConfig, err)
	}
	if d.state, err = store.OpenPebble(store.PebbleOptions{FS: d.vault.FS(), Dir: "state", CacheBytes: cacheSize(o.MemoryMiB)}); err != nil {
		return 0, 0, err
	}
	if d.ledger, err = ledger.Open(d.state, d.genesis, families.All()); errors.Is(err, ledger.ErrGenesis) {
		return 0, 0, fmt.Errorf("%w: %w", errConfig, err)
	} else if err != nil {
		return 0, 0, err
	}
	if d.log, err = vault.OpenLog(d.vault, vault.LogOptions{}); err != nil {
		return 0, 0, err
	}
	var recs []step.Record
	err = d.log.Replay(func(seq uint64, typ uint8, payload []byte) error {
		recs = append(recs, step.Record{Seq: seq, Type: typ, Data: append([]byte(nil), payload...)})
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	var seed [32]byte
	if _, err := io.ReadFull(rand.Reader, seed[:]); err != nil {
		return 0, 0, err
	}
	boot, err := core.BootFrom(d.ledger, recs, o.Archived, seed)
	if err != nil {
		return 0, 0, err
	}
	height = boot.Tip.Header.Height
	self, err := d.self()
	if err != nil {
		return 0, 0, err
	}
	d.node = core.New(core.Config{
		Genesis: d.genesis, Key: d.key, Families: enabled, Version: Version,
		Mode: string(d.vault.Info().Mode), Simulated: d.simulated(), DevSealKey: d.platform == nil, Flushed: height,
		Self: self,
	})
	d.run(boot)
	d.note(NoteStarted, []uint64{height, uint64(len(recs))}, nil)
	return height, height, nil
}

// cacheSize is a quarter of the memory given, at least 256 MiB (gate specification §6.4).
func cacheSize(memoryMiB uint32) int64 { return max(256, int64(memoryMiB)/4) << 20 }

// run starts every goroutine.
func (d *driver) run(boot step.Boot) {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.busy = boot.Tip.Busy
	d.lanes.init()
	d.replies.init()
	d.views.set(d.ledger.View())
	d.peers = newPeers(ctx, d)
	d.group.Go(func() { d.loop(ctx, boot) })
	d.group.Go(func() { d.runLog(ctx) })
	d.group.Go(func() { d.runExec(ctx) })
	d.group.Go(func() { d.runFlush(ctx) })
	d.group.Go(func() { d.runPublish(ctx) })
	d.group.Go(func() { d.tick(ctx) })
	for range workers() {
		d.group.Go(func() { d.runWork(ctx) })
	}
	d.peers.run(ctx)
}

// vaultFailed hears of a write to the vault that failed for good.
func (d *driver) vaultFailed(gate.Class, error) {
	d.fatal(step.Fatal{Code: core.ExitCorrupt, Note: step.Note{ID: core.NoteIOFailed}})
}

// fatal ends the run with the machine's or the vault's reason. Once the gate is
// gone everything fails, and that is the reason: the store is not at fault.
func (d *driver) fatal(f step.Fatal) {
	if err := d.gate.Err(); err != nil {
		d.end(gate.ExitCode(err), nil)
		return
	}
	d.note(f.Note.ID, f.Note.Numbers, f.Note.Hashes)
	d.end(int(f.Code), func() { d.gate.Fatal(gate.Fatal{Code: f.Code, Event: gate.EventID(f.Note.ID)}) })
}

func (d *driver) note(id uint16, numbers []uint64, hashes []wire.Hash) {
	d.gate.Event(gate.Event{ID: gate.EventID(id), Numbers: numbers, Hashes: hashes})
}

// now gives the machine its hints of time.
func (d *driver) now() step.Now {
	t := time.Now()
	return step.Now{Elapsed: t.Sub(d.begun).Milliseconds(), Unix: t.UnixMilli()}
}
