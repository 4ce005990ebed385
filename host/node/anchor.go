package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"cloister/host/anchor"
	"cloister/host/anchor/rpc"
	"cloister/host/api"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
	"cloister/wire/query"
	"cloister/wire/record"
)

// anchorPath is where the state of anchoring is shown.
const anchorPath = "GET /anchor"

// askPause is between two questions to the core or the data layer for what is
// still to come.
const askPause = 250 * time.Millisecond

// AnchorFile is how this host anchors in Bitcoin; without a URL it does not.
type AnchorFile struct {
	URL         string `toml:"url,omitempty"` // of a Bitcoin node's RPC: btcd or Bitcoin Core
	User        string `toml:"user,omitempty"`
	Password    string `toml:"password,omitempty"`
	Cookie      string `toml:"cookie,omitempty"`      // file with user:password that Bitcoin Core writes
	Certificate string `toml:"certificate,omitempty"` // PEM file that is trusted for https
	Network     string `toml:"network,omitempty"`     // mainnet if empty
	Key         string `toml:"key,omitempty"`         // file with the private key; anchor.key in the home if empty
	Address     string `toml:"address,omitempty"`     // p2wpkh if empty, or p2pkh
	From        uint32 `toml:"from,omitempty"`        // first directory block to anchor
	Birth       uint32 `toml:"birth,omitempty"`       // first Bitcoin block that can pay the key
	Depth       uint32 `toml:"depth,omitempty"`       // blocks until an anchor is recorded; 6 if 0
	PollMs      uint32 `toml:"poll_ms,omitempty"`     // between two looks at Bitcoin; 10000 if 0
	// Patience is how many directory blocks a server whose turn it is may take
	// until the next one anchors in its place; 24 if 0.
	Patience uint32      `toml:"patience,omitempty"`
	Fee      anchor.Fees `toml:"fee,omitempty"` // satoshi per virtual byte
}

const (
	anchorKeyName     = "anchor.key"
	anchorStateName   = "anchor"
	defaultPatience   = 24
	maxAnchorFile     = 64 << 10
	bitcoinMainnet    = "mainnet"
	anchorRecordPause = time.Second
)

// anchoring anchors the data layer; nil if node.toml names no Bitcoin node.
type anchoring struct{ *anchor.Anchorer }

// within makes a path of the file absolute, relative to a home.
func within(home, path, unset string) string {
	if path == "" {
		path = unset
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(home, path)
}

// BitcoinNetwork is the network that is anchored in.
func (f *AnchorFile) BitcoinNetwork() (*bitcoin.Network, error) {
	name := f.Network
	if name == "" {
		name = bitcoinMainnet
	}
	return bitcoin.NetworkNamed(name)
}

// AnchorKey reads the key that anchors from a home.
func (c *Config) AnchorKey() (*anchor.Key, error) {
	network, err := c.Anchor.BitcoinNetwork()
	if err != nil {
		return nil, err
	}
	kind := c.Anchor.Address
	if kind == "" {
		kind = anchor.P2WPKH
	}
	return anchor.ReadKey(within(c.Home, c.Anchor.Key, anchorKeyName), kind, network)
}

func (c *Config) openAnchoring(d *dataLayer, queries api.Queries) (a anchoring, err error) {
	f := &c.Anchor
	if f.URL == "" {
		return a, nil
	}
	if d.index == nil {
		return a, wire.Faultf(wire.ErrBadRequest, "node.toml: anchor.url is set, and this chain has no directory blocks")
	}
	network, err := f.BitcoinNetwork()
	if err != nil {
		return a, err
	}
	key, err := c.AnchorKey()
	if err != nil {
		return a, err
	}
	conf := rpc.Config{URL: f.URL, User: f.User, Password: f.Password, Cookie: within(c.Home, f.Cookie, "")}
	if f.Certificate != "" {
		if conf.Certificate, err = readFile(within(c.Home, f.Certificate, ""), maxAnchorFile); err != nil {
			return a, err
		}
	}
	client, err := rpc.New(conf)
	if err != nil {
		return a, err
	}
	dir := filepath.Join(c.Home, anchorStateName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a, fmt.Errorf("node: %w", err)
	}
	l := &anchored{data: d, queries: queries, network: network.Name, patience: f.Patience, ordered: map[uint32]*factom.AnchorRecord{}}
	if l.patience == 0 {
		l.patience = defaultPatience
	}
	a.Anchorer, err = anchor.New(anchor.Config{
		Network: network, Key: key, Ledger: l, Bitcoin: rpc.Node{Client: client}, Dir: dir,
		From: f.From, Birth: f.Birth, Depth: f.Depth, Fees: f.Fee,
		Poll: time.Duration(f.PollMs) * time.Millisecond, Log: c.Log,
	})
	return a, err
}

// run anchors. That anchoring has to stop, for a fork or a full disk, ends it and
// not the host; its status says why.
func (a anchoring) run(ctx context.Context) error {
	if a.Anchorer != nil {
		_ = a.Run(ctx) // its status and log say why
	}
	<-ctx.Done()
	return nil
}

func (a anchoring) mount(to map[string]http.Handler) map[string]http.Handler {
	if a.Anchorer == nil {
		return to
	}
	to[anchorPath] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(wire.EncodeJSON(showAnchoring(a.Status()))) // the asker may have left
	})
	return to
}

// anchored is the ledger as anchoring needs it (anchor.Ledger).
type anchored struct {
	data     *dataLayer
	queries  api.Queries
	network  string
	patience uint32

	mu sync.Mutex
	// ordered are records that are in the ledger, in a period that is not closed
	// yet: until then the data layer does not show them.
	ordered map[uint32]*factom.AnchorRecord
}

var _ anchor.Ledger = (*anchored)(nil)

// Closed implements anchor.Ledger. State is only told once its block is sealed.
func (l *anchored) Closed(ctx context.Context, height uint32) (wire.Hash, error) {
	for {
		d, err := l.data.state.Directory(ctx, height)
		if err == nil {
			return d.KeyMR, nil
		}
		if wire.CodeOf(err) != wire.ErrNotFound && ctx.Err() == nil {
			return wire.Hash{}, err
		}
		if err := rest(ctx, askPause); err != nil {
			return wire.Hash{}, err
		}
	}
}

// Turn implements anchor.Ledger: the servers that have an anchor key take turns,
// by the order of their ids. Whoever is n places behind the one whose turn it is
// waits n times Patience directory blocks.
func (l *anchored) Turn(ctx context.Context, height uint32) (bool, error) {
	me, _ := l.data.state.Identity()
	list, err := l.data.state.Authorities(ctx)
	if err != nil {
		return false, err
	}
	var ids []wire.NodeID
	for i := range list {
		if list[i].Federated && len(list[i].AnchorKeys) > 0 {
			ids = append(ids, list[i].ID)
		}
	}
	slices.SortFunc(ids, func(a, b wire.NodeID) int { return slices.Compare(a[:], b[:]) })
	at := slices.Index(ids, me)
	if at < 0 {
		return false, nil
	}
	places := (at + len(ids) - int(height)%len(ids)) % len(ids)
	late := l.data.index.Now().Height - min(height, l.data.index.Now().Height)
	return places == 0 || uint64(late) > uint64(places)*uint64(l.patience), nil
}

// Recorded implements anchor.Ledger.
func (l *anchored) Recorded(_ context.Context, height uint32) (*factom.AnchorRecord, bool, error) {
	r, err := l.data.index.Anchor(height)
	if err != nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if own := l.ordered[height]; own != nil {
		if r == nil || r.RecordHeight <= own.RecordHeight && r.Bitcoin.BlockHash != own.Bitcoin.BlockHash {
			return own, true, nil
		}
		delete(l.ordered, height)
	}
	return r, r != nil, nil
}

// Record implements anchor.Ledger.
func (l *anchored) Record(ctx context.Context, height uint32, proof *bitcoin.Proof, address string) error {
	claim := &record.AnchorClaim{Height: height, Network: l.network, Address: address, Proof: proof.Encode()}
	var hash wire.Hash
	for {
		b, err := l.queries.Query(ctx, query.KindAnchor, claim.Encode())
		if wire.CodeOf(err) == wire.ErrUnknownChain { // the core is creating it
			if err := rest(ctx, anchorRecordPause); err != nil {
				return err
			}
			continue
		}
		if err == nil && len(b) != len(hash) {
			err = wire.Faultf(wire.ErrInternal, "anchor record from the core: %d bytes", len(b))
		}
		if err != nil {
			return err
		}
		hash = wire.Hash(b)
		break
	}
	for {
		e, err := l.data.index.Entry(hash)
		if err == nil {
			return l.note(e.Raw)
		}
		if wire.CodeOf(err) != wire.ErrNotFound {
			return err
		}
		if err := rest(ctx, askPause); err != nil {
			return err
		}
	}
}

// note remembers a record that the ledger has put in order.
func (l *anchored) note(raw []byte) error {
	e, err := factom.ParseEntry(raw)
	if err != nil {
		return err
	}
	r, _, err := factom.ParseAnchorRecord(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ordered[r.DBHeight] = r
	return nil
}

func rest(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Anchoring is anchor.Status as the API's port shows it at /anchor.
type Anchoring struct {
	Network     string           `json:"network"`
	Address     string           `json:"address"`
	TipHeight   uint32           `json:"tip_height"`
	Tip         bitcoin.Hash     `json:"tip"`
	Next        uint32           `json:"next"`
	Confirmed   uint64           `json:"confirmed_satoshi"`
	Unconfirmed uint64           `json:"unconfirmed_satoshi"`
	Missing     uint64           `json:"missing_satoshi"`
	Problems    []string         `json:"problems,omitempty"`
	Heights     []AnchoredHeight `json:"heights"`
}

// AnchoredHeight is one directory block on its way; what is not known yet is left out.
type AnchoredHeight struct {
	Height uint32        `json:"height"`
	KeyMR  wire.Hash     `json:"keymr"`
	Phase  anchor.Phase  `json:"phase"`
	TxID   *bitcoin.Hash `json:"transaction,omitempty"`
	Block  *bitcoin.Hash `json:"block,omitempty"`
	At     uint32        `json:"block_height,omitempty"`
	Depth  uint32        `json:"depth,omitempty"`
	Fee    uint64        `json:"fee_satoshi,omitempty"`
}

func showAnchoring(s anchor.Status) *Anchoring {
	out := &Anchoring{
		Network: s.Network, Address: s.Address, TipHeight: s.Tip.Height, Tip: s.Tip.Hash, Next: s.Next,
		Confirmed: s.Confirmed, Unconfirmed: s.Unconfirmed, Missing: s.Missing, Heights: []AnchoredHeight{},
	}
	for _, err := range []error{s.Funds, s.Node, s.Ledger} {
		if err != nil && !errors.Is(err, context.Canceled) {
			out.Problems = append(out.Problems, err.Error())
		}
	}
	for i := range s.Heights {
		h := &s.Heights[i]
		x := AnchoredHeight{Height: h.Height, KeyMR: h.KeyMR, Phase: h.Phase, Depth: h.Depth, Fee: h.Fee}
		if !h.TxID.IsZero() {
			x.TxID = &h.TxID
		}
		if !h.Block.Hash.IsZero() {
			x.Block, x.At = &h.Block.Hash, h.Block.Height
		}
		out.Heights = append(out.Heights, x)
	}
	return out
}
