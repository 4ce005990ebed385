package apitest

import (
	"maps"
	"sync"

	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/merkle"
	"cloister/wire/query"
	"cloister/wire/smt"
	"cloister/wire/smt/smttest"
	"cloister/wire/token"
)

// Ledger is a chain with its state. Safe for concurrent use.
type Ledger struct {
	Genesis *wire.Genesis
	Keys    []wire.PrivateKey // of the members

	mu       sync.Mutex
	blocks   []*block
	pool     [][]byte
	pooled   map[wire.Hash]bool
	history  merkle.Range      // of header hashes
	results  merkle.Range      // of the roots over each block's results
	state    map[string][]byte // application key: value, now
	txs      map[wire.Hash]*archive.Transaction
	chains   map[wire.Hash][]archive.Entry
	firsts   map[wire.Hash]*archive.Entry // by entry hash
	paid     map[wire.Hash]*factom.Commit // of entries not revealed yet, by entry hash
	watchers map[int]func(archive.Appended)
	watched  int
	shown    uint64 // blocks up to it are visible to reads
	manual   bool
	admit    func(*wire.Tx) wire.Code
	batch    error
	down     error
	submits  []int // sizes of the batches submitted
}

// block is everything a test may want to know of a height.
type block struct {
	archive.Block
	header  *wire.Header
	exec    wire.Exec
	txs     [][]byte
	results [][]byte
	state   map[string][]byte // after it
}

// New begins a chain of the given number of members. Each Submit makes a sealed
// block at once, until Manual. As an archive may, it shows no block to reads
// before Settle asks for it.
func New(members int) *Ledger {
	l := &Ledger{
		Genesis: &wire.Genesis{
			Version: 1, Name: "test", TimeMs: 1_700_000_000_000, Engine: "raft", Restart: "trust-disk", TEE: "none",
			Limits:   wire.DefaultLimits,
			Families: []wire.FamilyGenesis{{Name: "token"}, {Name: "record"}},
		},
		pooled: map[wire.Hash]bool{}, state: map[string][]byte{}, txs: map[wire.Hash]*archive.Transaction{},
		chains: map[wire.Hash][]archive.Entry{}, firsts: map[wire.Hash]*archive.Entry{}, paid: map[wire.Hash]*factom.Commit{},
		watchers: map[int]func(archive.Appended){},
	}
	for i := range members {
		k := wire.NewPrivateKey(wire.TH("test/member", wire.U64(uint64(i))))
		l.Keys = append(l.Keys, k)
		l.Genesis.Members = append(l.Genesis.Members, wire.GenesisMember{Name: string(rune('a' + i)), Key: k.Public()})
	}
	l.state[string(query.StateKey(token.Name, token.SupplyKey))] = wire.Marshal(token.Supply{Rate: Rate})
	h := l.Genesis.Header()
	hash := h.Hash()
	l.history.Append(merkle.LeafHash(hash[:]))
	l.results.Append(merkle.LeafHash(merkle.EmptyRoot[:]))
	l.blocks = []*block{{
		Block:  archive.Block{SealedHeader: archive.SealedHeader{Hash: hash, Header: wire.Marshal(h)}},
		header: h, state: maps.Clone(l.state),
		exec: wire.Exec{StateRoot: tree(l.state).Root(), ResultsRoot: l.results.Root()},
	}}
	return l
}

// Manual ends making blocks by itself: Append does.
func (l *Ledger) Manual() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.manual = true
}

// Admit sets how admission judges transactions. Nil accepts all new ones.
func (l *Ledger) Admit(f func(*wire.Tx) wire.Code) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admit = f
}

// RefuseBatches makes Submit fail as a whole, until nil.
func (l *Ledger) RefuseBatches(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batch = err
}

// Down makes the core unusable, until nil.
func (l *Ledger) Down(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

// Batches are the sizes of what reached Submit.
func (l *Ledger) Batches() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int(nil), l.submits...)
}

// Told is the newest block there is, visible to reads or not.
func (l *Ledger) Told() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest()
}

// Append makes the next block of all that is pooled.
func (l *Ledger) Append(sealed bool) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(sealed)
}

// append is Append with mu held. Watchers are told under mu, as an archive
// tells them: they must not call back.
func (l *Ledger) append(sealed bool) uint64 {
	parent := l.blocks[len(l.blocks)-1]
	h := *parent.header
	h.Height, h.TimeMs, h.Parent = h.Height+1, h.TimeMs+10, parent.Hash
	h.Proposer = wire.NodeIDOf(l.Keys[0].Public())
	h.Engine = wire.Marshal(struct {
		_          struct{} `cbor:",toarray"`
		View, Slot uint64
		Next       wire.Hash
	}{View: 3, Slot: 1})
	txs := l.pool
	l.pool, l.pooled = nil, map[wire.Hash]bool{}
	h.TxCount, h.TxRoot = uint32(len(txs)), merkle.Root(leaves(txs))
	h.ExecHeight, h.ExecRoot = parent.header.Height, parent.exec.Root()
	h.HistoryRoot = l.history.Root()

	b := &block{header: &h, txs: txs}
	b.Height, b.Hash, b.Header, b.Body = h.Height, h.Hash(), wire.Marshal(&h), wire.EncodeList(txs)
	told := archive.Appended{Height: h.Height, Sealed: sealed, TimeMs: h.TimeMs}
	for i, raw := range txs {
		tx, err := wire.DecodeTx(raw)
		if err != nil {
			panic(err)
		}
		r := l.execute(tx, &h)
		told.Results = append(told.Results, r)
		b.results = append(b.results, r.Bytes())
		l.txs[r.TxID] = &archive.Transaction{Height: h.Height, Index: uint32(i), Bytes: raw, Result: r}
	}
	root := merkle.Root(leaves(b.results))
	l.history.Append(merkle.LeafHash(b.Hash[:]))
	l.results.Append(merkle.LeafHash(root[:]))
	b.state, b.exec = parent.state, parent.exec
	if len(txs) > 0 {
		b.state = maps.Clone(l.state)
		b.exec.StateRoot = tree(b.state).Root()
	}
	b.exec.Height, b.exec.ResultsRoot = h.Height, l.results.Root()
	b.Outcome = wire.Marshal(wire.Outcome{Exec: b.exec, Results: wire.EncodeList(b.results)})
	if sealed {
		b.Seal = l.Seal(&h, b.Hash)
	}
	l.blocks = append(l.blocks, b)
	for _, f := range l.watchers {
		f(told)
	}
	return h.Height
}

// Seal signs a header as all members would, whatever it says.
func (l *Ledger) Seal(h *wire.Header, hash wire.Hash) []byte {
	s := wire.Seal{View: 3}
	for i, k := range l.Keys {
		slot := uint64(i + 1)
		statement := wire.TH("cloister/raft-ack/v1", h.ChainID[:], wire.U64(h.Epoch), wire.U64(slot),
			wire.U64(s.View), wire.U64(h.Height), hash[:])
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: k.Sign(statement)})
	}
	return wire.Marshal(s)
}

// headerLeaves is the leaves of the tree of header hashes.
func (l *Ledger) headerLeaves() []wire.Hash {
	out := make([]wire.Hash, len(l.blocks))
	for i, b := range l.blocks {
		out[i] = merkle.LeafHash(b.Hash[:])
	}
	return out
}

func leaves(items [][]byte) []wire.Hash {
	out := make([]wire.Hash, len(items))
	for i, it := range items {
		out[i] = merkle.LeafHash(it)
	}
	return out
}

func tree(state map[string][]byte) smttest.Tree {
	t := smttest.Tree{}
	for k, v := range state {
		t[smt.KeyHash([]byte(k))] = smt.ValueHash(v)
	}
	return t
}

// State proves a key as the newest header with a seal of its own commits to it.
func (l *Ledger) State(r *query.StateRequest) (*query.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.blocks[l.sealed(l.newest())]
	if at.Height == 0 || at.header.ExecHeight < r.AtLeast {
		return nil, wire.Faultf(wire.ErrNotCovered, "no sealed block commits to state after block %d yet", r.AtLeast)
	}
	after := l.blocks[at.header.ExecHeight]
	key := query.StateKey(r.Family, r.Key)
	value, present := after.state[string(key)]
	return &query.State{
		At: query.SealedHeader{Header: at.Header, Seal: at.Block.Seal}, Exec: after.exec,
		Present: present, Value: value, Proof: tree(after.state).Prove(smt.KeyHash(key)).Encode(),
	}, nil
}

// sealed is the height of the newest block with a seal, up to a height. mu is held.
func (l *Ledger) sealed(upTo uint64) uint64 {
	for h := upTo; h > 0; h-- {
		if len(l.blocks[h].Seal) > 0 {
			return h
		}
	}
	return 0
}

// newest is the height of the newest block. mu is held.
func (l *Ledger) newest() uint64 { return uint64(len(l.blocks) - 1) }
