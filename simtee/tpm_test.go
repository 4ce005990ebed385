package simtee

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/gate/backend"
)

// simulatedTPM is a TPM with its maker's roots.
func simulatedTPM(t *testing.T) (*Platform, *TPM, []evidence.Anchor) {
	t.Helper()
	v := vendor(t, evidence.TPM)
	p := platform(t, v)
	chip, err := p.TPM()
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := v.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	return p, chip, anchors
}

func TestTPMEvidenceIsWhatTheRealVerifierAccepts(t *testing.T) {
	p, chip, _ := simulatedTPM(t)
	prog, data := program(), [64]byte{1, 31: 2}
	var counters []uint64
	for range 2 {
		e, err := p.Attest(prog, data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := evidence.Decode(e.Bytes()); err != nil {
			t.Fatal(err)
		}
		r, err := tpm.Verify(e, new(evidence.Set), now.Unix())
		if err != nil {
			t.Fatal(err)
		}
		if r.Code != prog.Code.CodeID(evidence.TPM) || r.ReportData != data || r.Kind != evidence.TPM {
			t.Errorf("result %+v", r)
		}
		parts, err := tpm.Parse(e)
		if err != nil {
			t.Fatal(err)
		}
		replayed, err := tpm.Replay(parts, tpm.DefaultAppPCR)
		if err != nil || !replayed.SecureBoot {
			t.Fatalf("replay: %+v, %v", replayed, err)
		}
		seen := map[tpm.Component]bool{}
		for _, m := range replayed.Measured {
			seen[m.Component] = true
		}
		for _, c := range []tpm.Component{tpm.PlatformFirmware, tpm.BootLoader, tpm.Kernel, tpm.NodeBinary, tpm.TPMFirmware} {
			if !seen[c] {
				t.Errorf("component %d is not measured", c)
			}
		}
		n, err := tpm.VerifyNV(parts, parts.AK, [32]byte(data[:32]), tpm.CounterName())
		if err != nil {
			t.Fatal(err)
		}
		counters = append(counters, n)
		if public, _, err := chip.AttestationKey(); err != nil || !bytes.Equal(public, parts.AK.Public) {
			t.Errorf("attestation key: %v", err)
		}
	}
	if counters[0] != 1 || counters[1] != 2 {
		t.Errorf("two evidences with counters %d", counters)
	}
	if _, err := p.Attest(prog, [64]byte{32: 1}); !errors.Is(err, backend.ErrBadRequest) {
		t.Errorf("more data than a TPM binds: %v", err)
	}
	if _, err := platform(t, vendor(t, evidence.SGX)).TPM(); err == nil {
		t.Error("an SGX platform has a TPM")
	}
}

func TestTheEndorsementKeyIsTheMakers(t *testing.T) {
	p, chip, anchors := simulatedTPM(t)
	ek, err := tpm.VerifyEK(chip.Chain(), anchors, now.Unix())
	if err != nil {
		t.Fatal(err)
	}
	if ek.Device != p.Device() || !ek.Simulated || ek.Model != tpmModel {
		t.Errorf("endorsed %+v", ek)
	}
	_, _, others := simulatedTPM(t)
	if others[0].ID() != anchors[0].ID() {
		t.Fatal("tests share a maker")
	}
	stranger, err := NewVendor(evidence.TPM, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other, err := stranger.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpm.VerifyEK(chip.Chain(), other, now.Unix()); err == nil {
		t.Error("another maker endorsed the key")
	}
	var qualifying [32]byte
	if _, err := rand.Read(qualifying[:]); err != nil {
		t.Fatal(err)
	}
	attest, sig, err := chip.CertifyCreation(qualifying[:])
	if err != nil {
		t.Fatal(err)
	}
	public, name, err := chip.AttestationKey()
	if err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParseAK(public)
	if err != nil || !bytes.Equal(ak.Name(), name) {
		t.Fatalf("attestation key: %v", err)
	}
	ekName, err := tpm.EKName(ek.SPKI)
	if err != nil {
		t.Fatal(err)
	}
	if err := tpm.VerifyCreation(attest, sig, ak, ekName, qualifying); err != nil {
		t.Errorf("creation: %v", err)
	}
}

func TestARevokedTPMIsOnItsMakersList(t *testing.T) {
	v := vendor(t, evidence.TPM)
	p, other := platform(t, v), platform(t, v)
	if err := v.Revoke(p); err != nil {
		t.Fatal(err)
	}
	s, err := v.state()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := s.Intermediate.certificate()
	if err != nil {
		t.Fatal(err)
	}
	item, ok := source(t, now, v).Item(evidence.Key{Type: evidence.CRL, Name: issuerName(issuer)})
	if !ok || len(item.Chain) != 2 {
		t.Fatalf("no list of the issuer, or no chain of it: %t", ok)
	}
	list, err := x509.ParseRevocationList(item.Body)
	if err != nil || list.CheckSignatureFrom(issuer) != nil {
		t.Fatalf("the issuer's list: %v", err)
	}
	for who, want := range map[*Platform]bool{p: true, other: false} {
		c, err := who.state.Leaves[0].certificate()
		if err != nil {
			t.Fatal(err)
		}
		listed := slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
			return e.SerialNumber.Cmp(c.SerialNumber) == 0
		})
		if listed != want {
			t.Errorf("listed %t, want %t", listed, want)
		}
	}
}

func TestCredentialActivation(t *testing.T) {
	_, chip, _ := simulatedTPM(t)
	_, name, err := chip.AttestationKey()
	if err != nil {
		t.Fatal(err)
	}
	spki := chip.state.ID
	secret, seed := [32]byte{1, 2, 3}, sha256.Sum256([]byte("seed"))
	blob, encrypted, err := tpm.MakeCredential(spki, name, secret, seed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chip.ActivateCredential(blob, encrypted); err != nil || !bytes.Equal(got, secret[:]) {
		t.Errorf("the ledger's credential: %x, %v", got, err)
	}

	// And one made by another implementation.
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chip.state.chip()
	if err != nil {
		t.Fatal(err)
	}
	to, err := tpm2.ImportEncapsulationKey(c.ekPub)
	if err != nil {
		t.Fatalf("%T: %v", key, err)
	}
	other, otherEncrypted, err := tpm2.CreateCredential(rand.Reader, to, name, secret[:])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chip.ActivateCredential(other, otherEncrypted); err != nil || !bytes.Equal(got, secret[:]) {
		t.Errorf("go-tpm's credential: %x, %v", got, err)
	}

	wrongName := bytes.Clone(name)
	wrongName[5] ^= 1
	forName, encForName, err := tpm.MakeCredential(spki, wrongName, secret, seed)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, _ := simulatedTPM(t)
	for what, f := range map[string]func() ([]byte, error){
		"another key":    func() ([]byte, error) { return chip.ActivateCredential(forName, encForName) },
		"another TPM":    func() ([]byte, error) { return stranger.ActivateCredential(blob, encrypted) },
		"cut":            func() ([]byte, error) { return chip.ActivateCredential(blob[:20], encrypted) },
		"swapped secret": func() ([]byte, error) { return chip.ActivateCredential(blob, otherEncrypted) },
		"empty":          func() ([]byte, error) { return chip.ActivateCredential(nil, nil) },
	} {
		if _, err := f(); !errors.Is(err, ErrCredential) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if _, err := chip.ActivateCredential(bad, encrypted); !errors.Is(err, ErrCredential) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func FuzzActivateCredential(f *testing.F) {
	dir := f.TempDir()
	v, err := NewVendor(evidence.TPM, dir)
	if err != nil {
		f.Fatal(err)
	}
	p, err := v.NewPlatform(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	chip, err := p.TPM()
	if err != nil {
		f.Fatal(err)
	}
	_, name, err := chip.AttestationKey()
	if err != nil {
		f.Fatal(err)
	}
	blob, encrypted, err := tpm.MakeCredential(p.state.ID, name, [32]byte{1}, [32]byte{2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := chip.ActivateCredential(b, encrypted); err == nil && (!bytes.Equal(b, blob) || len(got) != 32) {
			t.Errorf("%x gave %x", b, got)
		}
	})
}
