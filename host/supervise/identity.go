package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"cloister/gate"
	"cloister/wire"
)

// IdentityConfig says whose identity is wanted.
type IdentityConfig struct {
	CorePath   string
	CoreArgs   []string
	DevSealKey []byte
	Objects    gate.Objects
	Log        *slog.Logger
}

// Identity starts the core without a chain, in which case it only makes its
// identity key in its store, or finds the one made before, and stops it again.
// known says whether the key was there. Nothing else may use the objects
// meanwhile.
func Identity(ctx context.Context, cfg IdentityConfig) (key wire.PublicKey, known bool, err error) {
	p, lanes, err := launch(cfg.CorePath, cfg.CoreArgs)
	if err != nil {
		return key, false, err
	}
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	g, err := gate.Serve(lanes, gate.Token{}, cfg.Objects, &lonely{eventLog{log: cfg.Log, now: time.Now}})
	if err != nil {
		p.end(dieTime)
		return key, false, fmt.Errorf("supervise: %w: %s", err, p.said.String())
	}
	ready, err := g.Start(ctx, nil, gate.Options{DevSealKey: cfg.DevSealKey})
	if err == nil {
		err = g.Stop(ctx, StopGrace)
	}
	if errors.Is(err, gate.ErrGateClosed) {
		err = errors.Join(err, g.Err())
	}
	if err != nil {
		g.Close()
	}
	// After an orderly stop the core exits by itself. Its gate stays open till
	// then: closed before, it would count as the host's death.
	code := p.end(dieTime)
	g.Close()
	switch {
	case err != nil:
		return key, false, fmt.Errorf("supervise: asking the core for its identity: %w", err)
	case code != gate.ExitOK:
		return key, false, &StoppedError{Code: code}
	case wire.NodeIDOf(ready.Key) != ready.Node:
		return key, false, fmt.Errorf("supervise: the core's key %s is not that of node %s", wire.PublicKey(ready.Key), wire.Hash(ready.Node))
	}
	return ready.Key, ready.Mode != "new", nil
}

// lonely serves a core that has no chain yet: it gets its store and nothing else.
type lonely struct{ events eventLog }

func (*lonely) Dial(context.Context, string) (net.Conn, error) { return nil, gate.ErrRefused }
func (*lonely) Fetch(context.Context, gate.FetchKind, []byte) ([]byte, error) {
	return nil, gate.ErrNotFound
}
func (*lonely) Final(gate.Final)     {}
func (*lonely) Undo(gate.Undo)       {}
func (l *lonely) Event(e gate.Event) { l.events.event(e) }
func (l *lonely) Fatal(f gate.Fatal) { l.events.fatal(f) }
