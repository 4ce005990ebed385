package factomd

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"cloister/wire"
)

// Codes of a node's errors (specification §15).
const (
	ParseError     = -32700
	InvalidRequest = -32600
	MethodNotFound = -32601
	InvalidParams  = -32602
	InternalError  = -32603
	NotFound       = -32008 // block, entry or object
	MissingHead    = -32009 // no such chain
	ReceiptError   = -32010
	RepeatedCommit = -32011 // a commit with equal or greater payment exists: reveal
)

// Error is an error that a node answers with. Message and Data are the node's
// and may hold anything; Error() shows them fit for a terminal.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"` // as it came; nil if there is none
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("the node answers %d: %s", e.Code, printable(e.Message))
	if len(e.Data) > 0 && string(e.Data) != "null" {
		text += " (" + printable(string(e.Data)) + ")"
	}
	return text
}

// codes are what the registry calls a node's errors.
var codes = map[int]wire.Code{
	InvalidRequest: wire.ErrBadRequest,
	MethodNotFound: wire.ErrBadRequest,
	InvalidParams:  wire.ErrBadRequest,
	NotFound:       wire.ErrNotFound,
	MissingHead:    wire.ErrUnknownChain,
	ReceiptError:   wire.ErrNotFound,
	RepeatedCommit: wire.ErrRepeatedCommit,
}

// Unwrap gives the error a code of the registry; ErrUnavailable if the node has
// trouble of its own.
func (e *Error) Unwrap() error {
	code, ok := codes[e.Code]
	if !ok {
		code = wire.ErrUnavailable
	}
	return wire.Faultf(code, "%s", printable(e.Message))
}

// maxShown bounds what is shown of a node's text.
const maxShown = 300

// printable makes a node's text harmless for a terminal and a log.
func printable(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
}

// lie refuses an answer that its hashes contradict.
func lie(format string, args ...any) error {
	return wire.Faultf(wire.ErrProof, format, args...)
}
