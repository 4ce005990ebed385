package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"

	"cloister/wire"
	"cloister/wire/archived"
)

// A segment is a head and then records; integers are big-endian.
//
//	head    "CLSG" | version u16 = 1 | zero u16 | first height u64 | chain id 32
//	record  "CLBR" | size u32 | height u64 | synced u64 | crc u32 | block
//
// size is that of the block, which is an encoded archived.Block. synced is the
// length of the segment that was durable when the record was written. crc is
// CRC-32C over size, height, synced and block: it finds torn and rotten bytes,
// it proves nothing (headers and proofs do).
const (
	segmentMagic   = "CLSG"
	segmentVersion = 1
	segmentHead    = 4 + 2 + 2 + 8 + 32

	recordMagic = "CLBR"
	recordHead  = 4 + 4 + 8 + 8 + 4
	maxRecord   = archived.MaxBlock

	// segmentSize is where a new segment begins: large enough that files stay
	// few, small enough to copy and check one by one.
	segmentSize = 256 << 20
	// maxSegment is what a segment can reach, since the last group written to
	// it may go over segmentSize.
	maxSegment = segmentSize + groupBytes + 2*(maxRecord+recordHead)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func segmentName(dir string, first uint64) string {
	return path.Join(dir, fmt.Sprintf("%016x.blk", first))
}

// parseSegmentName gives the first height of a segment's file name.
func parseSegmentName(name string) (first uint64, ok bool) {
	digits, isSegment := strings.CutSuffix(name, ".blk")
	if !isSegment || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 16, 64)
	return first, err == nil
}

func appendSegmentHead(b []byte, first uint64, chain wire.Hash) []byte {
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint16(b, segmentVersion)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint64(b, first)
	return append(b, chain[:]...)
}

// checkSegmentHead judges the first segmentHead bytes of a file.
func checkSegmentHead(b []byte, first uint64, chain wire.Hash) error {
	switch {
	case len(b) != segmentHead || string(b[:4]) != segmentMagic || binary.BigEndian.Uint16(b[6:]) != 0 || binary.BigEndian.Uint64(b[8:]) != first:
		return fmt.Errorf("%w: head of a segment of blocks", wire.ErrEncoding)
	case binary.BigEndian.Uint16(b[4:]) != segmentVersion:
		return fmt.Errorf("%w: segment version %d, this program knows %d", wire.ErrEncoding, binary.BigEndian.Uint16(b[4:]), segmentVersion)
	case wire.Hash(b[16:]) != chain:
		return fmt.Errorf("%w: segment of chain %s", ErrForeign, wire.Hash(b[16:]))
	}
	return nil
}

// recordInfo is a record's head.
type recordInfo struct {
	size   uint32
	height uint64
	synced uint64
	crc    uint32
}

func appendRecord(b []byte, height, synced uint64, block []byte) []byte {
	start := len(b)
	b = append(b, recordMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(block)))
	b = binary.BigEndian.AppendUint64(b, height)
	b = binary.BigEndian.AppendUint64(b, synced)
	b = binary.BigEndian.AppendUint32(b, recordCRC(b[start+4:], block))
	return append(b, block...)
}

// recordCRC takes size, height and synced as they stand in the head.
func recordCRC(fixed, block []byte) uint32 {
	return crc32.Update(crc32.Checksum(fixed[:20], castagnoli), castagnoli, block)
}

// parseRecordHead reads a head; ok is false if the bytes are none.
func parseRecordHead(b []byte) (r recordInfo, ok bool) {
	if len(b) < recordHead || string(b[:4]) != recordMagic {
		return r, false
	}
	r.size = binary.BigEndian.Uint32(b[4:])
	r.height = binary.BigEndian.Uint64(b[8:])
	r.synced = binary.BigEndian.Uint64(b[16:])
	r.crc = binary.BigEndian.Uint32(b[24:])
	return r, r.size > 0 && r.size <= maxRecord
}

// parseRecord reads the whole record that b begins with; ok is false if b does
// not begin with one that is whole.
func parseRecord(b []byte) (r recordInfo, block []byte, ok bool) {
	r, ok = parseRecordHead(b)
	if !ok || uint64(len(b)) < recordHead+uint64(r.size) {
		return r, nil, false
	}
	block = b[recordHead : recordHead+int(r.size)]
	return r, block, recordCRC(b[4:], block) == r.crc
}
