package sim

import (
	"encoding/json"

	"cloister/core"
	"cloister/core/consensus/raft"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// deliver carries a message with a drawn delay, or loses or repeats it.
func (n *Network) deliver(from, to *node, msg []byte) {
	msg = core.MapEngineMessages(msg, func(m []byte) []byte {
		if height, hash, ok := raft.SealIn(m); ok {
			n.checkSeal(from, height, hash)
		}
		if n.story.stage == 3 && from == n.story.first {
			return raft.Withhold(m, n.story.term)
		}
		return m
	})
	if to == nil || to.machine == nil || !n.linked[[2]int{min(from.index, to.index), max(from.index, to.index)}] ||
		n.cut[[2]int{from.index, to.index}] {
		return
	}
	if n.lossPct > 0 && n.rng.IntN(100) < n.lossPct {
		return
	}
	if from.muted {
		if from.words == 0 {
			return
		}
		from.words--
	}
	copies := 1
	if n.lossPct > 0 && n.rng.IntN(100) < 3 {
		copies = 2
	}
	for range copies {
		delay := n.between(100, 5*millisecond)
		if n.lossPct > 0 && n.rng.IntN(100) < 5 {
			delay = n.between(5*millisecond, 500*millisecond) // late, so out of order
		}
		n.after(delay, to.index, func() {
			to.step(step.PeerMsg{From: from.id, Msg: append([]byte(nil), msg...)})
		})
	}
}

// checkSeal holds a seal that exists, whether or not anyone acts on it, against
// every other: a seal is a proof, and two for one height prove a fork.
func (n *Network) checkSeal(from *node, height uint64, hash wire.Hash) {
	known, ok := n.sealed[height]
	if ok && known != hash {
		n.fail("node %d has a seal for another block %d than was sealed before", from.index, height)
	}
	n.sealed[height] = hash
	if !ok && from == n.story.first {
		n.later(n.between(0, 50*millisecond), n.turn) // the worst moment is soon after a seal
	}
}

// scheduleFault does one drawn harm after another until the load ends.
func (n *Network) scheduleFault() {
	n.after(n.between(100*millisecond, 1500*millisecond), -1, func() {
		if n.now < int64(n.opts.Load)*second {
			n.harm()
			n.scheduleFault()
		}
	})
}

func (n *Network) harm() {
	victim := n.nodes[n.rng.IntN(len(n.nodes))]
	switch n.rng.IntN(10) {
	case 0, 1:
		n.crashFor(victim, n.between(10*millisecond, 3*second))
	case 2: // all at once
		for _, nd := range n.nodes {
			n.crashFor(nd, n.between(10*millisecond, second))
		}
	case 3: // cut one node off, both ways or one way
		oneWay := n.rng.IntN(2) == 0
		n.partition(victim, oneWay, n.between(200*millisecond, 4*second))
	case 4:
		n.lossPct = 20
		n.after(n.between(second, 3*second), -1, func() { n.lossPct = 0 })
	case 5:
		victim.skewMs = n.between(-3_600_000, 3_600_000)
		n.after(n.between(second, 3*second), -1, func() { victim.skewMs = 0 })
	case 6:
		victim.slowDisk = true
		n.after(n.between(second, 3*second), -1, func() { victim.slowDisk = false })
	case 7: // the minority gets the leader, whoever it is: two groups
		at := n.rng.IntN(len(n.nodes))
		n.split(at, n.between(500*millisecond, 4*second))
	case 8, 9: // the next leaders die young
		n.hunted += 1 + n.rng.IntN(6)
		if victim.machine != nil && !victim.status().Leading {
			break
		}
		n.crashFor(victim, n.between(10*millisecond, 2*second))
	}
}

// elected hears of every new leader.
func (n *Network) elected(nd *node) {
	switch {
	case n.now >= int64(n.opts.Load)*second:
	case n.opts.Figure8:
		n.figure8(nd)
	case n.hunted > 0: // it dies young
		n.hunted--
		life := nd.life
		n.after(n.between(0, 30*millisecond), -1, func() {
			if nd.life == life {
				n.crashFor(nd, n.between(10*millisecond, 2500*millisecond))
			}
		})
	}
}

// figure8 directs leaders through the story the rule about old terms is for
// (Raft, figure 8). One leads and its block reaches nobody; another leads, and
// nothing of it leaves; the first leads again, and is cut off after a drawn
// number of frames, when its old block may be at a majority; the second, whose
// log ends in a later term, leads again and replaces that block.
func (n *Network) figure8(nd *node) {
	again := nd == n.story.first
	switch {
	case n.story.stage == 0 || n.story.stage == 1 && again:
		nd.muted, nd.words = true, 2
		n.story.first, n.story.stage = nd, 1
	case n.story.stage == 1:
		n.isolate(nd)
		n.story.first.muted = false
		n.story.second, n.story.stage = nd, 2
	case n.story.stage == 2 && again:
		n.story.stage, n.story.term = 3, nd.status().View
		n.later(n.between(500*millisecond, 2*second), n.turn)
	case n.story.stage < 4:
		n.story.stage = 4 // whoever leads now has time to seal, then all meet again
		n.later(n.between(second, 2*second), func() {
			clear(n.cut)
			for _, p := range n.nodes {
				p.muted = false
			}
			n.story.stage = 0
			for _, p := range n.nodes { // and the next story begins
				if p.machine != nil && p.status().Leading {
					n.crashFor(p, n.between(100*millisecond, second))
				}
			}
		})
	}
}

// turn is the moment in figure 8 when the first leader is cut off and the
// second may lead again.
func (n *Network) turn() {
	if n.story.stage == 3 {
		clear(n.cut)
		n.isolate(n.story.first)
		n.story.term = 0
	}
}

// later does harm after a delay, unless the time for harm is over by then.
func (n *Network) later(delay int64, do func()) {
	n.after(delay, -1, func() {
		if n.now < int64(n.opts.Load)*second {
			do()
		}
	})
}

func (n *Network) isolate(nd *node) {
	for _, p := range n.nodes {
		n.cut[[2]int{p.index, nd.index}], n.cut[[2]int{nd.index, p.index}] = true, true
	}
}

func (n *Network) crashFor(nd *node, down int64) {
	if nd.machine == nil {
		return
	}
	nd.crash()
	n.after(down, -1, func() {
		if nd.machine == nil {
			nd.start()
		}
	})
}

func (n *Network) partition(victim *node, oneWay bool, length int64) {
	for _, p := range n.nodes {
		if p == victim {
			continue
		}
		n.cut[[2]int{p.index, victim.index}] = true
		if !oneWay {
			n.cut[[2]int{victim.index, p.index}] = true
		}
	}
	n.after(length, -1, func() {
		for _, p := range n.nodes {
			delete(n.cut, [2]int{p.index, victim.index})
			delete(n.cut, [2]int{victim.index, p.index})
		}
	})
}

func (n *Network) split(at int, length int64) {
	side := func(i int) bool { return (i+at)%len(n.nodes) < len(n.nodes)/2 }
	for _, a := range n.nodes {
		for _, b := range n.nodes {
			if side(a.index) != side(b.index) {
				n.cut[[2]int{a.index, b.index}] = true
			}
		}
	}
	n.after(length, -1, func() { clear(n.cut) })
}

// heal ends every fault and brings every node up.
func (n *Network) heal() {
	clear(n.cut)
	n.lossPct, n.story.stage = 0, 0
	for _, nd := range n.nodes {
		nd.skewMs, nd.slowDisk, nd.muted = 0, false, false
		if nd.machine == nil {
			nd.start()
		}
	}
}

// periodMs is the length of a directory block's period: short, so that each story
// closes some.
const periodMs = 5000

// creditRate is what an entry credit costs, in factoshis.
const creditRate = 1000

// client submits transactions and remembers what it was told.
type client struct {
	net      *Network
	key      wire.PrivateKey
	chain    wire.Hash
	made     uint64
	stamp    uint64 // time of the newest message that carries its own signature, ms
	open     map[wire.Hash]*pending
	order    []*pending
	carries  map[wire.Hash]bool // messages with their own signatures, all there were
	recorded map[wire.Hash]place
	asked    map[uint64]*pending
	nextID   uint64
}

type place struct {
	height uint64
	hash   wire.Hash
}

type pending struct {
	id   wire.Hash
	raw  []byte
	ends int64 // virtual µs after which nobody waits for it any more
}

func (c *client) init(n *Network) {
	c.net, c.key = n, wire.NewPrivateKey(wire.TH("cloister/sim/client/v1"))
	c.open, c.recorded, c.asked = map[wire.Hash]*pending{}, map[wire.Hash]place{}, map[uint64]*pending{}
	c.carries = map[wire.Hash]bool{}
	c.chain = factom.ChainID([][]byte{[]byte("sim")})
	params, err := json.Marshal(token.Params{Rate: creditRate, Allocations: []token.Allocation{
		{Address: wire.AccountOf(c.key.Public()).String(), Factoshis: 1e15, Credits: 1e9},
	}})
	if err != nil {
		n.fail("genesis: %v", err)
	}
	periods, err := json.Marshal(record.Params{PeriodMs: periodMs})
	if err != nil {
		n.fail("genesis: %v", err)
	}
	n.genesis.Families = []wire.FamilyGenesis{{Name: token.Name, Params: params}, {Name: record.Name, Params: periods}}
	if n.opts.Spares > 0 {
		n.genesis.Families = append(n.genesis.Families, wire.FamilyGenesis{Name: seatsName})
	}
}

func (c *client) start() { c.net.after(50*millisecond, -1, c.submit) }

// submit gives a new transaction to a drawn node, and an old one to another.
func (c *client) submit() {
	n := c.net
	if n.now >= int64(n.opts.Load)*second {
		n.after(200*millisecond, -1, c.insist)
		return
	}
	for range 1 + n.rng.IntN(4) {
		p := c.make()
		c.open[p.id] = p
		c.order = append(c.order, p)
		c.send(p)
	}
	if len(c.order) > 0 && n.rng.IntN(3) == 0 {
		c.send(c.order[n.rng.IntN(len(c.order))])
	}
	pause := n.between(5*millisecond, 60*millisecond)
	if n.opts.Figure8 {
		pause *= 10 // elections are the story, not the load
	}
	n.after(pause, -1, c.submit)
}

// insist sends what is still open again until it is recorded or too old.
func (c *client) insist() {
	kept := c.order[:0]
	for _, p := range c.order {
		if c.open[p.id] == nil {
			continue
		}
		if c.net.now > p.ends {
			delete(c.open, p.id)
			continue
		}
		kept = append(kept, p)
		c.send(p)
	}
	c.order = kept
	if len(c.order) > 0 {
		c.net.after(500*millisecond, -1, c.insist)
	}
}

func (c *client) make() *pending {
	c.made++
	n := c.net
	switch {
	case c.made == 1:
		return c.pair(record.CreateChain, &factom.Entry{ChainID: c.chain, ExtIDs: [][]byte{[]byte("sim")}})
	case c.made%3 == 0:
		to := wire.Account(wire.TH("cloister/sim/to/v1", wire.U64(n.rng.Uint64N(50))))
		t, err := token.Pay(c.key, c.stamped(), creditRate, []token.Output{{To: to, Amount: 1 + n.rng.Uint64N(1000)}}, nil)
		if err != nil {
			n.fail("payment: %v", err)
		}
		return c.carried(token.Name, t.Bytes())
	}
	return c.pair(record.AddEntry, &factom.Entry{ChainID: c.chain, Content: wire.U64(n.rng.Uint64())})
}

func (c *client) pair(of func([]byte, uint64, wire.PrivateKey) ([]byte, error), e *factom.Entry) *pending {
	b, err := e.Marshal()
	if err != nil {
		c.net.fail("entry: %v", err)
	}
	payload, err := of(b, c.stamped(), c.key)
	if err != nil {
		c.net.fail("pair: %v", err)
	}
	return c.carried(record.Name, payload)
}

// stamped is a time for one message: the ledger takes one per key and millisecond.
func (c *client) stamped() uint64 {
	c.stamp = max(uint64(epoch+c.net.now/millisecond), c.stamp+1)
	return c.stamp
}

func (c *client) carried(family string, payload []byte) *pending {
	p := c.pending(wire.Carry(c.net.genesis.ChainID(), family, payload))
	c.carries[p.id] = true
	return p
}

// sign makes a transaction for a family.
func (c *client) sign(family string, payload []byte) *pending {
	c.made++
	n := c.net
	tx := &wire.Tx{
		ChainID: n.genesis.ChainID(), Family: family, Payload: payload,
		NotAfterMs: uint64(epoch + n.now/millisecond + 15_000),
	}
	copy(tx.Nonce[:], wire.U64(c.made))
	tx.Sign(c.key)
	return c.pending(tx)
}

func (c *client) pending(tx *wire.Tx) *pending {
	return &pending{id: tx.ID(), raw: tx.Bytes(), ends: c.net.now + 20*second}
}

func (c *client) send(p *pending) {
	n := c.net
	to := n.nodes[n.rng.IntN(len(n.nodes))]
	if to.machine == nil {
		return
	}
	c.nextID++
	c.asked[c.nextID] = p
	to.step(step.Submit{ID: c.nextID, Txs: [][]byte{append([]byte(nil), p.raw...)}})
}

func (c *client) answered(_ *node, id uint64, reply any) {
	p := c.asked[id]
	delete(c.asked, id)
	r, ok := reply.(step.SubmitReply)
	if p == nil || !ok {
		return
	}
	if len(r.Items) != 1 {
		c.net.fail("submit of one transaction answered with %d results", len(r.Items))
		return
	}
	switch r.Items[0].Code {
	case wire.OK, wire.ErrNotReady, wire.ErrBusy, wire.ErrReplayed, wire.ErrUnknownChain, wire.ErrExpired, wire.ErrTooFarAhead:
	default:
		c.net.fail("transaction %s refused: %v", p.id, r.Items[0].Code)
	}
}

// published is the moment a client is told: the block's transactions are recorded.
func (c *client) published(f *step.Final) {
	for _, raw := range f.Results {
		r, err := wire.DecodeResult(raw)
		if err != nil {
			c.net.fail("result in block %d: %v", f.Header.Height, err)
			return
		}
		if r.Code == wire.ErrReplayed || r.Code != wire.OK && c.carries[r.TxID] {
			continue // what carries its own signature may come again: it had no effect
		}
		at, known := c.recorded[r.TxID]
		if known && (at.height != f.Header.Height || at.hash != f.Hash) {
			c.net.fail("transaction %s recorded at %d and at %d", r.TxID, at.height, f.Header.Height)
			return
		}
		c.recorded[r.TxID] = place{f.Header.Height, f.Hash}
		delete(c.open, r.TxID)
	}
}

func (c *client) idle() bool { return len(c.open) == 0 }
