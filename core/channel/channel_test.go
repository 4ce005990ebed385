package channel

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"

	"cloister/wire"
)

// pipe is one end of a stream in memory. What is written waits for its reader.
type pipe struct {
	net.Conn
	written chan []byte
	proved  bool
}

func newPipe(c net.Conn) *pipe {
	p := &pipe{Conn: c, written: make(chan []byte, 64)}
	go func() { // ends with the connection
		for b := range p.written {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pipe) Write(b []byte) (int, error) {
	p.written <- bytes.Clone(b)
	return len(b), nil
}

func (p *pipe) Authenticated() { p.proved = true }

func identity(name string) *Identity {
	return &Identity{
		Chain: wire.TH("test/chain"), Key: wire.NewPrivateKey(wire.TH("test/key", []byte(name))), Boots: 3,
		BootID: wire.TH("test/boot", []byte(name)), Random: rand.Reader, Unix: func() int64 { return 1_800_000_000 },
	}
}

func (i *Identity) claim() Claim { return Claim{wire.NodeIDOf(i.Key.Public()), i.Boots, i.BootID} }

func anyone(Claim) bool { return true }

type opened struct {
	conn *Conn
	err  error
}

// meet lets two identities open a connection to each other.
func meet(t *testing.T, a, b *Identity, acceptA, acceptB Accept) (opened, opened) {
	t.Helper()
	left, right := net.Pipe()
	t.Cleanup(func() { left.Close(); right.Close() })
	server := make(chan opened)
	go func() {
		c, err := Open(newPipe(right), b, true, 1<<16, acceptB)
		server <- opened{c, err}
	}()
	c, err := Open(newPipe(left), a, false, 1<<16, acceptA)
	return opened{c, err}, <-server
}

func TestBothEndsLearnWhoAndWhichRunTheOtherIs(t *testing.T) {
	a, b := identity("a"), identity("b")
	x, y := meet(t, a, b, anyone, anyone)
	if x.err != nil || y.err != nil {
		t.Fatal(x.err, y.err)
	}
	if x.conn.Peer != b.claim() || y.conn.Peer != a.claim() {
		t.Fatalf("%+v and %+v", x.conn.Peer, y.conn.Peer)
	}
	go func() { _ = x.conn.Send([][]byte{[]byte("one"), nil, bytes.Repeat([]byte{7}, 1<<16)}) }()
	for _, n := range []int{3, 0, 1 << 16} {
		if f, err := y.conn.Receive(); err != nil || len(f) != n {
			t.Fatalf("frame of %d bytes, %v, want %d", len(f), err, n)
		}
	}
	go func() { _ = x.conn.Send([][]byte{make([]byte, 1<<16+1)}) }()
	if _, err := y.conn.Receive(); err == nil {
		t.Fatal("a frame over the bound was read")
	}
}

func TestAPeerThatIsNotAcceptedGetsNoConnection(t *testing.T) {
	for name, accept := range map[string]Accept{
		"another node": func(c Claim) bool { return c.ID == identity("c").claim().ID },
		"an older run": func(c Claim) bool { return c.Boots > 3 },
		"another run":  func(c Claim) bool { return c.BootID == (wire.Hash{}) },
	} {
		x, y := meet(t, identity("a"), identity("b"), accept, anyone)
		if !errors.Is(x.err, ErrPeer) || y.err == nil {
			t.Errorf("%s: %v, %v", name, x.err, y.err)
		}
	}
}

func TestAnotherChainAndAWrongClockAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(i *Identity){
		"chain":       func(i *Identity) { i.Chain[0]++ },
		"clock ahead": func(i *Identity) { i.Unix = func() int64 { return 1_800_000_000 + 3*maxSkew } },
		"clock late":  func(i *Identity) { i.Unix = func() int64 { return 1_800_000_000 - lifetime - 3*maxSkew } },
	} {
		bad := identity("b")
		spoil(bad)
		if x, y := meet(t, identity("a"), bad, anyone, anyone); x.err == nil || y.err == nil {
			t.Errorf("%s: %v, %v", name, x.err, y.err)
		}
	}
}

// Every field of a delegation, the TLS key and the chain are under the identity's signature.
func TestADelegationHoldsForNothingElse(t *testing.T) {
	i := identity("a")
	cert, err := i.certificate()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if c, err := i.claimed(parsed); err != nil || c != i.claim() {
		t.Fatalf("%+v, %v", c, err)
	}
	at := -1
	for n := range parsed.Extensions {
		if parsed.Extensions[n].Id.Equal(delegationOID) {
			at = n
		}
	}
	good := parsed.Extensions[at].Value
	for n := range good {
		parsed.Extensions[at].Value = bytes.Clone(good)
		parsed.Extensions[at].Value[n] ^= 1
		if _, err := i.claimed(parsed); !errors.Is(err, ErrPeer) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	parsed.Extensions[at].Value = good
	other, err := i.certificate()
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := x509.ParseCertificate(other.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	stolen.Extensions[at].Value = good
	if _, err := i.claimed(stolen); !errors.Is(err, ErrPeer) {
		t.Fatalf("another TLS key: %v", err)
	}
	parsed.Extensions = append(parsed.Extensions, parsed.Extensions[at])
	if _, err := i.claimed(parsed); !errors.Is(err, ErrPeer) {
		t.Fatalf("two delegations: %v", err)
	}
	parsed.Extensions = nil
	if _, err := i.claimed(parsed); !errors.Is(err, ErrPeer) {
		t.Fatalf("none: %v", err)
	}
}

func TestTLSWithoutADelegationOrOfAnotherVersionIsRefused(t *testing.T) {
	i := identity("a")
	with := func(change func(c *tls.Config)) error {
		left, right := net.Pipe()
		defer left.Close()
		defer right.Close()
		var peer Claim
		cfg, err := i.config(anyone, &peer)
		if err != nil {
			t.Fatal(err)
		}
		change(cfg)
		go func() { _ = tls.Client(left, cfg).Handshake(); left.Close() }()
		_, err = Open(newPipe(right), identity("b"), true, 1<<16, anyone)
		return err
	}
	for name, change := range map[string]func(c *tls.Config){
		"no certificate":   func(c *tls.Config) { c.Certificates = nil },
		"another protocol": func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} },
		"TLS 1.2":          func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
	} {
		if with(change) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A peer has seen the certificates of all whom it ever met, and a host may lead
// a core's stream back to the core itself.
func TestACertificateWithoutItsKeyAndOnesOwnAreRefused(t *testing.T) {
	a, thief := identity("a"), identity("thief")
	stolen, err := a.certificate()
	if err != nil {
		t.Fatal(err)
	}
	own, err := thief.certificate()
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []bool{false, true} {
		left, right := net.Pipe()
		cfg, err := thief.config(anyone, new(Claim))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{{Certificate: stolen.Certificate, PrivateKey: own.PrivateKey}}
		end := tls.Client(left, cfg)
		if server {
			end = tls.Server(left, cfg)
		}
		go func() { _ = end.Handshake(); left.Close() }()
		p := newPipe(right)
		if c, err := Open(p, identity("b"), !server, 1<<16, anyone); err == nil || c != nil || p.proved {
			t.Errorf("the thief as server: %t: %v", server, err)
		}
		right.Close()
	}
	if x, y := meet(t, a, a, anyone, anyone); !errors.Is(x.err, ErrPeer) || y.err == nil {
		t.Errorf("itself: %v, %v", x.err, y.err)
	}
}

func TestAConnectionEndsBeforeItsKeysAreWorn(t *testing.T) {
	x, y := meet(t, identity("a"), identity("b"), anyone, anyone)
	if x.err != nil || y.err != nil {
		t.Fatal(x.err, y.err)
	}
	x.conn.left = 12
	sent := make(chan error, 2)
	go func() {
		for range 2 {
			sent <- x.conn.Send([][]byte{[]byte("one")})
		}
	}()
	if b, err := y.conn.Receive(); err != nil || string(b) != "one" {
		t.Fatalf("%q, %v", b, err)
	}
	if first, second := <-sent, <-sent; first != nil || !errors.Is(second, errWorn) {
		t.Errorf("%v, then %v", first, second)
	}
}

func FuzzDelegation(f *testing.F) {
	i := identity("a")
	cert, err := i.certificate()
	if err != nil {
		f.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		f.Fatal(err)
	}
	at := len(parsed.Extensions) - 1
	good := bytes.Clone(parsed.Extensions[at].Value)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed.Extensions[at].Value = b
		if _, err := i.claimed(parsed); (err == nil) != bytes.Equal(b, good) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
