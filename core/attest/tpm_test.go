package attest

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence"
	"cloister/evidence/tpm"
)

// fakeTPM answers the commands the backend uses, from their bytes, with the
// library's own rules for names, sessions and parameter encryption.
type fakeTPM struct {
	t       *testing.T
	ek      *rsa.PrivateKey
	ak      *ecdsa.PrivateKey
	ekPub   tpm2.TPMTPublic
	akPub   tpm2.TPMTPublic
	pcrs    [24][32]byte
	defined bool
	written bool
	counter uint64
	most    int // objects that were loaded at a time

	loaded  map[uint32]*tpm2.TPMTPublic
	keys    map[uint32][]byte // session keys
	nonces  map[uint32][]byte // last nonceTPM of a session
	next    uint32
	relayed func(cc tpm2.TPMCC, params []byte) // what a relaying host does to an answer
}

var endorsed = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newFakeTPM(t *testing.T) *fakeTPM {
	t.Helper()
	ak, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ak.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeTPM{
		t: t, ek: endorsed(), ak: ak, ekPub: tpm2.RSAEKTemplate, akPub: akTemplate, counter: 41,
		loaded: map[uint32]*tpm2.TPMTPublic{}, keys: map[uint32][]byte{}, nonces: map[uint32][]byte{},
	}
	f.ekPub.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: f.ek.N.FillBytes(make([]byte, 256))})
	f.akPub.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: point[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: point[33:]},
	})
	for i := range f.pcrs {
		f.pcrs[i] = sha256.Sum256([]byte{byte(i)})
	}
	f.pcrs[tpm.DefaultAppPCR] = appLog.Replay()
	return f
}

var appLog = tpm.AppLog{{Component: tpm.NodeBinary, Version: "1.0.0", Digest: [32]byte{1}}}

// handles in a command, by its code.
var commandHandles = map[tpm2.TPMCC]int{
	tpm2.TPMCCCreatePrimary: 1, tpm2.TPMCCFlushContext: 0, tpm2.TPMCCStartAuthSession: 2, tpm2.TPMCCNVReadPublic: 1, tpm2.TPMCCNVDefineSpace: 1,
	tpm2.TPMCCNVIncrement: 2, tpm2.TPMCCNVRead: 2, tpm2.TPMCCNVCertify: 3, tpm2.TPMCCQuote: 1, tpm2.TPMCCPCRRead: 0, tpm2.TPMCCGetRandom: 0,
}

type authSession struct {
	handle uint32
	nonce  []byte
	attrs  byte
	mac    []byte
}

// reader takes fields off a command.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}
func (r *reader) u16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) sized() []byte { return r.take(int(r.u16())) }

func sized(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// Send implements transport.TPM.
func (f *fakeTPM) Send(in []byte) ([]byte, error) {
	r := &reader{in}
	tag, _, cc := r.u16(), r.u32(), tpm2.TPMCC(r.u32())
	n, known := commandHandles[cc]
	if !known {
		f.t.Errorf("command %x", cc)
		return response(tpm2.TPMRCCommandCode, nil, nil, nil), nil
	}
	handles := make([]uint32, n)
	for i := range handles {
		handles[i] = r.u32()
	}
	var sessions []authSession
	if tag == uint16(tpm2.TPMSTSessions) {
		a := &reader{r.take(int(r.u32()))}
		for len(a.b) > 0 {
			sessions = append(sessions, authSession{a.u32(), a.sized(), a.take(1)[0], a.sized()})
		}
	}
	if !f.authorized(cc, handles, sessions, r.b) {
		return response(tpm2.TPMRCAuthFail, nil, nil, nil), nil
	}
	rc, handle, params := f.run(cc, handles, r)
	if rc != tpm2.TPMRCSuccess {
		return response(rc, nil, nil, nil), nil
	}
	return response(rc, handle, params, f.answered(cc, sessions, params)), nil
}

func response(rc tpm2.TPMRC, handle, params, auths []byte) []byte {
	tag := tpm2.TPMSTNoSessions
	body := slices.Concat(handle, params)
	if auths != nil {
		tag = tpm2.TPMSTSessions
		body = slices.Concat(handle, binary.BigEndian.AppendUint32(nil, uint32(len(params))), params, auths)
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(tag))
	b = binary.BigEndian.AppendUint32(b, uint32(10+len(body)))
	return append(binary.BigEndian.AppendUint32(b, uint32(rc)), body...)
}

// authorized checks the sessions of a command as a TPM does: the HMAC covers the
// names of what the handles stand for.
func (f *fakeTPM) authorized(cc tpm2.TPMCC, handles []uint32, sessions []authSession, params []byte) bool {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, cc)
	for _, handle := range handles {
		h.Write(f.name(handle))
	}
	h.Write(params)
	cpHash := h.Sum(nil)
	for _, s := range sessions {
		if s.handle == uint32(tpm2.TPMRSPW) {
			continue
		}
		mac := hmac.New(sha256.New, f.keys[s.handle])
		mac.Write(slices.Concat(cpHash, s.nonce, f.nonces[s.handle], []byte{s.attrs}))
		if f.keys[s.handle] == nil || !hmac.Equal(mac.Sum(nil), s.mac) {
			return false
		}
	}
	return true
}

func (f *fakeTPM) name(handle uint32) []byte {
	if p := f.loaded[handle]; p != nil {
		n, err := tpm2.ObjectName(p)
		if err != nil {
			f.t.Error(err)
		}
		return n.Buffer
	}
	if handle == tpm.CounterIndex {
		return counterName(f.written).Buffer
	}
	return binary.BigEndian.AppendUint32(nil, handle)
}

// answered makes the sessions of an answer, encrypting its first parameter in
// place if one asks for it. Each session is used once.
func (f *fakeTPM) answered(cc tpm2.TPMCC, sessions []authSession, params []byte) (auths []byte) {
	for _, s := range sessions {
		if s.handle == uint32(tpm2.TPMRSPW) {
			auths = append(auths, 0, 0, 1, 0, 0)
			continue
		}
		key, nonce := f.keys[s.handle], make([]byte, 16)
		delete(f.keys, s.handle)
		if _, err := rand.Read(nonce); err != nil {
			f.t.Error(err)
		}
		const encrypt = 1 << 6
		if s.attrs&encrypt != 0 {
			f.encrypt(params[2:2+binary.BigEndian.Uint16(params)], key, nonce, s.nonce)
		}
		h := sha256.New()
		_ = binary.Write(h, binary.BigEndian, tpm2.TPMRCSuccess)
		_ = binary.Write(h, binary.BigEndian, cc)
		h.Write(params)
		mac := hmac.New(sha256.New, key)
		mac.Write(slices.Concat(h.Sum(nil), nonce, s.nonce, []byte{s.attrs}))
		auths = slices.Concat(auths, sized(nonce), []byte{s.attrs}, sized(mac.Sum(nil)))
	}
	if f.relayed != nil {
		f.relayed(cc, params)
	}
	return auths
}

func (f *fakeTPM) encrypt(b, key, nonceTPM, nonceCaller []byte) {
	iv := tpm2.KDFa(crypto.SHA256, key, "CFB", nonceTPM, nonceCaller, 256)
	block, err := aes.NewCipher(iv[:16])
	if err != nil {
		f.t.Error(err)
	}
	cipher.NewCFBEncrypter(block, iv[16:]).XORKeyStream(b, b) //nolint:staticcheck // the TPM's own mode
}

// run carries out a command; params are those of the answer.
func (f *fakeTPM) run(cc tpm2.TPMCC, handles []uint32, r *reader) (rc tpm2.TPMRC, handle, params []byte) {
	switch cc {
	case tpm2.TPMCCCreatePrimary:
		return tpm2.TPMRCSuccess, f.load(r.b), f.created()
	case tpm2.TPMCCFlushContext:
		h := r.u32()
		delete(f.loaded, h)
		delete(f.keys, h)
	case tpm2.TPMCCStartAuthSession:
		return tpm2.TPMRCSuccess, f.begin(handles[0], r), sized(f.nonces[f.next])
	case tpm2.TPMCCNVReadPublic:
		if !f.defined {
			return tpm2.TPMRCHandle + 0x100, nil, nil // of the first handle
		}
		public := counterPublic(f.written)
		return tpm2.TPMRCSuccess, nil, append(sized(tpm2.Marshal(public)), sized(counterName(f.written).Buffer)...)
	case tpm2.TPMCCNVDefineSpace:
		r.sized()
		if public := counterPublic(false); f.defined || !bytes.Equal(r.sized(), tpm2.Marshal(public)) {
			return tpm2.TPMRCNVDefined, nil, nil
		}
		f.defined = true
	case tpm2.TPMCCNVIncrement:
		f.counter++
		f.written = true
	case tpm2.TPMCCNVRead:
		if !f.written {
			return tpm2.TPMRCNVUninitialized, nil, nil
		}
		return tpm2.TPMRCSuccess, nil, sized(binary.BigEndian.AppendUint64(nil, f.counter))
	case tpm2.TPMCCNVCertify:
		return tpm2.TPMRCSuccess, nil, f.signed(tpm2.TPMSTAttestNV, r.sized(), tpm2.NewTPMUAttest(tpm2.TPMSTAttestNV, &tpm2.TPMSNVCertifyInfo{
			IndexName: counterName(f.written), NVContents: tpm2.TPM2BData{Buffer: binary.BigEndian.AppendUint64(nil, f.counter)},
		}))
	case tpm2.TPMCCQuote:
		return tpm2.TPMRCSuccess, nil, f.quote(r)
	case tpm2.TPMCCPCRRead:
		return tpm2.TPMRCSuccess, nil, f.read(r.b)
	case tpm2.TPMCCGetRandom:
		return tpm2.TPMRCSuccess, nil, sized(bytes.Repeat([]byte{0x5a}, int(r.u16())))
	}
	return tpm2.TPMRCSuccess, nil, nil
}

// load makes one of the two primary keys.
func (f *fakeTPM) load(params []byte) []byte {
	f.next = 0x80000000 + uint32(len(f.loaded)) + f.next&0xff + 1
	public := &f.akPub
	if bytes.Contains(params, tpm2.RSAEKTemplate.AuthPolicy.Buffer) {
		public = &f.ekPub
	}
	f.loaded[f.next] = public
	f.most = max(f.most, len(f.loaded))
	return binary.BigEndian.AppendUint32(nil, f.next)
}

func (f *fakeTPM) created() []byte {
	public := f.loaded[f.next]
	creation := slices.Concat(make([]byte, 4), []byte{0, 0}, []byte{0}, []byte{0, 0x10}, []byte{0, 0}, []byte{0, 0}, []byte{0, 0})
	ticket := slices.Concat([]byte{0x80, 0x21}, binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement)), []byte{0, 0})
	return slices.Concat(sized(tpm2.Marshal(*public)), sized(creation), sized(make([]byte, 32)), ticket, sized(f.name(f.next)))
}

// begin starts a session whose key comes from the salt only the EK can read.
func (f *fakeTPM) begin(key uint32, r *reader) []byte {
	caller, encrypted := r.sized(), r.sized()
	f.next = 0x02000000 + f.next&0xff + 1
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		f.t.Error(err)
	}
	f.nonces[f.next] = nonce
	salt, err := rsa.DecryptOAEP(sha256.New(), nil, f.ek, encrypted, []byte("SECRET\x00"))
	if err != nil || f.loaded[key] != &f.ekPub {
		salt = []byte("unknown") // a TPM that cannot read it
	}
	f.keys[f.next] = tpm2.KDFa(crypto.SHA256, salt, "ATH", nonce, caller, 256)
	return binary.BigEndian.AppendUint32(nil, f.next)
}

func (f *fakeTPM) signed(kind tpm2.TPMST, extra []byte, body tpm2.TPMUAttest) []byte {
	akName, err := tpm2.ObjectName(&f.akPub)
	if err != nil {
		f.t.Fatal(err)
	}
	q := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement)), akName.Buffer...))
	attest := tpm2.Marshal(tpm2.TPMSAttest{
		Magic: tpm2.TPMGeneratedValue, Type: kind, QualifiedSigner: tpm2.TPM2BName{Buffer: append([]byte{0, 0x0b}, q[:]...)},
		ExtraData: tpm2.TPM2BData{Buffer: extra}, ClockInfo: tpm2.TPMSClockInfo{Clock: 9, ResetCount: 1, Safe: true}, Attested: body,
	})
	digest := sha256.Sum256(attest)
	rr, ss, err := ecdsa.Sign(rand.Reader, f.ak, digest[:])
	if err != nil {
		f.t.Fatal(err)
	}
	return append(sized(attest), tpm2.Marshal(tpm2.TPMTSignature{
		SigAlg: tpm2.TPMAlgECDSA, // numbers without leading zeros, as some chips give them
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash: tpm2.TPMAlgSHA256, SignatureR: tpm2.TPM2BECCParameter{Buffer: rr.Bytes()}, SignatureS: tpm2.TPM2BECCParameter{Buffer: ss.Bytes()},
		}),
	})...)
}

func (f *fakeTPM) quote(r *reader) []byte {
	extra := r.sized()
	r.take(2) // no scheme
	selected, err := tpm2.Unmarshal[tpm2.TPMLPCRSelection](r.b)
	if err != nil {
		f.t.Fatal(err)
	}
	h := sha256.New()
	for _, i := range selectedPCRs(selected) {
		h.Write(f.pcrs[i][:])
	}
	return f.signed(tpm2.TPMSTAttestQuote, extra, tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &tpm2.TPMSQuoteInfo{
		PCRSelect: *selected, PCRDigest: tpm2.TPM2BDigest{Buffer: h.Sum(nil)},
	}))
}

func (f *fakeTPM) read(params []byte) []byte {
	selected, err := tpm2.Unmarshal[tpm2.TPMLPCRSelection](params)
	if err != nil {
		f.t.Fatal(err)
	}
	var list tpm2.TPMLDigest
	for _, i := range selectedPCRs(selected) {
		list.Digests = append(list.Digests, tpm2.TPM2BDigest{Buffer: f.pcrs[i][:]})
	}
	if len(list.Digests) > 8 {
		f.t.Error("more registers than a TPM gives at a time")
	}
	return slices.Concat(make([]byte, 4), tpm2.Marshal(*selected), tpm2.Marshal(list))
}

func selectedPCRs(s *tpm2.TPMLPCRSelection) (pcrs []int) {
	for i := range 24 {
		if s.PCRSelections[0].PCRSelect[i/8]&(1<<(i%8)) != 0 {
			pcrs = append(pcrs, i)
		}
	}
	return pcrs
}

var quotedPCRs = []uint{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14}

func newTPM(t *testing.T, f *fakeTPM) *TPM {
	t.Helper()
	b, err := NewTPM(f, TPMOptions{EK: &f.ek.PublicKey, PCRs: quotedPCRs, AppLog: nil})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATPMQuotesAndCountsWhatTheVerifierAccepts(t *testing.T) {
	f := newFakeTPM(t)
	b := newTPM(t, f)
	if b.Kind() != evidence.TPM || b.Caps()&CapIsolated != 0 {
		t.Errorf("%s, capabilities %b", b.Kind(), b.Caps())
	}
	data := [64]byte{1, 31: 2}
	for i := range 2 {
		e, err := b.Attest(data)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tpm.Verify(e, new(evidence.Set), math.MaxInt32)
		if err != nil || r.ReportData != data {
			t.Fatalf("%+v, %v", r, err)
		}
		parts, err := tpm.Parse(e)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := tpm.VerifyNV(parts, parts.AK, [32]byte(data[:32]), tpm.CounterName()); err != nil || n != uint64(42+i) {
			t.Errorf("counter %d, %v", n, err)
		}
	}
	if _, err := b.Attest([64]byte{40: 1}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("more data than a TPM binds: %v", err)
	}
	if len(f.loaded) != 0 || len(f.keys) != 0 || f.most > 3 {
		t.Errorf("left in the TPM: %d objects, %d sessions; %d at a time", len(f.loaded), len(f.keys), f.most)
	}

	b.o.AppLog = appLog // then the logs have to explain the registers, and the boot log is missing
	e, err := b.Attest(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpm.Verify(e, new(evidence.Set), 0); !errors.Is(err, tpm.ErrReplay) {
		t.Errorf("a log that explains too little: %v", err)
	}
}

func TestATPMsCounterAndRandom(t *testing.T) {
	f := newFakeTPM(t)
	b := newTPM(t, f)
	c, err := b.Counter(TPMCounter)
	if err != nil {
		t.Fatal(err)
	}
	for want := uint64(42); want < 45; want++ {
		if n, err := c.Increment(); err != nil || n != want {
			t.Errorf("increment: %d, %v", n, err)
		}
		if n, err := c.Read(); err != nil || n != want {
			t.Errorf("read: %d, %v", n, err)
		}
	}
	if _, err := b.Counter("another"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("another counter: %v", err)
	}
	p := make([]byte, 70)
	if err := b.Random(p); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{0x5a}, 70)) {
		t.Errorf("random: %x, %v", p, err)
	}
	if _, err := b.SealKey(SealCode, "x"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("seal key: %v", err)
	}
	if _, err := b.Elapsed(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("clock: %v", err)
	}
}

func TestWhoRelaysToATPMCannotForgeItsAnswers(t *testing.T) {
	f := newFakeTPM(t)
	b := newTPM(t, f)
	c, err := b.Counter(TPMCounter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Increment(); err != nil {
		t.Fatal(err)
	}
	f.relayed = func(cc tpm2.TPMCC, params []byte) {
		if cc == tpm2.TPMCCNVRead || cc == tpm2.TPMCCGetRandom {
			params[len(params)-1] ^= 1
		}
	}
	if n, err := c.Read(); err == nil {
		t.Errorf("a forged counter, %d", n)
	}
	if err := b.Random(make([]byte, 8)); err == nil {
		t.Error("forged random bytes")
	}
	f.relayed = nil

	// Another TPM in its place cannot read the salt.
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b, err = NewTPM(f, TPMOptions{EK: &other.PublicKey, PCRs: quotedPCRs})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Random(make([]byte, 8)); err == nil {
		t.Error("a TPM with another endorsement key was believed")
	}
	short := &rsa.PublicKey{N: new(big.Int).Rsh(other.N, 8), E: other.E}
	if _, err := NewTPM(f, TPMOptions{EK: short}); err == nil {
		t.Error("a short endorsement key was taken")
	}
	if _, err := NewTPM(f, TPMOptions{}); err == nil {
		t.Error("a TPM without an endorsement key was taken")
	}
}
