package client

import (
	"sync"

	"cloister/core/consensus/rules"
	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/query"
	"cloister/wire/receipt"
)

// Trust is what a user holds without asking anybody: the genesis file, and so
// the chain's id, its first header and its first members; of later ones what
// handovers have proved. Safe for concurrent use.
type Trust struct {
	genesis *wire.Genesis
	chain   wire.Hash
	epochs  *wire.Epochs // grows as handovers are verified
	origin  wire.Hash    // hash of block 0
}

// NewTrust trusts a genesis.
func NewTrust(g *wire.Genesis) *Trust {
	return &Trust{genesis: g, chain: g.ChainID(), epochs: wire.NewEpochs(g, rules.All), origin: g.Header().Hash()}
}

// Genesis is the genesis trusted.
func (t *Trust) Genesis() *wire.Genesis { return t.genesis }

// ChainID names the chain.
func (t *Trust) ChainID() wire.Hash { return t.chain }

// VerifyHeader checks that the chain contains a header: by its own seal, by the
// seal of a later header whose history holds it, or because it is block 0. It
// returns the header and its hash. Errors: ErrSealInvalid, ErrUnknownEpoch,
// ErrNotCovered (no proof given), ErrProof, ErrForeignChain.
func (t *Trust) VerifyHeader(s *query.SealedHeader) (*wire.Header, wire.Hash, error) {
	if h, err := wire.DecodeHeader(s.Header); err == nil && h.Height == 0 && len(s.Seal) == 0 && s.Cover == nil {
		if hash := h.Hash(); hash == t.origin {
			return h, hash, nil
		}
		return nil, wire.Hash{}, wire.Faultf(wire.ErrForeignChain, "block 0 is not that of the genesis file")
	}
	return s.Verify(t.chain, t.epochs)
}

// VerifyReceiptFile checks a receipt file offline and says what it proves.
// Errors: ErrProof, ErrSealInvalid, ErrForeignChain, ErrBadSignature.
func (t *Trust) VerifyReceiptFile(file []byte) (*receipt.Verified, error) {
	r, err := receipt.Decode(file)
	if err != nil {
		return nil, err
	}
	return receipt.Verify(r, t.genesis, rules.All)
}

// VerifyReceiptFile is Trust.VerifyReceiptFile for one file.
func VerifyReceiptFile(g *wire.Genesis, file []byte) (*receipt.Verified, error) {
	return NewTrust(g).VerifyReceiptFile(file)
}

// VerifyState checks the encoded proof of a key of public state. Errors: those
// of VerifyHeader; ErrProof.
func (t *Trust) VerifyState(family string, key, proof []byte) (*query.State, *wire.Header, error) {
	s, err := query.DecodeState(proof)
	if err != nil {
		return nil, nil, wire.Faultf(wire.ErrProof, "%v", err)
	}
	h, err := s.Verify(t.chain, t.epochs, family, key)
	if err != nil {
		return nil, nil, err
	}
	return s, h, nil
}

// Learn takes an encoded wire.Handover, which proves who the members of the next
// epoch are. Errors: ErrProof, ErrForeignChain, ErrUnknownEpoch, ErrSealInvalid.
func (t *Trust) Learn(handover []byte) error {
	h, err := wire.DecodeHandover(handover)
	if err != nil {
		return wire.Faultf(wire.ErrProof, "%v", err)
	}
	return t.epochs.Learn(h)
}

// sealedHeader reads a header as the API carries it.
func sealedHeader(h *pb.SealedHeader) (*query.SealedHeader, error) {
	if h == nil {
		return nil, wire.Faultf(wire.ErrProof, "the answer has no header")
	}
	s := &query.SealedHeader{Header: h.Header, Seal: h.Seal}
	if h.Cover != nil {
		path, err := hashes(h.Cover.Path)
		if err != nil {
			return nil, err
		}
		s.Cover = &query.Cover{Header: h.Cover.Header, Path: path}
	}
	return s, nil
}

func hashes(path [][]byte) ([]wire.Hash, error) {
	out := make([]wire.Hash, len(path))
	for i, b := range path {
		if len(b) != len(out[i]) {
			return nil, wire.Faultf(wire.ErrProof, "hash %d of a path has %d bytes", i, len(b))
		}
		out[i] = wire.Hash(b)
	}
	return out, nil
}

// seen is how far this client has looked, so that a host that is behind, or
// pretends to be, does not show it an older ledger than it knows.
type seen struct {
	mu      sync.Mutex
	proved  uint64    // height of the newest verified header
	hash    wire.Hash // of that header
	written uint64    // a height the client's own writes are in, as hosts claimed
}

// after is what a read must include.
func (s *seen) after() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// claim notes where a host says a write of this client is recorded.
func (s *seen) claim(height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = max(s.written, height)
}

// forgetClaims drops a height that no verified header reaches: a lying host
// could have named one that no honest host will ever have.
func (s *seen) forgetClaims() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = min(s.written, s.proved)
}

// header notes a verified header. Two sealed headers of one height are the end
// of all trust in this chain's members: ErrProof.
func (s *seen) header(h *wire.Header, hash wire.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Height == s.proved && !s.hash.IsZero() && hash != s.hash {
		return wire.Faultf(wire.ErrProof, "fork: blocks %s and %s are both sealed at height %d; keep both and alarm the operators", s.hash, hash, h.Height)
	}
	if h.Height >= s.proved {
		s.proved, s.hash = h.Height, hash
	}
	return nil
}
