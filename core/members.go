package core

import (
	"cmp"
	"fmt"
	"slices"

	"cloister/core/consensus"
	"cloister/core/consensus/engines"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// State decides who orders blocks (ledger.Membership); this file keeps what the
// node makes of it: the sets it knows, whether it runs an engine and in which
// slot, and whom it talks to.
//
// A set is learnt by execution, made durable, and only then used: state may
// become durable at any time, and a node that comes back on it must still know
// the set its blocks are sealed by.

// recNode is the type of the node's own records in the log; engines use lower ones.
const recNode byte = 0xe0

// nodeRecord is what a node has to remember beside state and the engine's log.
// The newest counts.
type nodeRecord struct {
	_ struct{} `cbor:",toarray"`
	// Slot is where the engine's records from here on belong; 0: no engine runs.
	Slot uint64
	// Ahead says that state may stand above what the engine's log holds.
	Ahead bool
	// Sets are known member sets, ascending, from that of durable state on.
	Sets []*wire.MemberSet
}

// maxSets bounds the sets of a record. State is flushed when flushSets are known,
// at the latest after flushBlocks, and an epoch has two blocks at least.
const (
	maxSets       = 2*flushBlocks + 8
	maxNodeRecord = maxSets*wire.MaxMemberSet + 64
)

func decodeNodeRecord(b []byte) (*nodeRecord, error) {
	r := new(nodeRecord)
	if err := wire.Unmarshal(b, r, maxNodeRecord); err != nil {
		return nil, fmt.Errorf("node record: %w", err)
	}
	for i, set := range r.Sets {
		if set == nil || i > 0 && set.Epoch != r.Sets[i-1].Epoch+1 {
			return nil, fmt.Errorf("node record: %w: epochs have gaps", wire.ErrEncoding)
		}
	}
	return r, nil
}

// epoch is a member set with its hash.
type epoch struct {
	set  *wire.MemberSet
	hash wire.Hash
}

// membership is what the node knows of who orders blocks.
type membership struct {
	roster *wire.Roster // newest by execution
	known  []epoch      // learnt and durable, ascending; the first is that of durable state or older
	newest epoch        // as roster decides, if a proper successor; may not be durable yet
	sealed uint64       // epoch of the newest sealed block

	slot    uint64 // of the engine that runs, 0: none
	ahead   bool
	written bool   // a node record stands in the log
	keeping int    // records that are not durable yet
	seq     uint64 // where the newest stands; 0: none, or not durable yet
}

// remember puts the log's node records aside and keeps the engine's that belong
// to the slot of the last one.
func (n *Node) remember(log []step.Record) (own []step.Record, err error) {
	m := &n.membership
	genesis := n.cfg.Genesis.MemberSet()
	m.known = []epoch{{genesis, genesis.Hash()}}
	if self := genesis.ByID(n.id); self != nil {
		m.slot = self.Slot
	}
	for _, r := range log {
		if r.Type != recNode {
			own = append(own, r)
			continue
		}
		x, err := decodeNodeRecord(r.Data)
		if err != nil {
			return nil, err
		}
		if x.Slot != m.slot {
			own = nil // of an incarnation that is no more
		}
		m.slot, m.ahead, m.seq, m.written = x.Slot, x.Ahead, r.Seq, true
		m.known = nil
		for _, set := range x.Sets {
			m.known = append(m.known, epoch{set, set.Hash()})
		}
	}
	return own, nil
}

// settleSets finds out, at boot, which set is in force at the tip.
func (n *Node) settleSets() bool {
	m := &n.membership
	h, r := n.tip.Header, n.tip.Roster
	if n.epochOf(h.Epoch) == nil && r.Set.Epoch == h.Epoch {
		m.known = []epoch{{r.Set, r.Set.Hash()}} // state itself says it
	}
	x := n.epochOf(h.Epoch)
	if x == nil || x.hash != h.MembersHash {
		n.fatal(ExitCorrupt, NoteNoSet, h.Epoch)
		return false
	}
	n.members, m.newest = x.set, m.known[len(m.known)-1]
	return true
}

// decidedAt is the hash of the set a roster decides to come next, zero if it
// decides none that may.
func (n *Node) decidedAt(r *wire.Roster) wire.Hash {
	if x := n.membership.newest; x.set.Epoch == r.Set.Epoch {
		return x.hash
	}
	if x := n.epochOf(r.Set.Epoch); x != nil {
		return x.hash
	}
	return wire.Hash{}
}

// epochOf finds a known set, or returns nil.
func (n *Node) epochOf(number uint64) *epoch {
	known := n.membership.known
	if len(known) == 0 || number < known[0].set.Epoch || number-known[0].set.Epoch >= uint64(len(known)) {
		return nil
	}
	return &known[number-known[0].set.Epoch]
}

// next is the set that state decided to follow the one in force, or nil. After
// a crash state may have to decide again what is known already.
func (n *Node) next() *wire.MemberSet {
	x := n.epochOf(n.members.Epoch + 1)
	if x == nil || n.membership.roster.Set.Epoch <= n.members.Epoch {
		return nil
	}
	return x.set
}

// onRoster takes what the newest executed block decides.
func (n *Node) onRoster(r *wire.Roster) {
	m := &n.membership
	old := m.roster
	if m.roster = r; old != nil && (old == r || sameRoster(old, r)) {
		return
	}
	if r.Set.Epoch > m.newest.set.Epoch {
		// A set that is no proper successor is never handed over to: the chain goes
		// on with the one it has.
		if _, err := quorum.Step(m.newest.set, r.Set); err != nil {
			n.note(NoteBadSet, r.Set.Epoch)
			return
		}
		m.newest = epoch{r.Set, r.Set.Hash()}
		n.learn(m.newest)
	} else if old != nil && r.Set.Epoch > old.Set.Epoch {
		n.announce()
	}
	n.meet()
}

func sameRoster(a, b *wire.Roster) bool {
	return a.Set.Epoch == b.Set.Epoch && slices.Equal(a.Nodes, b.Nodes)
}

// learn makes a set durable, then believes blocks of its epoch.
func (n *Node) learn(x epoch) {
	n.keep(func() {
		n.membership.known = append(n.membership.known, x)
		n.announce()
		n.unpark()
		n.advanceCatchUp()
		n.wake = true
	})
}

// keep writes a node record; then runs once it is durable.
func (n *Node) keep(then func()) {
	m := &n.membership
	r := nodeRecord{Slot: m.slot, Ahead: m.ahead}
	for _, x := range m.known {
		r.Sets = append(r.Sets, x.set)
	}
	if n.epochOf(m.newest.set.Epoch) == nil {
		r.Sets = append(r.Sets, m.newest.set)
	}
	m.written = true
	m.keeping++
	n.out.Add(step.Append{Recs: []step.Record{{Type: recNode, Data: wire.Marshal(&r)}}, Token: n.ask(func(_ step.Now, result any, err error) {
		done, ok := result.(step.LogDone)
		if err != nil || !ok {
			n.fatal(ExitCorrupt, NoteIOFailed)
			return
		}
		m.keeping--
		m.seq = done.LastSeq
		then()
	})})
}

// cutLog lets the log go below a record, but not what the node has to remember.
func (n *Node) cutLog(before uint64) {
	cut := func() { n.out.Add(step.Cut{Before: min(before, n.membership.seq)}) }
	switch m := &n.membership; {
	case before == 0:
	case !m.written:
		n.out.Add(step.Cut{Before: before})
	case m.seq >= before:
		n.out.Add(step.Cut{Before: before})
	default:
		n.keep(cut)
	}
}

// forget drops sets that durable state is past.
func (n *Node) forget(flushed uint64) {
	m := &n.membership
	// The set before the one in force is still needed by members that leave.
	for len(m.known) > 1 && m.known[0].set.Epoch < n.execs[flushed].epoch && m.known[0].set.Epoch+1 < n.members.Epoch {
		m.known = m.known[1:]
	}
}

// enforce makes the set of a decided block the one in force.
func (n *Node) enforce(number uint64) {
	x := n.epochOf(number)
	if x == nil {
		n.fatal(ExitCorrupt, NoteExecFailed, number) // judged without a set: cannot be
		return
	}
	n.members = x.set
	n.note(NoteEpoch, number)
	n.announce()
	n.meet()
}

// sealedEpoch notes that a set has sealed a block: members that left are not
// needed any longer.
func (n *Node) sealedEpoch(number uint64) {
	if number <= n.membership.sealed {
		return
	}
	n.membership.sealed = number
	n.meet()
	n.deferred = append(n.deferred, n.attend)
}

// announce tells the engine which sets there are, and starts or stops it.
func (n *Node) announce() {
	if n.engine != nil {
		e, now, next := n.engine, n.members, n.next()
		n.deferred = append(n.deferred, func() {
			if n.engine == e {
				e.Decided(n.now, now, next)
			}
		})
	}
	n.deferred = append(n.deferred, n.attend)
}

// place is this node's entry in the newest set it knows, which may be ahead of
// the state: a slot it was told to leave is never taken again.
func (n *Node) place() *wire.Member {
	known := n.membership.known
	return known[len(known)-1].set.ByID(n.id)
}

// seated is the newest known epoch whose set has a slot, 0 if none has.
func (n *Node) seated(slot uint64) uint64 {
	for _, x := range slices.Backward(n.membership.known) {
		if x.set.BySlot(slot) != nil {
			return x.set.Epoch
		}
	}
	return 0
}

// attend starts an engine when the node has become a member, and stops it when
// it is none: after the first seal of a set without it, because until then the
// old set's majority may need its vote (consensus specification §4.4).
func (n *Node) attend() {
	m := &n.membership
	at := n.place()
	switch {
	case m.slot == 0 && at != nil:
		m.slot, m.ahead = at.Slot, true
		slot := at.Slot
		n.keep(func() {
			if n.membership.slot == slot && n.engine == nil {
				n.startEngine(nil)
			}
		})
	case m.slot != 0 && n.engine != nil && n.members.Epoch > n.seated(m.slot) && m.sealed >= n.members.Epoch:
		n.stopEngine()
	}
}

// startEngine boots an engine in the node's slot. log is what it wrote there before.
func (n *Node) startEngine(log []step.Record) {
	m := &n.membership
	var e consensus.Engine
	if n.cfg.Engine != nil {
		e = n.cfg.Engine()
	} else {
		e = engines.New(n.cfg.Genesis.EngineKind())
	}
	n.engine, n.catch, n.built = e, nil, built{}
	genesis := n.cfg.Genesis.Header()
	n.note(NoteMember, m.slot)
	e.Boot(n.now, consensus.Boot{
		Self: n.id, Slot: m.slot, Key: n.cfg.Key, ChainID: n.chainID,
		Genesis: &wire.Block{Header: genesis, Hash: genesis.Hash()}, First: n.cfg.Genesis.MemberSet(),
		Members: n.members, Next: n.next(), Seed: n.seed, Log: log, Executed: n.decided, Ahead: m.ahead,
	}, (*app)(n))
}

// stopEngine makes the node an observer, from a durable record on.
func (n *Node) stopEngine() {
	n.engine, n.catch = nil, nil
	n.membership.slot = 0
	n.pool.init(n.cfg.Genesis.Limits)
	n.note(NoteObserver, n.members.Epoch)
	n.keep(func() {
		n.cutLog(n.membership.seq)
		n.deferred = append(n.deferred, n.attend)
	})
}

// role is this node's part, as operators see it.
func (n *Node) role() string {
	if n.membership.slot == 0 {
		return "observer"
	}
	at := n.members.ByID(n.id)
	if at == nil {
		at = n.place()
	}
	switch {
	case at == nil:
		return "observer"
	case at.Role == wire.Voter:
		return "voter"
	case at.Role == wire.Audit:
		return "audit"
	}
	return "learner"
}

// meet brings the peers in line with the roster: members of the set in force
// and of the one decided, and until the newest set has sealed a block those of
// the set before it; but nobody who is barred.
func (n *Node) meet() {
	m := &n.membership
	if m.roster == nil || !n.booted {
		return
	}
	var leaving, all []wire.Member
	add := func(set *wire.MemberSet, old bool) {
		for _, x := range set.Members {
			if slices.ContainsFunc(all, func(y wire.Member) bool { return y.ID == x.ID }) {
				continue
			}
			all = append(all, x)
			if old {
				leaving = append(leaving, x)
			}
		}
	}
	add(m.roster.Set, false)
	add(n.members, true)
	if before := n.epochOf(n.members.Epoch - 1); before != nil && m.sealed < n.members.Epoch {
		add(before.set, true)
	}
	slices.SortFunc(all, func(a, b wire.Member) int { return cmp.Compare(a.Slot, b.Slot) })
	was := n.circle
	n.circle = nil
	for _, x := range all {
		standing := m.roster.Of(x.ID)
		if x.ID == n.id || standing != nil && standing.Barred != wire.OK {
			continue
		}
		p := n.peers[x.ID]
		if p == nil {
			p = &peer{id: x.ID}
			n.peers[x.ID] = p
		}
		p.slot = x.Slot
		n.circle = append(n.circle, p)
	}
	for _, p := range was {
		if !slices.Contains(n.circle, p) {
			delete(n.peers, p.id)
		}
	}
	n.out.Add(step.Roster{Roster: m.roster, Leaving: leaving})
}
