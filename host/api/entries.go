package api

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/record"
)

// Entry implements the Ledger service.
func (s *Server) Entry(ctx context.Context, req *connect.Request[pb.EntryRequest]) (*connect.Response[pb.EntryResponse], error) {
	hash, err := parseID("hash", req.Msg.Hash)
	if err != nil {
		return nil, err
	}
	var e *archive.Entry
	err = s.look(func() (err error) {
		e, err = s.archive.Entry(hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.EntryResponse{Entry: publicEntry(e)}), nil
}

// Chain implements the Ledger service.
func (s *Server) Chain(ctx context.Context, req *connect.Request[pb.ChainRequest]) (*connect.Response[pb.ChainResponse], error) {
	id, err := parseID("chain_id", req.Msg.ChainId)
	if err != nil {
		return nil, err
	}
	res := &pb.ChainResponse{ChainId: id.String()}
	if req.Msg.Prove {
		return s.provedChain(ctx, id, req.Msg.AfterHeight)
	}
	var c *archive.Chain
	err = s.look(func() (err error) {
		c, err = s.archive.Chain(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	res.Entries, res.Head, res.Created, res.Updated = c.Entries, c.Head.String(), c.Created, c.Updated
	return connect.NewResponse(res), nil
}

// provedChain answers from state alone, so that fields and proof agree; the
// archive may know more entries than any sealed state.
func (s *Server) provedChain(ctx context.Context, id wire.Hash, atLeast uint64) (*connect.Response[pb.ChainResponse], error) {
	st, err := s.state(ctx, record.Name, record.ChainKey(id), atLeast)
	if err != nil {
		return nil, err
	}
	var c record.Chain
	if st.Present {
		if err := wire.Unmarshal(st.Value, &c, len(st.Value)); err != nil {
			return nil, coreFault("chain", err)
		}
	}
	return connect.NewResponse(&pb.ChainResponse{
		ChainId: id.String(), Entries: c.Entries, Head: c.Head.String(),
		Created: c.Created, Updated: c.Updated, Proof: st.Encode(),
	}), nil
}

// Entries implements the Ledger service.
func (s *Server) Entries(ctx context.Context, req *connect.Request[pb.EntriesRequest]) (*connect.Response[pb.EntriesResponse], error) {
	id, err := parseID("chain_id", req.Msg.ChainId)
	if err != nil {
		return nil, err
	}
	limit, err := page(req.Msg.Limit)
	if err != nil {
		return nil, err
	}
	// One more than asked for tells whether there are more.
	var list []archive.Entry
	err = s.look(func() (err error) {
		list, err = s.archive.Entries(id, req.Msg.From, limit+1, req.Msg.Raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	res := new(pb.EntriesResponse)
	size := 0
	for i := range list {
		size += len(list[i].Bytes)
		if i == limit || i > 0 && size > maxPageBytes {
			res.More = true
			break
		}
		res.Entries = append(res.Entries, publicEntry(&list[i]))
	}
	return connect.NewResponse(res), nil
}

func publicEntry(e *archive.Entry) *pb.EntryRecord {
	return &pb.EntryRecord{
		Hash: e.Hash.String(), ChainId: e.Chain.String(), Seq: e.Seq, TxId: e.Tx.String(),
		Height: e.Height, TimeMs: e.TimeMs, Raw: e.Bytes,
	}
}
