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

// forwarded are headers of requests that come from elsewhere although the
// connection is of this machine: what proxies add, and what every browser does,
// be it for a page of another site. The operator's programs send none.
var forwarded = []string{
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Origin", "Sec-Fetch-Site",
}

// Registration implements the Ledger service. Only the operator's own machine
// may ask: making evidence is work that nobody pays for, and whoever gets a
// core's registration for an account of his is its operator on the ledger.
func (s *Server) Registration(ctx context.Context, req *connect.Request[pb.RegistrationRequest]) (*connect.Response[pb.RegistrationResponse], error) {
	from, err := netip.ParseAddrPort(req.Peer().Addr)
	if err != nil || !from.Addr().IsLoopback() {
		return nil, wire.Faultf(wire.ErrBadRequest, "a core's registration is made for programs on its own machine, not for %s", req.Peer().Addr)
	}
	for _, name := range forwarded {
		if len(req.Header().Values(name)) != 0 {
			return nil, wire.Faultf(wire.ErrBadRequest, "a core's registration is made for programs on its own machine, not through a proxy or browser (header %s)", name)
		}
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
