package core

import (
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
)

// MaxSubmit bounds the transactions of one Submit.
const MaxSubmit = 256

// onSubmit judges transactions from outside: first what needs no state and is
// pure computation, then what the committed state says, then the pool.
func (n *Node) onSubmit(s step.Submit) {
	refuse := func(code wire.Code) {
		items := make([]step.SubmitItem, len(s.Txs))
		for i := range items {
			items[i].Code = code
		}
		n.out.Add(step.Answer{ID: s.ID, Reply: step.SubmitReply{Items: items}})
	}
	switch {
	case n.stopping:
		refuse(wire.ErrStopping)
	case !n.booted || n.engine == nil: // an observer orders nothing: its host knows who does
		refuse(wire.ErrNotReady)
	case len(s.Txs) > MaxSubmit:
		refuse(wire.ErrTooLarge)
	case n.crowded():
		refuse(wire.ErrBusy)
	default:
		n.judge(s.Txs, func(items []step.SubmitItem) {
			n.out.Add(step.Answer{ID: s.ID, Reply: step.SubmitReply{Items: items}})
		}, true)
	}
}

// judge admits transactions and tells done what became of each. done may be nil.
func (n *Node) judge(raws [][]byte, done func([]step.SubmitItem), local bool) {
	chainID, families, verified := n.chainID, n.cfg.Families, n.verified
	timeMs := max(n.tip.Header.TimeMs, n.clock(n.now))
	// The block that takes it may have a slightly earlier time than this clock.
	latest := timeMs + wire.MaxValidity - uint64(n.cfg.Genesis.Limits.ClockSkewMs)
	admit := func(view any) any {
		state, ok := view.(*ledger.View)
		checked := ledger.CheckTxs(raws, chainID, families, verified)
		for i := range checked {
			switch c := &checked[i]; {
			case c.Code != wire.OK:
			case !ok:
				c.Code = wire.ErrInternal
			case !c.Carried && c.Tx.NotAfterMs < timeMs:
				c.Code = wire.ErrExpired
			case !c.Carried && c.Tx.NotAfterMs > latest:
				c.Code = wire.ErrTooFarAhead
			default:
				c.Code = wire.CodeOf(state.Admit(&c.Request, timeMs))
			}
		}
		return checked
	}
	n.out.Add(step.Read{F: admit, Token: n.ask(func(now step.Now, result any, err error) {
		checked, _ := result.([]ledger.Checked)
		items := make([]step.SubmitItem, len(raws))
		for i := range items {
			if err != nil || i >= len(checked) {
				items[i].Code = wire.ErrInternal
				continue
			}
			items[i] = step.SubmitItem{TxID: checked[i].ID, Code: n.enter(raws[i], &checked[i], latest, local)}
		}
		if done != nil {
			done(items)
		}
		n.wake = true
	})})
}

// enter puts an admitted transaction into the pool. One that is there already
// is admitted again: the caller wants it recorded, and it will be, once. What
// names no time of its own may wait until latest.
func (n *Node) enter(raw []byte, c *ledger.Checked, latest uint64, local bool) wire.Code {
	switch {
	case c.Code != wire.OK:
		return c.Code
	case n.stopping:
		return wire.ErrStopping
	}
	if w, ok := n.pool.byID[c.ID]; ok {
		w.local = w.local || local
		return wire.OK
	}
	if !n.pool.room(len(raw)) || len(n.pending) > maxUnpublished {
		return wire.ErrBusy
	}
	notAfter := c.Tx.NotAfterMs
	if c.Carried {
		notAfter = latest
	}
	n.pool.add(&waiting{
		raw: raw, id: c.ID, leaf: c.LeafHash, notAfterMs: notAfter, since: n.now.Elapsed, local: local,
	})
	return wire.OK
}
