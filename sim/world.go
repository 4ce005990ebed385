package sim

import (
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
	"encoding/json"
)

// deliver carries a message with a drawn delay, or loses or repeats it.
func (n *Network) deliver(from, to *node, msg []byte) {
	if to == nil || to.machine == nil || n.cut[[2]int{from.index, to.index}] {
		return
	}
	if n.lossPct > 0 && n.rng.IntN(100) < n.lossPct {
		return
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
	case 8, 9:
		n.hunt(1 + n.rng.IntN(5))
	}
}

// hunt crashes whoever leads, several times in a row: leaders that die young
// are what the rule about old terms (Raft, figure 8) is for.
func (n *Network) hunt(times int) {
	for _, nd := range n.nodes {
		if nd.machine != nil && nd.status().Leading {
			n.crashFor(nd, n.between(100*millisecond, 3*second))
			times--
			break
		}
	}
	if times > 0 {
		n.after(n.between(20*millisecond, 600*millisecond), -1, func() { n.hunt(times) })
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
	n.lossPct = 0
	for _, nd := range n.nodes {
		nd.skewMs, nd.slowDisk = 0, false
		if nd.machine == nil {
			nd.start()
		}
	}
}

// client submits transactions and remembers what it was told.
type client struct {
	net      *Network
	key      wire.PrivateKey
	chain    wire.Hash
	made     uint64
	open     map[wire.Hash]*pending
	order    []*pending
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
	ends int64 // virtual µs after which it cannot be recorded
	tell bool  // gone
}

func (c *client) init(n *Network) {
	c.net, c.key = n, wire.NewPrivateKey(wire.TH("cloister/sim/client/v1"))
	c.open, c.recorded, c.asked = map[wire.Hash]*pending{}, map[wire.Hash]place{}, map[uint64]*pending{}
	c.chain = factom.ChainID([][]byte{[]byte("sim")})
	params, err := json.Marshal(token.Params{Rate: 1000, Allocations: []token.Allocation{
		{Address: wire.AccountOf(c.key.Public()).String(), Factoshis: 1e15, Credits: 1e9},
	}})
	if err != nil {
		n.fail("genesis: %v", err)
	}
	n.genesis.Families = []wire.FamilyGenesis{{Name: token.Name, Params: params}, {Name: record.Name}}
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
	n.after(n.between(5*millisecond, 60*millisecond), -1, c.submit)
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
	tx := &wire.Tx{ChainID: n.genesis.ChainID(), NotAfterMs: uint64(epoch + n.now/millisecond + 15_000)}
	copy(tx.Nonce[:], wire.U64(c.made))
	switch {
	case c.made == 1:
		e := factom.Entry{ChainID: c.chain, ExtIDs: [][]byte{[]byte("sim")}}
		b, _ := e.Marshal()
		tx.Family, tx.Payload = record.Name, record.CreateChain(b)
	case c.made%3 == 0:
		to := wire.Account(wire.TH("cloister/sim/to/v1", wire.U64(n.rng.Uint64N(50))))
		p := token.Payload{Transfers: []token.Output{{To: to, Amount: 1 + n.rng.Uint64N(1000)}}}
		tx.Family, tx.Payload = token.Name, p.Bytes()
	default:
		e := factom.Entry{ChainID: c.chain, Content: wire.U64(n.rng.Uint64())}
		b, _ := e.Marshal()
		tx.Family, tx.Payload = record.Name, record.AddEntry(b)
	}
	tx.Sign(c.key)
	return &pending{id: tx.ID(), raw: tx.Bytes(), ends: n.now + 20*second}
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
	case wire.OK, wire.ErrBusy, wire.ErrReplayed, wire.ErrUnknownChain, wire.ErrExpired, wire.ErrTooFarAhead:
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
		if r.Code == wire.ErrReplayed {
			continue
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
