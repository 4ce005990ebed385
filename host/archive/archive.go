package archive

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/wire"
)

// Bounds of what is queued and of one group.
const (
	queueBlocks = 64
	groupBlocks = 64
	groupBytes  = 8 << 20
)

// DefaultGroupInterval spaces syncs: a block that comes alone is stored at
// once, a stream of blocks shares at most 100 syncs a second.
const DefaultGroupInterval = 40 * time.Millisecond

// Options say what an archive is opened with.
type Options struct {
	// Genesis names the chain and is its block 0.
	Genesis *wire.Genesis
	// GroupInterval is the least time from the begin of one group to the begin
	// of the next; 0 means DefaultGroupInterval.
	GroupInterval time.Duration

	fs vfs.FS // nil for the operating system's
}

// Archive holds every final block of one chain. All methods are safe for
// concurrent use; Append calls are best made by one goroutine.
type Archive struct {
	genesis *wire.Genesis
	chain   wire.Hash
	dir     string
	blocks  *segments
	index   *index

	appending sync.Mutex
	tip       *tip // guarded by appending

	queue    chan *block
	flush    chan chan struct{} // a Sync asks for an early end of the group's wait
	interval time.Duration
	height   atomic.Uint64 // newest visible block
	sealed   atomic.Uint64 // newest visible block with a seal of its own
	shown    atomic.Uint64 // newest block shown to watchers; height comes to it

	stop  chan struct{} // closed by Close
	ended chan struct{} // closed when the owner goroutine is gone
	once  sync.Once

	failing sync.Mutex
	failure error         // first failed write; guarded by failing
	failed  chan struct{} // closed when failure is set

	watching sync.Mutex
	watchers map[*watcher]struct{}
	grown    chan struct{} // closed and replaced whenever height grows; guarded by watching
}

// Open opens or creates the archive in dir and brings the index up to the
// blocks that are stored. Errors: ErrForeign, ErrCorrupt, those of the disk.
func Open(dir string, opts Options) (*Archive, error) {
	fs := opts.fs
	if fs == nil {
		fs = vfs.Default
	}
	interval := opts.GroupInterval
	if interval == 0 {
		interval = DefaultGroupInterval
	}
	a := &Archive{
		genesis: opts.Genesis, chain: opts.Genesis.ChainID(), dir: dir,
		queue: make(chan *block, queueBlocks), flush: make(chan chan struct{}), interval: interval,
		stop: make(chan struct{}), ended: make(chan struct{}), failed: make(chan struct{}),
		watchers: map[*watcher]struct{}{}, grown: make(chan struct{}),
	}
	if err := a.open(fs); err != nil {
		return nil, err
	}
	go a.own()
	return a, nil
}

func (a *Archive) open(fs vfs.FS) (err error) {
	blocks, indexDir := path.Join(a.dir, "blocks"), path.Join(a.dir, "index")
	for _, d := range []string{a.dir, blocks, indexDir} {
		if err := fs.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	// Names made just now must outlive a crash as well as what is put behind them.
	for _, d := range []string{path.Dir(a.dir), a.dir} {
		if err := syncFolder(fs, d); err != nil {
			return err
		}
	}
	a.blocks = newSegments(fs, blocks, a.chain)
	if a.index, err = openIndex(fs, indexDir, a.fail); err != nil {
		return err
	}
	if err := a.recover(); err != nil {
		return errors.Join(err, a.blocks.close(), a.index.rows.Close(false))
	}
	return nil
}

// Height is the newest block stored, 0 if there is only the genesis. All of
// them are on stable storage: this is what may be reported as archived.
func (a *Archive) Height() uint64 { return a.height.Load() }

// Sealed is the newest stored block that has a seal of its own, 0 if none has.
// Blocks up to it are proved by that seal.
func (a *Archive) Sealed() uint64 { return a.sealed.Load() }

// Failed is closed when the disk has refused a write. Err then says which; the
// archive takes no more blocks and must be opened again.
func (a *Archive) Failed() <-chan struct{} { return a.failed }

// Err is the first failed write, or nil.
func (a *Archive) Err() error {
	a.failing.Lock()
	defer a.failing.Unlock()
	return a.failure
}

func (a *Archive) fail(err error) {
	a.failing.Lock()
	defer a.failing.Unlock()
	if a.failure == nil {
		a.failure = err
		close(a.failed)
	}
}

// Close stores what is queued, ends every watcher, waits for running reads and
// closes the files. Every later call that needs them gives ErrClosed. It
// returns the failed write that ended the archive, if there was one.
func (a *Archive) Close() error {
	a.once.Do(func() { close(a.stop) })
	<-a.ended
	failure := a.Err()
	// A disk that refuses writes would be waited for in vain; the index is
	// brought up to the blocks when it is opened again.
	if err := errors.Join(a.blocks.close(), a.index.rows.Close(failure == nil)); err != nil && failure == nil {
		return fmt.Errorf("archive: closing: %w", err)
	}
	return failure
}
