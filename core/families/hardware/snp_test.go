package hardware_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// amdVendor is a simulated AMD.
type amdVendor struct {
	arkKey, askKey *rsa.PrivateKey
	ark, ask       []byte
}

var theAMD = sync.OnceValue(func() *amdVendor {
	v := &amdVendor{arkKey: must(rsa.GenerateKey(rand.Reader, 2048)), askKey: must(rsa.GenerateKey(rand.Reader, 2048))}
	ark := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated ARK-Genoa"}, NotBefore: issued, NotAfter: expiry,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	v.ark = v.sign(ark, ark, &v.arkKey.PublicKey, v.arkKey)
	v.ask = v.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Simulated SEV-Genoa"}, NotBefore: issued, NotAfter: expiry,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, ark, &v.askKey.PublicKey, v.arkKey)
	return v
})

func (v *amdVendor) sign(c, parent *x509.Certificate, pub any, key crypto.Signer) []byte {
	c.SignatureAlgorithm = x509.SHA384WithRSAPSS
	return must(x509.CreateCertificate(rand.Reader, c, parent, pub, key))
}

func (v *amdVendor) anchor() wire.Hash { return sha256.Sum256(v.ark) }

// crl is an empty revocation list of the root, as an item for the ledger.
func (v *amdVendor) chain() evidence.Item { return evidence.Item{Type: evidence.AMDChain, Body: v.ask} }

const snpPolicy = 0x30000

var loaded = func() (m [48]byte) {
	copy(m[:], "what was loaded")
	return m
}()

// code is the CodeID of the program every CPU of the tests runs.
func (v *amdVendor) code() []byte {
	id := evidence.CodeID(evidence.SNP, loaded[:], make([]byte, 32), wire.U64(snpPolicy))
	return id[:]
}

// report is the evidence of a CPU for report data.
func (v *amdVendor) report(chip byte, reportData [64]byte) (quote, leaf []byte) {
	key := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	hwid := bytes.Repeat([]byte{chip}, 64)
	c := &x509.Certificate{SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: "Simulated SEV-VCEK"}, NotBefore: issued, NotAfter: issued.AddDate(7, 0, 0)}
	add := func(value any, params string, arcs ...int) {
		oid := append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}, arcs...)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid, Value: must(asn1.MarshalWithParams(value, params))})
	}
	add("Genoa-B0", "ia5", 2)
	for i, spl := range []int{4, 0, 24, 213} {
		add(spl, "", 3, []int{1, 2, 3, 8}[i])
	}
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1, 4}, Value: hwid})
	leaf = v.sign(c, must(x509.ParseCertificate(v.ask)), &key.PublicKey, v.askKey)

	r := make([]byte, 1184)
	le := binary.LittleEndian
	le.PutUint32(r, 3)
	le.PutUint32(r[4:], 7)
	le.PutUint64(r[8:], snpPolicy)
	le.PutUint32(r[0x34:], 1)
	copy(r[0x50:], reportData[:])
	copy(r[0x90:], loaded[:])
	r[0x188], r[0x189] = 0x19, 0x11
	for _, at := range []int{0x38, 0x180, 0x1E0, 0x1F0} {
		copy(r[at:], []byte{4, 0, 0, 0, 0, 0, 24, 213})
	}
	copy(r[0x1A0:], hwid)
	digest := sha512.Sum384(r[:0x2A0])
	x, y := must2(ecdsa.Sign(rand.Reader, key, digest[:]))
	for i, n := range []*big.Int{x, y} {
		b := n.FillBytes(make([]byte, 48))
		slices.Reverse(b)
		copy(r[0x2A0+72*i:], b)
	}
	return r, leaf
}

// cpu is a node on a CPU.
type cpu struct {
	chip      byte
	owner     wire.PrivateKey
	node, vrf wire.PrivateKey
}

func newCPU(n int) *cpu {
	return &cpu{chip: byte(0x40 + n), owner: ledgertest.Carol, node: ledgertest.Key(7000 + n), vrf: ledgertest.Key(7500 + n)}
}

func (c *cpu) id() wire.Hash {
	return evidence.DeviceID(evidence.AMD, bytes.Repeat([]byte{c.chip}, 64))
}

// claims are what its core binds into evidence at the tip.
func (c *cpu) claims(w *world, purpose evidence.Purpose) *evidence.Claims {
	tip := w.Ledger.Tip()
	return &evidence.Claims{
		Purpose: purpose, ChainID: w.chainID(), Height: tip.Header.Height, BlockHash: tip.Hash,
		Identity: c.node.Public(), VRF: c.vrf.Public(), Operator: wire.Hash(ledgertest.Account(c.owner)),
	}
}

func (c *cpu) show(claims *evidence.Claims) public.Evidence {
	e := public.Evidence{Kind: public.SNP, Claims: wire.Marshal(claims)}
	e.Quote, e.Leaf = theAMD().report(c.chip, claims.ReportData())
	return e
}

// collateral puts what CPUs need on the ledger.
func (w *world) collateral() {
	w.Helper()
	item := theAMD().chain()
	w.OK(w.send(ledgertest.Alice, &public.Collateral{Item: trust.ItemBytes(&item)}))
}
