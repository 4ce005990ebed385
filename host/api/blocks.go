package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/host/archive"
	"cloister/wire"
)

// Block implements the Ledger service.
func (s *Server) Block(ctx context.Context, req *connect.Request[pb.BlockRequest]) (*connect.Response[pb.BlockResponse], error) {
	var height uint64
	switch at := req.Msg.At.(type) {
	case *pb.BlockRequest_Height:
		height = at.Height
	case *pb.BlockRequest_Hash:
		hash, err := parseID("hash", at.Hash)
		if err != nil {
			return nil, err
		}
		err = s.look(func() (err error) {
			height, err = s.archive.HeightOf(hash)
			return err
		})
		if err != nil {
			return nil, err
		}
	case *pb.BlockRequest_Latest:
		// Newer blocks may be there, but nothing proves them yet.
		height = s.archive.Sealed()
	default:
		return nil, wire.Faultf(wire.ErrBadRequest, "say which block: height, hash or latest")
	}
	res, err := s.block(height, false)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(res), nil
}

// Headers implements the Ledger service.
func (s *Server) Headers(ctx context.Context, req *connect.Request[pb.HeadersRequest]) (*connect.Response[pb.HeadersResponse], error) {
	from := req.Msg.From
	limit, err := page(req.Msg.Limit)
	if err != nil {
		return nil, err
	}
	err = s.look(func() error { return s.beyond(from) })
	if err != nil {
		return nil, err
	}
	sealed := s.archive.Sealed()
	last := min(sealed, from+uint64(limit)-1)
	res := &pb.HeadersResponse{Height: s.archive.Height()}
	for h := from; h < last; h++ {
		header, err := s.archive.Header(h)
		if err != nil {
			return nil, err
		}
		res.Headers = append(res.Headers, publicHeader(h, header))
	}
	header, err := s.archive.Header(last)
	if err != nil {
		return nil, err
	}
	proved, err := s.prove(last, header)
	if err != nil {
		return nil, err
	}
	res.Headers = append(res.Headers, proved)
	return connect.NewResponse(res), nil
}

// Blocks implements the Ledger service. It sends a block once it is proved, so
// a client verifies each as it comes.
func (s *Server) Blocks(ctx context.Context, req *connect.Request[pb.BlocksRequest], stream *connect.ServerStream[pb.BlocksResponse]) error {
	count := req.Msg.Count
	switch {
	case count == 0:
		count = MaxBlocks
	case count > MaxBlocks:
		return wire.Faultf(wire.ErrBadRequest, "count is %d, at most %d", count, MaxBlocks)
	}
	// A caller far ahead would hold a stream for nothing.
	if next := s.archived.now() + 1; req.Msg.From > next {
		return wire.Faultf(wire.ErrNotFound, "block %d is not there; the next is %d", req.Msg.From, next)
	}
	for h := req.Msg.From; count > 0; h, count = h+1, count-1 {
		if err := s.reachShown(ctx, h); err != nil {
			return err
		}
		block, err := s.block(h, req.Msg.HeadersOnly)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.BlocksResponse{Block: block}); err != nil {
			return err
		}
	}
	return nil
}

// Consistency implements the Ledger service.
func (s *Server) Consistency(ctx context.Context, req *connect.Request[pb.ConsistencyRequest]) (*connect.Response[pb.ConsistencyResponse], error) {
	path, err := s.archive.Consistency(req.Msg.From, req.Msg.To)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.ConsistencyResponse{Path: hashBytes(path)}), nil
}

// beyond says why a block cannot be had, if so: it is not there, or not proved
// yet.
func (s *Server) beyond(height uint64) error {
	switch have := s.archive.Height(); {
	case height <= s.archive.Sealed():
		return nil
	case height > have:
		return wire.Faultf(wire.ErrNotFound, "block %d is not there; the newest is %d", height, have)
	}
	return wire.Faultf(wire.ErrNotCovered, "block %d is recorded, but no seal covers it yet", height)
}

func (s *Server) block(height uint64, headerOnly bool) (out *pb.BlockResponse, err error) {
	err = s.look(func() (err error) {
		if headerOnly {
			out, err = s.readHeader(height)
		} else {
			out, err = s.readBlock(height)
		}
		return err
	})
	return out, err
}

func (s *Server) readHeader(height uint64) (*pb.BlockResponse, error) {
	header, err := s.archive.Header(height)
	if err != nil {
		return nil, err
	}
	proved, err := s.prove(height, header)
	if err != nil {
		return nil, err
	}
	return &pb.BlockResponse{Header: proved}, nil
}

func (s *Server) readBlock(height uint64) (*pb.BlockResponse, error) {
	b, err := s.archive.Block(height)
	if err != nil {
		return nil, err
	}
	proved, err := s.prove(height, &b.SealedHeader)
	if err != nil {
		return nil, err
	}
	return &pb.BlockResponse{Header: proved, Body: b.Body, Outcome: b.Outcome}, nil
}

// prove adds the seal that covers a header. Block 0 of a chain without a seal
// goes without: everybody computes it from the genesis file.
func (s *Server) prove(height uint64, header *archive.SealedHeader) (*pb.SealedHeader, error) {
	out := publicHeader(height, header)
	if len(header.Seal) > 0 {
		return out, nil
	}
	at, err := s.archive.SealedFrom(height)
	if height == 0 && errors.Is(err, wire.ErrNotCovered) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	cover, err := s.archive.Header(at)
	if err != nil {
		return nil, err
	}
	path, err := s.archive.Inclusion(height, at)
	if err != nil {
		return nil, err
	}
	out.Seal = cover.Seal
	out.Cover = &pb.Cover{Header: cover.Header, Path: hashBytes(path)}
	return out, nil
}

func publicHeader(height uint64, h *archive.SealedHeader) *pb.SealedHeader {
	return &pb.SealedHeader{Header: h.Header, Seal: h.Seal, Hash: h.Hash.String(), Height: height}
}

func hashBytes(hashes []wire.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

// page checks the length of a list asked for.
func page(limit uint32) (int, error) {
	switch {
	case limit == 0:
		return DefaultPage, nil
	case limit > MaxPage:
		return 0, wire.Faultf(wire.ErrBadRequest, "limit is %d, at most %d", limit, MaxPage)
	}
	return int(limit), nil
}
