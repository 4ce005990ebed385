package tpm

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"unicode/utf8"
)

// What a TPM's alternative name says (TCG EK Credential Profile §3.1.2).
var (
	oidManufacturer = asn1.ObjectIdentifier{2, 23, 133, 2, 1}
	oidModel        = asn1.ObjectIdentifier{2, 23, 133, 2, 2}
	oidVersion      = asn1.ObjectIdentifier{2, 23, 133, 2, 3}
)

// maxIdentity bounds each part of an Identity, in bytes.
const maxIdentity = 64

// checkProfile checks that a certificate is one for endorsement keys, and reads
// which TPM it names.
func checkProfile(leaf *x509.Certificate) (Identity, error) {
	use := x509.KeyUsageKeyEncipherment
	if _, ec := leaf.PublicKey.(*ecdsa.PublicKey); ec {
		use = x509.KeyUsageKeyAgreement
	}
	switch {
	case leaf.IsCA:
		return Identity{}, refuse(ErrEKProfile, "the leaf certificate is an authority's")
	case !slices.ContainsFunc(leaf.UnknownExtKeyUsage, oidEKCertificate.Equal):
		return Identity{}, refuse(ErrEKProfile, "the leaf certificate is not for endorsement keys (%s)", oidEKCertificate)
	case leaf.KeyUsage&use == 0:
		return Identity{}, refuse(ErrEKProfile, "the leaf certificate's key may not be used to encipher or agree on keys")
	}
	return readIdentity(leaf)
}

// readIdentity reads the directory name in the alternative name.
func readIdentity(leaf *x509.Certificate) (Identity, error) {
	var id Identity
	at := slices.IndexFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidSubjectAltName) })
	if at < 0 {
		return id, refuse(ErrEKProfile, "the leaf certificate names no TPM")
	}
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(leaf.Extensions[at].Value, &names); err != nil || len(rest) != 0 {
		return id, refuse(ErrEKProfile, "the leaf certificate's alternative name does not parse")
	}
	for _, n := range names {
		if n.Class != asn1.ClassContextSpecific || n.Tag != 4 {
			continue // only a directory name can say it
		}
		var rdns pkix.RDNSequence
		if rest, err := asn1.Unmarshal(n.Bytes, &rdns); err != nil || len(rest) != 0 {
			return id, refuse(ErrEKProfile, "the leaf certificate's directory name does not parse")
		}
		for _, rdn := range rdns {
			for _, attr := range rdn {
				if err := id.read(attr); err != nil {
					return Identity{}, err
				}
			}
		}
	}
	if id.Manufacturer == "" {
		return Identity{}, refuse(ErrEKProfile, "the leaf certificate names no manufacturer")
	}
	return id, nil
}

func (id *Identity) read(attr pkix.AttributeTypeAndValue) error {
	for _, f := range []struct {
		oid asn1.ObjectIdentifier
		to  *string
	}{{oidManufacturer, &id.Manufacturer}, {oidModel, &id.Model}, {oidVersion, &id.Version}} {
		if !attr.Type.Equal(f.oid) {
			continue
		}
		text, ok := attr.Value.(string)
		if !ok || text == "" || len(text) > maxIdentity || !utf8.ValidString(text) || *f.to != "" {
			return refuse(ErrEKProfile, "attribute %s of the TPM's name is not one short text", f.oid)
		}
		*f.to = text
	}
	return nil
}
