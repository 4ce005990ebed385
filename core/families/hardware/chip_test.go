package hardware_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"sync"
	"time"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

var (
	issued = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC) // before ledgertest.StartMs
	expiry = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// maker is a simulated manufacturer of TPMs.
type maker struct {
	root    []byte
	key     *ecdsa.PrivateKey
	issuing *x509.Certificate
	between [][]byte // from issuing up to the root, without it
}

var theMaker = sync.OnceValue(newMaker)

func newMaker() *maker {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated TPM root"}, NotBefore: issued, NotAfter: expiry,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	return &maker{root: root, key: key, issuing: must(x509.ParseCertificate(root))}
}

// subsidiary is an issuing authority under the maker's root.
func (m *maker) subsidiary() *maker {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Simulated TPM issuer"}, NotBefore: issued, NotAfter: expiry,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, m.issuing, key.Public(), m.key))
	return &maker{root: m.root, key: key, issuing: must(x509.ParseCertificate(der)), between: [][]byte{der}}
}

func (m *maker) endorse(ek *rsa.PublicKey) []byte {
	rdn := func(last int, v string) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 23, 133, 2, last}, Value: v}}
	}
	name := must(asn1.Marshal(pkix.RDNSequence{rdn(1, "id:49424D00"), rdn(2, "SW TPM"), rdn(3, "id:00010001")}))
	san := must(asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name}}))
	return must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: issued, NotAfter: expiry, KeyUsage: x509.KeyUsageKeyEncipherment,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}}, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: san}},
	}, m.issuing, ek, m.key))
}

// chip is a TPM in software, with the node that runs on its machine.
type chip struct {
	maker     *maker
	ek        *rsa.PrivateKey
	akKey     *ecdsa.PrivateKey
	ak        tpm.AK
	clock     tpm.ClockInfo
	counter   uint64
	boot      bootLog
	app       tpm.AppLog
	node, vrf wire.PrivateKey
	owner     wire.PrivateKey
	id        wire.Hash
	spki      []byte
	hierarchy bool // the attestation key is in the endorsement hierarchy
}

// eks are keys that tests share: making one takes longer than all the rest.
var eks = func() (list [4]func() *rsa.PrivateKey) {
	for i := range list {
		list[i] = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	}
	return list
}()

func newAK() (*ecdsa.PrivateKey, tpm.AK) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	point := must(key.PublicKey.Bytes())
	return key, must(tpm.ParseAK(tpm.EncodeAK(point[1:33], point[33:])))
}

func newChip(n int) *chip {
	c := &chip{
		maker: theMaker(), ek: eks[n](), node: ledgertest.Key(5000 + n), vrf: ledgertest.Key(6000 + n), owner: ledgertest.Bob,
		clock: tpm.ClockInfo{Clock: 5000, ResetCount: 3, RestartCount: 1, Safe: true}, counter: 10, hierarchy: true,
	}
	c.akKey, c.ak = newAK()
	c.spki = must(x509.MarshalPKIXPublicKey(&c.ek.PublicKey))
	c.id = wire.TH("cloister/device/v1", []byte{3}, c.spki)
	c.app, _, _ = c.app.Append(nodeEntry)
	return c
}

var nodeEntry = tpm.AppEntry{Component: tpm.NodeBinary, Version: "1.0.0", Digest: sha256.Sum256([]byte("node"))}

// nodeMeasurement approves what every chip's machine runs.
func nodeMeasurement() trust.Measurement {
	return trust.Measurement{Component: trust.NodeBinary, Version: "1.0.0", Alg: trust.SHA256, Digest: nodeEntry.Digest[:], PCRs: []uint8{13}}
}

// good is what an honest verifier says of an honest chip.
func good() say {
	m := nodeMeasurement()
	return say{verdict: public.Pass, found: []wire.Hash{m.ID()}}
}

func (c *chip) sign(attest []byte) []byte {
	digest := sha256.Sum256(attest)
	r, s := must2(ecdsa.Sign(rand.Reader, c.akKey, digest[:]))
	return tpm.EncodeSignature(r.Bytes(), s.Bytes())
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func (c *chip) statement(qualifying [32]byte) *tpm.Attest {
	signer := c.ak.QualifiedSigner()
	if !c.hierarchy {
		signer[5] ^= 1
	}
	return &tpm.Attest{QualifiedSigner: signer, Extra: qualifying[:], ClockInfo: c.clock, Firmware: 7}
}

func (c *chip) join(chain wire.Hash) *public.JoinRequest {
	p := &public.JoinRequest{Chain: append([][]byte{c.maker.endorse(&c.ek.PublicKey)}, c.maker.between...), AK: c.ak.Public, NodeKey: c.node.Public(), VRFKey: c.vrf.Public()}
	statement := public.JoinStatement(chain, c.id, c.ak.Name(), p.NodeKey, p.VRFKey, ledgertest.Account(c.owner))
	p.NodeSignature, p.VRFProof = c.node.Sign(statement), prove(c.vrf, statement)
	st := c.statement(statement)
	st.Creation = &tpm.Creation{Name: must(tpm.EKName(c.spki)), Hash: make([]byte, 32)}
	p.Creation = st.Bytes()
	p.CreationSignature = c.sign(p.Creation)
	return p
}

// pcrs are the values of the PCRs the ledger demands.
func (c *chip) pcrs(selection tpm.Selection) (b []byte) {
	for _, i := range selection.PCRs() {
		v := c.boot.pcrs[i]
		if i == tpm.DefaultAppPCR {
			v = c.app.Replay()
		}
		b = append(b, v[:]...)
	}
	return b
}

func demanded() tpm.Selection { return tpm.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14) }

// show counts up and makes evidence for a nonce.
func (c *chip) show(nonce wire.Hash) public.Evidence {
	c.counter++
	c.clock.Clock += 1000
	return c.showAgain(nonce)
}

func (c *chip) showAgain(nonce wire.Hash) public.Evidence {
	e := public.Evidence{Kind: public.TPM, PCRs: c.pcrs(demanded()), Boot: public.LogOf(c.boot.b), App: public.LogOf(c.app.Bytes())}
	e.Rest = c.rest(e.PCRs)
	c.attest(&e, tpm.Qualify(nonce, c.node.Public(), c.vrf.Public(), e.Rest))
	return e
}

// rest is what the qualifying data says of quoted values and logs.
func (c *chip) rest(pcrs []byte) wire.Hash {
	return sha256.Sum256(wire.Marshal(struct {
		_                struct{} `cbor:",toarray"`
		PCRs, Boot, Apps []byte
	}{PCRs: pcrs, Boot: c.boot.b, Apps: c.app.Bytes()}))
}

func (c *chip) attest(e *public.Evidence, q [32]byte) {
	quote := c.statement(q)
	digest := sha256.Sum256(e.PCRs)
	quote.Quote = &tpm.Quote{Selection: demanded(), Digest: digest[:]}
	e.Quote = quote.Bytes()
	e.Signature = c.sign(e.Quote)
	e.NV, e.NVSignature = c.certify(q)
}

func (c *chip) certify(q [32]byte) (nv, sig []byte) {
	st := c.statement(q)
	st.NV = &tpm.NV{Name: tpm.CounterName(), Contents: binary.BigEndian.AppendUint64(nil, c.counter)}
	nv = st.Bytes()
	return nv, c.sign(nv)
}

// activate is TPM2_ActivateCredential: what only the chip with the endorsement
// key and this attestation key can do. ok is false where it returns an error.
func (c *chip) activate(blob, enc []byte) (secret [32]byte, ok bool) {
	seed, err := rsa.DecryptOAEP(sha256.New(), nil, c.ek, enc, []byte("IDENTITY\x00"))
	if err != nil || len(blob) != public.BlobSize {
		return secret, false
	}
	kdf := func(label string, context []byte, bits uint32) []byte {
		h := hmac.New(sha256.New, seed)
		h.Write(append([]byte{0, 0, 0, 1}, append([]byte(label), 0)...))
		h.Write(context)
		h.Write(binary.BigEndian.AppendUint32(nil, bits))
		return h.Sum(nil)[:bits/8]
	}
	mac := hmac.New(sha256.New, kdf("INTEGRITY", nil, 256))
	mac.Write(blob[34:])
	mac.Write(c.ak.Name())
	if !hmac.Equal(mac.Sum(nil), blob[2:34]) {
		return secret, false
	}
	block := must(aes.NewCipher(kdf("STORAGE", c.ak.Name(), 128)))
	plain := make([]byte, len(blob)-34)
	cipher.NewCFBDecrypter(block, make([]byte, 16)).XORKeyStream(plain, blob[34:]) //nolint:staticcheck // what TPMs do
	return [32]byte(plain[2:]), true
}

// answer unwraps every challenge it can and makes evidence.
func (c *chip) answer(w *world, task wire.Hash) *public.Answer {
	t := w.task(task)
	p := &public.Answer{Task: task, Attempt: t.Attempt}
	for i, s := range w.committeeOf(task) {
		posted, ok := load[public.Posted](w, public.ChallengeKey(task, uint16(i)))
		if !ok {
			continue
		}
		if secret, ok := c.activate(posted.Blob, posted.EncSecret); ok {
			p.Secrets = append(p.Secrets, public.Secret{Verifier: s.Device, Secret: secret})
		}
	}
	p.Evidence = c.show(t.Nonce)
	return p
}

// submit answers a task that is no joining.
func (c *chip) submit(w *world, task wire.Hash) *public.EvidenceSubmit {
	t := w.task(task)
	return &public.EvidenceSubmit{Task: task, Attempt: t.Attempt, Evidence: c.show(t.Nonce)}
}

var _ crypto.Signer = (*ecdsa.PrivateKey)(nil)
