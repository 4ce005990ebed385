package channel

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"cloister/gate"
	"cloister/wire"
)

// ErrPeer is a connection whose other end is not the member it should be.
var ErrPeer = errors.New("channel: the other end is not an accepted member")

// maxSent is how many bytes a connection carries in one direction before it has
// to be made anew, with new keys: crypto/tls never changes them by itself, and
// AES-GCM holds for about 2^38 bytes under one (RFC 8446 §5.5).
const maxSent = 1 << 36

// errWorn ends a connection that has carried maxSent.
var errWorn = errors.New("channel: the connection's keys have served their time")

// alpn keeps these connections apart from any other use of the key in TLS.
const alpn = "cloister/core/2"

// Identity is what a core presents to others: its identity key's word for a TLS
// key that lives in memory, for one connection.
type Identity struct {
	Chain  wire.Hash
	Key    wire.PrivateKey
	Boots  uint64    // number of this run
	BootID wire.Hash // its id
	Random io.Reader
	// Unix is the time in seconds, as far as it is known.
	Unix func() int64
}

// Accept decides whether whoever a claim names may hold a connection. It only
// answers: TLS asks before the peer has proved that it has the claim's key.
type Accept func(c Claim) bool

func (i *Identity) config(accept Accept, peer *Claim) (*tls.Config, error) {
	cert, err := i.certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Rand:       i.Random,
		MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13,
		Certificates:           []tls.Certificate{cert},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, //nolint:gosec // VerifyConnection decides: there is no CA
		SessionTicketsDisabled: true, // no resumption: every connection is judged anew
		NextProtos:             []string{alpn},
		Time:                   func() time.Time { return time.Unix(1, 0) },
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || s.NegotiatedProtocol != alpn || s.DidResume {
				return ErrPeer
			}
			claim, err := i.claimed(s.PeerCertificates[0])
			if err != nil {
				return err
			}
			if claim.ID == wire.NodeIDOf(i.Key.Public()) {
				return fmt.Errorf("%w: it is this one; the host has joined its own ends", ErrPeer)
			}
			if !accept(claim) {
				return ErrPeer
			}
			*peer = claim
			return nil
		},
	}, nil
}

// Conn is an authenticated connection to a member. Send and Receive may run at
// the same time, each in one goroutine.
type Conn struct {
	Peer Claim
	tls  *tls.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	max  int
	left int64 // bytes that may be sent
}

// Open makes the handshake as client or server over a stream and exchanges
// chain ids. maxFrame bounds what Receive accepts. The caller bounds the time
// by the stream's deadline. On failure the stream is closed.
func Open(s gate.Wire, id *Identity, server bool, maxFrame int, accept Accept) (*Conn, error) {
	c := &Conn{max: maxFrame, left: maxSent}
	cfg, err := id.config(accept, &c.Peer)
	if err != nil {
		s.Close()
		return nil, err
	}
	if server {
		c.tls = tls.Server(s, cfg)
	} else {
		c.tls = tls.Client(s, cfg)
	}
	c.r, c.w = bufio.NewReaderSize(c.tls, 64<<10), bufio.NewWriterSize(c.tls, 64<<10)
	if err := c.greet(id.Chain); err != nil {
		s.Close()
		return nil, err
	}
	s.Authenticated()
	return c, nil
}

func (c *Conn) greet(chain wire.Hash) error {
	if err := c.tls.Handshake(); err != nil {
		return fmt.Errorf("channel: handshake: %w", err)
	}
	if err := c.Send([][]byte{chain[:]}); err != nil {
		return err
	}
	b, err := c.Receive()
	switch {
	case err != nil:
		return err
	case len(b) != len(chain) || wire.Hash(b) != chain:
		return fmt.Errorf("%w: it is of another chain", ErrPeer)
	}
	return nil
}

// Send writes frames and flushes them together. After an error the connection
// is of no more use.
func (c *Conn) Send(frames [][]byte) error {
	var head [4]byte
	for _, f := range frames {
		if c.left -= int64(len(head) + len(f)); c.left < 0 {
			return errWorn
		}
		binary.BigEndian.PutUint32(head[:], uint32(len(f)))
		if _, err := c.w.Write(head[:]); err != nil {
			return err
		}
		if _, err := c.w.Write(f); err != nil {
			return err
		}
	}
	return c.w.Flush()
}

// Receive reads one frame; the caller owns it.
func (c *Conn) Receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(c.max) {
		return nil, fmt.Errorf("channel: frame of %d bytes, at most %d", n, c.max)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.r, b)
	return b, err
}

// Close ends the connection.
func (c *Conn) Close() error { return c.tls.Close() }
