package core

import (
	"errors"

	"cloister/core/consensus"
	"cloister/core/duty"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/query"
)

func (n *Node) onQuery(q step.Query) {
	answer := func(body []byte, err error) {
		n.out.Add(step.Answer{ID: q.ID, Reply: step.QueryReply{Body: body, Err: err}})
	}
	switch {
	case q.Kind == query.KindStatus:
		answer(n.status().Encode(), nil)
	case !n.booted:
		answer(nil, wire.Faultf(wire.ErrNotReady, "the node is starting"))
	case n.crowded():
		answer(nil, wire.Faultf(wire.ErrBusy, "too many requests under way"))
	case q.Kind == query.KindState:
		n.proveState(q, answer)
	case q.Kind == query.KindRegistration:
		n.register(q, answer)
	case q.Kind == query.KindAnchor:
		n.anchor(q, answer)
	default:
		answer(nil, wire.Faultf(wire.ErrBadRequest, "query kind %d is unknown", q.Kind))
	}
}

// proveState answers from the state as the newest sealed header commits to it,
// which execution may have passed already.
func (n *Node) proveState(q step.Query, answer func([]byte, error)) {
	r, err := query.DecodeStateRequest(q.Body)
	if err != nil {
		answer(nil, err)
		return
	}
	at := n.proof
	if at.header == nil || at.header.ExecHeight < r.AtLeast {
		answer(nil, wire.Faultf(wire.ErrNotCovered, "no sealed block commits to state after block %d yet", r.AtLeast))
		return
	}
	height := at.header.ExecHeight
	type outcome struct {
		state *query.State
		err   error
	}
	n.out.Add(step.Read{F: func(view any) any {
		state, ok := view.(*ledger.View)
		if !ok {
			return nil
		}
		exec, _, err := state.Checkpoint(height)
		if err != nil {
			return outcome{err: err}
		}
		value, proof, err := state.Prove(height, r.Family, r.Key)
		if err != nil {
			return outcome{err: err}
		}
		return outcome{state: &query.State{
			At: at.sealed, Exec: exec, Present: value != nil, Value: value, Proof: proof.Encode(),
		}}
	}, Token: n.ask(func(_ step.Now, result any, err error) {
		o, ok := result.(outcome)
		switch {
		case err != nil:
			answer(nil, err)
		case !ok:
			answer(nil, wire.Faultf(wire.ErrInternal, "state could not be read"))
		case o.err != nil:
			answer(nil, o.err)
		default:
			answer(o.state.Encode(), nil)
		}
	})})
}

// register makes the payload with which an operator registers this core.
func (n *Node) register(q step.Query, answer func([]byte, error)) {
	a, err := node.DecodeApplication(q.Body)
	switch {
	case err != nil:
		answer(nil, err)
		return
	case n.cfg.Self == nil || !n.cfg.Self.Hardware:
		answer(nil, wire.Faultf(wire.ErrNoHardware, "this core has nothing to show"))
		return
	}
	self := n.cfg.Self
	type outcome struct {
		job duty.Job
		err error
	}
	n.out.Add(step.Read{F: func(view any) any {
		v, ok := view.(*ledger.View)
		if !ok {
			return nil
		}
		job, err := duty.Registration(v, self, a)
		return outcome{job, err}
	}, Token: n.ask(func(_ step.Now, result any, err error) {
		o, ok := result.(outcome)
		if err = errors.Join(err, o.err); err != nil || !ok {
			answer(nil, wire.Faultf(wire.ErrInternal, "state could not be read"))
			return
		}
		n.out.Add(step.Attest{Data: o.job.Claims.ReportData(), Token: n.ask(func(_ step.Now, result any, err error) {
			made, ok := result.([]byte)
			if err != nil || !ok {
				answer(nil, wire.Faultf(wire.ErrNoHardware, "the hardware made no evidence"))
				return
			}
			answer(o.job.Finish(made), nil)
		})})
	})})
}

func (n *Node) status() *query.Status {
	g := n.cfg.Genesis
	s := &query.Status{
		Version: n.cfg.Version, ChainID: n.chainID, Node: n.id, Slot: n.membership.slot, Role: n.role(), Engine: g.Engine, Restart: g.Restart,
		Mode: n.cfg.Mode, Simulated: n.cfg.Simulated, DevSealKey: n.cfg.DevSealKey, Quarantined: n.dead,
		Sealed: n.sealedH, Flushed: n.flushed, PoolTxs: uint32(len(n.pool.byID)), PoolBytes: uint64(n.pool.bytes),
	}
	if !n.booted {
		return s
	}
	s.Height, s.Executed, s.TimeMs = n.decided.Header.Height, n.tip.Header.Height, n.decided.Header.TimeMs
	var e consensus.Status
	if n.engine != nil {
		e = n.engine.Status()
	}
	s.Leader, s.View, s.Leading, s.InFlight = e.Leader, e.View, e.Leading, uint32(e.InFlight)
	match := map[wire.NodeID]uint64{}
	for _, p := range e.Peers {
		match[p.ID] = p.Match
	}
	for _, p := range n.circle {
		s.Peers = append(s.Peers, query.Peer{ID: p.id, Slot: p.slot, Connected: p.up, Match: match[p.id]})
	}
	return s
}
