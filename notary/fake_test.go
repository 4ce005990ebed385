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
)

// memory is a ledger of one process: each entry is its own block.
type memory struct {
	mu       sync.Mutex
	chains   map[wire.Hash][]Entry
	height   uint64
	under    int // Add calls at this moment
	most     int // the most there ever were
	refuse   func(n int) error
	attempts int
	liar     bool            // Add says recorded and records nothing
	arrived  func(under int) // called by Add while it is under way; may block
}

func newMemory() *memory { return &memory{chains: map[wire.Hash][]Entry{}} }

func (m *memory) Entries(ctx context.Context, chain wire.Hash) iter.Seq2[Entry, error] {
	m.mu.Lock()
	list, ok := m.chains[chain]
	m.mu.Unlock()
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

func (m *memory) Add(_ context.Context, entry []byte) (Recorded, error) {
	m.mu.Lock()
	m.under++
	m.most = max(m.most, m.under)
	m.attempts++
	attempt, under := m.attempts, m.under
	m.mu.Unlock()
	if m.arrived != nil {
		m.arrived(under)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.under--
	if m.refuse != nil {
		if err := m.refuse(attempt); err != nil {
			return Recorded{}, err
		}
	}
	e, err := factom.ParseEntry(entry)
	if err != nil {
		return Recorded{}, err
	}
	if m.liar {
		return Recorded{Height: 1}, nil
	}
	return m.put(e.ChainID, entry), nil
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
	var list []wire.Hash
	for _, e := range m.chains[chain] {
		list = append(list, e.Entry)
	}
	return list, nil
}
