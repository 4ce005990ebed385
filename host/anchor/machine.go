package anchor

import (
	"slices"

	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// ErrFork means that the ledger has a signed record of a height with another
// KeyMR than it gave this host: two histories are signed. Anchoring stops, an
// operator has to look.
var ErrFork = wire.Faultf(wire.ErrProof, "anchor: the ledger has a record of another directory block at a height that this host anchors")

// rules are the settings that decide.
type rules struct {
	depth    uint32 // blocks that make an anchor deep
	settle   uint32 // blocks after which a height is forgotten
	queue    int    // heights on their way
	maxChain int    // unconfirmed ancestors of a transaction
	fees     Fees
}

// machine decides; see the package's comment. It is not safe for concurrent use.
type machine struct {
	*state
	rules rules
	key   *Key

	// What follows is learnt anew after a start.

	rate  uint64                        // satoshi per virtual byte for new transactions
	sent  map[bitcoin.Hash]bitcoin.Hash // transaction → tip at which the node got it
	cheap map[bitcoin.Hash]bool         // refused for their fee
	short uint64                        // satoshi that are missing to go on; 0: none
	dirty bool                          // state is not as it was stored
}

func newMachine(s *state, r rules, k *Key) *machine {
	return &machine{state: s, rules: r, key: k, rate: r.fees.first(), sent: map[bitcoin.Hash]bitcoin.Hash{}, cheap: map[bitcoin.Hash]bool{}}
}

// step takes an event. Only look has actions. Errors are ErrFork, or mean that
// the library cannot sign.
func (m *machine) step(e event) (actions, error) {
	switch e := e.(type) {
	case begun:
		m.begin(e.unspent)
	case recalled:
		m.recall(e)
	case connected:
		m.connect(e.block)
	case disconnected:
		m.disconnect()
	case closed:
		m.Anchors = append(m.Anchors, anchor{Height: m.Next, KeyMR: e.keyMR})
		m.Next, m.dirty = m.Next+1, true
	case due:
		if a := m.find(e.height); a != nil && !a.Due {
			a.Due, m.dirty = true, true
		}
	case recorded:
		return actions{}, m.record(e)
	case rated:
		m.rate = m.rules.fees.clamp(e.rate)
	case refused:
		if e.fee {
			m.cheap[e.id] = true
		}
	case lost:
		clear(m.sent)
	case look:
		return m.look()
	}
	return actions{}, nil
}

// room reports whether another height can enter.
func (m *machine) room() bool { return len(m.Anchors) < m.rules.queue }

// begin sets the wallet to what it has at a block.
func (m *machine) begin(u Unspent) {
	m.Begun, m.Tip, m.Trail, m.Coins, m.dirty = true, u.Tip, []bitcoin.Hash{u.Tip.Hash}, nil, true
	for _, c := range u.Coins {
		m.addCoin(c)
	}
}

// connect follows the chain by one block.
func (m *machine) connect(b *bitcoin.Block) {
	at := Place{Height: m.Tip.Height + 1, Hash: b.Hash()}
	m.Tip, m.dirty = at, true
	if m.Trail = append(m.Trail, at.Hash); len(m.Trail) > trailLength {
		m.Trail = slices.Delete(m.Trail, 0, len(m.Trail)-trailLength)
	}
	ours := m.unmined()
	for i, tx := range b.Txs {
		m.spend(tx, at.Height)
		for j, out := range tx.Outputs {
			if string(out.Script) == string(m.key.script) {
				m.addCoin(Coin{Out: bitcoin.Outpoint{Tx: tx.ID(), Index: uint32(j)}, Value: out.Value, Born: at.Height, Coinbase: i == 0})
			}
		}
		if v, ok := ours[tx.ID()]; ok {
			v.mined(at, i)
		}
	}
	m.prune()
}

// mined notes where a version is. It becomes the last: it is what children build
// on, also after it is undone.
func (v made) mined(at Place, offset int) {
	v.a.Mined = &mined{At: at, Offset: uint32(offset)}
	won := v.a.Versions[v.i]
	v.a.Versions = append(slices.Delete(v.a.Versions, v.i, v.i+1), won)
}

// disconnect undoes the newest block. Undoing the oldest of the trail undoes
// everything: the wallet begins anew.
func (m *machine) disconnect() {
	gone := m.Tip.Height
	for i := range m.Anchors {
		a := &m.Anchors[i]
		if a.Mined != nil && (a.Mined.At.Height == gone || len(m.Trail) == 1) {
			a.Mined = nil
		}
		if a.Recorded != nil && (a.Recorded.Height == gone || len(m.Trail) == 1) {
			a.Recorded = nil
		}
	}
	m.dirty = true
	if len(m.Trail) == 1 {
		m.Begun, m.Tip, m.Trail, m.Coins = false, Place{}, nil, nil
		return
	}
	ours := m.unmined()
	m.Coins = slices.DeleteFunc(m.Coins, func(c Coin) bool {
		_, change := ours[c.Out.Tx] // it stands and falls with its anchor
		return c.Born == gone && change
	})
	for i := range m.Coins {
		c := &m.Coins[i]
		if c.Born == gone && c.Undone == 0 {
			c.Undone = gone
		}
		if c.Spent == gone {
			c.Spent = 0
		}
	}
	m.Trail = m.Trail[:len(m.Trail)-1]
	m.Tip = Place{Height: gone - 1, Hash: m.Trail[len(m.Trail)-1]}
}

// record takes note of a record if its block is in the chain.
func (m *machine) record(e recorded) error {
	a := m.find(e.height)
	switch {
	case a == nil:
		return nil
	case a.KeyMR != e.keyMR:
		return ErrFork
	}
	hash, known := m.onTrail(e.at.Height)
	in := known && hash == e.at.Hash || !known && e.at.Height <= m.Tip.Height && e.inChain
	switch {
	case in && (a.Recorded == nil || *a.Recorded != e.at):
		a.Recorded, m.dirty = &e.at, true
	case !in && a.Recorded != nil && *a.Recorded == e.at:
		a.Recorded, m.dirty = nil, true
	}
	return nil
}

// asks are the heights about which the ledger knows more: nobody has recorded
// them, and nothing has been sent for them.
func (m *machine) asks() (heights []uint32) {
	for i := range m.Anchors {
		if a := &m.Anchors[i]; a.Recorded == nil && len(a.Versions) == 0 {
			heights = append(heights, a.Height)
		}
	}
	return heights
}

// look brings every height one step on.
func (m *machine) look() (actions, error) {
	m.short = 0
	if !m.Begun {
		return actions{}, nil
	}
	if err := m.rebuild(); err != nil {
		return actions{}, err
	}
	replaced, err := m.replace()
	if err == nil && replaced { // what spent the replaced one's change has to follow
		err = m.rebuild()
	}
	if err != nil {
		return actions{}, err
	}
	var do actions
	v := m.view()
	for _, tx := range v.ordered() {
		if m.sent[tx.ID()] != m.Tip.Hash {
			m.sent[tx.ID()] = m.Tip.Hash
			do.send = append(do.send, tx)
		}
	}
	for i := range m.Anchors {
		if a := &m.Anchors[i]; a.Mined != nil && a.Recorded == nil && m.depth(a.Mined.At.Height) >= m.rules.depth {
			do.record = append(do.record, a.Height)
		}
	}
	m.forget(v)
	return do, nil
}

// forget drops anchors that are settled, also those that others made and
// recorded while the own transaction lost its money, and what was remembered
// about transactions that are gone.
func (m *machine) forget(v *view) {
	dead := map[uint32]bool{}
	for i := range m.Anchors {
		a := &m.Anchors[i]
		if a.Mined == nil && len(a.Versions) > 0 && a.Recorded != nil && m.depth(a.Recorded.Height) >= m.rules.settle && v.current(a) < 0 {
			dead[a.Height] = true
		}
	}
	n := len(m.Anchors)
	m.Anchors = slices.DeleteFunc(m.Anchors, func(a anchor) bool {
		return dead[a.Height] || m.settled(&a, m.rules.settle)
	})
	m.dirty = m.dirty || len(m.Anchors) < n
	known := m.unmined()
	for id := range m.sent { //deterministic: entries are judged one by one
		if _, ok := known[id]; !ok {
			delete(m.sent, id)
			delete(m.cheap, id)
		}
	}
}

// script is the anchor's output.
func (a *anchor) script() []byte {
	s := factom.AnchorScript(a.Height, a.KeyMR)
	return s[:]
}
