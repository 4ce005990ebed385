package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"cloister/host/api"
	"cloister/host/archive"
	"cloister/host/objects"
	"cloister/host/supervise"
	"cloister/wire"
)

// Run serves a home until ctx ends, then stops everything in good order and
// returns nil. An error that wraps supervise.ErrOperator means that starting
// again will not help.
func Run(ctx context.Context, cfg Config) (err error) {
	key, err := prepare(cfg)
	if err != nil {
		return err
	}
	program, args, err := cfg.command()
	if err != nil {
		return err
	}
	closing := &closers{err: &err}
	defer closing.all()
	store, err := objects.Open(filepath.Join(cfg.Home, storeName), objects.Options{MaxBytes: cfg.StoreBytes})
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	closing.add(store.Close)
	blocks, err := archive.Open(filepath.Join(cfg.Home, archiveName), archive.Options{Genesis: cfg.Genesis})
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	closing.add(blocks.Close)
	front, peers, second, err := listen(cfg)
	if err != nil {
		return err
	}
	shut := func() {
		for _, l := range []net.Listener{front, peers, second} {
			if l != nil {
				l.Close()
			}
		}
	}
	var server *api.Server
	places := new(registered)
	core := supervise.New(supervise.Config{
		CorePath: program, CoreArgs: args, Genesis: cfg.Genesis, DevSealKey: key, MemoryMiB: cfg.MemoryMiB,
		Objects: store, Archive: blocks, Peers: cfg.Peers, Lookup: places.lookup, Filled: len(cfg.Follow) > 0,
		Listener: peers, Log: cfg.Log,
	})
	places.core = core
	data, err := cfg.openDataLayer(blocks, core, submitter{core})
	if err != nil {
		shut()
		return err
	}
	closing.add(data.close)
	anchors, err := cfg.openAnchoring(&data, core)
	if err != nil {
		shut()
		return err
	}
	follower, err := cfg.follower(blocks)
	if err == nil {
		server, err = api.New(api.Config{
			Genesis: cfg.Genesis, Version: cfg.Version, Submitter: submitter{core}, Queries: core, Core: core,
			Archive: blocks, Following: following(follower), Mount: anchors.mount(data.mount()), Log: cfg.Log,
		})
	}
	if err != nil {
		shut()
		return fmt.Errorf("node: %w", err)
	}
	if cfg.Listening != nil {
		var peer net.Addr
		if peers != nil {
			peer = peers.Addr()
		}
		cfg.Listening(front.Addr(), peer)
	}
	return together(ctx, []part{
		func(ctx context.Context) error { return serveAlso(ctx, server, second) },
		func(ctx context.Context) error { defer server.Close(); return server.Serve(ctx, front) },
		anchors.run,
		data.run,
		core.Run,
		follower.run,
	})
}

// part runs until ctx ends, and then returns nil, or until it fails.
type part func(ctx context.Context) error

// together runs parts until ctx ends or one of them does, then ends them one
// after the other in their order: the last requests still find a core.
func together(ctx context.Context, parts []part) (err error) {
	ended := make(chan int, len(parts))
	results := make([]chan error, len(parts))
	stops := make([]context.CancelFunc, len(parts))
	for i, run := range parts {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		results[i], stops[i] = make(chan error, 1), stop
		go func() {
			results[i] <- run(own)
			ended <- i
		}()
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	for i := range parts {
		stops[i]()
		err = errors.Join(err, <-results[i])
	}
	return err
}

// prepare makes the home's folder and checks what Run needs.
func prepare(cfg Config) (sealing []byte, err error) {
	if cfg.Home == "" || cfg.CorePath == "" || cfg.Log == nil || cfg.Genesis == nil || cfg.APIListen == "" {
		return nil, errors.New("node: incomplete configuration")
	}
	return home(cfg)
}

// home makes the folder and gives the seal key it keeps, none if there is hardware.
func home(cfg Config) ([]byte, error) {
	if err := os.MkdirAll(cfg.Home, 0o700); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if len(cfg.Launcher) > 0 {
		return nil, nil // the hardware has one
	}
	return sealKey(cfg.Home)
}

// listen opens the ports; those that are not to be are nil.
func listen(cfg Config) (front, peers, second net.Listener, err error) {
	for _, p := range []struct {
		name    string
		address string
		l       *net.Listener
	}{{"public API", cfg.APIListen, &front}, {"port for peers", cfg.PeerListen, &peers}, {"port for Factom's clients", cfg.Factom.Listen, &second}} {
		if p.address == "" {
			continue
		}
		if *p.l, err = net.Listen("tcp", p.address); err != nil {
			for _, open := range []net.Listener{front, peers} {
				if open != nil {
					open.Close()
				}
			}
			return nil, nil, nil, fmt.Errorf("node: %s: %w", p.name, err)
		}
	}
	return front, peers, second, nil
}

// Identity gives the public key of the home's node, which the core makes the
// first time. known says that it was there before. The home must not be in use.
func Identity(ctx context.Context, cfg Config) (key wire.PublicKey, known bool, err error) {
	if cfg.Home == "" || cfg.CorePath == "" || cfg.Log == nil {
		return key, false, errors.New("node: incomplete configuration")
	}
	sealing, err := home(cfg)
	if err != nil {
		return key, false, err
	}
	program, args, err := cfg.command()
	if err != nil {
		return key, false, err
	}
	closing := &closers{err: &err}
	defer closing.all()
	store, err := objects.Open(filepath.Join(cfg.Home, storeName), objects.Options{MaxBytes: cfg.StoreBytes})
	if err != nil {
		return key, false, fmt.Errorf("node: %w", err)
	}
	closing.add(store.Close)
	return supervise.Identity(ctx, supervise.IdentityConfig{
		CorePath: program, CoreArgs: args, DevSealKey: sealing, Objects: store, Log: cfg.Log,
	})
}

// closers ends what was opened, last first, and joins the errors to err.
type closers struct {
	list []func() error
	err  *error
}

func (c *closers) add(f func() error) { c.list = append(c.list, f) }

func (c *closers) all() {
	for i := len(c.list) - 1; i >= 0; i-- {
		*c.err = errors.Join(*c.err, c.list[i]())
	}
}

// submitter gives the API the core's answers in its own terms.
type submitter struct{ core *supervise.Supervisor }

func (s submitter) Submit(ctx context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	results, err := s.core.Submit(ctx, txs)
	if err != nil {
		return nil, err
	}
	items := make([]api.SubmitItem, len(results))
	for i, r := range results {
		items[i] = api.SubmitItem{TxID: r.TxID, Code: wire.Code(r.Code)}
	}
	return items, nil
}
