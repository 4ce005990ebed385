package query

import (
	"fmt"
	"strings"

	"cloister/wire"
)

// maxDetail bounds Reply.Detail.
const maxDetail = 1024

// Reply is how the core answers every query across the gate: a code of the
// registry and, if it is OK, the answer's encoding. The gate's own failure
// codes stay for what happens before the core looked at the query.
type Reply struct {
	_      struct{} `cbor:",toarray"`
	Code   wire.Code
	Detail string // empty if Code is OK; no secret
	Body   []byte
}

// EncodeReply encodes an answer, or the error that took its place.
func EncodeReply(body []byte, err error) []byte {
	r := Reply{Body: body}
	if err != nil {
		r = Reply{Code: wire.CodeOf(err), Detail: err.Error()}
		if len(r.Detail) > maxDetail {
			// A decoder refuses text cut inside a character.
			r.Detail = strings.ToValidUTF8(r.Detail[:maxDetail], "")
		}
	}
	return wire.Marshal(&r)
}

// DecodeReply reads a reply of at most limit bytes strictly and returns its
// body, or an error that carries its code.
func DecodeReply(b []byte, limit int) ([]byte, error) {
	var r Reply
	if err := wire.Unmarshal(b, &r, limit); err != nil {
		return nil, fmt.Errorf("query reply: %w", err)
	}
	if len(r.Detail) > maxDetail || (r.Code == wire.OK) != (r.Detail == "") || (r.Code != wire.OK && len(r.Body) > 0) {
		return nil, fmt.Errorf("query reply: %w: code %d with %d bytes", wire.ErrEncoding, r.Code, len(r.Body))
	}
	if r.Code != wire.OK {
		return nil, &wire.Fault{Code: r.Code, Detail: r.Detail}
	}
	return r.Body, nil
}
