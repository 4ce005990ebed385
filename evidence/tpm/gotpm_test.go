package tpm

import (
	"bytes"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// go-tpm writes the same structures from its own definitions; these tests hold
// our templates and encodings to it.

func goAK(x, y []byte) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Restricted: true, SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: x}, Y: tpm2.TPM2BECCParameter{Buffer: y}}),
	}
}

func TestAttestationKeyIsTheTemplateAndHasItsName(t *testing.T) {
	c := newChip(t)
	point, err := c.akKey.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public := goAK(point[1:33], point[33:])
	if !bytes.Equal(tpm2.Marshal(public), c.ak.Public) {
		t.Errorf("public area %x, go-tpm has %x", c.ak.Public, tpm2.Marshal(public))
	}
	name, err := tpm2.ObjectName(&public)
	if err != nil || !bytes.Equal(name.Buffer, c.ak.Name()) {
		t.Errorf("name %x, go-tpm has %x, %v", c.ak.Name(), name, err)
	}
}

func TestEndorsementKeyIsTheTemplateAndHasItsName(t *testing.T) {
	public := tpm2.RSAEKTemplate
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: ekKey().N.Bytes()})
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := EKName(spkiOf(t, &ekKey().PublicKey)); err != nil || !bytes.Equal(got, name.Buffer) {
		t.Errorf("name %x, go-tpm has %x, %v", got, name.Buffer, err)
	}
}

func TestCounterNameIsThatOfTheTemplate(t *testing.T) {
	name, err := tpm2.NVName(&tpm2.TPMSNVPublic{
		NVIndex: CounterIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: counterSize,
		Attributes: tpm2.TPMANV{OwnerWrite: true, AuthWrite: true, NT: tpm2.TPMNTCounter, OwnerRead: true, AuthRead: true, NoDA: true, Written: true},
	})
	if err != nil || !bytes.Equal(name.Buffer, CounterName()) {
		t.Errorf("name %x, go-tpm has %x, %v", CounterName(), name, err)
	}
}

func TestStatementsReadAsGoTPMReadsThem(t *testing.T) {
	c := newChip(t).bootUp(t)
	e, q := c.attest(t, demanded, forNode)
	p, err := Parse(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{p.Quoted, p.NV} {
		st, err := tpm2.Unmarshal[tpm2.TPMSAttest](b)
		if err != nil {
			t.Fatal(err)
		}
		if st.Magic != tpm2.TPMGeneratedValue || !bytes.Equal(st.ExtraData.Buffer, q[:]) || st.ClockInfo.ResetCount != 3 || !bytes.Equal(tpm2.Marshal(*st), b) {
			t.Errorf("go-tpm reads %+v", st)
		}
	}
	st, _ := tpm2.Unmarshal[tpm2.TPMSAttest](p.Quoted)
	quote, err := st.Attested.Quote()
	if err != nil {
		t.Fatal(err)
	}
	want := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14)}}}
	if !bytes.Equal(tpm2.Marshal(want), tpm2.Marshal(quote.PCRSelect)) || !bytes.Equal(tpm2.Marshal(want), demanded.Bytes()) {
		t.Errorf("selection %x, go-tpm has %x", demanded.Bytes(), tpm2.Marshal(want))
	}
	sig, err := tpm2.Unmarshal[tpm2.TPMTSignature](p.Signature)
	if err != nil {
		t.Fatal(err)
	}
	ecc, err := sig.Signature.ECDSA()
	if err != nil || !bytes.Equal(EncodeSignature(ecc.SignatureR.Buffer, ecc.SignatureS.Buffer), p.Signature) {
		t.Errorf("signature %x, %v", p.Signature, err)
	}
}

// stream is stream(seed) as a reader.
type stream struct {
	seed [32]byte
	rest []byte
	next uint64
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.rest) < len(p) {
		block := streamBlock(s.seed, s.next)
		s.next++
		s.rest = append(s.rest, block[:]...)
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestCredentialsAreThoseGoTPMMakesFromTheSameStream(t *testing.T) {
	c := newChip(t)
	secret, seed := [32]byte{7}, [32]byte{9}
	blob, enc, err := MakeCredential(spkiOf(t, &c.ek.PublicKey), c.ak.Name(), secret, seed)
	if err != nil {
		t.Fatal(err)
	}
	public := tpm2.RSAEKTemplate
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: c.ek.N.Bytes()})
	key, err := tpm2.ImportEncapsulationKey(&public)
	if err != nil {
		t.Fatal(err)
	}
	wantBlob, wantEnc, err := tpm2.CreateCredential(&stream{seed: seed}, key, c.ak.Name(), secret[:])
	if err != nil || !bytes.Equal(blob, wantBlob) || !bytes.Equal(enc, wantEnc) {
		t.Errorf("blob %x\nwant %x\nencrypted %x\nwant %x, %v", blob, wantBlob, enc, wantEnc, err)
	}
}

// activate is what TPM2_ActivateCredential does.
func activate(key *rsa.PrivateKey, name, blob, enc []byte) ([]byte, bool) {
	inner, err := rsa.DecryptOAEP(sha256.New(), nil, key, enc, []byte("IDENTITY\x00"))
	if err != nil || len(blob) != 68 {
		return nil, false
	}
	mac := hmac.New(sha256.New, tpm2.KDFa(5, inner, "INTEGRITY", nil, nil, 256))
	mac.Write(blob[34:])
	mac.Write(name)
	if !hmac.Equal(mac.Sum(nil), blob[2:34]) {
		return nil, false
	}
	// CFB decrypts with the cipher's forward direction, so a second pass over
	// each block in turn undoes the first.
	plain := make([]byte, 34)
	for at := 0; at < len(plain); at += 16 {
		end := min(at+16, len(plain))
		mask, err := cfb(tpm2.KDFa(5, inner, "STORAGE", name, nil, 128), append(append([]byte{}, plain[:at]...), make([]byte, end-at)...))
		if err != nil {
			return nil, false
		}
		for i := at; i < end; i++ {
			plain[i] = mask[i] ^ blob[34+i]
		}
	}
	return plain[2:], true
}

func TestOnlyTheRightChipWithTheRightKeyOpensACredential(t *testing.T) {
	c, other := newChip(t), newChip(t)
	secret := [32]byte{1, 2, 3}
	blob, enc, err := MakeCredential(spkiOf(t, &c.ek.PublicKey), c.ak.Name(), secret, [32]byte{4})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := activate(c.ek, c.ak.Name(), blob, enc); !ok || !bytes.Equal(got, secret[:]) {
		t.Errorf("opened %x, %v", got, ok)
	}
	if _, ok := activate(c.ek, other.ak.Name(), blob, enc); ok {
		t.Error("a chip with another attestation key opens it")
	}
	if _, ok := activate(rootKey(), c.ak.Name(), blob, enc); ok {
		t.Error("another chip opens it")
	}
	blob[40] ^= 1
	if _, ok := activate(c.ek, c.ak.Name(), blob, enc); ok {
		t.Error("an altered credential opens")
	}
}

// goldenModulus is a fixed RSA-2048 modulus: the 2048-bit MODP prime of RFC
// 3526. Nobody holds a key for it; encryption does not need one.
const goldenModulus = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff"

// A challenger's blob is recomputed by every validator, so these bytes may never
// change, whatever happens to the library below.
func TestCredentialsHaveGoldenBytes(t *testing.T) {
	n, ok := new(big.Int).SetString(goldenModulus, 16)
	if !ok {
		t.Fatal("modulus")
	}
	name := append([]byte{0, algSHA256}, bytes.Repeat([]byte{0xAB}, 32)...)
	var secret, seed [32]byte
	for i := range secret {
		secret[i], seed[i] = byte(i), byte(255-i)
	}
	blob, enc, err := MakeCredential(spkiOf(t, &rsa.PublicKey{N: n, E: ekExponent}), name, secret, seed)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(enc)
	if got := hex.EncodeToString(blob); got != goldenBlob {
		t.Errorf("blob %s", got)
	}
	if got := hex.EncodeToString(enc[:16]) + " " + hex.EncodeToString(digest[:]); got != goldenSecret {
		t.Errorf("encrypted secret %s", got)
	}
	if len(enc) != 256 {
		t.Errorf("%d bytes", len(enc))
	}
}

const (
	goldenBlob   = "0020f70138e5aef9c0f3807fcd2c0b932a028a388d8834d7b0353373313a91a2748b10cfe15f79d39261b576ede103a8e6160d10b9074e3b92d89123d51376b7b05e98d2"
	goldenSecret = "6412c59eb13084802009a36eb3b4686a e18e924d40726a92f7ff523ea88ef9f6115633e5c15c73c2a3d713ac669f5c85" // its first 16 bytes, and SHA-256 of all
)

func spkiOf(t testing.TB, key *rsa.PublicKey) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
