package api

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"cloister/gen/cloister/v1/cloisterv1connect"
	healthv1 "cloister/gen/grpc/health/v1"
	"cloister/gen/grpc/health/v1/healthv1connect"
	"cloister/wire"
)

// ready is nil when this host can take transactions.
func (s *Server) ready() error {
	if s.stopped.Err() != nil {
		return errStopping
	}
	return s.core.Ready()
}

// healthz: the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// readyz: transactions can be submitted here.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.ready(); err != nil {
		http.Error(w, connectError(err).Message(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// health is the gRPC health service. It tells the same as readyz.
type health struct{ s *Server }

// Check implements the Health service.
func (h health) Check(_ context.Context, req *connect.Request[healthv1.HealthCheckRequest]) (*connect.Response[healthv1.HealthCheckResponse], error) {
	status := h.status(req.Msg.Service)
	if status == healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, wire.Faultf(wire.ErrNotFound, "there is no such service")
	}
	return connect.NewResponse(&healthv1.HealthCheckResponse{Status: status}), nil
}

// Watch implements the Health service: the status now, and each change.
func (h health) Watch(ctx context.Context, req *connect.Request[healthv1.HealthCheckRequest], stream *connect.ServerStream[healthv1.HealthCheckResponse]) error {
	look := time.NewTicker(healthPeriod)
	defer look.Stop()
	last := healthv1.HealthCheckResponse_UNKNOWN // never sent
	for {
		if now := h.status(req.Msg.Service); now != last {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h health) status(service string) healthv1.HealthCheckResponse_ServingStatus {
	switch service {
	case "", cloisterv1connect.LedgerName, healthv1connect.HealthName:
	default:
		return healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	}
	if h.s.ready() != nil {
		return healthv1.HealthCheckResponse_NOT_SERVING
	}
	return healthv1.HealthCheckResponse_SERVING
}
