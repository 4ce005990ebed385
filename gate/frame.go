package gate

import (
	"encoding/binary"
	"fmt"
)

// Lane numbers one of the three connections.
type Lane uint8

// Lanes in the order of the start variable.
const (
	Control Lane = iota
	Storage
	Streaming
	laneCount
)

func (l Lane) String() string {
	if l >= laneCount {
		return fmt.Sprintf("lane(%d)", uint8(l))
	}
	return [...]string{"control", "storage", "streams"}[l]
}

// Type is a frame's type byte.
type Type uint8

// Frame types (gate.md §4).
const (
	typeHello   Type = 0x01
	typeWelcome Type = 0x02
	typeStart   Type = 0x03
	typeReady   Type = 0x04
	typeDone    Type = 0x08
	typeData    Type = 0x09
	typeFail    Type = 0x0a

	typeCreate   Type = 0x10
	typeAppend   Type = 0x11
	typeSync     Type = 0x12
	typeRead     Type = 0x13
	typeReadMany Type = 0x14
	typeDelete   Type = 0x15
	typeList     Type = 0x16
	typeUsage    Type = 0x17
	typeCredit   Type = 0x1d

	typeDial     Type = 0x20
	typeOpened   Type = 0x21
	typeAccepted Type = 0x22
	typeBytes    Type = 0x23 // Data of the streams lane
	typeClose    Type = 0x24
	typeWindow   Type = 0x25
	typeShut     Type = 0x26

	typeSubmit   Type = 0x30
	typeQuery    Type = 0x31
	typeFinal    Type = 0x32
	typeArchived Type = 0x33
	typeFetch    Type = 0x34
	typeEvent    Type = 0x35
	typeUndo     Type = 0x36
	typeStatus   Type = 0x37
	typeStop     Type = 0x38
	typeFatal    Type = 0x39
)

const (
	headerSize = 16
	flagMore   = 1
)

// header is a frame without its payload.
type header struct {
	n    int // payload bytes
	typ  Type
	more bool
	id   uint64
}

func (h header) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(h.n))
	flags := byte(0)
	if h.more {
		flags = flagMore
	}
	b = append(b, byte(h.typ), flags, 0, 0)
	return binary.BigEndian.AppendUint64(b, h.id)
}

// end says who receives a frame.
type end uint8

const (
	coreEnd end = 1 << iota
	hostEnd
)

type idKind uint8

const (
	idNone    idKind = iota // one-way: 0
	idRequest               // never 0, increasing
	idAnswer                // of an open request
	idStream
)

// rule is what a frame type must look like at its receiver.
type rule struct {
	lanes    uint8 // bit set of lanes
	to       end
	id       idKind
	min, max int // payload bytes
	more     bool
}

const (
	onControl = 1 << Control
	onStorage = 1 << Storage
	onStreams = 1 << Streaming
)

var rules = [256]rule{
	typeHello:   {onControl | onStorage | onStreams, hostEnd, idNone, helloSize, helloSize, false},
	typeWelcome: {onControl | onStorage | onStreams, coreEnd, idNone, welcomeSize, welcomeSize, false},

	typeReady: {onControl, hostEnd, idAnswer, 1, 1024, false},
	typeDone:  {onControl | onStorage, coreEnd | hostEnd, idAnswer, 0, 0, false},
	typeData:  {onControl | onStorage, coreEnd | hostEnd, idAnswer, 0, maxFrame, true},
	typeFail:  {onControl | onStorage, coreEnd | hostEnd, idAnswer, 2, 2 + MaxFailText, false},

	typeCreate:   {onStorage, hostEnd, idNone, 17, 17, false},
	typeAppend:   {onStorage, hostEnd, idNone, 17, 16 + MaxAppend, false},
	typeSync:     {onStorage, hostEnd, idRequest, 8, 8, false},
	typeRead:     {onStorage, hostEnd, idRequest, 20, 20, false},
	typeReadMany: {onStorage, hostEnd, idRequest, 2 + rangeSize, 2 + MaxReadMany*rangeSize, false},
	typeDelete:   {onStorage, hostEnd, idNone, 2 + 8, 2 + MaxDelete*8, false},
	typeList:     {onStorage, hostEnd, idRequest, 8, 8, false},
	typeUsage:    {onStorage, hostEnd, idRequest, 0, 0, false},
	typeCredit:   {onStorage, coreEnd, idNone, 4, 4, false},

	typeDial:     {onStreams, hostEnd, idStream, 1, MaxAddr, false},
	typeOpened:   {onStreams, coreEnd, idStream, 0, 0, false},
	typeAccepted: {onStreams, coreEnd, idStream, 1, 1 + MaxAddr, false},
	typeBytes:    {onStreams, coreEnd | hostEnd, idStream, 1, MaxData, false},
	typeClose:    {onStreams, coreEnd | hostEnd, idStream, 2, 2, false},
	typeWindow:   {onStreams, coreEnd | hostEnd, idStream, 4, 4, false},
	typeShut:     {onStreams, coreEnd | hostEnd, idStream, 0, 0, false},

	typeStart:    {onControl, coreEnd, idRequest, 1, MaxConfig + 1024, false},
	typeSubmit:   {onControl, coreEnd, idRequest, 1, MaxSubmitBytes, false},
	typeQuery:    {onControl, coreEnd, idRequest, 1, MaxQuery + 16, false},
	typeFinal:    {onControl, hostEnd, idNone, 1, maxFrame, true},
	typeArchived: {onControl, coreEnd, idNone, 1, 16, false},
	typeFetch:    {onControl, hostEnd, idRequest, 1, MaxFetchKey + 16, false},
	typeEvent:    {onControl, hostEnd, idNone, 1, 512, false},
	typeUndo:     {onControl, hostEnd, idNone, 1, 64, false},
	typeStatus:   {onControl, coreEnd, idRequest, 0, 0, false},
	typeStop:     {onControl, coreEnd, idRequest, 1, 16, false},
	typeFatal:    {onControl, hostEnd, idNone, 1, 64, false},
}

// parseHeader decodes and checks one header against the rules of a receiver.
// The empty string means the frame may be read; otherwise it is the broken rule.
// Increasing ids and open requests are the lane's to check.
func parseHeader(b *[headerSize]byte, lane Lane, at end) (h header, broken string) {
	n := binary.BigEndian.Uint32(b[:4])
	h = header{typ: Type(b[4]), more: b[5]&flagMore != 0, id: binary.BigEndian.Uint64(b[8:])}
	r := &rules[h.typ]
	switch {
	case r.lanes == 0:
		return h, "unknown type"
	case r.lanes&(1<<lane) == 0:
		return h, "wrong lane"
	case r.to&at == 0:
		return h, "wrong direction"
	case b[5]&^flagMore != 0 || b[6] != 0 || b[7] != 0:
		return h, "reserved bits set"
	case h.more && !r.more:
		return h, "more is not allowed here"
	case n < uint32(r.min) || n > uint32(r.max):
		return h, "payload length"
	case h.more && n == 0:
		return h, "empty part"
	case r.id == idNone && h.id != 0:
		return h, "id on a one-way frame"
	case r.id != idNone && h.id == 0:
		return h, "id 0"
	}
	h.n = int(n)
	return h, ""
}
