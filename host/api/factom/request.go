package factom

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"cloister/wire"
)

// request is one decoded call. Its slices alias the body.
type request struct {
	id     []byte // JSON; null if there is none
	method []byte
	params params
}

var null = []byte("null")

// parseRequest reads the envelope. Like factomd it matches names without regard
// to case, lets the last of equal names count and ignores unknown ones; unlike
// it, a number keeps its digits as id. ok is false for what is no such object
// and for another version: the id is then not known to be one.
//
// It first has the standard library judge the whole text, so that the walk that
// follows, which allocates nothing, only ever sees well-formed JSON.
func parseRequest(body []byte) (r request, ok bool) {
	if !json.Valid(body) {
		return r, false
	}
	envelope, ok := parseObject(body)
	if !ok {
		return r, false
	}
	r.id = null
	var version []byte
	for {
		name, value, more := envelope.next()
		if !more {
			break
		}
		switch {
		case fold(name, "id"):
			r.id = value
		case fold(name, "params"):
			r.params = params{value}
		case isNull(value): // encoding/json leaves a text as it is
		case fold(name, "jsonrpc"):
			if version, ok = text(value); !ok {
				return r, false
			}
		case fold(name, "method"):
			if r.method, ok = text(value); !ok {
				return r, false
			}
		}
	}
	if !utf8.Valid(r.id) { // JSON's grammar here allows it, other parsers would choke on it
		r.id = bytes.ToValidUTF8(r.id, []byte("\ufffd"))
	}
	return r, string(version) == "2.0"
}

// params is the JSON text of a call's parameters; nil if there are none.
type params struct{ raw []byte }

// field finds a parameter, nil if it is not given or null. ok is false unless
// the parameters are an object, null or absent.
func (p params) field(name string) (value []byte, ok bool) {
	if len(p.raw) == 0 || isNull(p.raw) {
		return nil, true
	}
	fields, ok := parseObject(p.raw)
	if !ok {
		return nil, false
	}
	for {
		n, v, more := fields.next()
		if !more {
			return value, true
		}
		if fold(n, name) && !isNull(v) { // encoding/json leaves a field as it is on null
			value = v
		}
	}
}

// text is a parameter that is a string, empty if it is not given.
func (p params) text(name string) ([]byte, *failure) {
	value, ok := p.field(name)
	if !ok {
		return nil, errParams
	}
	t, ok := text(value)
	if !ok {
		return nil, errParams
	}
	return t, nil
}

// hash is a parameter of 64 hex digits.
func (p params) hash(name string) (h wire.Hash, f *failure) {
	t, f := p.text(name)
	if f != nil {
		return h, f
	}
	if !decodeHash(&h, t) {
		return h, errHash
	}
	return h, nil
}

// bytes is a parameter of hex digits; bad is the failure if it is not that.
func (p params) bytes(name string, bad *failure) ([]byte, *failure) {
	t, f := p.text(name)
	if f != nil {
		return nil, f
	}
	b := make([]byte, hex.DecodedLen(len(t)))
	if _, err := hex.Decode(b, t); err != nil {
		return nil, bad
	}
	return b, nil
}

// flag is a parameter that is a boolean, false if it is not given.
func (p params) flag(name string) (bool, *failure) {
	value, ok := p.field(name)
	switch {
	case !ok:
		return false, errParams
	case value == nil, string(value) == "false":
		return false, nil
	case string(value) == "true":
		return true, nil
	}
	return false, errParams
}

// height is a parameter that is a whole number; given says whether it is there.
// What no block can have becomes the greatest height, which none has.
func (p params) height() (height uint32, given bool, f *failure) {
	value, ok := p.field("height")
	switch {
	case !ok:
		return 0, false, errParams
	case value == nil:
		return 0, false, nil
	}
	n, err := strconv.ParseFloat(string(value), 64)
	switch {
	case err != nil, n != math.Trunc(n):
		return 0, true, errParams
	case n < 0, n > math.MaxUint32:
		return math.MaxUint32, true, nil
	}
	return uint32(n), true, nil
}

func decodeHash(h *wire.Hash, t []byte) bool {
	if len(t) != hex.EncodedLen(len(h)) {
		return false
	}
	_, err := hex.Decode(h[:], t)
	return err == nil
}

func isNull(value []byte) bool { return string(value) == "null" }

// fold compares names the way encoding/json finds fields.
func fold(name []byte, with string) bool {
	return string(name) == with || bytes.EqualFold(name, []byte(with))
}

// text is the value of a JSON string, empty for null and for nothing. Only
// strings with escapes are copied.
func text(value []byte) (t []byte, ok bool) {
	if len(value) == 0 || isNull(value) {
		return nil, true
	}
	if value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}
