package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
)

// interceptor does for every call what is the same for all: waits for the
// block the caller wants this host to have, counts, and gives errors their form.
type interceptor struct{ s *Server }

func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := i.s.untilStopped(ctx)
		defer cancel()
		begin := time.Now()
		procedure := req.Spec().Procedure
		var res connect.AnyResponse
		err := i.s.catchUp(ctx, req.Any())
		if err == nil {
			res, err = next(ctx, req)
		}
		return res, i.end(ctx, procedure, begin, err)
	}
}

// WrapStreamingClient is never used: the host is no client.
func (i *interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (i *interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, cancel := i.s.untilStopped(ctx)
		defer cancel()
		begin := time.Now()
		return i.end(ctx, conn.Spec().Procedure, begin, next(ctx, conn))
	}
}

func (i *interceptor) end(ctx context.Context, procedure string, begin time.Time, err error) error {
	if err == nil {
		i.s.metrics.answered(procedure, wire.OK, time.Since(begin))
		return nil
	}
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), wire.ErrStopping) {
		err = errStopping
	}
	i.s.metrics.answered(procedure, wire.CodeOf(err), time.Since(begin))
	return fault(ctx, i.s.log, procedure, err)
}

// catchUp makes a caller read its own writes: who has seen block h elsewhere
// asks for after_height h, and a host that is behind waits a little, then
// refuses with ErrNotReady rather than answer from the past.
func (s *Server) catchUp(ctx context.Context, req any) error {
	r, ok := req.(interface{ GetAfterHeight() uint64 })
	if !ok || r.GetAfterHeight() == 0 {
		return nil
	}
	patience := behindWait
	if now := s.archived.now(); r.GetAfterHeight() > now && r.GetAfterHeight()-now > maxBehind {
		patience = 0
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.archived.reach(wait, r.GetAfterHeight()); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return wire.Faultf(wire.ErrNotReady, "this host has block %d, the request wants %d", s.archived.now(), r.GetAfterHeight())
	}
	if _, writes := req.(*pb.SubmitRequest); writes || r.GetAfterHeight() <= s.archive.Sealed() {
		return nil // for a write the core is that far; what the archive shows does not matter
	}
	return s.archive.Settle(s.archived.now()) // with the seal that covers the block
}
