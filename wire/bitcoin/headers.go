package bitcoin

import (
	"bytes"
	"encoding/hex"
)

// MaxHeaders bounds a file of headers.
const MaxHeaders = 2_000_000

// lineSize is a header of the text form with its line's end.
const lineSize = 2*HeaderSize + 1

// ParseHeaders reads a file of headers, binary or text (see the package's
// comment). It is read for its form only; CheckChain checks what it says. Errors
// carry ErrMalformed.
func ParseHeaders(b []byte) ([]Header, error) {
	if isText(b) {
		return parseHeaderLines(b)
	}
	n := len(b) / HeaderSize
	if n == 0 || n > MaxHeaders || len(b)%HeaderSize != 0 {
		return nil, malformed("a file of headers is 1 to %d headers of %d bytes, this one is %d bytes", MaxHeaders, HeaderSize, len(b))
	}
	headers := make([]Header, n)
	for i := range headers {
		h, err := ParseHeader(b[i*HeaderSize : (i+1)*HeaderSize])
		if err != nil {
			return nil, err
		}
		headers[i] = h
	}
	return headers, nil
}

// isText reports whether a file begins with a line of hex digits. A binary one
// would have to have 160 bytes that all happen to be digits.
func isText(b []byte) bool {
	if len(b) < 2*HeaderSize {
		return false
	}
	_, err := hex.DecodeString(string(b[:2*HeaderSize]))
	return err == nil
}

func parseHeaderLines(b []byte) ([]Header, error) {
	if len(b) > MaxHeaders*(lineSize+1) {
		return nil, malformed("more than %d headers", MaxHeaders)
	}
	headers := make([]Header, 0, len(b)/lineSize+1)
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		line, b = bytes.TrimSuffix(line, []byte("\r")), rest
		raw, err := hex.AppendDecode(make([]byte, 0, HeaderSize), line)
		if err != nil {
			return nil, malformed("line %d is not hex digits", len(headers)+1)
		}
		h, err := ParseHeader(raw)
		if err != nil {
			return nil, malformed("line %d is not a header of %d hex digits", len(headers)+1, 2*HeaderSize)
		}
		headers = append(headers, h)
	}
	if len(headers) > MaxHeaders {
		return nil, malformed("more than %d headers", MaxHeaders)
	}
	return headers, nil
}
