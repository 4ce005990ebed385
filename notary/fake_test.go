package notary

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// memory is a ledger of one process: each entry is its own block.
type memory struct {
	mu       sync.Mutex
	chains   map[wire.Hash][]Entry
	known    map[string]Recorded // by transaction
	times    map[uint64]bool     // of commits
	height   uint64
	stamp    uint64
	under    int // Submit calls at this moment
	most     int // the most there ever were
	largest  int // batch
	refuse   func(n int) error
	attempts int                                    // transactions submitted
	slow     bool                                   // what is not taken of a batch arrives later
	late     [][]byte                               // that, until it arrives
	liar     bool                                   // Submit says recorded and records nothing
	arrived  func(under int)                        // called by Submit while it is under way; may block
	lose     func(batch int) (taken int, err error) // with an error the answer of a batch is lost, of which so many arrived
}

func newMemory() *memory {
	return &memory{chains: map[wire.Hash][]Entry{}, known: map[string]Recorded{}, times: map[uint64]bool{}}
}

func (m *memory) Entries(ctx context.Context, chain wire.Hash) iter.Seq2[Entry, error] {
	m.mu.Lock()
	list, ok := m.chains[chain]
	m.mu.Unlock()
	defer func() { // once the list was read
		m.mu.Lock()
		defer m.mu.Unlock()
		m.arrive()
	}()
	return func(yield func(Entry, error) bool) {
		if !ok {
			yield(Entry{}, wire.ErrUnknownChain)
			return
		}
		for _, e := range list {
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}
}

func (m *memory) Create(_ context.Context, entry []byte) (Recorded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := factom.ParseEntry(entry)
	if err != nil {
		return Recorded{}, err
	}
	if _, exists := m.chains[e.ChainID]; exists {
		return Recorded{}, wire.ErrChainExists
	}
	return m.put(e.ChainID, entry), nil
}

func (m *memory) Prepare(_ context.Context, entry []byte, afterMs uint64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamp = max(m.stamp, afterMs) + 1
	payload, err := record.AddEntry(entry, m.stamp, alice)
	return wire.Carry(wire.Hash{1}, record.Name, payload).Bytes(), err
}

func (m *memory) Submit(_ context.Context, txs [][]byte) ([]Recorded, []error) {
	m.mu.Lock()
	m.under++
	m.most, m.largest = max(m.most, m.under), max(m.largest, len(txs))
	under := m.under
	m.mu.Unlock()
	if m.arrived != nil {
		m.arrived(under)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.under--
	at, errs := make([]Recorded, len(txs)), make([]error, len(txs))
	taken, lost := len(txs), error(nil)
	if m.lose != nil {
		taken, lost = m.lose(len(txs))
	}
	for i, tx := range txs {
		if i < taken {
			at[i], errs[i] = m.take(tx)
		} else if m.slow {
			m.late = append(m.late, tx)
		}
		if lost != nil {
			errs[i] = lost
		}
	}
	return at, errs
}

// arrive records what was sent and was on its way so far.
func (m *memory) arrive() {
	for _, tx := range m.late {
		_, _ = m.take(tx) // refused is as good as lost
	}
	m.late = nil
}

func (m *memory) take(tx []byte) (Recorded, error) {
	m.attempts++
	if at, again := m.known[string(tx)]; again {
		return at, nil
	}
	if m.refuse != nil {
		if err := m.refuse(m.attempts); err != nil {
			return Recorded{}, err
		}
	}
	if m.liar {
		return Recorded{Height: 1}, nil
	}
	t, err := wire.DecodeTx(tx)
	if err != nil {
		return Recorded{}, err
	}
	p, err := record.Decode(t.Payload)
	if err != nil {
		return Recorded{}, err
	}
	if m.times[p.Commit.TimestampMs] {
		return Recorded{}, wire.ErrReplayed
	}
	m.times[p.Commit.TimestampMs] = true
	m.known[string(tx)] = m.put(p.Entry.ChainID, p.Bytes)
	return m.known[string(tx)], nil
}

func (m *memory) put(chain wire.Hash, entry []byte) Recorded {
	m.height++
	at := Recorded{Tx: wire.TH("test", wire.U64(m.height)), Entry: factom.EntryHash(entry), Height: m.height, TimeMs: 1000 * m.height}
	m.chains[chain] = append(m.chains[chain], Entry{entry, at})
	return at
}

// records counts the entries of a chain after its first.
func (m *memory) records(chain wire.Hash) int { return len(m.chains[chain]) - 1 }

var (
	name  = ChainName("test tree")
	chain = factom.ChainID(name)
	alice = wire.NewPrivateKey([32]byte{1})
	mallo = wire.NewPrivateKey([32]byte{2})
)

// grow makes a tree of n files of different sizes in folders, a link, a name
// that is not UTF-8 and a pipe, and returns its root and how much is recorded.
func grow(t *testing.T, n int) (root string, recorded int) {
	t.Helper()
	root = t.TempDir()
	for i := range n {
		put(t, root, filepath.Join("d", string(rune('a'+i%7)), "f"+string(rune('0'+i/7))), make([]byte, i*100))
	}
	put(t, root, "not utf-8 \xff\xfe.txt", []byte("bytes"))
	if err := os.Symlink("/nowhere/\xff", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, n + 2
}

func put(t *testing.T, root, path string, content []byte) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func notarize(t *testing.T, m *memory, key wire.PrivateKey, root string) *Summary {
	t.Helper()
	s, err := Notarize(context.Background(), m, chain, name, key, root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verify(t *testing.T, m *memory, by wire.Account, root string) *Report {
	t.Helper()
	r, err := Verify(context.Background(), m, chain, by, root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (m *memory) Hashes(_ context.Context, chain wire.Hash) ([]wire.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrive()
	var list []wire.Hash
	for _, e := range m.chains[chain] {
		list = append(list, e.Entry)
	}
	return list, nil
}
