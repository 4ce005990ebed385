package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

// refusedFor reports whether an error carries a Reason and its code.
func refusedFor(err error, want *Reason) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want) && wire.CodeOf(err) >= 600 && wire.CodeOf(err) <= 699
}

func TestEvidenceOfAnOrdinaryBootHolds(t *testing.T) {
	c := newChip(t).bootUp(t)
	e, q := c.attest(t, demanded, forNode)
	p, err := Parse(e)
	if err != nil {
		t.Fatal(err)
	}
	if q != Qualify([32]byte{1}, [32]byte{2}, [32]byte{3}, p.Digest()) {
		t.Error("qualifying data changes when evidence is parsed")
	}
	clock, err := VerifyQuote(p, c.ak, q, demanded)
	if err != nil {
		t.Fatal(err)
	}
	if clock.Counter, err = VerifyNV(p, c.ak, q, CounterName()); err != nil || clock != c.clock {
		t.Errorf("clock %+v, want %+v, %v", clock, c.clock, err)
	}
	if again := p.Evidence(); !bytes.Equal(again.Bytes(), e.Bytes()) {
		t.Error("evidence has another encoding")
	}
	res, err := Verify(e, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(p.pcrBytes())
	if res.Code != evidence.CodeID(evidence.TPM, demanded.Bytes(), digest[:]) || !res.Device.IsZero() || !res.Anchor.IsZero() ||
		[32]byte(res.ReportData[:]) != q || res.Status != evidence.UpToDate || res.NotAfter != math.MaxInt64 || res.Signed != sha256.Sum256(e.Quote) {
		t.Errorf("%+v", res)
	}
	if want := []string{checkFormat, checkQuote, checkLogs, checkCounter}; !slices.Equal(res.Passed, want) {
		t.Errorf("passed %q", res.Passed)
	}
}

func TestEachFailingCheckOfAQuoteHasItsReason(t *testing.T) {
	c, other := newChip(t).bootUp(t), newChip(t).bootUp(t)
	e, q := c.attest(t, demanded, forNode)
	for _, row := range []struct {
		rule string
		want *Reason
		run  func(p *Parts) error
	}{
		{"all in order", nil, func(p *Parts) error { _, err := VerifyQuote(p, c.ak, q, demanded); return err }},
		{"another key registered", ErrQuoteSig, func(p *Parts) error { _, err := VerifyQuote(p, other.ak, q, demanded); return err }},
		{"a flipped bit in the quote", ErrQuoteSig, func(p *Parts) error {
			p.Quoted = slices.Clone(p.Quoted)
			p.Quoted[60] ^= 1
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"another nonce", ErrNonce, func(p *Parts) error { _, err := VerifyQuote(p, c.ak, [32]byte{}, demanded); return err }},
		{"a narrower selection demanded", ErrPCRSelection, func(p *Parts) error { _, err := VerifyQuote(p, c.ak, q, Select(0, 7)); return err }},
		{"another PCR value", ErrPCRDigest, func(p *Parts) error {
			p.PCRs[3][0] ^= 1
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"the magic of a foreign digest", ErrQuoteMagic, func(p *Parts) error {
			p.Quoted = slices.Clone(p.Quoted)
			p.Quoted[0] = 0
			p.Signature = c.sign(t, p.Quoted)
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"a byte after the statement", ErrQuoteMagic, func(p *Parts) error {
			p.Quoted = append(slices.Clone(p.Quoted), 0)
			p.Signature = c.sign(t, p.Quoted)
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"another sort of statement", ErrQuoteMagic, func(p *Parts) error {
			p.Quoted, p.Signature = p.NV, p.NVSignature
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"a key of the owner hierarchy", ErrAKHierarchy, func(p *Parts) error {
			st := *p.Statement
			st.QualifiedSigner = objectName(append(binary.BigEndian.AppendUint32(nil, 0x40000001), c.ak.Name()...))
			p.Quoted = st.Bytes()
			p.Signature = c.sign(t, p.Quoted)
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"two banks", ErrPCRSelection, func(p *Parts) error {
			p.Quoted = bytes.Replace(p.Quoted, demanded.Bytes(), append([]byte{0, 0, 0, 2}, demanded.Bytes()[4:]...), 1)
			p.Signature = c.sign(t, p.Quoted)
			_, err := VerifyQuote(p, c.ak, q, demanded)
			return err
		}},
		{"a counter that is none", ErrNVName, func(p *Parts) error { _, err := VerifyNV(p, c.ak, q, c.ak.Name()); return err }},
		{"no counter", ErrNVName, func(p *Parts) error { p.NV = nil; _, err := VerifyNV(p, c.ak, q, CounterName()); return err }},
		{"a quote for a counter", ErrNVName, func(p *Parts) error {
			p.NV, p.NVSignature = p.Quoted, p.Signature
			_, err := VerifyNV(p, c.ak, q, CounterName())
			return err
		}},
		{"a counter for another nonce", ErrNonce, func(p *Parts) error { _, err := VerifyNV(p, c.ak, [32]byte{}, CounterName()); return err }},
		{"a counter by another key", ErrQuoteSig, func(p *Parts) error {
			p.NVSignature = other.sign(t, p.NV)
			_, err := VerifyNV(p, c.ak, q, CounterName())
			return err
		}},
		{"part of a counter", ErrNVName, func(p *Parts) error {
			st := *p.Counter
			st.NV = &NV{Name: CounterName(), Offset: 1, Contents: make([]byte, 7)}
			p.NV = st.Bytes()
			p.NVSignature = c.sign(t, p.NV)
			_, err := VerifyNV(p, c.ak, q, CounterName())
			return err
		}},
	} {
		p, err := Parse(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := row.run(p); !refusedFor(err, row.want) {
			t.Errorf("%s: %v, want %v", row.rule, err, row.want)
		}
	}
}

func TestResettablePCRsAreNoEvidence(t *testing.T) {
	c := newChip(t)
	s := Select(0, 16)
	e, q := c.attest(t, s, forNode)
	p, err := Parse(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyQuote(p, c.ak, q, s); !refusedFor(err, ErrPCRSelection) {
		t.Error(err)
	}
	if _, err := Replay(p, 23); !refusedFor(err, ErrReplay) {
		t.Error(err)
	}
}

func TestEvidenceWithPartsMissingIsMalformed(t *testing.T) {
	c := newChip(t).bootUp(t)
	e, _ := c.attest(t, demanded, forNode)
	change := func(f func(*evidence.Evidence)) *evidence.Evidence {
		bad := &evidence.Evidence{Kind: e.Kind, Quote: e.Quote, Aux: slices.Clone(e.Aux)}
		f(bad)
		return bad
	}
	for rule, row := range map[string]struct {
		want *Reason
		e    *evidence.Evidence
	}{
		"another kind":                {ErrEvidence, change(func(e *evidence.Evidence) { e.Kind = evidence.SNP })},
		"a part less":                 {ErrEvidence, change(func(e *evidence.Evidence) { e.Aux = e.Aux[:6] })},
		"a PCR less":                  {ErrEvidence, change(func(e *evidence.Evidence) { e.Aux[auxPCRs] = e.Aux[auxPCRs][32:] })},
		"a signature without counter": {ErrEvidence, change(func(e *evidence.Evidence) { e.Aux[auxNV] = nil })},
		"a counter that is a quote":   {ErrNVName, change(func(e *evidence.Evidence) { e.Aux[auxNV] = e.Quote })},
		"a quote that is a counter":   {ErrQuoteMagic, change(func(e *evidence.Evidence) { e.Quote = e.Aux[auxNV] })},
		"a key that may leave":        {ErrAKTemplate, change(func(e *evidence.Evidence) { e.Aux[auxAK] = flipped(e.Aux[auxAK], 7) })},
		"a key off the curve":         {ErrAKTemplate, change(func(e *evidence.Evidence) { e.Aux[auxAK] = flipped(e.Aux[auxAK], 40) })},
		"an application log of bytes": {ErrEventLog, change(func(e *evidence.Evidence) { e.Aux[auxAppLog] = nil })},
	} {
		if _, err := Verify(row.e, nil, now); !refusedFor(err, row.want) {
			t.Errorf("%s: %v, want %v", rule, err, row.want)
		}
	}
}

func TestEverySingleBitFlipOfEvidenceIsRefused(t *testing.T) {
	c := newChip(t).bootUp(t)
	e, q := c.attest(t, demanded, forNode)
	check := func() error {
		p, err := Parse(e)
		if err != nil {
			return err
		}
		if Qualify([32]byte{1}, [32]byte{2}, [32]byte{3}, p.Digest()) != q {
			return refuse(ErrNonce, "qualifying data of other parts")
		}
		if _, err = VerifyQuote(p, c.ak, q, demanded); err != nil {
			return err
		}
		if _, err := VerifyNV(p, c.ak, q, CounterName()); err != nil {
			return err
		}
		_, err = Replay(p, DefaultAppPCR)
		return err
	}
	if err := check(); err != nil {
		t.Fatal(err)
	}
	for part, b := range append([][]byte{e.Quote}, e.Aux...) {
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			if check() == nil {
				t.Errorf("part %d is accepted with bit %d of byte %d flipped", part, bit%8, bit/8)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestCreationProvesTheTemplate(t *testing.T) {
	c, other := newChip(t), newChip(t)
	name, err := EKName(spkiOf(t, &c.ek.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	q := [32]byte{5}
	st := c.statement(q[:])
	st.Creation = &Creation{Name: name, Hash: make([]byte, 32)}
	attest := st.Bytes()
	sig := c.sign(t, attest)
	foreign := *st
	foreign.Creation = &Creation{Name: c.ak.Name(), Hash: make([]byte, 32)}
	quote := c.statement(q[:])
	quote.Quote = &Quote{Selection: demanded, Digest: make([]byte, 32)}
	for rule, row := range map[string]struct {
		want *Reason
		err  error
	}{
		"in order":               {nil, VerifyCreation(attest, sig, c.ak, name, q)},
		"another attestation":    {ErrQuoteSig, VerifyCreation(attest, sig, other.ak, name, q)},
		"another request":        {ErrNonce, VerifyCreation(attest, sig, c.ak, name, [32]byte{})},
		"another key created":    {ErrEKTemplate, VerifyCreation(foreign.Bytes(), c.sign(t, foreign.Bytes()), c.ak, name, q)},
		"a quote":                {ErrQuoteMagic, VerifyCreation(quote.Bytes(), c.sign(t, quote.Bytes()), c.ak, name, q)},
		"a key never parsed":     {ErrQuoteSig, VerifyCreation(attest, sig, AK{}, name, q)},
		"a signature cut short":  {ErrQuoteSig, VerifyCreation(attest, sig[:71], c.ak, name, q)},
		"a signature by RSA":     {ErrQuoteSig, VerifyCreation(attest, flipped(sig, 1), c.ak, name, q)},
		"a signature, r cut off": {ErrQuoteSig, VerifyCreation(attest, unpadded(t, c, attest), c.ak, name, q)},
	} {
		if !refusedFor(row.err, row.want) {
			t.Errorf("%s: %v, want %v", rule, row.err, row.want)
		}
	}
}

// unpadded is a good signature in the second encoding some TPMs use.
func unpadded(t *testing.T, c *chip, attest []byte) []byte {
	digest := sha256.Sum256(attest)
	for {
		r, s, err := ecdsa.Sign(rand.Reader, c.akKey, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if r.BitLen() > 248 {
			continue
		}
		b := EncodeSignature(nil, nil)[:4]
		return appendSized(appendSized(b, r.Bytes()), padded(s.Bytes()))
	}
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

func BenchmarkVerify(b *testing.B) {
	c := newChip(b).bootUp(b)
	e, _ := c.attest(b, demanded, forNode)
	for b.Loop() {
		if _, err := Verify(e, nil, now); err != nil {
			b.Fatal(err)
		}
	}
}
