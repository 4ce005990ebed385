package collateral

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"cloister/evidence"
	"cloister/evidence/verify"
	"cloister/wire"
)

// Where the vendors publish.
const (
	IntelPCS     = "https://api.trustedservices.intel.com"
	IntelRootCRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
	AMDKDS       = "https://kdsintf.amd.com"
)

// DefaultRefresh is how old a kept item may become before the vendor is asked
// for a newer one. Intel issues new ones about monthly, some time before the
// old ones expire; a change of TCB can come any day.
const DefaultRefresh = 12 * time.Hour

var (
	// ErrUnreachable means that a vendor did not answer, or not in its form, and
	// nothing kept is in force: try again later.
	ErrUnreachable = errors.New("collateral: the vendor does not answer")
	// ErrUnknown means that the vendor has no such item: the platform is not one
	// of its, or no longer supported.
	ErrUnknown = errors.New("collateral: the vendor has none")
)

// Config says what to fetch from where. Client, Trusted and Dir are needed; the
// zero value of the others is their default.
type Config struct {
	Client  *http.Client
	Trusted []evidence.Anchor // roots that every item has to end in
	Dir     string            // folder for what was fetched; it is made

	IntelPCS     string // without a slash at the end
	IntelRootCRL string
	AMDKDS       string // without a slash at the end

	Refresh time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Fetcher fetches collateral. Its methods are safe for concurrent use; one
// request is made at a time, since the vendors limit their number.
type Fetcher struct {
	cfg  Config
	turn chan struct{} // holds one token: whoever has it may ask a vendor
}

// New makes a Fetcher and its folder.
func New(cfg Config) (*Fetcher, error) {
	if cfg.Client == nil || cfg.Dir == "" || len(cfg.Trusted) == 0 {
		return nil, wire.Faultf(wire.ErrBadRequest, "collateral: a client, a folder and trusted roots are needed")
	}
	for _, d := range []struct {
		to *string
		is string
	}{{&cfg.IntelPCS, IntelPCS}, {&cfg.IntelRootCRL, IntelRootCRL}, {&cfg.AMDKDS, AMDKDS}} {
		if *d.to == "" {
			*d.to = d.is
		}
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = DefaultRefresh
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("collateral: %w", err)
	}
	f := &Fetcher{cfg: cfg, turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	return f, nil
}

// want is an item somebody asks for.
type want struct {
	name string // of its file
	url  string
	// read turns the vendor's answer into an item, unverified.
	read func(*answer) (evidence.Item, error)
	// is checks that a verified item is the one that was asked for.
	is func(evidence.Key, *evidence.Item) bool
}

// held is an item that was verified, and how fresh it is.
type held struct {
	item  evidence.Item
	key   evidence.Key
	fresh evidence.Freshness
}

// collect gets items in order. Each is verified with those before it at hand,
// so that a revocation list judges who signed what follows.
func (f *Fetcher) collect(ctx context.Context, wants []want) ([]evidence.Item, error) {
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("collateral: %w", ctx.Err())
	}
	src := &evidence.Set{Trusted: f.cfg.Trusted}
	items := make([]evidence.Item, 0, len(wants))
	for i := range wants {
		h, err := f.get(ctx, &wants[i], src)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", wants[i].name, err)
		}
		src.Add(h.key, h.item)
		items = append(items, h.item)
	}
	return items, nil
}

// get returns what is kept while it is fresh, and otherwise what the vendor has,
// unless that is older or cannot be had.
func (f *Fetcher) get(ctx context.Context, w *want, src evidence.Source) (*held, error) {
	now := f.cfg.Now()
	kept, age := f.kept(w, src, now)
	if kept != nil && age < f.cfg.Refresh {
		return kept, nil
	}
	got, err := f.fetch(ctx, w, src, now)
	switch {
	case err != nil && kept == nil:
		return nil, err
	case err != nil:
		f.cfg.Log.Warn("collateral.fetch", "item", w.name, "url", w.url, "error", err)
		return kept, nil
	case kept != nil && (got.fresh.Issued < kept.fresh.Issued || got.fresh.Number < kept.fresh.Number):
		f.cfg.Log.Warn("collateral.older", "item", w.name, "url", w.url, "issued", got.fresh.Issued, "kept", kept.fresh.Issued)
		return kept, nil
	}
	f.keep(w, &got.item)
	return got, nil
}

// fetch asks the vendor and verifies the answer.
func (f *Fetcher) fetch(ctx context.Context, w *want, src evidence.Source, now time.Time) (*held, error) {
	a, err := f.ask(ctx, w.url)
	if err != nil {
		return nil, err
	}
	item, err := w.read(a)
	if err != nil {
		return nil, err
	}
	return check(w, &item, src, now)
}

// check verifies an item and that it is the one wanted.
func check(w *want, item *evidence.Item, src evidence.Source, now time.Time) (*held, error) {
	key, fresh, err := verify.CheckItem(item, src, now.Unix())
	if err != nil {
		return nil, err
	}
	if !w.is(key, item) {
		return nil, wire.Faultf(wire.ErrCollateralMismatch, "it is %s, which was not asked for", key)
	}
	return &held{*item, key, fresh}, nil
}

// isKey makes a check for an item with a name of its own.
func isKey(t evidence.ItemType, name string) func(evidence.Key, *evidence.Item) bool {
	return func(k evidence.Key, _ *evidence.Item) bool { return k == evidence.Key{Type: t, Name: name} }
}
