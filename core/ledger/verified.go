package ledger

import (
	"sync"

	"cloister/wire"
)

// Verified remembers transactions whose signature held, by the leaf hash of
// their bytes, so that admission and block checking pay for each once
// (consensus specification §4.3). It is a cache of a pure function: what is
// forgotten is verified again, so its size changes speed and nothing else.
type Verified struct {
	shards [32]verifiedShard
	most   int // per generation and shard
}

// verifiedShard has two generations; the old one is dropped when the young is full.
type verifiedShard struct {
	mu         sync.Mutex
	young, old map[wire.Hash]struct{}
}

// NewVerified makes a cache of at most n transactions.
func NewVerified(n int) *Verified {
	v := &Verified{}
	v.most = max(1, n/2/len(v.shards))
	for i := range v.shards {
		v.shards[i].young = map[wire.Hash]struct{}{}
	}
	return v
}

func (v *Verified) has(leaf wire.Hash) bool {
	if v == nil {
		return false
	}
	s := &v.shards[leaf[0]%uint8(len(v.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	_, young := s.young[leaf]
	_, old := s.old[leaf]
	return young || old
}

func (v *Verified) add(leaf wire.Hash) {
	if v == nil {
		return
	}
	s := &v.shards[leaf[0]%uint8(len(v.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= v.most {
		s.young, s.old = make(map[wire.Hash]struct{}, v.most/4), s.young
	}
	s.young[leaf] = struct{}{}
}
