package hardware

import (
	"bytes"
	"fmt"

	"cloister/wire"
)

func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrMalformed, "hardware payload: %s", fmt.Sprintf(format, args...))
}

func parts(format string, args ...any) error {
	return wire.Faultf(wire.ErrEvidenceParts, format, args...)
}

// check judges a log's form. Inline bytes above most are refused; without any,
// the log is where Refs say.
func (l *Log) check(name string, most int) error {
	switch {
	case l.Size > MaxLog:
		return parts("%s has %d bytes, at most %d", name, l.Size, MaxLog)
	case len(l.Inline) > 0 && len(l.Refs) > 0, len(l.Refs) > MaxRefs:
		return parts("%s is inline or in up to %d entries", name, MaxRefs)
	case len(l.Refs) == 0 && int(l.Size) != len(l.Inline), len(l.Inline) > most:
		return parts("%s says %d bytes and carries %d, at most %d", name, l.Size, len(l.Inline), most)
	case len(l.Refs) > 0 && l.Size <= MaxPart:
		return parts("%s of %d bytes belongs inline", name, l.Size)
	case len(l.Refs) == 0 && hash(l.Inline) != l.Digest:
		return parts("%s does not hash to its digest", name)
	}
	return nil
}

// check judges the form of evidence; logs carry at most mostLog bytes inline.
func (e *Evidence) check(mostLog int) error {
	for _, p := range []struct {
		name  string
		bytes []byte
		most  int
	}{
		{"quote", e.Quote, MaxQuote}, {"signature", e.Signature, MaxPart}, {"PCR values", e.PCRs, 24 * 32},
		{"counter", e.NV, MaxPart}, {"counter's signature", e.NVSignature, MaxPart},
		{"leaf certificate", e.Leaf, MaxPart}, {"claims", e.Claims, MaxPart},
	} {
		if len(p.bytes) > p.most {
			return parts("%s of %d bytes, at most %d", p.name, len(p.bytes), p.most)
		}
	}
	if e.Kind == TPM {
		if len(e.Leaf) != 0 || len(e.Claims) != 0 {
			return parts("a TPM has neither claims nor a leaf certificate")
		}
		if err := e.Boot.check("boot log", mostLog); err != nil {
			return err
		}
		return e.App.check("application log", mostLog)
	}
	if e.Kind < SGX || e.Kind > SNP {
		return wire.Faultf(wire.ErrEvidenceKind, "evidence of kind %d", e.Kind)
	}
	bare := Evidence{Kind: e.Kind, Quote: e.Quote, Leaf: e.Leaf, Claims: e.Claims}
	if !bytes.Equal(wire.Marshal(e), wire.Marshal(&bare)) || (e.Kind == SNP) != (len(e.Leaf) > 0) {
		return parts("evidence of a CPU is a quote and claims, for SNP also the leaf certificate")
	}
	return nil
}

func (p *JoinPlatform) check() error {
	if p.Evidence.Kind == TPM {
		return wire.Faultf(wire.ErrEvidenceKind, "a TPM joins by request, not at once")
	}
	return p.Evidence.check(0)
}

func (p *JoinRequest) check() error {
	switch {
	case len(p.Chain) == 0 || len(p.Chain) > MaxChain:
		return wire.Faultf(wire.ErrChainTooLong, "%d certificates, 1 to %d", len(p.Chain), MaxChain)
	case len(p.VRFProof) != ProofSize:
		return wire.Faultf(wire.ErrKeyPoP, "a VRF proof has %d bytes, got %d", ProofSize, len(p.VRFProof))
	}
	return nil
}

func (p *Claim) check() error {
	if len(p.Proof) != ProofSize {
		return wire.Faultf(wire.ErrVRFProof, "a VRF proof has %d bytes, got %d", ProofSize, len(p.Proof))
	}
	return nil
}

func (p *Challenge) check() error {
	if len(p.Blob) != BlobSize || len(p.EncSecret) != SecretSize {
		return malformed("a challenge has %d and %d bytes, got %d and %d", BlobSize, SecretSize, len(p.Blob), len(p.EncSecret))
	}
	return nil
}

func (p *Answer) check() error {
	if len(p.Secrets) > MaxAnswers {
		return malformed("%d answers, at most %d", len(p.Secrets), MaxAnswers)
	}
	for i := 1; i < len(p.Secrets); i++ {
		if bytes.Compare(p.Secrets[i-1].Verifier[:], p.Secrets[i].Verifier[:]) >= 0 {
			return malformed("answers must ascend by verifier")
		}
	}
	return p.Evidence.check(MaxPart)
}

func (p *Open) check() error {
	if p.Kind < KindPeriodic || p.Kind > KindReinstate {
		return malformed("a task of kind %d cannot be asked for", p.Kind)
	}
	return nil
}

func (p *EvidenceSubmit) check() error { return p.Evidence.check(MaxPart) }

func (p *Reveal) check() error {
	if p.Verdict != Pass && p.Verdict != Fail {
		return malformed("a vote is PASS (1) or FAIL (2), got %d", p.Verdict)
	}
	if len(p.Measurements) > MaxFound || p.Verdict == Fail && len(p.Measurements) > 0 {
		return malformed("a PASS relies on at most %d measurements, a FAIL on none", MaxFound)
	}
	for i := 1; i < len(p.Measurements); i++ {
		if bytes.Compare(p.Measurements[i-1][:], p.Measurements[i][:]) >= 0 {
			return malformed("measurements must ascend")
		}
	}
	return nil
}

// A dispute with logs by reference is well formed: the rules refuse it with
// ErrEvidenceSize.
func (p *Dispute) check() error { return p.Evidence.check(wire.MaxPayload) }

func (p *CloneProof) check() error {
	if err := p.First.check(); err != nil {
		return err
	}
	return p.Second.check()
}

func (p *Rotate) check() error {
	if p.Evidence.Kind != 0 {
		return (&JoinPlatform{Evidence: p.Evidence}).check()
	}
	if len(p.VRFProof) != ProofSize {
		return wire.Faultf(wire.ErrKeyPoP, "a VRF proof has %d bytes, got %d", ProofSize, len(p.VRFProof))
	}
	return p.Quote.check()
}

// MaxAmount bounds amounts of gas, as those of factoshis.
const MaxAmount = 1<<63 - 1

func (p *Deposit) check() error  { return positive(p.Amount) }
func (p *Withdraw) check() error { return positive(p.Amount) }

func positive(amount uint64) error {
	if amount == 0 || amount > MaxAmount {
		return wire.Faultf(wire.ErrBadAmount, "an amount of %d", amount)
	}
	return nil
}

func (s *Statement) check() error {
	if len(s.Attest) > MaxPart || len(s.Signature) > MaxPart || len(s.PCRs) > 24*32 {
		return malformed("a statement of %d, %d and %d bytes", len(s.Attest), len(s.Signature), len(s.PCRs))
	}
	return nil
}
