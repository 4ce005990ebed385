package gate

import "encoding/binary"

// Fixed layouts of the hot storage payloads (gate.md §4.1). Lengths given in
// the frame rules have been checked before these decoders run; counts and
// sums are checked here.

const rangeSize = 8 + 8 + 4

func appendRange(b []byte, r Range) []byte {
	b = binary.BigEndian.AppendUint64(b, r.ID)
	b = binary.BigEndian.AppendUint64(b, r.Off)
	return binary.BigEndian.AppendUint32(b, r.N)
}

func parseRange(b []byte) Range {
	return Range{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])}
}

// parseRead decodes a Read; the empty string means it may be served.
func parseRead(b []byte) (r Range, broken string) {
	if r = parseRange(b); r.N == 0 || r.N > MaxRead {
		return r, "bytes to read"
	}
	return r, ""
}

func readManyPayload(rs []Range) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(rs)*rangeSize), uint16(len(rs)))
	for _, r := range rs {
		b = appendRange(b, r)
	}
	return b
}

// parseReadMany decodes a ReadMany and returns the sum of its ranges.
func parseReadMany(b []byte) (rs []Range, total int, broken string) {
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 || n > MaxReadMany || len(b) != 2+n*rangeSize {
		return nil, 0, "count of ranges"
	}
	for b = b[2:]; len(b) > 0; b = b[rangeSize:] {
		r, bad := parseRead(b)
		if total += int(r.N); bad != "" || total > MaxRead {
			return nil, 0, "bytes to read"
		}
		rs = append(rs, r)
	}
	return rs, total, ""
}

func deletePayload(objs []uint64) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(objs)*8), uint16(len(objs)))
	for _, o := range objs {
		b = binary.BigEndian.AppendUint64(b, o)
	}
	return b
}

// parseDelete decodes a Delete.
func parseDelete(b []byte) (objs []uint64, broken string) {
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 || n > MaxDelete || len(b) != 2+n*8 {
		return nil, "count of objects"
	}
	for b = b[2:]; len(b) > 0; b = b[8:] {
		objs = append(objs, binary.BigEndian.Uint64(b))
	}
	return objs, ""
}

const listRow = 16

func appendListRow(b []byte, o ObjectInfo) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, o.ID), o.Len)
}

// parseList decodes a whole List answer.
func parseList(b []byte) (out []ObjectInfo, broken string) {
	if len(b)%listRow != 0 {
		return nil, "cut row"
	}
	out = make([]ObjectInfo, 0, len(b)/listRow)
	for ; len(b) > 0; b = b[listRow:] {
		o := ObjectInfo{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if n := len(out); n > 0 && o.ID <= out[n-1].ID {
			return nil, "rows not ascending"
		}
		out = append(out, o)
	}
	return out, ""
}
