package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
)

// CodeHeader carries the number of an error's code, as a header or trailer, for
// clients that do not decode details.
const CodeHeader = "Cloister-Code"

// fault turns any error into what a user may see of it: a Connect error with
// the registry's code as detail and metadata. What carries no code is the
// host's own trouble: the user learns that, the log learns the rest.
func fault(ctx context.Context, log *slog.Logger, procedure string, err error) *connect.Error {
	var done *connect.Error
	if errors.As(err, &done) {
		return done
	}
	if wire.CodeOf(err) == wire.ErrInternal {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			err = wire.Faultf(wire.ErrDeadline, "the request's time is over")
		case errors.Is(err, context.Canceled):
			return connect.NewError(connect.CodeCanceled, err)
		default:
			log.ErrorContext(ctx, "request failed", "procedure", procedure, "error", err)
			err = wire.Faultf(wire.ErrInternal, "the host could not answer")
		}
	}
	return connectError(err)
}

// connectError gives a coded error its public form.
func connectError(err error) *connect.Error {
	code := wire.CodeOf(err)
	info, detail := code.Info(), err.Error()
	var f *wire.Fault
	if errors.As(err, &f) {
		detail = f.Detail
	}
	out := connect.NewError(connectCode(code), errors.New(info.Name+": "+detail))
	out.Meta().Set(CodeHeader, strconv.FormatUint(uint64(code), 10))
	d, derr := connect.NewErrorDetail(&pb.Fault{
		Code: uint32(code), Name: info.Name, Detail: detail, Advice: info.Advice,
	})
	if derr == nil { // only a message that cannot be encoded fails here; the header says the code anyway
		out.AddDetail(d)
	}
	return out
}

// connectCode is the registry's name of a code in Connect and gRPC.
func connectCode(code wire.Code) (c connect.Code) {
	if err := c.UnmarshalText([]byte(code.Info().GRPC)); err != nil {
		return connect.CodeUnknown
	}
	return c
}

// registryStatus gives errors of plain HTTP requests the HTTP status of their
// code: Connect knows 16 codes and maps several of ours to one status. gRPC
// answers have status 200 and are left alone.
func registryStatus(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&statusWriter{ResponseWriter: w}, r)
	})
}

type statusWriter struct{ http.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if n, err := strconv.ParseUint(w.Header().Get(CodeHeader), 10, 32); err == nil && status >= 400 {
		status = wire.Code(n).Info().HTTP
	}
	w.ResponseWriter.WriteHeader(status)
}

// Flush is what the gRPC handlers look for by type.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
