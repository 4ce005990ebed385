package api

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/query"
)

// Following is how blocks are taken from other hosts; the fields are those of
// the public API's message.
type Following struct {
	Active               bool
	Endpoint             string
	From, Height, Target uint64
	Problem              string
}

// Genesis implements the Ledger service.
func (s *Server) Genesis(context.Context, *connect.Request[pb.GenesisRequest]) (*connect.Response[pb.GenesisResponse], error) {
	return connect.NewResponse(&pb.GenesisResponse{File: s.genesis.File(), ChainId: s.chain.String()}), nil
}

// Status implements the Ledger service. A host whose core does not answer still
// has a status; it says so.
func (s *Server) Status(ctx context.Context, _ *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	res := &pb.StatusResponse{
		HostVersion: s.version, ChainId: s.chain.String(), Name: s.genesis.Name,
		Height: s.archive.Height(), Sealed: s.archive.Sealed(),
		Ready: true, Restarts: s.core.Restarts(), Tee: s.genesis.TEE,
	}
	core, err := s.coreStatus(ctx)
	if err == nil {
		res.Core = publicStatus(core)
	}
	if ready := s.ready(); ready != nil {
		err = ready
	}
	if err != nil {
		res.Ready, res.NotReady = false, connectError(err).Message()
	}
	if s.following != nil {
		f := s.following()
		res.Following = &pb.Following{Active: f.Active, Endpoint: f.Endpoint, From: f.From, Height: f.Height, Target: f.Target, Problem: f.Problem}
	}
	res.Warnings = warnings(s.genesis, core)
	return connect.NewResponse(res), nil
}

func (s *Server) coreStatus(ctx context.Context) (*query.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	answer, err := s.queries.Query(ctx, query.KindStatus, nil)
	if err != nil {
		return nil, err
	}
	core, err := query.DecodeStatus(answer)
	if err != nil {
		return nil, coreFault("status", err)
	}
	return core, nil
}

// warnings says plainly what does not protect this node. core is nil when it
// did not answer.
func warnings(g *wire.Genesis, core *query.Status) (list []string) {
	if g.TEE == "none" {
		list = append(list, "development network: its members claim no trusted hardware, so operators can forge and read everything")
	}
	switch {
	case core == nil:
		return append(list, "the core does not answer: nothing is known of its protection")
	case core.Simulated:
		list = append(list, "simulated hardware: not protected")
	}
	if core.DevSealKey {
		list = append(list, "development seal key: the stored data is not protected")
	}
	if core.Restart == "trust-disk" {
		list = append(list, "restart mode trust-disk: an operator who restarts the core with an old disk can undo what it promised")
	}
	if core.Quarantined {
		list = append(list, "the core is in quarantine: it found a contradiction and neither votes nor serves")
	}
	if core.ChainID != g.ChainID() {
		list = append(list, "the core runs another chain than this host's genesis file names")
	}
	return list
}

func publicStatus(c *query.Status) *pb.CoreStatus {
	out := &pb.CoreStatus{
		Version: c.Version, NodeId: c.Node.String(), Slot: c.Slot, Role: c.Role,
		Engine: c.Engine, Restart: c.Restart, Mode: c.Mode,
		Simulated: c.Simulated, DevSealKey: c.DevSealKey, Quarantined: c.Quarantined,
		Height: c.Height, Sealed: c.Sealed, Executed: c.Executed, Flushed: c.Flushed, TimeMs: c.TimeMs,
		Leader: hexID(c.Leader), View: c.View, Leading: c.Leading, InFlight: c.InFlight,
		PoolTxs: c.PoolTxs, PoolBytes: c.PoolBytes,
	}
	for _, p := range c.Peers {
		out.Peers = append(out.Peers, &pb.Peer{NodeId: p.ID.String(), Slot: p.Slot, Connected: p.Connected, Match: p.Match})
	}
	return out
}
