package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/node"
)

// maxHandovers bounds one answer.
const maxHandovers = 64

// Handovers implements the Ledger service.
func (s *Server) Handovers(ctx context.Context, req *connect.Request[pb.HandoversRequest]) (*connect.Response[pb.HandoversResponse], error) {
	res := new(pb.HandoversResponse)
	for epoch := max(1, req.Msg.FromEpoch); len(res.Handovers) < maxHandovers; epoch++ {
		h, err := s.handover(ctx, epoch)
		if errors.Is(err, wire.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		res.Handovers = append(res.Handovers, h)
	}
	return connect.NewResponse(res), nil
}

// handover makes the encoded wire.Handover from an epoch to the next, and keeps
// it: it never changes in what it proves. Errors: ErrNotFound.
func (s *Server) handover(ctx context.Context, epoch uint64) ([]byte, error) {
	if h, ok := s.handovers.Load(epoch); ok {
		return h.([]byte), nil
	}
	var header, seal []byte
	err := s.look(func() (err error) {
		header, seal, err = s.archive.Handover(epoch)
		return err
	})
	if err != nil {
		return nil, err
	}
	next, err := s.members(ctx, epoch+1)
	if err != nil {
		return nil, err
	}
	decoded, err := wire.DecodeHeader(header)
	if err != nil {
		return nil, wire.Faultf(wire.ErrInternal, "stored header: %v", err)
	}
	h := wire.Marshal(wire.Handover{Header: decoded, Seal: seal, Next: next})
	s.handovers.Store(epoch, h)
	return h, nil
}

// members asks the core's state who the members of an epoch are.
func (s *Server) members(ctx context.Context, epoch uint64) (*wire.MemberSet, error) {
	st, err := s.state(ctx, node.Name, node.SetKey(epoch), 0)
	if err != nil {
		return nil, err
	}
	if !st.Present {
		return nil, wire.Faultf(wire.ErrNotFound, "the members of epoch %d", epoch)
	}
	set := new(wire.MemberSet)
	if err := wire.Unmarshal(st.Value, set, wire.MaxMemberSet); err != nil {
		return nil, coreFault("members", err)
	}
	return set, nil
}
