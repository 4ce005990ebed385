package channel

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"cloister/wire"
)

// Lifetimes of a delegation, in seconds. Clocks are the hosts', so the bounds
// are wide; what ends a peer's standing at once is the ledger.
const (
	lifetime    = 2 * 3600
	maxLifetime = 24 * 3600
	maxSkew     = 15 * 60
)

// delegationOID marks the certificate extension with the delegation. The
// project has no registered arc; the certificates never leave its connections.
var delegationOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 61357, 1, 1}

// Claim is who a peer proved to be.
type Claim struct {
	ID     wire.NodeID
	Boots  uint64    // number of its run
	BootID wire.Hash // id of its run
}

// delegation is an identity key's word for a TLS key.
type delegation struct {
	_         struct{} `cbor:",toarray"`
	Identity  wire.PublicKey
	Boots     uint64
	BootID    wire.Hash
	NotBefore uint64 // Unix seconds
	NotAfter  uint64
	Signature wire.Signature
}

const maxDelegation = 256

// statement is what the identity key signs.
func (d *delegation) statement(chain, tlsKey wire.Hash) wire.Hash {
	return wire.TH("cloister/tls/v1", chain[:], tlsKey[:], d.Identity[:], wire.U64(d.Boots), d.BootID[:],
		wire.U64(d.NotBefore), wire.U64(d.NotAfter))
}

// certificate makes a TLS key and a certificate of it that carries the
// delegation. It is used for one connection.
func (i *Identity) certificate() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(i.Random)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("channel: key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("channel: key: %w", err)
	}
	now := uint64(max(maxSkew, i.Unix()))
	d := &delegation{
		Identity: i.Key.Public(), Boots: i.Boots, BootID: i.BootID, NotBefore: now - maxSkew, NotAfter: now + lifetime,
	}
	d.Signature = i.Key.Sign(d.statement(i.Chain, sha256.Sum256(spki)))
	template := &x509.Certificate{
		SerialNumber:    big.NewInt(1),
		NotBefore:       time.Unix(0, 0),            // the delegation's times count
		NotAfter:        time.Unix(253402300799, 0), // RFC 5280 §4.1.2.5, "no expiry"
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: delegationOID, Value: wire.Marshal(d)}},
	}
	der, err := x509.CreateCertificate(i.Random, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("channel: certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

// claimed checks a peer's certificate and gives what its identity key says.
// That the peer holds the TLS key is TLS's own proof. Errors wrap ErrPeer.
func (i *Identity) claimed(c *x509.Certificate) (Claim, error) {
	var found *pkix.Extension
	for n := range c.Extensions {
		if c.Extensions[n].Id.Equal(delegationOID) {
			if found != nil {
				return Claim{}, fmt.Errorf("%w: two delegations", ErrPeer)
			}
			found = &c.Extensions[n]
		}
	}
	if found == nil {
		return Claim{}, fmt.Errorf("%w: no delegation", ErrPeer)
	}
	d := new(delegation)
	if err := wire.Unmarshal(found.Value, d, maxDelegation); err != nil {
		return Claim{}, fmt.Errorf("%w: %v", ErrPeer, err)
	}
	now := uint64(max(0, i.Unix()))
	switch {
	case d.NotAfter <= d.NotBefore || d.NotAfter-d.NotBefore > maxLifetime:
		return Claim{}, fmt.Errorf("%w: delegation for too long", ErrPeer)
	case now+maxSkew < d.NotBefore || now > d.NotAfter+maxSkew:
		return Claim{}, fmt.Errorf("%w: delegation is not valid now; check both machines' clocks", ErrPeer)
	case !d.Identity.Verify(d.statement(i.Chain, sha256.Sum256(c.RawSubjectPublicKeyInfo)), d.Signature):
		return Claim{}, fmt.Errorf("%w: the identity key did not sign for this TLS key on this chain", ErrPeer)
	}
	return Claim{ID: wire.NodeIDOf(d.Identity), Boots: d.Boots, BootID: d.BootID}, nil
}
