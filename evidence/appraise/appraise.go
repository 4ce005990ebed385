package appraise

import (
	"bytes"
	"errors"
	"slices"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Verdicts.
const (
	Pass = hardware.Pass
	Fail = hardware.Fail
)

// Reasons of a FAIL (specification §7). 9 (activation) and 10 (no evidence) are
// for those to find who challenge and fetch.
const (
	Signature    uint16 = 1
	Nonce        uint16 = 2
	PCRDigest    uint16 = 3
	Replay       uint16 = 4
	NotApproved  uint16 = 5
	Revoked      uint16 = 6
	Counter      uint16 = 7
	Reset        uint16 = 8
	Activation   uint16 = 9
	NoEvidence   uint16 = 10
	Collateral   uint16 = 11
	MissingParts uint16 = 12
)

// Age is what a chip says of its own history.
type Age struct {
	Counter        uint64
	Reset, Restart uint32
	Clock          uint64
}

// Input is all that an appraisal depends on.
type Input struct {
	Evidence  hardware.Evidence
	Boot, App []byte // the logs' bytes, wherever they were carried

	Chain           wire.Hash
	Device          wire.Hash
	Kind            uint8 // of the task
	Nonce           wire.Hash
	Height          uint64 // h_a
	TimeMs          uint64 // block time at which collateral is judged
	NodeKey, VRFKey wire.PublicKey

	// TPM.
	AK        []byte // TPMT_PUBLIC
	Before    Age    // as recorded before this evidence
	BootPCRs  []uint8
	AppPCR    uint8
	Mandatory []trust.Component

	// Measurements with the digests that Digests names; any others are ignored.
	Measurements []trust.Measurement

	// CPUs.
	Source      evidence.Source
	Policy      *policy.Policy
	RevokedKeys []wire.Hash // of the certificates in evidence, those the authorities revoked
}

// Result is what a verifier votes.
type Result struct {
	Verdict      uint8
	Reason       uint16
	Digest       wire.Hash
	Measurements []wire.Hash // ascending; empty after a FAIL
}

// Judge appraises. It cannot fail: evidence that is not even that is a FAIL.
func Judge(in *Input) Result {
	judge := judgeCPU
	if in.Evidence.Kind == hardware.TPM {
		judge = judgeTPM
	}
	found, reasons := judge(in)
	r := Result{Verdict: Pass}
	if len(reasons) > 0 {
		r.Verdict, r.Reason = Fail, slices.Min(reasons)
	} else {
		slices.SortFunc(found, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
		r.Measurements = slices.Compact(found)
	}
	if len(r.Measurements) > hardware.MaxFound {
		r = Result{Verdict: Fail, Reason: NotApproved}
	}
	r.Digest = ResultDigest(in.Evidence.Digest(), r.Verdict, r.Reason, r.Measurements)
	return r
}

// ResultDigest binds a vote to evidence and measurements, which ascend:
// TH("cloister/ra/appraisal/v1", evidence digest, u8 verdict, u16 reason, ids).
func ResultDigest(evidenceDigest wire.Hash, verdict uint8, reason uint16, ids []wire.Hash) wire.Hash {
	var all []byte
	for _, id := range ids {
		all = append(all, id[:]...)
	}
	return wire.TH("cloister/ra/appraisal/v1", evidenceDigest[:], []byte{verdict}, wire.U16(reason), all)
}

// Missing is the result of a verifier that could not get at the evidence.
func Missing(evidenceDigest wire.Hash) Result {
	return Result{Verdict: Fail, Reason: NoEvidence, Digest: ResultDigest(evidenceDigest, Fail, NoEvidence, nil)}
}

// Wanted is a measurement that evidence shows: the tables have to be asked for it.
type Wanted struct {
	Component trust.Component
	Digest    []byte
}

// Digests lists what Input.Measurements has to be about.
func Digests(in *Input) (out []Wanted) {
	if in.Evidence.Kind != hardware.TPM {
		if res, err := verify.Verify(CPUEvidence(&in.Evidence), in.Source, seconds(in.TimeMs)); err == nil {
			out = append(out, Wanted{trust.Image, res.Code[:]})
		}
		return out
	}
	p, err := TPMParts(&in.Evidence, in.AK, in.Boot, in.App)
	if err != nil {
		return nil
	}
	replayed, err := tpm.Replay(p, in.AppPCR)
	if err != nil {
		return nil
	}
	for i := range replayed.Measured {
		m := &replayed.Measured[i]
		out = append(out, Wanted{trust.Component(m.Component), m.Digest[:]})
	}
	return out
}

// CPUEvidence is the vendor's form of a CPU's evidence.
func CPUEvidence(e *hardware.Evidence) *evidence.Evidence {
	v := &evidence.Evidence{Kind: evidence.Kind(e.Kind), Quote: e.Quote}
	if len(e.Leaf) > 0 {
		v.Aux = [][]byte{e.Leaf}
	}
	return v
}

// TPMParts takes a TPM's evidence apart, with logs given apart from it.
func TPMParts(e *hardware.Evidence, ak, boot, app []byte) (*tpm.Parts, error) {
	return tpm.Parse(&evidence.Evidence{
		Kind: evidence.TPM, Quote: e.Quote,
		Aux: [][]byte{e.Signature, ak, e.PCRs, boot, app, e.NV, e.NVSignature},
	})
}

// Selection is the PCRs a quote has to be over.
func Selection(boot []uint8, app uint8) tpm.Selection {
	return tpm.Select(append(slices.Clone(boot), app)...)
}

func seconds(ms uint64) int64 { return int64(ms / 1000) }

// judgeTPM goes through everything, to find the lowest reason.
func judgeTPM(in *Input) (ids []wire.Hash, reasons []uint16) {
	e := &in.Evidence
	p, err := TPMParts(e, in.AK, in.Boot, in.App)
	if err != nil {
		return nil, []uint16{reasonOf(err)}
	}
	ak, err := tpm.ParseAK(in.AK)
	if err != nil {
		return nil, []uint16{Signature}
	}
	qualifying := tpm.Qualify(in.Nonce, in.NodeKey, in.VRFKey, e.Rest)
	if p.Digest() != e.Rest {
		reasons = append(reasons, Replay) // the quote vouches for other logs
	}
	clock, err := tpm.VerifyQuote(p, ak, qualifying, Selection(in.BootPCRs, in.AppPCR))
	if err != nil {
		reasons = append(reasons, reasonOf(err))
	}
	counter, err := tpm.VerifyNV(p, ak, qualifying, tpm.CounterName())
	switch {
	case errors.Is(err, tpm.ErrNVName):
		reasons = append(reasons, Counter)
	case err != nil:
		reasons = append(reasons, reasonOf(err))
	case counter <= in.Before.Counter:
		reasons = append(reasons, Counter)
	}
	if in.Before.Exceeds(clock) {
		reasons = append(reasons, Reset)
	}
	replayed, err := tpm.Replay(p, in.AppPCR)
	if err != nil {
		return nil, append(reasons, Replay)
	}
	ids, more := match(in, replayed.Measured)
	return ids, append(reasons, more...)
}

// Exceeds reports whether a chip went back behind what was recorded of it. Its
// clock counts within one power cycle, and only if the chip vouches for it.
func (a Age) Exceeds(c tpm.Clock) bool {
	switch {
	case c.ResetCount != a.Reset:
		return c.ResetCount < a.Reset
	case c.RestartCount != a.Restart:
		return c.RestartCount < a.Restart
	}
	return c.Safe && c.Clock < a.Clock
}

// match looks up what was measured. What a mandatory component consists of must
// all be approved; of the others what was approved and taken back is refused.
func match(in *Input, measured []tpm.Measured) (ids []wire.Hash, reasons []uint16) {
	shown := map[trust.Component]bool{}
	for i := range measured {
		m := &measured[i]
		c := trust.Component(m.Component)
		shown[c] = true
		best, revoked := approved(in, c, m.Digest[:])
		switch {
		case best != nil && (in.Kind != hardware.KindJoin || !best.DeprecatedAt(in.Height)):
			ids = append(ids, best.ID())
		case best == nil && revoked:
			reasons = append(reasons, Revoked)
		case best != nil || slices.Contains(in.Mandatory, c):
			reasons = append(reasons, NotApproved)
		}
	}
	for _, c := range in.Mandatory {
		if c != trust.Image && !shown[c] { // an image is what a CPU measures
			reasons = append(reasons, MissingParts)
		}
	}
	return ids, reasons
}

// approved finds the measurement of a digest in force at the anchor: one that
// newcomers may run before others, then the lowest SVN, then the lowest id.
func approved(in *Input, c trust.Component, digest []byte) (best *trust.Measurement, revoked bool) {
	for i := range in.Measurements {
		m := &in.Measurements[i]
		if m.Component != c || !bytes.Equal(m.Digest, digest) {
			continue
		}
		if !m.ValidAt(in.Height) {
			revoked = revoked || m.Activation <= in.Height
			continue
		}
		if best == nil || before(m, best, in.Height) {
			best = m
		}
	}
	return best, revoked
}

func before(a, b *trust.Measurement, height uint64) bool {
	if x, y := a.DeprecatedAt(height), b.DeprecatedAt(height); x != y {
		return y
	}
	if a.MinSVN != b.MinSVN {
		return a.MinSVN < b.MinSVN
	}
	x, y := a.ID(), b.ID()
	return bytes.Compare(x[:], y[:]) < 0
}

// reasonOf is the reason an error of package tpm stands for.
func reasonOf(err error) uint16 {
	for _, r := range []struct {
		reason *tpm.Reason
		code   uint16
	}{
		{tpm.ErrNonce, Nonce}, {tpm.ErrPCRDigest, PCRDigest}, {tpm.ErrPCRSelection, PCRDigest},
		{tpm.ErrReplay, Replay}, {tpm.ErrEventLog, Replay}, {tpm.ErrNVName, Counter},
	} {
		if errors.Is(err, r.reason) {
			return r.code
		}
	}
	return Signature
}
