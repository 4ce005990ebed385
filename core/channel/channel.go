package channel

import (
	"bufio"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"cloister/gate"
	"cloister/wire"
)

// ErrPeer is a connection whose other end is not the member it should be.
var ErrPeer = errors.New("channel: the other end is not an accepted member")

// alpn keeps these connections apart from any other use of the key in TLS.
const alpn = "cloister/core/1"

// Identity is what a core presents to others.
type Identity struct {
	chain wire.Hash
	cert  tls.Certificate
}

// NewIdentity makes the certificate of an identity key for one chain.
func NewIdentity(chain wire.Hash, key wire.PrivateKey, random io.Reader) (*Identity, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),            // validity is the ledger's business:
		NotAfter:     time.Unix(253402300799, 0), // RFC 5280 §4.1.2.5, "no expiry"
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(random, template, template, key.Crypto().Public(), key.Crypto())
	if err != nil {
		return nil, fmt.Errorf("channel: certificate: %w", err)
	}
	return &Identity{chain, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key.Crypto()}}, nil
}

// Accept decides which members may hold a connection.
type Accept func(id wire.NodeID) bool

func (i *Identity) config(accept Accept, peer *wire.NodeID) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13,
		Certificates:           []tls.Certificate{i.cert},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, //nolint:gosec // VerifyConnection decides: there is no CA
		SessionTicketsDisabled: true, // a resumed session would skip nothing, but nobody needs one
		NextProtos:             []string{alpn},
		Time:                   func() time.Time { return time.Unix(1, 0) },
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || s.NegotiatedProtocol != alpn || s.DidResume {
				return ErrPeer
			}
			c := s.PeerCertificates[0]
			key, ok := c.PublicKey.(ed25519.PublicKey)
			if !ok || len(key) != len(wire.PublicKey{}) || c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
				return ErrPeer
			}
			id := wire.NodeIDOf(wire.PublicKey(key))
			if !accept(id) {
				return ErrPeer
			}
			*peer = id
			return nil
		},
	}
}

// Conn is an authenticated connection to a member. Send and Receive may run at
// the same time, each in one goroutine.
type Conn struct {
	Peer wire.NodeID
	tls  *tls.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	max  int
}

// Open makes the handshake as client or server over a stream and exchanges
// chain ids. maxFrame bounds what Receive accepts. The caller bounds the time
// by the stream's deadline. On failure the stream is closed.
func Open(s *gate.Stream, id *Identity, server bool, maxFrame int, accept Accept) (*Conn, error) {
	c := &Conn{max: maxFrame}
	cfg := id.config(accept, &c.Peer)
	if server {
		c.tls = tls.Server(s, cfg)
	} else {
		c.tls = tls.Client(s, cfg)
	}
	c.r, c.w = bufio.NewReaderSize(c.tls, 64<<10), bufio.NewWriterSize(c.tls, 64<<10)
	if err := c.greet(id.chain); err != nil {
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

// Send writes frames and flushes them together.
func (c *Conn) Send(frames [][]byte) error {
	var head [4]byte
	for _, f := range frames {
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
	if int(n) > c.max {
		return nil, fmt.Errorf("channel: frame of %d bytes, at most %d", n, c.max)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.r, b)
	return b, err
}

// Close ends the connection.
func (c *Conn) Close() error { return c.tls.Close() }
