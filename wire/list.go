package wire

import "fmt"

// MaxBody bounds an encoded body; MaxBodyItems the transactions in it.
const (
	MaxBody      = 4 << 20
	MaxBodyItems = 5000
)

// EncodeList encodes byte strings as one CBOR array of byte strings: the form
// of a block's body (encoded transactions) and of its results.
func EncodeList(items [][]byte) []byte {
	n := 9
	for _, it := range items {
		n += 5 + len(it)
	}
	b := appendHead(make([]byte, 0, n), 4, uint64(len(items)))
	for _, it := range items {
		b = append(appendHead(b, 2, uint64(len(it))), it...)
	}
	return b
}

// DecodeList is the strict inverse of EncodeList. The items alias b.
func DecodeList(b []byte, maxItems, maxItem int) ([][]byte, error) {
	n, b, err := readHead(b, 4)
	if err != nil {
		return nil, err
	}
	if n > uint64(maxItems) || n > uint64(len(b)) {
		return nil, fmt.Errorf("%w: list of %d items, at most %d", ErrEncoding, n, maxItems)
	}
	items := make([][]byte, n)
	for i := range items {
		var size uint64
		if size, b, err = readHead(b, 2); err != nil {
			return nil, err
		}
		if size > uint64(maxItem) || size > uint64(len(b)) {
			return nil, fmt.Errorf("%w: item %d of %d bytes", ErrEncoding, i, size)
		}
		items[i], b = b[:size:size], b[size:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the list", ErrEncoding, len(b))
	}
	return items, nil
}
