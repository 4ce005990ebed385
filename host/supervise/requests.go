package supervise

import (
	"context"
	"errors"

	"cloister/gate"
	"cloister/wire"
	"cloister/wire/query"
)

// Submit hands transactions to the core: 1 to gate.MaxSubmit of them. One
// result for each, in order; code OK means pooled. Errors concern the batch and
// carry ErrBusy, ErrNotReady, ErrStopping, ErrUnavailable, ErrTooLarge or
// ErrDeadline.
func (s *Supervisor) Submit(ctx context.Context, txs [][]byte) ([]gate.SubmitResult, error) {
	g, err := s.current()
	if err != nil {
		return nil, err
	}
	results, err := g.Submit(ctx, txs)
	return results, fault(err)
}

// Query asks the core for public state or status: a kind and a body of package
// wire/query. It returns the body of the core's reply; a code of the core's
// comes as the error. Other errors carry the codes of Submit.
func (s *Supervisor) Query(ctx context.Context, kind uint16, body []byte) ([]byte, error) {
	g, err := s.current()
	if err != nil {
		return nil, err
	}
	answer, err := g.Query(ctx, kind, body)
	if err != nil {
		return nil, fault(err)
	}
	return query.DecodeReply(answer, gate.MaxQueryAnswer)
}

// Status asks the core about itself. Errors as those of Submit.
func (s *Supervisor) Status(ctx context.Context) (*query.Status, error) {
	g, err := s.current()
	if err != nil {
		return nil, err
	}
	b, err := g.Status(ctx)
	if err != nil {
		return nil, fault(err)
	}
	return query.DecodeStatus(b)
}

// fault gives the gate's errors their code in the registry.
func fault(err error) error {
	if err == nil {
		return nil
	}
	for _, f := range []struct {
		err  error
		code wire.Code
	}{
		{context.DeadlineExceeded, wire.ErrDeadline},
		{context.Canceled, wire.ErrDeadline},
		{gate.ErrBusy, wire.ErrBusy},
		{gate.ErrNotReady, wire.ErrNotReady},
		{gate.ErrStopped, wire.ErrStopping},
		{gate.ErrTooLarge, wire.ErrTooLarge},
		{gate.ErrNotFound, wire.ErrNotFound},
		{gate.ErrBadRequest, wire.ErrBadRequest},
		{gate.ErrGateClosed, wire.ErrUnavailable},
		{gate.ErrProtocol, wire.ErrUnavailable},
	} {
		if errors.Is(err, f.err) {
			return wire.Faultf(f.code, "the core: %v", err)
		}
	}
	return wire.Faultf(wire.ErrInternal, "the core: %v", err)
}
