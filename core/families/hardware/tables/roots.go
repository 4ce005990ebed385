package tables

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// Root finds a root by id; ok is false if there is none. Revoked ones are found too.
func Root(st ledger.State, id wire.Hash) (r trust.Root, ok bool, err error) {
	return ledger.Load[trust.Root](st, trust.RootKey(id))
}

// RootOf finds the root that evidence ended in (evidence.Result.Anchor).
func RootOf(st ledger.State, v evidence.Vendor, anchor wire.Hash) (r trust.Root, ok bool, err error) {
	list, err := Roots(st, v)
	for i := range list {
		if a := list[i].Anchor(); a.ID() == anchor {
			return list[i], true, err
		}
	}
	return trust.Root{}, false, err
}

// Roots lists the roots of a vendor by ascending id, the revoked ones included.
func Roots(st ledger.State, v evidence.Vendor) ([]trust.Root, error) {
	list, err := ids(st, trust.RootsKey(v))
	if err != nil {
		return nil, err
	}
	out := make([]trust.Root, 0, len(list))
	for _, id := range list {
		r, ok, err := Root(st, id)
		if err == nil && !ok {
			err = fmt.Errorf("hardware: root %s is listed and not there", id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// addRoot adds a root at a height and block time in milliseconds.
func addRoot(st ledger.State, testnet bool, r trust.Root, height, timeMs uint64) error {
	id := r.ID()
	if err := checkCertificate(r.DER, timeMs); err != nil {
		return err
	}
	switch _, known, err := Root(st, id); {
	case err != nil:
		return err
	case known:
		return wire.Faultf(wire.ErrRootExists, "%s", id)
	}
	if err := checkClass(st, testnet, &r); err != nil {
		return err
	}
	if err := addID(st, trust.RootsKey(r.Vendor), id, trust.MaxRoots, "roots of "+r.Vendor.String()); err != nil {
		return err
	}
	r.Added = height
	return put(st, trust.RootKey(id), r)
}

// checkClass keeps simulated hardware apart from real: one simulated root
// beside real ones would let anybody join as the vendor's hardware.
func checkClass(st ledger.State, testnet bool, r *trust.Root) error {
	switch {
	case !r.Class.Fits(r.Vendor):
		return wire.Faultf(wire.ErrRootClass, "%s makes no hardware of class %s", r.Vendor, r.Class)
	case r.Class == trust.Emulated && !r.Simulated:
		return wire.Faultf(wire.ErrRootClass, "emulated hardware has to be called simulated")
	case r.Simulated && !testnet:
		return wire.Faultf(wire.ErrRootClass, "this is no test network")
	}
	others, err := Roots(st, r.Vendor)
	if err != nil {
		return err
	}
	for i := range others {
		if o := &others[i]; o.Revoked == 0 && o.Simulated != r.Simulated {
			return wire.Faultf(wire.ErrRootClass, "root %s of %s is simulated: %t, this one: %t", o.ID(), r.Vendor, o.Simulated, r.Simulated)
		}
	}
	return nil
}

// Bounds of a root's RSA key, bits. The upper one bounds the work of a
// verification.
const (
	minRSA = 2048
	maxRSA = 8192
)

// checkCertificate judges the certificate of a root at a block time in
// milliseconds (hardware registry specification §4).
func checkCertificate(der []byte, timeMs uint64) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return wire.Faultf(wire.ErrRootMalformed, "%v", err)
	}
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return wire.Faultf(wire.ErrRootNotCA, "%.64q may not sign certificates", c.Subject.CommonName)
	}
	if at := seconds(timeMs); at < c.NotBefore.Unix() || at > c.NotAfter.Unix() {
		return wire.Faultf(wire.ErrRootExpired, "%.64q is valid from %s to %s", c.Subject.CommonName, c.NotBefore.UTC(), c.NotAfter.UTC())
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA || n > maxRSA {
			return wire.Faultf(wire.ErrRootWeakKey, "RSA of %d bits", n)
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return wire.Faultf(wire.ErrRootWeakKey, "curve %s", k.Params().Name)
		}
	default:
		return wire.Faultf(wire.ErrRootWeakKey, "a key of %s", c.PublicKeyAlgorithm)
	}
	return nil
}

func revokeRoot(st ledger.State, s *trust.Summary, o *trust.RootRevoke, height uint64) error {
	r, ok, err := Root(st, o.Root)
	switch {
	case err != nil:
		return err
	case !ok:
		return wire.Faultf(wire.ErrRootUnknown, "%s", o.Root)
	case o.Mode <= r.Mode:
		return wire.Faultf(wire.ErrRootRevoked, "%s is revoked in mode %d", o.Root, r.Mode)
	}
	if r.Revoked == 0 {
		r.Revoked = height
	}
	r.Mode = o.Mode
	if err := put(st, trust.RootKey(o.Root), r); err != nil {
		return err
	}
	return record(st, s, trust.Revocation{Kind: o.Kind(), Target: o.Root, Mode: o.Mode, Height: height})
}

func revokeKeys(st ledger.State, s *trust.Summary, o *trust.CertRevoke, height uint64) error {
	switch _, ok, err := Root(st, o.Root); {
	case err != nil:
		return err
	case !ok:
		return wire.Faultf(wire.ErrRootUnknown, "%s", o.Root)
	}
	for _, spki := range o.SPKIs {
		switch revoked, err := Revoked(st, spki); {
		case err != nil:
			return err
		case revoked: // the first revocation is the one to be proved
			continue
		}
		if err := st.Set(trust.RevokedKey(spki), wire.U64(s.Revocations)); err != nil {
			return err
		}
	}
	return record(st, s, trust.Revocation{Kind: o.Kind(), Target: o.Root, SPKIs: o.SPKIs, Height: height})
}

// Revoked reports whether a key is revoked, by the SHA-256 of its SubjectPublicKeyInfo.
func Revoked(st ledger.State, spki wire.Hash) (bool, error) {
	v, err := st.Get(trust.RevokedKey(spki))
	return v != nil, err
}

// FirstRevoked finds the first revoked key of a list, as of verify.Keys; ok is
// false if there is none.
func FirstRevoked(st ledger.State, spkis []wire.Hash) (spki wire.Hash, ok bool, err error) {
	for _, k := range spkis {
		if ok, err = Revoked(st, k); ok || err != nil {
			return k, ok, err
		}
	}
	return wire.Hash{}, false, nil
}
