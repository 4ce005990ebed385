package tpm_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"cloister/device/lab"
	"cloister/device/tpm"
	"cloister/evidence"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
)

// makers are shared: founding one takes longer than most tests.
var makers = [2]func() (*lab.Manufacturer, error){newMaker("One"), newMaker("Two")}

var makersFolder string

func newMaker(name string) func() (*lab.Manufacturer, error) {
	return sync.OnceValues(func() (*lab.Manufacturer, error) {
		return lab.NewManufacturer(makersFolder+"/"+name, name)
	})
}

func maker(t *testing.T, n int) *lab.Manufacturer {
	t.Helper()
	m, err := makers[n]()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// chip is a machine that is on, and its TPM.
type chip struct {
	*tpm.TPM
	t       *testing.T
	machine *lab.Machine
}

func newChip(t *testing.T, m *lab.Manufacturer) *chip {
	t.Helper()
	machine, err := m.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return on(t, machine)
}

func on(t *testing.T, m *lab.Machine) *chip {
	t.Helper()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	c := &chip{t: t, machine: m}
	c.open()
	return c
}

func (c *chip) open() {
	c.t.Helper()
	var err error
	if c.TPM, err = tpm.Open(c.machine.Socket()); err != nil {
		c.t.Fatal(err)
	}
	opened := c.TPM
	c.t.Cleanup(func() { opened.Close() })
}

func (c *chip) ek() evidencetpm.EK {
	c.t.Helper()
	ek, err := evidencetpm.VerifyEK(c.chain(), anchors(c.t, c.machine.Manufacturer()), now())
	if err != nil {
		c.t.Fatal(err)
	}
	return ek
}

func (c *chip) chain() [][]byte {
	c.t.Helper()
	return [][]byte{must(c.Certificate())(c.t), must(c.machine.Manufacturer().Issuing())(c.t)}
}

func (c *chip) ak() evidencetpm.AK {
	c.t.Helper()
	return must(c.AK())(c.t)
}

func now() int64 { return time.Now().Unix() }

func anchors(t *testing.T, m *lab.Manufacturer) []evidence.Anchor {
	t.Helper()
	return []evidence.Anchor{{Vendor: evidence.TPMMaker, DER: must(m.Root())(t), Simulated: true}}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAChipIsEndorsedByItsMakerAndNoOther(t *testing.T) {
	c := newChip(t, maker(t, 0))
	if ek := c.ek(); ek.Manufacturer == "" || ek.Device.IsZero() {
		t.Errorf("%+v", ek)
	}
	if got := must(c.EK())(t); !bytes.Equal(got, c.ek().SPKI) {
		t.Errorf("the chip's key is %x, its certificate's %x", got, c.ek().SPKI)
	}
	if _, err := evidencetpm.VerifyEK(c.chain(), anchors(t, maker(t, 1)), now()); !errors.Is(err, evidencetpm.ErrChainInvalid) {
		t.Errorf("under another maker's root: %v", err)
	}
	bad := c.chain()
	bad[0][len(bad[0])-5] ^= 1
	if _, err := evidencetpm.VerifyEK(bad, anchors(t, maker(t, 0)), now()); !errors.Is(err, evidencetpm.ErrChainInvalid) {
		t.Errorf("with a byte changed: %v", err)
	}
	if a, b := newChip(t, maker(t, 0)).ek(), c.ek(); a.Device == b.Device {
		t.Error("two chips are one device")
	}
}

func TestTheAttestationKeyOutlastsAReboot(t *testing.T) {
	c := newChip(t, maker(t, 0))
	before := c.ak()
	c.machine.Stop()
	if c.machine.Socket() != "" {
		t.Error("a machine that is off has a socket")
	}
	if err := c.machine.Start(); err != nil {
		t.Fatal(err)
	}
	c.open()
	if after := c.ak(); !bytes.Equal(before.Public, after.Public) {
		t.Errorf("%x, then %x", before.Public, after.Public)
	}
}

func TestTheEndorsementKeysCreationIsCertified(t *testing.T) {
	c := newChip(t, maker(t, 0))
	q := [32]byte{1, 2, 3}
	attest, sig, err := c.CertifyEK(q)
	if err != nil {
		t.Fatal(err)
	}
	name := must(evidencetpm.EKName(c.ek().SPKI))(t)
	if err := evidencetpm.VerifyCreation(attest, sig, c.ak(), name, q); err != nil {
		t.Error(err)
	}
	if err := evidencetpm.VerifyCreation(attest, sig, c.ak(), name, [32]byte{9}); !errors.Is(err, evidencetpm.ErrNonce) {
		t.Errorf("for another joining: %v", err)
	}
	other := newChip(t, maker(t, 0))
	if err := evidencetpm.VerifyCreation(attest, sig, c.ak(), must(evidencetpm.EKName(other.ek().SPKI))(t), q); !errors.Is(err, evidencetpm.ErrEKTemplate) {
		t.Errorf("with somebody else's certificate: %v", err)
	}
	if err := evidencetpm.VerifyCreation(attest, sig, other.ak(), name, q); !errors.Is(err, evidencetpm.ErrQuoteSig) {
		t.Errorf("with another chip's key: %v", err)
	}
}

func TestOnlyTheRightChipWithTheRightKeyActivates(t *testing.T) {
	c, other := newChip(t, maker(t, 0)), newChip(t, maker(t, 0))
	wrap := func(ek, akName []byte, secret [32]byte) tpm.Credential {
		blob, enc, err := evidencetpm.MakeCredential(ek, akName, secret, [32]byte{7})
		if err != nil {
			t.Fatal(err)
		}
		return tpm.Credential{Blob: blob, EncSecret: enc}
	}
	good := wrap(c.ek().SPKI, c.ak().Name(), [32]byte{1})
	flipped := tpm.Credential{Blob: bytes.Clone(good.Blob), EncSecret: good.EncSecret}
	flipped.Blob[40] ^= 1
	got, err := c.Activate([]tpm.Credential{
		good,
		wrap(c.ek().SPKI, other.ak().Name(), [32]byte{2}),
		wrap(other.ek().SPKI, c.ak().Name(), [32]byte{3}),
		flipped,
		{Blob: make([]byte, 3), EncSecret: nil},
		wrap(c.ek().SPKI, c.ak().Name(), [32]byte{4}),
	})
	if err != nil || len(got) != 6 {
		t.Fatalf("%d results, %v", len(got), err)
	}
	for i, want := range map[int]byte{0: 1, 5: 4} {
		if got[i].Err != nil || got[i].Secret != [32]byte{want} {
			t.Errorf("credential %d: %x, %v", i, got[i].Secret, got[i].Err)
		}
	}
	for i, what := range map[int]string{1: "another attestation key", 2: "another chip", 3: "a flipped bit", 4: "garbage"} {
		if !errors.Is(got[i].Err, tpm.ErrNotActivated) || got[i].Secret != [32]byte{} {
			t.Errorf("%s: %x, %v", what, got[i].Secret, got[i].Err)
		}
	}
}

var (
	software = lab.Software{Firmware: "Lab 1.0", Loader: []byte("shim"), Kernel: []byte("linux"), Command: "ro quiet"}
	demanded = evidencetpm.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14)
	node     = evidencetpm.AppEntry{Component: evidencetpm.NodeBinary, Version: "1.0.0", Digest: sha256.Sum256([]byte("node"))}
)

// booted starts a machine's software and measures the node.
func (c *chip) booted() evidencetpm.AppLog {
	c.t.Helper()
	if err := c.machine.Boot(software.Events()...); err != nil {
		c.t.Fatal(err)
	}
	log, value, err := evidencetpm.AppLog{}.Append(node)
	if err == nil {
		err = c.Extend(evidencetpm.DefaultAppPCR, value)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return log
}

var nonce, nodeKey, vrfKey = [32]byte{1}, [32]byte{2}, [32]byte{3}

func (c *chip) show(log evidencetpm.AppLog, s evidencetpm.Selection) *evidencetpm.Parts {
	c.t.Helper()
	p, err := c.Show(tpm.Ask{
		Selection: s, BootLog: bootLog(c.t, c.machine), AppLog: log,
		Qualify: func(rest [32]byte) [32]byte { return evidencetpm.Qualify(nonce, nodeKey, vrfKey, rest) },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func TestEvidenceHoldsAndTheLogsExplainIt(t *testing.T) {
	c := newChip(t, maker(t, 0))
	log := c.booted()
	p := c.show(log, demanded)
	q := evidencetpm.Qualify(nonce, nodeKey, vrfKey, p.Digest())
	clock, err := evidencetpm.VerifyQuote(p, c.ak(), q, demanded)
	if err != nil || clock.ResetCount == 0 {
		t.Errorf("%+v, %v", clock, err)
	}
	first, err := evidencetpm.VerifyNV(p, c.ak(), q, evidencetpm.CounterName())
	if err != nil {
		t.Error(err)
	}
	replayed, err := evidencetpm.Replay(p, evidencetpm.DefaultAppPCR)
	if err != nil {
		t.Fatal(err)
	}
	has := func(c evidencetpm.Component, digest wire.Hash) bool {
		return slices.ContainsFunc(replayed.Measured, func(m evidencetpm.Measured) bool { return m.Component == c && m.Digest == digest })
	}
	if !has(evidencetpm.BootLoader, sha256.Sum256(software.Loader)) || !has(evidencetpm.Kernel, sha256.Sum256(software.Kernel)) || !has(evidencetpm.NodeBinary, node.Digest) {
		t.Errorf("measured %+v", replayed.Measured)
	}

	if _, err := evidencetpm.VerifyQuote(p, newChip(t, maker(t, 0)).ak(), q, demanded); !errors.Is(err, evidencetpm.ErrQuoteSig) {
		t.Errorf("by another chip's key: %v", err)
	}
	if _, err := evidencetpm.VerifyQuote(p, c.ak(), [32]byte{9}, demanded); !errors.Is(err, evidencetpm.ErrNonce) {
		t.Errorf("for another nonce: %v", err)
	}
	again := c.show(log, demanded)
	second, err := evidencetpm.VerifyNV(again, c.ak(), q, evidencetpm.CounterName())
	if err != nil || second != first+1 {
		t.Errorf("the counter was %d, then %d, %v", first, second, err)
	}
}

func TestANarrowerSelectionIsNoAnswer(t *testing.T) {
	c := newChip(t, maker(t, 0))
	narrow := evidencetpm.Select(0, 7, 13)
	p := c.show(c.booted(), narrow)
	q := evidencetpm.Qualify(nonce, nodeKey, vrfKey, p.Digest())
	if _, err := evidencetpm.VerifyQuote(p, c.ak(), q, narrow); err != nil {
		t.Fatal(err)
	}
	if _, err := evidencetpm.VerifyQuote(p, c.ak(), q, demanded); !errors.Is(err, evidencetpm.ErrPCRSelection) {
		t.Errorf("%v", err)
	}
}

func TestAChangedBootComponentCannotBeHidden(t *testing.T) {
	c := newChip(t, maker(t, 0))
	log := c.booted()
	if err := c.Extend(4, wire.Hash{6, 6, 6}); err != nil { // by code the log is silent about
		t.Fatal(err)
	}
	p := c.show(log, demanded)
	if _, err := evidencetpm.VerifyQuote(p, c.ak(), evidencetpm.Qualify(nonce, nodeKey, vrfKey, p.Digest()), demanded); err != nil {
		t.Error(err)
	}
	if _, err := evidencetpm.Replay(p, evidencetpm.DefaultAppPCR); !errors.Is(err, evidencetpm.ErrReplay) {
		t.Errorf("%v", err)
	}
	if err := c.machine.Boot(lab.Event{PCR: 4, Type: 0x80000003, Digest: wire.Hash{7}}); err != nil { // by code it tells of
		t.Fatal(err)
	}
	if _, err := evidencetpm.Replay(c.show(log, demanded), evidencetpm.DefaultAppPCR); !errors.Is(err, evidencetpm.ErrReplay) {
		t.Errorf("with half the truth: %v", err)
	}
}

func TestACloneForksTheCounter(t *testing.T) {
	c := newChip(t, maker(t, 0))
	if err := c.Increment(); err != nil {
		t.Fatal(err)
	}
	clone, err := c.machine.Clone(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	copied := on(t, clone)
	if !bytes.Equal(copied.ak().Public, c.ak().Public) || copied.ek().Device != c.ek().Device {
		t.Fatal("a clone is another device")
	}
	value := func(of *chip, nonce [32]byte) uint64 {
		if err := of.Increment(); err != nil {
			t.Fatal(err)
		}
		attest, sig, err := of.CertifyCounter(nonce)
		if err != nil {
			t.Fatal(err)
		}
		st := must(evidencetpm.ParseAttest(attest))(t)
		p := &evidencetpm.Parts{NV: attest, NVSignature: sig, Counter: st}
		return must(evidencetpm.VerifyNV(p, c.ak(), nonce, evidencetpm.CounterName()))(t)
	}
	if a, b := value(c, [32]byte{1}), value(copied, [32]byte{2}); a != b {
		t.Errorf("%d and %d: both counted from the same value", a, b)
	}
}

func TestASecretIsUnsealedOnlyBehindWhatItWasSealedTo(t *testing.T) {
	c := newChip(t, maker(t, 0))
	c.booted()
	to, secret := evidencetpm.Select(7, 13), bytes.Repeat([]byte{5}, tpm.MaxSecret)
	values := must(c.PCRs(to))(t)
	blob, err := c.Seal(secret, to, values)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Unseal(blob); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%x, %v", got, err)
	}
	future := wire.Hash{8}
	next := slices.Clone(values)
	next[1] = wire.Hash(sha256.Sum256(append(values[1][:], future[:]...)))
	later, err := c.Seal([]byte("next"), to, next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Unseal(later); !errors.Is(err, tpm.ErrNotUnsealed) {
		t.Errorf("before the update: %v", err)
	}
	if err := c.Extend(13, future); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Unseal(blob); !errors.Is(err, tpm.ErrNotUnsealed) {
		t.Errorf("after the PCR moved: %v", err)
	}
	if got, err := c.Unseal(later); err != nil || string(got) != "next" {
		t.Errorf("after the update: %q, %v", got, err)
	}
	if _, err := newChip(t, maker(t, 0)).Unseal(blob); !errors.Is(err, tpm.ErrNotUnsealed) {
		t.Errorf("by another chip: %v", err)
	}
	if _, err := c.Unseal(blob[:20]); !errors.Is(err, wire.ErrEncoding) {
		t.Errorf("cut short: %v", err)
	}
	for _, size := range []int{0, tpm.MaxSecret + 1} {
		if _, err := c.Seal(make([]byte, size), to, values); err == nil {
			t.Errorf("%d bytes are sealed", size)
		}
	}
}

// A TPM holds three transient objects: whoever leaves one behind fails soon.
func TestNothingIsLeftInTheChip(t *testing.T) {
	c := newChip(t, maker(t, 0))
	log := c.booted()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if _, err := c.Show(tpm.Ask{Selection: demanded, AppLog: log, Qualify: func(r [32]byte) [32]byte { return r }}); err != nil {
					t.Error(err)
				}
				if got, err := c.Activate([]tpm.Credential{{Blob: make([]byte, 68), EncSecret: make([]byte, 256)}}); err != nil || got[0].Err == nil {
					t.Errorf("%v, %v", got, err)
				}
				if _, err := c.Unseal(wire.Marshal([]any{uint32(1), []byte{1}, []byte{2}})); err == nil {
					t.Error("garbage is unsealed")
				}
			}
		})
	}
	wg.Wait()
	bus := must(linuxudstpm.Open(c.machine.Socket()))(t)
	defer bus.Close()
	for _, first := range []uint32{0x80000000, 0x02000000, 0x03000000} { // objects, HMAC and policy sessions
		r, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 8}.Execute(bus)
		if err != nil {
			t.Fatal(err)
		}
		if list := must(r.CapabilityData.Data.Handles())(t); len(list.Handle) != 0 {
			t.Errorf("left behind: %x", list.Handle)
		}
	}
}

func TestSweepingMakesRoomAgain(t *testing.T) {
	c := newChip(t, maker(t, 0))
	bus := must(linuxudstpm.Open(c.machine.Socket()))(t)
	defer bus.Close()
	for range 3 {
		if _, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}).Execute(bus); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.AK(); !errors.Is(err, tpm2.TPMRCObjectMemory) {
		t.Fatalf("with three objects left behind: %v", err)
	}
	if err := c.Sweep(); err != nil {
		t.Fatal(err)
	}
	c.ak()
}
