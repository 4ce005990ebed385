package wire

import (
	"fmt"
	"sync"
)

// Handover shows that one member set passed the ordering of blocks on to the
// next: a header of epoch e with FlagHandover, sealed by the set of epoch e,
// whose engine part holds the hash of the set of epoch e+1.
type Handover struct {
	_      struct{} `cbor:",toarray"`
	Header *Header
	Seal   []byte     // encoded Seal, of this very header
	Next   *MemberSet // of epoch e+1
}

// MaxMemberSet bounds an encoded set of MaxGenesisMembers members.
const MaxMemberSet = 32 + MaxGenesisMembers*(2*34+2*9+4)

// MaxHandover bounds an encoded handover.
const MaxHandover = MaxHeader + MaxSeal + MaxMemberSet + 32

// DecodeHandover reads one handover strictly; what it shows is for
// rules.Follow.
func DecodeHandover(b []byte) (*Handover, error) {
	h := new(Handover)
	if err := Unmarshal(b, h, MaxHandover); err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	if h.Header == nil || h.Next == nil || h.Header.Version != HeaderVersion || len(h.Header.Engine) > 256 || len(h.Seal) > MaxSeal {
		return nil, fmt.Errorf("handover: %w: a part is missing or too large", ErrEncoding)
	}
	return h, nil
}

// SealRules judge seals and handovers by the engine of their header; clients get
// them from core/consensus/rules. Errors carry ErrSealInvalid.
type SealRules struct {
	Seal   func(set *MemberSet, h *Header, hash Hash, seal []byte) error
	Follow func(set *MemberSet, h *Handover) (*MemberSet, error)
}

// Epochs are the member sets of one chain, as far as handovers from the
// genesis's set on have proved them. Safe for concurrent use.
type Epochs struct {
	chain Hash
	rules SealRules

	mu   sync.Mutex
	sets []*MemberSet // of epochs 1, 2, …
}

// NewEpochs knows epoch 1.
func NewEpochs(g *Genesis, r SealRules) *Epochs {
	return &Epochs{chain: g.ChainID(), rules: r, sets: []*MemberSet{g.MemberSet()}}
}

// Set is the member set of an epoch. Errors: ErrUnknownEpoch.
func (e *Epochs) Set(epoch uint64) (*MemberSet, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if epoch == 0 || epoch > uint64(len(e.sets)) {
		return nil, Faultf(ErrUnknownEpoch, "the members of epoch %d are not known, only those of 1 to %d", epoch, len(e.sets))
	}
	return e.sets[epoch-1], nil
}

// Newest is the number of the newest epoch known.
func (e *Epochs) Newest() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return uint64(len(e.sets))
}

// Learn adds the epoch a handover leads to; one that is known already must lead
// to the same members. Errors: ErrForeignChain, ErrUnknownEpoch, ErrSealInvalid,
// and ErrProof for two sets of one epoch, which is the end of trust in them.
func (e *Epochs) Learn(h *Handover) error {
	if h.Header.ChainID != e.chain {
		return Faultf(ErrForeignChain, "handover of chain %s", h.Header.ChainID)
	}
	set, err := e.Set(h.Header.Epoch)
	if err != nil {
		return err
	}
	next, err := e.rules.Follow(set, h)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := uint64(len(e.sets)); next.Epoch <= known {
		if was := e.sets[next.Epoch-1]; was.Hash() != next.Hash() {
			return Faultf(ErrProof, "fork: two member sets of epoch %d are vouched for; keep both and alarm the operators", next.Epoch)
		}
		return nil
	}
	e.sets = append(e.sets, next)
	return nil
}

// Seal judges a seal by the set of its header's epoch. Errors: ErrUnknownEpoch,
// ErrSealInvalid.
func (e *Epochs) Seal(h *Header, hash Hash, seal []byte) error {
	set, err := e.Set(h.Epoch)
	if err != nil {
		return err
	}
	return e.rules.Seal(set, h, hash, seal)
}
