package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

// Options say what an index is opened with. All that is public must be set.
type Options struct {
	Genesis *wire.Genesis
	Archive Archive
	Ledger  Ledger
	Log     *slog.Logger

	fs       vfs.FS        // nil for the operating system's
	askAgain time.Duration // between questions to a ledger that does not know yet; 0 for askAgain
}

// Index is the data layer on this host. It implements factom.Source
// (host/api/factom). All methods are safe for concurrent use; Run is called once.
type Index struct {
	archive  Archive
	calendar *calendar
	log      *slog.Logger
	network  uint32
	credits  []increase // of the genesis, in the first entry credit block
	store    *store
	periods  periods
	searches chan struct{} // has an element per search through a large block

	// Owned by the goroutines of Run.
	fold   *folder
	closer *closer

	publishing sync.Mutex
	now        atomic.Pointer[view] // replaced under publishing

	watching sync.Mutex
	watchers map[*watcher]struct{}

	failing sync.Mutex
	failure error // guarded by failing
}

var _ factom.Source = (*Index)(nil)

// view is what readers see: it never changes, a newer one takes its place.
type view struct {
	position
	settled
	heads [4]wire.Hash  // of the newest closed period, as in reserved
	grown chan struct{} // closed when a newer view with more blocks is there
	err   error         // why nothing is served any more
}

// reserved are the chains that have a block in every period.
var reserved = [4]wire.Hash{wirefactom.AdminChain, wirefactom.EntryCreditChain, wirefactom.DirectoryChain, wirefactom.FactoidChain}

// Open opens or creates the index in dir. It follows nothing until Run. Errors:
// ErrCorrupt, those of the disk, those of the genesis's parameters.
func Open(dir string, o Options) (*Index, error) {
	if o.Genesis == nil || o.Archive == nil || o.Ledger == nil || o.Log == nil {
		return nil, errors.New("directory: incomplete options")
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	params, credits, err := parameters(o.Genesis)
	if err != nil {
		return nil, err
	}
	x := &Index{
		archive: o.Archive, calendar: &calendar{params.PeriodMs, o.Ledger}, log: o.Log,
		network: params.NetworkID, credits: credits, watchers: map[*watcher]struct{}{}, searches: make(chan struct{}, maxSearches),
	}
	x.periods.x = x
	if err := x.open(o.fs, dir); err != nil {
		return nil, err
	}
	start := &view{grown: make(chan struct{})}
	if err := x.load(start); err != nil {
		return nil, errors.Join(err, x.store.Close(false))
	}
	if start.Height == 0 {
		start.TimeMs = o.Genesis.TimeMs
	}
	x.now.Store(start)
	x.closer = newCloser(x)
	x.fold = newFolder(x, start)
	x.fold.askAgain = cmp.Or(o.askAgain, askAgain)
	return x, nil
}

// open opens the store, and begins a new one if it is ahead of the archive or of
// another one: whatever is in it follows from the archive.
func (x *Index) open(fs vfs.FS, dir string) (err error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	rows := path.Join(dir, "index")
	if x.store, err = openStore(fs, rows, x.fail); err != nil {
		return err
	}
	p, err := x.position()
	if err == nil {
		var follows bool
		if follows, err = x.follows(p); err == nil && follows {
			return nil
		}
	}
	if err := errors.Join(err, x.store.Close(false)); err != nil {
		return err
	}
	x.log.Warn("the index of the data layer does not belong to the archive; it is filled again", "height", p.Height)
	if err := fs.RemoveAll(rows); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	x.store, err = openStore(fs, rows, x.fail)
	return err
}

// follows reports whether the fold got to where it is over this archive's blocks.
func (x *Index) follows(p *position) (bool, error) {
	if p.Height == 0 || p.Height > x.archive.Height() {
		return p.Height == 0, nil
	}
	h, err := x.archive.Header(p.Height)
	return err == nil && h.Hash == p.Hash, err
}

// load reads how far fold and closing are.
func (x *Index) load(v *view) error {
	p, err := x.position()
	if err != nil {
		return err
	}
	v.position = *p
	b, found, err := x.store.Get([]byte{tableSettled})
	if err != nil || !found {
		return err
	}
	s, err := decodeRow[settled](b, maxSettled, "what is closed")
	if err != nil {
		return err
	}
	v.settled = *s
	if s.Count == 0 {
		return nil
	}
	c, err := x.closedPeriod(s.Count - 1)
	if err != nil {
		return err
	}
	v.heads = c.heads()
	return nil
}

func (x *Index) position() (*position, error) {
	b, found, err := x.store.Get([]byte{tablePosition})
	if err != nil || !found {
		return new(position), err
	}
	return decodeRow[position](b, maxPosition, "the position")
}

// heads are the period's blocks of the reserved chains, in their order.
func (c *closed) heads() [4]wire.Hash {
	d := &c.Directory
	return [4]wire.Hash{d.Admin, d.Credit, d.KeyMR, d.Factoid}
}

// Run follows the archive until ctx ends, and then returns nil, or until
// something contradicts the ledger or the disk fails.
func (x *Index) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- x.closer.run(ctx)
	}()
	err := x.fold.run(ctx)
	stop()
	if err = errors.Join(real(err), real(<-ended)); err != nil {
		x.fail(err)
	}
	return err
}

// real drops the error that the end of a context is.
func real(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// Close ends every read. Run must have returned.
func (x *Index) Close() error {
	if err := x.store.Close(x.Err() == nil); err != nil {
		return fmt.Errorf("directory: closing: %w", err)
	}
	return nil
}

// Err is why nothing is served any more, or nil.
func (x *Index) Err() error {
	x.failing.Lock()
	defer x.failing.Unlock()
	return x.failure
}

func (x *Index) fail(err error) {
	x.failing.Lock()
	first := x.failure == nil
	if first {
		x.failure = err
	}
	x.failing.Unlock()
	if first && x.now.Load() != nil {
		x.log.Error("the data layer is no longer served", "err", err)
		x.publish(func(v *view) { v.err = err })
	}
}

// publish replaces the view by a changed copy.
func (x *Index) publish(change func(v *view)) {
	x.publishing.Lock()
	defer x.publishing.Unlock()
	old := x.now.Load()
	v := *old
	change(&v)
	if v.Height > old.Height || v.err != nil && old.err == nil {
		v.grown = make(chan struct{})
		defer close(old.grown)
	}
	x.now.Store(&v)
}

// view is what is served now. Errors: why nothing is.
func (x *Index) view() (*view, error) {
	v := x.now.Load()
	if v.err != nil {
		return nil, wire.Faultf(wire.ErrUnavailable, "the data layer is not served: %v", v.err)
	}
	return v, nil
}

// Await waits until the fold has reached a ledger height. Errors: that of ctx, or
// why nothing is served.
func (x *Index) Await(ctx context.Context, height uint64) error {
	for {
		v, err := x.view()
		if err != nil || v.Height >= height {
			return err
		}
		select {
		case <-v.grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
