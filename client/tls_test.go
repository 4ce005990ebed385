package client_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"cloister/client"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
)

func TestTLSIsChecked(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l := apitest.New(1)
	endpoint := host(t, l, func(c *api.Config) {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	})
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	known := dial(t, l, client.Options{TLS: &tls.Config{RootCAs: roots}}, "https://"+endpoint)
	if st, err := known.Submit(bg, l.Create("books", nil, 1)); err != nil || st.State != client.Committed {
		t.Error(st, err)
	}
	stranger := dial(t, l, client.Options{TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, "https://"+endpoint)
	if _, err := stranger.HostStatus(bg); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("an unknown certificate: %v", err)
	}
}
