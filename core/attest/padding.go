package attest

import (
	"encoding/binary"
	"fmt"

	"cloister/evidence"
)

// Offsets of Intel quotes (TEE specification §2).
const (
	quoteHeader = 48
	sgxBody     = 384
	tdBody      = 584
	maxPadding  = 16 << 10 // bytes a device may give, padding included
)

// trimQuote cuts the zeros that devices put after a quote. The length comes
// from the quote itself: its last byte may be a zero that belongs to it.
func trimQuote(b []byte) ([]byte, error) {
	short := fmt.Errorf("%w: quote of %d bytes", ErrPlatform, len(b))
	if len(b) < quoteHeader+6 {
		return nil, short
	}
	end := quoteHeader
	switch version, tee := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint32(b[4:]); {
	case version == 3 || version == 4 && tee == 0:
		end += sgxBody
	case version == 4:
		end += tdBody
	case version == 5:
		size := binary.LittleEndian.Uint32(b[quoteHeader+2:])
		if size > maxPadding {
			return nil, short
		}
		end += 6 + int(size)
	default:
		return nil, fmt.Errorf("%w: quote of version %d", ErrPlatform, version)
	}
	if len(b) < end+4 {
		return nil, short
	}
	n := binary.LittleEndian.Uint32(b[end:])
	end += 4
	if n == 0 || uint64(n) > uint64(len(b)-end) {
		return nil, fmt.Errorf("%w: quote of %d bytes says its signature has %d", ErrPlatform, len(b), n)
	}
	end += int(n)
	if !zeros(b[end:]) {
		return nil, fmt.Errorf("%w: bytes after the quote", ErrPlatform)
	}
	if end > evidence.MaxQuote {
		return nil, short
	}
	return b[:end:end], nil
}
