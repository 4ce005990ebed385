package factom

import (
	"encoding/binary"
	"math"

	"cloister/wire"
)

// Sizes of an anchor in Bitcoin, in bytes.
const (
	AnchorPayloadSize = 40
	AnchorScriptSize  = 2 + AnchorPayloadSize
)

// anchorMark begins every payload: "Fa".
const anchorMark = 0x4661

// opReturn and a push of 40 bytes begin the output's script.
var anchorScriptStart = [2]byte{0x6a, AnchorPayloadSize}

// AnchorPayload is what an anchor writes into Bitcoin for a directory block:
// "Fa" ‖ height(6) ‖ KeyMR (specification §12).
func AnchorPayload(height uint32, keyMR wire.Hash) (p [AnchorPayloadSize]byte) {
	binary.BigEndian.PutUint64(p[:8], anchorMark<<48|uint64(height))
	copy(p[8:], keyMR[:])
	return p
}

// ParseAnchorPayload reads exactly a payload. Errors carry ErrMalformed.
func ParseAnchorPayload(b []byte) (height uint32, keyMR wire.Hash, err error) {
	bad := func(what string) (uint32, wire.Hash, error) {
		return 0, wire.Hash{}, wire.Faultf(wire.ErrMalformed, "anchor payload: %s", what)
	}
	if len(b) != AnchorPayloadSize {
		return bad("not 40 bytes")
	}
	head := binary.BigEndian.Uint64(b)
	switch {
	case head>>48 != anchorMark:
		return bad(`does not begin with "Fa"`)
	case head&(1<<48-1) > math.MaxUint32:
		return bad("height above that of any directory block")
	}
	return uint32(head), wire.Hash(b[8:]), nil
}

// AnchorScript is the script of the output that carries the payload: OP_RETURN,
// one push of 40 bytes.
func AnchorScript(height uint32, keyMR wire.Hash) (s [AnchorScriptSize]byte) {
	p := AnchorPayload(height, keyMR)
	copy(s[:], anchorScriptStart[:])
	copy(s[2:], p[:])
	return s
}

// ParseAnchorScript reads exactly such a script: no other push of the same
// bytes counts. Errors carry ErrMalformed.
func ParseAnchorScript(script []byte) (height uint32, keyMR wire.Hash, err error) {
	if len(script) != AnchorScriptSize || [2]byte(script) != anchorScriptStart {
		return 0, wire.Hash{}, wire.Faultf(wire.ErrMalformed, "anchor script: not OP_RETURN with one push of 40 bytes")
	}
	return ParseAnchorPayload(script[2:])
}
