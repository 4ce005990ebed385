package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	helloMagic  = "CLGT"
	helloSize   = 4 + 2 + 1 + 32
	welcomeSize = 2 + 4*4
)

// Token keeps other local users out of a loopback gate. It is no secret of the
// core. On inherited connections it is zero.
type Token [32]byte

type hello struct {
	version uint16
	lane    Lane
	token   Token
}

func (h hello) payload() []byte {
	b := append([]byte(nil), helloMagic...)
	b = binary.BigEndian.AppendUint16(b, h.version)
	return append(append(b, byte(h.lane)), h.token[:]...)
}

// parseHello decodes helloSize bytes.
func parseHello(b []byte) (h hello, err error) {
	if len(b) != helloSize || string(b[:4]) != helloMagic {
		return h, errors.New("not a hello")
	}
	h.version, h.lane = binary.BigEndian.Uint16(b[4:]), Lane(b[6])
	copy(h.token[:], b[7:])
	if h.lane >= laneCount {
		return h, fmt.Errorf("hello for lane %d", b[6])
	}
	return h, nil
}

// limits are what the host is ready to take from the core.
type limits struct {
	frame   uint32 // payload bytes of a frame
	credit  uint32 // bytes of Append without Credit
	open    uint32 // storage requests without an answer
	streams uint32 // streams at a time
}

var ownLimits = limits{maxFrame, maxUnwritten, maxStorageOpen, MaxStreams}

func (l limits) payload() []byte {
	b := binary.BigEndian.AppendUint16(nil, Version)
	for _, v := range []uint32{l.frame, l.credit, l.open, l.streams} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// parseWelcome decodes the host's limits and lowers what is above our own; a
// host can never raise what the core sends or keeps.
func parseWelcome(b []byte) (limits, error) {
	if len(b) != welcomeSize || binary.BigEndian.Uint16(b) != Version {
		return limits{}, errors.New("not a welcome of this version")
	}
	u := func(i int) uint32 { return binary.BigEndian.Uint32(b[2+4*i:]) }
	l := limits{
		frame:   min(u(0), ownLimits.frame),
		credit:  min(u(1), ownLimits.credit),
		open:    min(u(2), ownLimits.open),
		streams: min(u(3), ownLimits.streams),
	}
	if l.frame < minFrame || l.credit < minFrame || l.open == 0 || l.streams == 0 {
		return limits{}, errors.New("the host's limits are too small to work with")
	}
	return l, nil
}

// sayHello opens one lane from the core's side.
func sayHello(c net.Conn, lane Lane, token Token, deadline time.Time) (limits, error) {
	c.SetDeadline(deadline)
	if err := writeGreeting(c, typeHello, hello{Version, lane, token}.payload()); err != nil {
		return limits{}, err
	}
	p, err := readGreeting(c, typeWelcome, lane, coreEnd, welcomeSize)
	if err != nil {
		return limits{}, err
	}
	c.SetDeadline(time.Time{})
	return parseWelcome(p)
}

// welcome answers one lane from the host's side and says which lane it is.
func welcome(c net.Conn, token Token, deadline time.Time) (Lane, error) {
	c.SetDeadline(deadline)
	p, err := readGreeting(c, typeHello, Control, hostEnd, helloSize)
	if err != nil {
		return 0, err
	}
	h, err := parseHello(p)
	if err != nil {
		return 0, err
	}
	if h.version != Version {
		return 0, fmt.Errorf("the core speaks gate version %d, this host %d", h.version, Version)
	}
	if h.token != token {
		return 0, errors.New("wrong token")
	}
	if err := writeGreeting(c, typeWelcome, ownLimits.payload()); err != nil {
		return 0, err
	}
	c.SetDeadline(time.Time{})
	return h.lane, nil
}

func writeGreeting(c net.Conn, typ Type, p []byte) error {
	_, err := c.Write(append(header{n: len(p), typ: typ}.append(nil), p...))
	return err
}

// readGreeting reads one frame of a fixed type without reading ahead.
func readGreeting(c net.Conn, want Type, lane Lane, at end, size int) ([]byte, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(plain{c}, b[:]); err != nil {
		return nil, err
	}
	h, broken := parseHeader(&b, lane, at)
	if broken == "" && h.typ != want {
		broken = "not a greeting"
	}
	if broken != "" {
		return nil, &ProtocolError{Lane: lane, Type: h.typ, Rule: broken}
	}
	p := make([]byte, size)
	_, err := io.ReadFull(plain{c}, p)
	return p, err
}
