package sim

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"

	"cloister/core"
	"cloister/core/consensus/raft"
	"cloister/core/ledger"
	"cloister/core/ledger/store"
	"cloister/core/step"
	"cloister/wire"
)

// Virtual time, in microseconds.
const (
	millisecond = 1000
	second      = 1000 * millisecond
)

// Options describe a run. Zero values mean the defaults in parentheses.
type Options struct {
	Seed   uint64
	Nodes  int    // founding members (3)
	Spares int    // nodes that are no members at first; with any, members change all the time
	Engine string // "raft" or "solo" ("raft")
	// Load is how long, in virtual seconds, clients submit and faults happen (10).
	Load int
	// Faults off leaves only drawn delays.
	Faults bool
	// Rollback puts one node's disk back to an earlier state; it never comes up
	// again. The run ends with the load.
	Rollback bool
	// Lies has archives answer with blocks that are not the ones asked for: another
	// body under a good header and seal, or a header nobody decided.
	Lies bool
	// Figure8 directs leaders through the story of Raft's figure 8, with drawn timing.
	Figure8 bool
	// Raft plants faults in the raft engine; its MessageBytes are drawn.
	Raft raft.Trial
}

// Network is one simulated network.
type Network struct {
	opts    Options
	rng     *rand.Rand // delays and faults
	disk    *rand.Rand // what survives crashes; apart, so that sizes of tails shift nothing else
	now     int64      // virtual microseconds
	seq     uint64
	queue   events
	trace   hash.Hash
	steps   uint64
	genesis *wire.Genesis
	nodes   []*node
	byID    map[wire.NodeID]*node
	linked  map[[2]int]bool // channels both ends keep, lower index first
	newest  *wire.MemberSet // as some machine knows
	sets    map[wire.Hash]*wire.MemberSet
	cut     map[[2]int]bool // links that are down, from → to
	lossPct int
	hunted  int // how many of the next leaders are to die young
	story   struct {
		stage         int
		first, second *node
		term          uint64 // in which the first leads again
	}
	client client
	voted  *node                // Rollback: it has been a voter for a while
	caught bool                 // a node found its disk put back
	sealed map[uint64]wire.Hash // height → hash, as sealed or published by anyone
	err    error
}

// entry is something that will happen.
type entry struct {
	at   int64
	seq  uint64
	node int // -1: the world
	life int // of the node when it was scheduled; another life ignores it
	do   func()
}

type events []entry

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *events) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = entry{}
	*q = old[:len(old)-1]
	return x
}

// epoch is when virtual time starts, Unix milliseconds.
const epoch = 1_800_000_000_000

// New makes a network; Run starts it.
func New(o Options) *Network {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Engine == "" {
		o.Engine = "raft"
	}
	if o.Load == 0 {
		o.Load = 10
	}
	n := &Network{
		opts: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), disk: rand.New(rand.NewPCG(o.Seed, 2)),
		trace: sha256.New(), byID: map[wire.NodeID]*node{}, cut: map[[2]int]bool{}, sealed: map[uint64]wire.Hash{},
		linked: map[[2]int]bool{}, sets: map[wire.Hash]*wire.MemberSet{},
	}
	n.genesis = &wire.Genesis{
		Version: 1, Name: "simulated", TimeMs: epoch - 1000, Engine: o.Engine, Restart: "trust-disk", TEE: "none",
		Limits: wire.DefaultLimits,
	}
	keys := make([]wire.PrivateKey, o.Nodes+o.Spares)
	for i := range keys {
		keys[i] = wire.NewPrivateKey(wire.TH("cloister/sim/node/v1", wire.U64(uint64(i))))
		if i >= o.Nodes {
			continue
		}
		n.genesis.Members = append(n.genesis.Members, wire.GenesisMember{Name: fmt.Sprint("n", i), Key: keys[i].Public()})
	}
	// Figure 8 withholds entries on the wire: with one entry to a message every
	// answer to what was left would bring the same message again, without end.
	if n.rng.IntN(2) == 0 && !o.Figure8 {
		n.opts.Raft.MessageBytes = 1
	}
	n.client.init(n)
	n.newest = n.genesis.MemberSet()
	for i, k := range keys {
		nd := &node{net: n, index: i, key: k, id: wire.NodeIDOf(k.Public()), store: store.NewMemory()}
		n.nodes = append(n.nodes, nd)
		n.byID[nd.id] = nd
	}
	return n
}

// after schedules do for a node's present life, or for the world if node is -1.
func (n *Network) after(delay int64, node int, do func()) {
	life := 0
	if node >= 0 {
		life = n.nodes[node].life
	}
	n.seq++
	heap.Push(&n.queue, entry{n.now + max(0, delay), n.seq, node, life, do})
}

// between draws a delay.
func (n *Network) between(lo, hi int64) int64 { return lo + n.rng.Int64N(hi-lo+1) }

// Run runs load and faults, then heals everything and waits until all nodes
// agree. It returns the first broken invariant, or nil.
func (n *Network) Run() error {
	for i := range n.nodes {
		n.nodes[i].start()
	}
	n.client.start()
	if n.opts.Faults {
		n.scheduleFault()
	}
	if n.opts.Rollback {
		n.putBack()
	}
	if n.opts.Spares > 0 {
		n.pull()
		n.reseat()
	}
	end := int64(n.opts.Load) * second
	n.runUntil(end)
	if n.opts.Rollback {
		return n.err
	}
	n.heal()
	for deadline := n.now + 60*second; n.err == nil && n.now < deadline && !n.settled(); {
		n.runUntil(n.now + second/2)
	}
	if n.err == nil && !n.settled() {
		n.fail("the network did not recover within a minute: %s", n.describe())
	}
	if n.err == nil {
		n.audit()
	}
	return n.err
}

func (n *Network) runUntil(t int64) {
	for n.err == nil && len(n.queue) > 0 && n.queue[0].at <= t {
		e := heap.Pop(&n.queue).(entry)
		n.now = e.at
		if e.node >= 0 && n.nodes[e.node].life != e.life {
			continue // a crash cut it off
		}
		e.do()
	}
	n.now = max(n.now, t)
}

// Trace is the hash over every event every machine was given, and how many.
func (n *Network) Trace() (wire.Hash, uint64) { return wire.Hash(n.trace.Sum(nil)), n.steps }

// Heights are the newest published heights by node.
func (n *Network) Heights() (hs []uint64) {
	for _, nd := range n.nodes {
		hs = append(hs, nd.archive.height())
	}
	return hs
}

// Recorded is how many transactions clients were told are recorded.
func (n *Network) Recorded() int { return len(n.client.recorded) }

func (n *Network) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf("seed %d, step %d, %.6fs: %s", n.opts.Seed, n.steps, float64(n.now)/second, fmt.Sprintf(format, args...))
	}
}

func (n *Network) note(node int, ev step.Event) {
	n.steps++
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], uint64(n.now))
	binary.BigEndian.PutUint64(b[8:], uint64(node))
	binary.BigEndian.PutUint64(b[16:], n.steps)
	n.trace.Write(b[:])
	fmt.Fprintf(n.trace, "%T", ev)
	switch ev := ev.(type) {
	case step.PeerMsg:
		n.trace.Write(ev.From[:])
		n.trace.Write(ev.Msg)
	case step.Submit:
		for _, tx := range ev.Txs {
			n.trace.Write(tx)
		}
	case step.Done:
		fmt.Fprintf(n.trace, "%d %v", ev.Token, ev.Err)
		switch r := ev.Result.(type) {
		case *step.Executed:
			n.trace.Write(r.Tip.Hash[:])
			root := r.Tip.Exec.Root()
			n.trace.Write(root[:])
		case step.LogDone:
			fmt.Fprint(n.trace, r.LastSeq)
		case []byte:
			n.trace.Write(r)
		}
	case step.Archived:
		fmt.Fprint(n.trace, ev.Height)
	}
}

// settled reports whether every node is up, has published everything that was
// acknowledged, and follows a leader if it is a member, and all stand at one height.
func (n *Network) settled() bool {
	top := n.nodes[0].archive.height()
	for _, nd := range n.nodes {
		if nd.machine == nil || nd.archive.height() != top || nd.busy() || !nd.led() {
			return false
		}
	}
	return n.client.idle()
}

func (n *Network) describe() string {
	s := ""
	for _, nd := range n.nodes {
		s += fmt.Sprintf("node %d up=%t height=%d", nd.index, nd.machine != nil, nd.archive.height())
		if nd.machine != nil {
			st := nd.status()
			s += fmt.Sprintf(" decided=%d sealed=%d executed=%d view=%d leading=%t led=%t role=%s inflight=%d pool=%d", st.Height, st.Sealed, st.Executed, st.View, st.Leading, nd.led(), st.Role, st.InFlight, st.PoolTxs)
		}
		s += "; "
	}
	return s + fmt.Sprintf("%d transactions open", len(n.client.open))
}

// audit checks at the end that every acknowledgement holds on every node, and
// that executing the whole chain again from nothing gives the same state.
func (n *Network) audit() {
	for id, at := range n.client.recorded { //deterministic: only reports whether any is missing
		for _, nd := range n.nodes {
			f := nd.archive.at(at.height)
			if f == nil || f.Hash != at.hash {
				n.fail("node %d does not hold block %d with recorded transaction %s", nd.index, at.height, id)
				return
			}
		}
	}
	for _, nd := range n.nodes {
		n.followSets(nd)
	}
	l, err := ledger.Open(store.NewMemory(), n.genesis, n.families())
	if err != nil {
		n.fail("replay: %v", err)
		return
	}
	var busy uint64
	for _, f := range n.nodes[0].archive.blocks {
		done, err := core.Execute(l, &wire.Block{Header: f.Header, Hash: f.Hash, Body: f.Body}, &busy)
		if err != nil || done.Final.Exec != f.Exec {
			n.fail("replay of block %d: %v, exec %v", f.Header.Height, err, done)
			return
		}
	}
}
