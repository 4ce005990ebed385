package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Hex is bytes that JSON shows as lower-case hex.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(make([]byte, 0, len(text)/2), text)
	if err != nil {
		return fmt.Errorf("%w: not hex digits: %v", ErrEncoding, err)
	}
	*h = b
	return nil
}

// EncodeJSON renders a file that people keep: indented, fields in order, no
// needless escapes, ending in a line feed. It panics if v has a type that
// cannot be encoded: that is a programming error, never input.
func EncodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it would change the bytes inside a json.RawMessage
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("wire: cannot encode %T: %v", v, err))
	}
	return b.Bytes()
}

// DecodeJSON reads what EncodeJSON wrote into v and accepts it only if it
// differs in nothing but white space between tokens, and is at most limit
// bytes: no unknown, missing, repeated or reordered field, no other spelling
// of a value. Errors wrap ErrEncoding and do not quote the file.
func DecodeJSON(file []byte, v any, limit int) error {
	if len(file) > limit {
		return fmt.Errorf("%w: file of %d bytes, at most %d are accepted", ErrEncoding, len(file), limit)
	}
	var given, own bytes.Buffer
	if err := json.Compact(&given, file); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if err := json.Unmarshal(given.Bytes(), v); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if err := json.Compact(&own, EncodeJSON(v)); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if !bytes.Equal(given.Bytes(), own.Bytes()) {
		return fmt.Errorf("%w: the file differs from the form it was written in", ErrEncoding)
	}
	return nil
}

// maxJSONDepth bounds how deep documents nest: rendering indents every level,
// so depth multiplies size.
const maxJSONDepth = 16

// uniqueKeys refuses an object that has two keys which encoding/json would put
// into the same field: another program might read the other one. It descends
// at most depth levels.
func uniqueKeys(dec *json.Decoder, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%w: nested deeper than %d levels", ErrEncoding, maxJSONDepth)
	}
	open, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == json.Delim('{') {
			key, err := dec.Token()
			if err != nil {
				return fmt.Errorf("%w: %v", ErrEncoding, err)
			}
			// Upper case first: some letters have two lower-case forms.
			name := strings.ToLower(strings.ToUpper(fmt.Sprint(key)))
			if seen[name] {
				return fmt.Errorf("%w: key %q is given twice", ErrEncoding, clip(name))
			}
			seen[name] = true
		}
		if err := uniqueKeys(dec, depth-1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
