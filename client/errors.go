package client

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
)

// codeHeader repeats the code's number for answers without details.
const codeHeader = "Cloister-Code"

// maxDetail bounds what is shown of a host's text.
const maxDetail = 300

// bare maps what a proxy or the protocol itself answers, without a code of ours.
var bare = map[connect.Code]wire.Code{
	connect.CodeInvalidArgument:   wire.ErrBadRequest,
	connect.CodeUnimplemented:     wire.ErrBadRequest,
	connect.CodeNotFound:          wire.ErrUnavailable, // not a host of ours, or not yet
	connect.CodeResourceExhausted: wire.ErrTooLarge,
	connect.CodeDeadlineExceeded:  wire.ErrDeadline,
	connect.CodeUnavailable:       wire.ErrUnavailable,
	connect.CodeUnauthenticated:   wire.ErrBadRequest,
	connect.CodePermissionDenied:  wire.ErrBadRequest,
	connect.CodeInternal:          wire.ErrUnavailable,
	connect.CodeUnknown:           wire.ErrUnavailable,
	connect.CodeDataLoss:          wire.ErrUnavailable,
	connect.CodeAborted:           wire.ErrUnavailable,
}

// received turns the error of a call into one with a wire.Code. The number
// comes from the detail, else from the header, else from the protocol's code:
// so it survives gRPC, Connect and JSON. Cancellation by the caller stays
// context.Canceled.
func received(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return err
	}
	for _, d := range ce.Details() {
		m, derr := d.Value()
		if derr != nil {
			continue
		}
		if f, ok := m.(*pb.Fault); ok && f.Code != 0 {
			return &wire.Fault{Code: wire.Code(f.Code), Detail: printable(f.Detail)}
		}
	}
	if n, perr := strconv.ParseUint(ce.Meta().Get(codeHeader), 10, 32); perr == nil && n != 0 {
		return &wire.Fault{Code: wire.Code(n), Detail: printable(ce.Message())}
	}
	code, ok := bare[ce.Code()]
	if !ok {
		code = wire.ErrInternal
	}
	return &wire.Fault{Code: code, Detail: printable(ce.Message())}
}

// coded makes an item's code an error, nil for OK.
func coded(code uint32, detail string) error {
	if code == 0 {
		return nil
	}
	return &wire.Fault{Code: wire.Code(code), Detail: printable(detail)}
}

// printable makes a host's text harmless for a terminal and a log.
func printable(text string) string {
	if len(text) > maxDetail {
		text = text[:maxDetail] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
}
