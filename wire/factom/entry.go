package factom

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"

	"cloister/wire"
)

// Bounds of an entry.
const (
	EntryHeader     = 35     // version, chain id, size of the external id area
	MaxEntryPayload = 10_240 // external id area plus content
	MaxEntry        = EntryHeader + MaxEntryPayload
)

// Entry is a parsed entry. Its fields alias the bytes it was parsed from.
type Entry struct {
	ChainID wire.Hash
	ExtIDs  [][]byte
	Content []byte
}

// Marshal gives the entry's bytes: version 0 ‖ chain id ‖ size of the external
// id area (2) ‖ (length (2) ‖ data)* ‖ content. It fails with ErrEntryTooLarge.
func (e *Entry) Marshal() ([]byte, error) {
	area := 0
	for _, x := range e.ExtIDs {
		area += 2 + len(x)
	}
	if n := area + len(e.Content); n > MaxEntryPayload {
		return nil, wire.Faultf(wire.ErrEntryTooLarge, "external ids and content have %d bytes, at most %d", n, MaxEntryPayload)
	}
	b := make([]byte, 0, EntryHeader+area+len(e.Content))
	b = append(append(b, 0), e.ChainID[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(area))
	for _, x := range e.ExtIDs {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(x))), x...)
	}
	return append(b, e.Content...), nil
}

// ParseEntry reads an entry strictly. Errors carry ErrEntryMalformed or ErrEntryTooLarge.
func ParseEntry(b []byte) (*Entry, error) {
	bad := func(what string) (*Entry, error) { return nil, wire.Faultf(wire.ErrEntryMalformed, "%s", what) }
	switch {
	case len(b) > MaxEntry:
		return nil, wire.Faultf(wire.ErrEntryTooLarge, "external ids and content have %d bytes, at most %d", len(b)-EntryHeader, MaxEntryPayload)
	case len(b) < EntryHeader:
		return bad("shorter than its 35-byte header")
	case b[0] != 0:
		return bad("version is not 0")
	}
	e := &Entry{ChainID: wire.Hash(b[1:33])}
	area := int(binary.BigEndian.Uint16(b[33:35]))
	if area > len(b)-EntryHeader {
		return bad("external id area is longer than the entry")
	}
	ids, content := b[EntryHeader:EntryHeader+area], b[EntryHeader+area:]
	for len(ids) > 0 {
		if len(ids) < 2 {
			return bad("external id area ends inside a length")
		}
		n := int(binary.BigEndian.Uint16(ids))
		if ids = ids[2:]; n > len(ids) {
			return bad("an external id crosses the end of its area")
		}
		e.ExtIDs, ids = append(e.ExtIDs, ids[:n:n]), ids[n:]
	}
	e.Content = content
	return e, nil
}

// PayloadSize is what credits are counted over: the entry without its header.
func PayloadSize(entry []byte) int { return len(entry) - EntryHeader }

// EntryHash is SHA-256(SHA-512(entry) ‖ entry).
func EntryHash(entry []byte) wire.Hash {
	inner := sha512.Sum512(entry)
	h := sha256.New()
	h.Write(inner[:])
	h.Write(entry)
	return wire.Hash(h.Sum(nil))
}

// ChainID is SHA-256 over the SHA-256 of each external id of the first entry.
func ChainID(extIDs [][]byte) wire.Hash {
	h := sha256.New()
	for _, x := range extIDs {
		one := sha256.Sum256(x)
		h.Write(one[:])
	}
	return wire.Hash(h.Sum(nil))
}
