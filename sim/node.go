package sim

import (
	"cloister/core"
	"cloister/core/consensus"
	"cloister/core/consensus/raft"
	"cloister/core/ledger"
	"cloister/core/ledger/store"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/query"
)

// node is one machine with its disk, its archive and its lives.
type node struct {
	net   *Network
	index int
	key   wire.PrivateKey
	id    wire.NodeID
	life  int

	machine *core.Node // nil while it is down
	ledger  *ledger.Ledger
	store   *store.Memory
	log     []step.Record // durable
	dirty   []step.Record // written, not synced
	nextSeq uint64
	archive archive
	tip     uint64
	busyTo  uint64
	offered uint64 // newest height the machine published in this life; 0: none

	unsynced   []promise // appends that no sync covers yet
	syncing    bool
	execFree   int64 // when the exec lane is free again
	skewMs     int64
	slowDisk   bool
	circle     map[wire.NodeID]bool // whom the machine keeps channels to
	rolledBack bool                 // its host put an old disk back
	muted      bool                 // only words more messages leave
	words      int
}

// promise is an Append to answer once everything up to seq is durable.
type promise struct {
	token step.Token
	seq   uint64
}

// archive is the host's: final blocks, of which a crash may lose the tail.
type archive struct {
	blocks  []*step.Final
	durable int
}

func (a *archive) height() uint64 { return uint64(len(a.blocks)) }

func (a *archive) at(height uint64) *step.Final {
	if height == 0 || height > a.height() {
		return nil
	}
	return a.blocks[height-1]
}

// start boots the node on whatever survived.
func (n *node) start() {
	n.life++
	n.offered = 0
	var err error
	if n.ledger, err = ledger.Open(n.store, n.net.genesis, n.net.families()); err != nil {
		n.net.fail("node %d cannot open its ledger: %v", n.index, err)
		return
	}
	enabled, _ := ledger.Enabled(n.net.genesis, n.net.families())
	cfg := core.Config{
		Genesis: n.net.genesis, Key: n.key, Families: enabled, Mode: "simulated", Simulated: true, Flushed: n.ledger.Height(),
	}
	if n.net.opts.Engine == "raft" {
		cfg.Engine = func() consensus.Engine { return raft.NewTrial(n.net.opts.Raft) }
	}
	boot, err := core.BootFrom(n.ledger, append([]step.Record(nil), n.log...), n.archive.height(), wire.TH("cloister/sim/boot/v1", wire.U64(n.net.opts.Seed), wire.U64(uint64(n.life))))
	if err != nil {
		n.net.fail("node %d cannot boot: %v", n.index, err)
		return
	}
	n.machine = core.New(cfg)
	n.busyTo = boot.Tip.Busy
	n.execFree = n.net.now
	n.step(boot)
	n.tick()
}

// crash ends the node at once: a drawn prefix of what was not synced survives,
// state falls back to the last flush, the archive loses a drawn tail.
func (n *node) crash() {
	if n.machine == nil {
		return
	}
	d := n.net.disk
	n.life++
	n.machine = nil
	keep := d.IntN(len(n.dirty) + 1)
	n.log = append(n.log, n.dirty[:keep]...)
	if len(n.log) > 0 {
		n.nextSeq = n.log[len(n.log)-1].Seq
	}
	n.dirty, n.unsynced, n.syncing = nil, nil, false
	n.store = n.store.Survivor()
	if lose := len(n.archive.blocks) - n.archive.durable; lose > 0 {
		n.archive.blocks = n.archive.blocks[:n.archive.durable+d.IntN(lose+1)]
	}
	n.circle = nil
	n.net.link(n)
}

func (n *node) tick() {
	n.step(step.Tick{})
	n.net.after(10*millisecond, n.index, n.tick)
}

// step gives the machine an event and carries out what it wants.
func (n *node) step(ev step.Event) {
	if n.machine == nil || n.net.err != nil {
		return
	}
	n.net.note(n.index, ev)
	now := step.Now{Elapsed: n.net.now / millisecond, Unix: epoch + n.net.now/millisecond + n.skewMs}
	var out step.Effects
	n.machine.Step(now, ev, &out)
	for _, e := range out.List {
		n.carryOut(e)
	}
}

func (n *node) done(t step.Token, result any, err error) {
	n.step(step.Done{Token: t, Result: result, Err: err})
}

func (n *node) carryOut(e step.Effect) {
	w := n.net
	switch e := e.(type) {
	case step.Append:
		n.append(e)
	case step.Cut:
		for len(n.log) > 0 && n.log[0].Seq < e.Before {
			n.log = n.log[1:]
		}
	case step.Execute:
		if known, ok := w.sealed[e.Block.Header.Height]; ok && known != e.Block.Hash {
			w.fail("node %d decided another block %d than was sealed before", n.index, e.Block.Header.Height)
			return
		}
		n.execFree = max(n.execFree, w.now) + w.between(50, 2*millisecond)
		w.after(n.execFree-w.now, n.index, func() {
			done, err := core.Execute(n.ledger, e.Block, &n.busyTo)
			if err == nil {
				n.tip = e.Block.Header.Height
				n.done(e.Token, done, nil)
				return
			}
			n.done(e.Token, nil, err)
		})
	case step.Flush:
		n.execFree = max(n.execFree, w.now) + w.between(millisecond, 20*millisecond)
		w.after(n.execFree-w.now, n.index, func() {
			n.ledger.Prune(e.Archived)
			height, err := n.ledger.Flush()
			n.done(e.Token, height, err)
		})
	case step.Compute:
		w.after(w.between(20, millisecond), n.index, func() { n.done(e.Token, e.F(), nil) })
	case step.Read:
		w.after(w.between(20, millisecond), n.index, func() {
			v := n.ledger.View()
			result := e.F(v)
			v.Close()
			n.done(e.Token, result, nil)
		})
	case step.Fetch:
		w.after(w.between(100, 3*millisecond), n.index, func() { n.fetch(e) })
	case step.Send:
		w.deliver(n, w.byID[e.To], e.Msg)
	case step.Answer:
		w.client.answered(n, e.ID, e.Reply)
	case step.Publish:
		n.publish(e.Final)
	case step.Roster:
		w.learnSets(e.Roster)
		n.meet(e)
	case step.Note:
		if e.ID == raft.NoteLeader {
			w.elected(n)
		}
	case step.Fatal:
		if n.caught(e) {
			return
		}
		w.fail("node %d stopped itself: code %d, event %#x %v", n.index, e.Code, e.Note.ID, e.Note.Numbers)
	}
}

// append writes records; whoever waits while a sync runs shares the next one,
// as in production.
func (n *node) append(e step.Append) {
	for _, r := range e.Recs {
		n.nextSeq++
		r.Seq = n.nextSeq
		r.Data = append([]byte(nil), r.Data...)
		n.dirty = append(n.dirty, r)
	}
	n.unsynced = append(n.unsynced, promise{e.Token, n.nextSeq})
	if !n.syncing {
		n.sync()
	}
}

// sync makes everything written so far durable after a drawn time, then gives
// the promises that waited for it.
func (n *node) sync() {
	w := n.net
	group := n.unsynced
	n.unsynced, n.syncing = nil, true
	last := group[len(group)-1].seq
	slow := w.between(100, 4*millisecond)
	if n.slowDisk {
		slow += w.between(50*millisecond, 400*millisecond)
	}
	w.after(slow, n.index, func() {
		for len(n.dirty) > 0 && n.dirty[0].Seq <= last {
			n.log = append(n.log, n.dirty[0])
			n.dirty = n.dirty[1:]
		}
		n.syncing = false
		if len(n.unsynced) > 0 {
			n.sync()
		}
		for _, p := range group {
			n.done(p.token, step.LogDone{LastSeq: p.seq}, nil)
		}
	})
}

func (n *node) fetch(e step.Fetch) {
	height := uint64(0)
	for _, b := range e.Key {
		height = height<<8 | uint64(b)
	}
	f := n.archive.at(height)
	if f == nil {
		n.done(e.Token, nil, wire.ErrNotFound)
		return
	}
	b := archived.Block{Header: wire.Marshal(f.Header), Seal: f.Seal, Body: f.Body}
	if n.net.lies() {
		n.net.forge(n, &b)
	}
	n.done(e.Token, b.Encode(), nil)
}

// publish is the host taking a final block: checked against every other node's
// word, stored, and made durable some time later.
func (n *node) publish(f *step.Final) {
	w := n.net
	h := f.Header.Height
	if n.offered != 0 && h != n.offered+1 {
		w.fail("node %d published block %d after %d: the gate takes them in order", n.index, h, n.offered)
		return
	}
	n.offered = h
	if known, ok := w.sealed[h]; ok && known != f.Hash {
		w.fail("node %d published another block %d than was published before", n.index, h)
		return
	}
	w.sealed[h] = f.Hash
	switch {
	case h <= n.archive.height(): // from another host, or again after a crash
		w.client.published(f)
		w.after(w.between(millisecond, 60*millisecond), n.index, func() { n.step(step.Archived{Height: h}) })
		return
	case h != n.archive.height()+1:
		w.fail("node %d published block %d after %d", n.index, h, n.archive.height())
		return
	}
	n.archive.blocks = append(n.archive.blocks, f)
	w.client.published(f)
	w.after(w.between(millisecond, 60*millisecond), n.index, func() {
		n.archive.durable = max(n.archive.durable, int(h))
		n.step(step.Archived{Height: h})
	})
}

func (n *node) busy() bool { return n.tip < n.archive.height() }

// status asks the machine, outside the run: nothing is carried out.
func (n *node) status() *query.Status {
	var out step.Effects
	n.machine.Step(step.Now{Elapsed: n.net.now / millisecond}, step.Query{Kind: query.KindStatus}, &out)
	for _, e := range out.List {
		if a, ok := e.(step.Answer); ok {
			if s, err := query.DecodeStatus(a.Reply.(step.QueryReply).Body); err == nil {
				return s
			}
		}
	}
	return new(query.Status)
}

// led reports whether the machine takes part: a member that is not barred knows who
// leads. One that stays silent for ever would be missed by nobody as long as the others
// are a majority.
func (n *node) led() bool {
	s := n.status()
	return s.Slot == 0 || !n.circle[n.id] || s.Leader != wire.NodeID{}
}
