package wire

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// ErrEncoding is what every strict decoder in the project wraps: the bytes are
// too long, malformed, or not the one encoding the value has.
var ErrEncoding = errors.New("not a canonical encoding")

// MaxElements bounds every array and map a decoder accepts.
const MaxElements = 65_536

var encMode, decMode = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	opts := cbor.CoreDetEncOptions()
	opts.NilContainers = cbor.NilContainerAsEmpty // one encoding for "no bytes"
	enc, err := opts.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   16,
		MaxArrayElements:  MaxElements,
		MaxMapPairs:       MaxElements,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// Marshal returns the deterministic CBOR of v (RFC 8949 §4.2). It panics if v
// has a type that cannot be encoded: that is a programming error, never input.
func Marshal(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("wire: cannot encode %T: %v", v, err))
	}
	return b
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Unmarshal decodes b into v and accepts it only if b is at most limit bytes
// and is exactly the deterministic encoding of what was decoded, so that a
// value has one encoding and a hash of it means one thing. Errors wrap
// ErrEncoding. Byte strings in v are copies; v does not keep b.
func Unmarshal(b []byte, v any, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: %d bytes, at most %d are accepted", ErrEncoding, len(b), limit)
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if err := encMode.NewEncoder(buf).Encode(v); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if !bytes.Equal(buf.Bytes(), b) {
		return fmt.Errorf("%w: bytes differ from the deterministic form", ErrEncoding)
	}
	return nil
}
