package api

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/query"
	"cloister/wire/token"
)

// Account implements the Ledger service.
func (s *Server) Account(ctx context.Context, req *connect.Request[pb.AccountRequest]) (*connect.Response[pb.AccountResponse], error) {
	account, err := wire.ParseAccount(req.Msg.Address[:min(len(req.Msg.Address), maxText)])
	if err != nil {
		return nil, err
	}
	st, err := s.state(ctx, token.Name, token.BalanceKey(account), req.Msg.AfterHeight)
	if err != nil {
		return nil, err
	}
	var b token.Balance // an account nobody paid to has nothing
	if st.Present {
		if err := wire.Unmarshal(st.Value, &b, len(st.Value)); err != nil {
			return nil, coreFault("balance", err)
		}
	}
	return connect.NewResponse(&pb.AccountResponse{
		Address: wire.FactoidAddress(account), Factoshis: b.Factoshis, Credits: b.Credits,
		Height: st.Exec.Height, Proof: st.Encode(),
	}), nil
}

// StateProof implements the Ledger service.
func (s *Server) StateProof(ctx context.Context, req *connect.Request[pb.StateProofRequest]) (*connect.Response[pb.StateProofResponse], error) {
	st, err := s.state(ctx, req.Msg.Family, req.Msg.Key, req.Msg.AfterHeight)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.StateProofResponse{
		Present: st.Present, Value: st.Value, Height: st.Exec.Height, Proof: st.Encode(),
	}), nil
}

// state asks the core for one key. While no sealed header commits to state as
// new as wanted, it asks again after each seal, for a few seconds.
func (s *Server) state(ctx context.Context, family string, key []byte, atLeast uint64) (*query.State, error) {
	body := (&query.StateRequest{Family: family, Key: key, AtLeast: atLeast}).Encode()
	if _, err := query.DecodeStateRequest(body); err != nil {
		return nil, err // out of bounds: the core need not see it
	}
	var st *query.State
	err := s.onceCovered(ctx, behindWait, func() error {
		answer, err := s.query(ctx, query.KindState, body)
		if err != nil {
			return err
		}
		if st, err = query.DecodeState(answer); err != nil {
			return coreFault("state", err)
		}
		return nil
	})
	return st, err
}

func (s *Server) query(ctx context.Context, kind uint16, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return s.queries.Query(ctx, kind, body)
}

// coreFault: what the core sent makes no sense, which is no fault of the user.
func coreFault(what string, err error) error {
	return wire.Faultf(wire.ErrInternal, "%s from the core: %v", what, err)
}
