package api

import (
	"context"
	"net/netip"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/query"
)

// Registration implements the Ledger service. Making evidence is work that
// nobody pays for, so only the operator's own machine may ask for it.
func (s *Server) Registration(ctx context.Context, req *connect.Request[pb.RegistrationRequest]) (*connect.Response[pb.RegistrationResponse], error) {
	from, err := netip.ParseAddrPort(req.Peer().Addr)
	if err != nil || !from.Addr().IsLoopback() {
		return nil, wire.Faultf(wire.ErrBadRequest, "a core's registration is made for programs on its own machine, not for %s", req.Peer().Addr)
	}
	if _, err := node.DecodeApplication(req.Msg.Application); err != nil {
		return nil, err
	}
	payload, err := s.query(ctx, query.KindRegistration, req.Msg.Application)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.RegistrationResponse{Payload: payload}), nil
}
