package appraise

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// chip is a TPM in software whose machine measured nothing at boot.
type chip struct {
	key     *ecdsa.PrivateKey
	ak      tpm.AK
	clock   tpm.ClockInfo
	counter uint64
	app     tpm.AppLog
}

var entry = tpm.AppEntry{Component: tpm.NodeBinary, Version: "1.0.0", Digest: wire.Hash{1}}

func newChip(t *testing.T) *chip {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParseAK(tpm.EncodeAK(point[1:33], point[33:]))
	if err != nil {
		t.Fatal(err)
	}
	return &chip{key: key, ak: ak, clock: tpm.ClockInfo{Clock: 100, ResetCount: 3, RestartCount: 1, Safe: true}, counter: 5, app: tpm.AppLog{entry}}
}

func (c *chip) sign(t *testing.T, attest []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(attest)
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return tpm.EncodeSignature(r.Bytes(), s.Bytes())
}

var pcrs = []uint8{0, 4, 7}

// input is evidence of the chip with all that an appraisal of it takes.
func (c *chip) input(t *testing.T) *Input {
	t.Helper()
	m := trust.Measurement{Component: trust.NodeBinary, Version: "1.0.0", Alg: trust.SHA256, Digest: entry.Digest[:], Activation: 10}
	in := &Input{
		App: c.app.Bytes(), Kind: hardware.KindPeriodic, Nonce: wire.Hash{1}, Height: 50, NodeKey: wire.PublicKey{2}, VRFKey: wire.PublicKey{3},
		AK: c.ak.Public, Before: Age{Counter: 4, Reset: 3, Restart: 1, Clock: 100}, BootPCRs: pcrs, AppPCR: 13,
		Mandatory: []trust.Component{trust.NodeBinary}, Measurements: []trust.Measurement{m},
	}
	e := &in.Evidence
	*e = hardware.Evidence{Kind: hardware.TPM, Boot: hardware.LogOf(nil), App: hardware.LogOf(in.App)}
	selection := Selection(pcrs, 13)
	for _, i := range selection.PCRs() {
		v := wire.Hash{}
		if i == 13 {
			v = c.app.Replay()
		}
		e.PCRs = append(e.PCRs, v[:]...)
	}
	digest := sha256.Sum256(e.PCRs)
	p := &tpm.Parts{AppLog: c.app, Statement: &tpm.Attest{Quote: &tpm.Quote{Selection: selection}}}
	for b := e.PCRs; len(b) > 0; b = b[32:] {
		p.PCRs = append(p.PCRs, wire.Hash(b))
	}
	e.Rest = p.Digest()
	q := tpm.Qualify(in.Nonce, in.NodeKey, in.VRFKey, e.Rest)
	st := tpm.Attest{QualifiedSigner: c.ak.QualifiedSigner(), Extra: q[:], ClockInfo: c.clock, Firmware: 7}
	st.Quote = &tpm.Quote{Selection: selection, Digest: digest[:]}
	e.Quote = st.Bytes()
	e.Signature = c.sign(t, e.Quote)
	st.Quote, st.NV = nil, &tpm.NV{Name: tpm.CounterName(), Contents: binary.BigEndian.AppendUint64(nil, c.counter)}
	e.NV = st.Bytes()
	e.NVSignature = c.sign(t, e.NV)
	return in
}

func TestHonestEvidencePasses(t *testing.T) {
	in := newChip(t).input(t)
	r := Judge(in)
	if r.Verdict != Pass || r.Reason != 0 || len(r.Measurements) != 1 || r.Measurements[0] != in.Measurements[0].ID() {
		t.Fatalf("%+v", r)
	}
	if r.Digest != ResultDigest(in.Evidence.Digest(), Pass, 0, r.Measurements) {
		t.Error("the digest is of something else")
	}
	want := Digests(in)
	if len(want) != 2 || want[0].Component != trust.NodeBinary || !bytes.Equal(want[0].Digest, entry.Digest[:]) || want[1].Component != trust.TPMVersion {
		t.Errorf("%+v", want)
	}
}

func TestEveryFaultHasItsReasonAndTheLowestIsGiven(t *testing.T) {
	for name, x := range map[string]struct {
		spoil func(in *Input)
		want  uint16
	}{
		"a bit of the signature": {func(in *Input) { in.Evidence.Signature[9] ^= 1 }, Signature},
		"a bit of the quote":     {func(in *Input) { in.Evidence.Quote[60] ^= 1 }, Signature},
		"another key":            {func(in *Input) { in.AK = bytes.Clone(in.AK); in.AK[40] ^= 1 }, Signature},
		"another nonce":          {func(in *Input) { in.Nonce[0]++ }, Nonce},
		"another node key":       {func(in *Input) { in.NodeKey[0]++ }, Nonce},
		"another VRF key":        {func(in *Input) { in.VRFKey[0]++ }, Nonce},
		"other PCRs demanded":    {func(in *Input) { in.BootPCRs = []uint8{0, 4} }, PCRDigest},
		"another PCR value":      {func(in *Input) { in.Evidence.PCRs[0] ^= 1 }, PCRDigest},
		"another log":            {func(in *Input) { in.App = tpm.AppLog{}.Bytes() }, Replay},
		"no log at all":          {func(in *Input) { in.App = nil }, Replay},
		"nothing approved":       {func(in *Input) { in.Measurements = nil }, NotApproved},
		"approved later":         {func(in *Input) { in.Measurements[0].Activation = 51 }, NotApproved},
		"deprecated for joining": {func(in *Input) { in.Measurements[0].Deprecated = 50; in.Kind = hardware.KindJoin }, NotApproved},
		"revoked":                {func(in *Input) { in.Measurements[0].Revoked = 50 }, Revoked},
		"a counter that stood":   {func(in *Input) { in.Before.Counter = 5 }, Counter},
		"no counter":             {func(in *Input) { in.Evidence.NV, in.Evidence.NVSignature = nil, nil }, Counter},
		"resets that went back":  {func(in *Input) { in.Before.Reset = 4 }, Reset},
		"restarts, too":          {func(in *Input) { in.Before.Restart = 2 }, Reset},
		"a clock that went back": {func(in *Input) { in.Before.Clock = 101 }, Reset},
		"a part that is missing": {func(in *Input) { in.Mandatory = append(in.Mandatory, trust.SystemWASM) }, MissingParts},
		"two faults":             {func(in *Input) { in.Before.Counter = 5; in.Measurements = nil }, NotApproved},
		"no evidence":            {func(in *Input) { in.Evidence = hardware.Evidence{Kind: hardware.TPM} }, Signature},
		"of no kind":             {func(in *Input) { in.Evidence.Kind = 0 }, Signature},
	} {
		in := newChip(t).input(t)
		x.spoil(in)
		r := Judge(in)
		if r.Verdict != Fail || r.Reason != x.want || len(r.Measurements) != 0 {
			t.Errorf("%s: verdict %d for reason %d, want %d", name, r.Verdict, r.Reason, x.want)
		}
	}
}

func TestWhatIsTolerated(t *testing.T) {
	for name, spoil := range map[string]func(c *chip, in *Input){
		"a reset in between, the clock starting again": func(c *chip, in *Input) { in.Before.Reset, in.Before.Clock = 2, 1<<40 },
		"deprecated code renewed":                      func(c *chip, in *Input) { in.Measurements[0].Deprecated = 20 },
		"revoked after the anchor":                     func(c *chip, in *Input) { in.Measurements[0].Revoked = 51 },
		"measurements of other things": func(c *chip, in *Input) {
			in.Measurements = append(in.Measurements, trust.Measurement{Component: trust.Kernel, Digest: make([]byte, 32)})
		},
		"a revoked one beside one in force": func(c *chip, in *Input) {
			old := in.Measurements[0]
			old.Version, old.Revoked = "0.9", 20
			in.Measurements = append(in.Measurements, old)
		},
		"an image is not a machine's part": func(c *chip, in *Input) { in.Mandatory = append(in.Mandatory, trust.Image) },
	} {
		c := newChip(t)
		in := c.input(t)
		spoil(c, in)
		if r := Judge(in); r.Verdict != Pass {
			t.Errorf("%s: reason %d", name, r.Reason)
		}
	}
}

// Unsafe clocks say nothing.
func TestAClockThatTheChipDoesNotVouchForIsIgnored(t *testing.T) {
	c := newChip(t)
	c.clock.Safe = false
	in := c.input(t)
	in.Before.Clock = 1 << 40
	if r := Judge(in); r.Verdict != Pass {
		t.Errorf("reason %d", r.Reason)
	}
}

// Of several versions with one digest every verifier names the same.
func TestTheMeasurementNamedDoesNotDependOnTheOrderOfTables(t *testing.T) {
	in := newChip(t).input(t)
	a := in.Measurements[0]
	b, d := a, a
	b.Version, b.MinSVN = "2", 5
	d.Version, d.Deprecated = "0", 1
	in.Measurements = []trust.Measurement{d, b, a}
	first := Judge(in)
	in.Measurements = []trust.Measurement{a, b, d}
	if second := Judge(in); first.Digest != second.Digest || first.Measurements[0] != a.ID() {
		t.Errorf("%v, then %v", first.Measurements, second.Measurements)
	}
}

// Nothing but the evidence that was signed passes.
func TestNoFlippedBitPasses(t *testing.T) {
	in := newChip(t).input(t)
	flip := func(name string, b []byte) {
		for i := range 8 * len(b) {
			b[i/8] ^= 1 << (i % 8)
			if r := Judge(in); r.Verdict == Pass {
				t.Fatalf("bit %d of %s changes nothing", i, name)
			}
			b[i/8] ^= 1 << (i % 8)
		}
	}
	e := &in.Evidence
	flip("quote", e.Quote)
	flip("signature", e.Signature)
	flip("PCRs", e.PCRs)
	flip("counter", e.NV)
	flip("its signature", e.NVSignature)
	flip("application log", in.App)
	flip("rest", e.Rest[:])
}

func TestClaimsAnswerOneTask(t *testing.T) {
	good := evidence.Claims{Purpose: evidence.Challenge, ChainID: wire.Hash{1}, Challenge: wire.Hash{2}, Identity: wire.PublicKey{3}, VRF: [32]byte{4}}
	check := func(c evidence.Claims) error {
		return Answers(&c, wire.Hash{1}, wire.Hash{2}, wire.PublicKey{3}, wire.PublicKey{4})
	}
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(c *evidence.Claims){
		"purpose": func(c *evidence.Claims) { c.Purpose = evidence.Renew }, "chain": func(c *evidence.Claims) { c.ChainID[0]++ },
		"nonce": func(c *evidence.Claims) { c.Challenge[0]++ }, "node key": func(c *evidence.Claims) { c.Identity[0]++ }, "VRF key": func(c *evidence.Claims) { c.VRF[0]++ },
	} {
		c := good
		spoil(&c)
		if wire.CodeOf(check(c)) != wire.ErrNonce {
			t.Errorf("another %s answers", name)
		}
	}
}

func TestACPUWithoutEvidenceFails(t *testing.T) {
	p := policy.Default(policy.Audit, true)
	in := &Input{Evidence: hardware.Evidence{Kind: hardware.SGX, Quote: []byte{1}}, Source: &evidence.Set{}, Policy: &p}
	if r := Judge(in); r.Verdict != Fail || r.Reason != Signature {
		t.Errorf("%+v", r)
	}
	if r := Missing(wire.Hash{1}); r.Verdict != Fail || r.Reason != NoEvidence || r.Digest != ResultDigest(wire.Hash{1}, Fail, NoEvidence, nil) {
		t.Errorf("%+v", r)
	}
}

func FuzzDecodeClaims(f *testing.F) {
	f.Add(wire.Marshal(&evidence.Claims{Purpose: evidence.Challenge}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeClaims(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(wire.Marshal(c), b) {
			t.Fatalf("%x is a second encoding", b)
		}
	})
}

// Whatever a TPM's evidence is, it is judged and never believed by accident.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{1}, []byte{2}, []byte{3}, []byte{4}, []byte{5})
	f.Fuzz(func(t *testing.T, quote, sig, pcrs, boot, app []byte) {
		in := &Input{Evidence: hardware.Evidence{Kind: hardware.TPM, Quote: quote, Signature: sig, PCRs: pcrs}, Boot: boot, App: app, AppPCR: 13}
		if r := Judge(in); r.Verdict != Fail || r.Reason == 0 {
			t.Fatalf("%+v", r)
		}
		Digests(in)
	})
}
