package scan

import (
	"maps"
	"slices"

	"cloister/wire"
)

// State is what the scan knows after a number of blocks of one chain, so that it
// can be saved and continued. It is not safe for concurrent use.
type State struct {
	bodies    bool        // bodies were judged, not signatures alone
	keys      []wire.Hash // KeyMR by height, of all blocks judged
	tail      tail
	authority *authority
	chains    table[wire.Hash, link]        // by chain id
	factoids  table[wire.Hash, uint64]      // factoshis by RCD hash
	credits   table[wire.PublicKey, uint64] // entry credits
	unused    table[wire.Hash, []commit]    // by entry hash, oldest first
	seen      table[wire.Hash, uint64]      // commits and transactions, until when they are remembered
	anchored  []byte                        // a bit per height: an anchor is deep enough
	bitcoin   uint32                        // Bitcoin's blocks below this height need not be read again
}

// tail is what the next block has to follow.
type tail struct {
	_             struct{} `cbor:",toarray"`
	Header        []byte   // of the directory block
	Minutes       uint32
	NetworkID     uint32
	DirectoryFull wire.Hash
	AdminRef      wire.Hash
	Credit        wire.Hash
	CreditFull    wire.Hash
	Factoid       wire.Hash
	FactoidLedger wire.Hash
	OpenedMs      uint64
	Rate          uint64
	SweptHour     uint64 // in which what is over was last forgotten
}

// link is a chain's newest entry block.
type link struct {
	_        struct{} `cbor:",toarray"`
	KeyMR    wire.Hash
	FullHash wire.Hash
	Sequence uint32
}

// commit is a commit whose entry is not recorded yet.
type commit struct {
	_           struct{} `cbor:",toarray"`
	OpenedMs    uint64   // of the period it was ordered in
	Credits     uint8
	Chain       bool
	ChainIDHash wire.Hash
	Weld        wire.Hash
}

func newState(bodies bool, n *Network) *State {
	return &State{
		bodies: bodies, authority: newAuthority(n),
		chains: newTable[wire.Hash, link](), factoids: newTable[wire.Hash, uint64](),
		credits: newTable[wire.PublicKey, uint64](), unused: newTable[wire.Hash, []commit](), seen: newTable[wire.Hash, uint64](),
	}
}

// blocks is how many blocks are judged: heights 0 to blocks-1.
func (s *State) blocks() uint32 {
	if s == nil {
		return 0
	}
	return uint32(len(s.keys))
}

// Height is the height of the newest block judged, -1 for none.
func (s *State) Height() int64 { return int64(s.blocks()) - 1 }

// KeyMR is the newest judged block's, zero for none.
func (s *State) KeyMR() wire.Hash {
	if len(s.keys) == 0 {
		return wire.Hash{}
	}
	return s.keys[len(s.keys)-1]
}

// clone is a state that shares nothing that changes.
func (s *State) clone() *State {
	c := *s
	c.keys, c.anchored, c.authority = slices.Clone(s.keys), slices.Clone(s.anchored), s.authority.clone()
	c.chains = table[wire.Hash, link]{rows: maps.Clone(s.chains.rows)}
	c.factoids = table[wire.Hash, uint64]{rows: maps.Clone(s.factoids.rows)}
	c.credits = table[wire.PublicKey, uint64]{rows: maps.Clone(s.credits.rows)}
	c.unused = newTable[wire.Hash, []commit]()
	for k, list := range s.unused.rows { //deterministic: a set is copied
		c.unused.rows[k] = slices.Clip(list) // so that the two do not append into the same memory
	}
	c.seen = table[wire.Hash, uint64]{rows: maps.Clone(s.seen.rows)}
	return &c
}

// commit makes a block's changes stay.
func (s *State) commit(key wire.Hash, t tail, a *authority) {
	s.keys, s.tail, s.authority = append(s.keys, key), t, a
	s.chains.commit()
	s.factoids.commit()
	s.credits.commit()
	s.unused.commit()
	s.seen.commit()
}

// rollback takes back what a refused block changed.
func (s *State) rollback() {
	s.chains.rollback()
	s.factoids.rollback()
	s.credits.rollback()
	s.unused.rollback()
	s.seen.rollback()
}

// Windows of time, in ms (specification §7).
const (
	hourMs   = 60 * 60 * 1000
	windowMs = 12 * hourMs // of a commit's or transaction's own time around its period's opening
	usableMs = 24 * hourMs // of a commit, from when it was ordered
	// slackMs is for what a block does not show: a period that a ledger closes late
	// has entries and commits of a later time than its last minute.
	slackMs = hourMs
)

// sweep forgets what is over at a period's opening, once an hour.
func (s *State) sweep(t *tail, openedMs, periodMs uint64) {
	if t.SweptHour == openedMs/hourMs {
		return
	}
	t.SweptHour = openedMs / hourMs
	for key, until := range s.seen.rows { //deterministic: a set is cleared
		if until < openedMs {
			s.seen.delete(key)
		}
	}
	for key, list := range s.unused.rows { //deterministic: a set is cleared
		left := slices.DeleteFunc(slices.Clone(list), func(c commit) bool { return !c.usable(openedMs, periodMs) })
		switch {
		case len(left) == 0:
			s.unused.delete(key)
		case len(left) < len(list):
			s.unused.set(key, left)
		}
	}
}

// usable says whether the commit can still pay in a period.
func (c *commit) usable(openedMs, periodMs uint64) bool {
	return openedMs <= c.OpenedMs+periodMs+usableMs+slackMs
}

// isAnchored reports whether an anchor of a height is deep enough.
func (s *State) isAnchored(height uint32) bool {
	return int(height/8) < len(s.anchored) && s.anchored[height/8]>>(height%8)&1 == 1
}

func (s *State) setAnchored(height uint32) {
	for len(s.anchored) <= int(height/8) {
		s.anchored = append(s.anchored, 0)
	}
	s.anchored[height/8] |= 1 << (height % 8)
}
