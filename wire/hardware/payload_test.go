package hardware

import (
	"bytes"
	"testing"

	"cloister/wire"
)

func log(b []byte) Log { return LogOf(b) }

func tpmEvidence() Evidence {
	return Evidence{Kind: TPM, Quote: []byte{1}, Signature: []byte{2}, PCRs: []byte{3}, Boot: log(nil), App: log([]byte{0x80}), NV: []byte{4}, NVSignature: []byte{5}, Rest: wire.Hash{6}}
}

func cpuEvidence() Evidence {
	return Evidence{Kind: SNP, Quote: []byte{1}, Leaf: []byte{2}, Claims: []byte{3}}
}

// examples has a well-formed payload of every operation.
func examples() []Payload {
	vote := Vote{Task: wire.Hash{1}, Attempt: 1, Device: wire.Hash{2}}
	return []Payload{
		&JoinPlatform{Evidence: cpuEvidence()},
		&JoinRequest{Chain: [][]byte{{1}}, AK: []byte{1}, Creation: []byte{2}, CreationSignature: []byte{3}, VRFProof: make([]byte, ProofSize)},
		&Challenge{Vote: vote, Blob: make([]byte, BlobSize), EncSecret: make([]byte, SecretSize)},
		&Answer{Task: wire.Hash{1}, Attempt: 1, Secrets: []Secret{{Verifier: wire.Hash{1}}, {Verifier: wire.Hash{2}}}, Evidence: tpmEvidence()},
		&Open{Device: wire.Hash{1}, Kind: KindChallenge},
		&EvidenceSubmit{Task: wire.Hash{1}, Attempt: 2, Evidence: tpmEvidence()},
		&Claim{Vote: vote, Proof: make([]byte, ProofSize)},
		&Commit{Vote: vote, Commitment: wire.Hash{9}},
		&Reveal{Vote: vote, Verdict: Pass, Measurements: []wire.Hash{{1}, {2}}},
		&Dispute{Task: wire.Hash{1}, Evidence: tpmEvidence()},
		&CloneProof{Device: wire.Hash{1}, First: Statement{Attest: []byte{1}, Signature: []byte{2}}},
		&Rotate{Device: wire.Hash{1}, VRFProof: make([]byte, ProofSize)},
		&Deposit{Amount: 1}, &Withdraw{Amount: MaxAmount}, &Retire{Device: wire.Hash{1}}, &Collateral{Item: []byte{1}},
	}
}

func TestEveryOperationReadsBack(t *testing.T) {
	list := examples()
	if len(list) != len(blank) {
		t.Fatalf("%d examples of %d operations", len(list), len(blank))
	}
	for _, p := range list {
		b := Encode(p)
		got, err := Decode(b)
		if err != nil || got.op() != p.op() || !bytes.Equal(Encode(got), b) {
			t.Errorf("%T: %v", p, err)
		}
		for _, other := range [][]byte{append(bytes.Clone(b), 0), b[:len(b)-1], append([]byte{0xEE}, b[1:]...), b[:1]} {
			if _, err := Decode(other); wire.CodeOf(err) != wire.ErrMalformed {
				t.Errorf("%T: %x is accepted, or not malformed: %v", p, other, err)
			}
		}
	}
}

func TestFormIsCheckedBeforeAnythingElse(t *testing.T) {
	tpm := func(spoil func(e *Evidence)) Payload {
		e := tpmEvidence()
		spoil(&e)
		return &EvidenceSubmit{Evidence: e}
	}
	cpu := func(spoil func(e *Evidence)) Payload {
		e := cpuEvidence()
		spoil(&e)
		return &JoinPlatform{Evidence: e}
	}
	big := make([]byte, MaxPart+1)
	for name, x := range map[string]struct {
		p    Payload
		want wire.Code
	}{
		"a TPM joins at once":       {cpu(func(e *Evidence) { *e = tpmEvidence() }), wire.ErrEvidenceKind},
		"an unknown kind":           {cpu(func(e *Evidence) { e.Kind = 9 }), wire.ErrEvidenceKind},
		"SNP without its leaf":      {cpu(func(e *Evidence) { e.Leaf = nil }), wire.ErrEvidenceParts},
		"SGX with a leaf":           {cpu(func(e *Evidence) { e.Kind = SGX }), wire.ErrEvidenceParts},
		"a CPU with PCRs":           {cpu(func(e *Evidence) { e.PCRs = []byte{1} }), wire.ErrEvidenceParts},
		"a long quote":              {cpu(func(e *Evidence) { e.Quote = make([]byte, MaxQuote+1) }), wire.ErrEvidenceParts},
		"a TPM with claims":         {tpm(func(e *Evidence) { e.Claims = []byte{1} }), wire.ErrEvidenceParts},
		"a log of another digest":   {tpm(func(e *Evidence) { e.App.Digest[0]++ }), wire.ErrEvidenceParts},
		"a log of another size":     {tpm(func(e *Evidence) { e.App.Size++ }), wire.ErrEvidenceParts},
		"a log too long for here":   {tpm(func(e *Evidence) { e.Boot = log(big) }), wire.ErrEvidenceParts},
		"a log in both places":      {tpm(func(e *Evidence) { e.App.Refs = []wire.Hash{{1}} }), wire.ErrEvidenceParts},
		"a short log elsewhere":     {tpm(func(e *Evidence) { e.App = Log{Size: 5, Refs: []wire.Hash{{1}}} }), wire.ErrEvidenceParts},
		"a log in too many places":  {tpm(func(e *Evidence) { e.App = Log{Size: MaxPart + 1, Refs: make([]wire.Hash, MaxRefs+1)} }), wire.ErrEvidenceParts},
		"a log too long anywhere":   {tpm(func(e *Evidence) { e.App = Log{Size: MaxLog + 1, Refs: make([]wire.Hash, 2)} }), wire.ErrEvidenceParts},
		"a log in the data layer":   {tpm(func(e *Evidence) { e.Boot = LogOf(big, wire.Hash{1}) }), wire.OK},
		"a dispute with a long log": {&Dispute{Evidence: Evidence{Kind: TPM, Boot: log(big), App: log(nil)}}, wire.OK},
		"five certificates":         {&JoinRequest{Chain: make([][]byte, 5), VRFProof: make([]byte, ProofSize)}, wire.ErrChainTooLong},
		"a short proof":             {&Claim{Proof: make([]byte, ProofSize-1)}, wire.ErrVRFProof},
		"a short blob":              {&Challenge{Blob: make([]byte, 5), EncSecret: make([]byte, SecretSize)}, wire.ErrMalformed},
		"answers out of order":      {&Answer{Secrets: []Secret{{Verifier: wire.Hash{2}}, {Verifier: wire.Hash{1}}}, Evidence: tpmEvidence()}, wire.ErrMalformed},
		"an answer twice":           {&Answer{Secrets: make([]Secret, 2), Evidence: tpmEvidence()}, wire.ErrMalformed},
		"a joining asked for":       {&Open{Kind: KindJoin}, wire.ErrMalformed},
		"no verdict":                {&Reveal{Verdict: Inconclusive}, wire.ErrMalformed},
		"a FAIL with measurements":  {&Reveal{Verdict: Fail, Measurements: []wire.Hash{{1}}}, wire.ErrMalformed},
		"measurements twice":        {&Reveal{Verdict: Pass, Measurements: make([]wire.Hash, 2)}, wire.ErrMalformed},
		"a long statement":          {&CloneProof{First: Statement{Attest: big}}, wire.ErrMalformed},
		"nothing deposited":         {&Deposit{}, wire.ErrBadAmount},
		"too much withdrawn":        {&Withdraw{Amount: MaxAmount + 1}, wire.ErrBadAmount},
	} {
		if _, err := Decode(Encode(x.p)); wire.CodeOf(err) != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
}

// The digest of evidence is the same wherever its logs are, and another for any
// other content.
func TestDigestNamesEvidenceNotItsCarriage(t *testing.T) {
	long := make([]byte, MaxPart+1)
	inline, elsewhere := tpmEvidence(), tpmEvidence()
	inline.Boot, elsewhere.Boot = log(long), LogOf(long, wire.Hash{1}, wire.Hash{2})
	if inline.Digest() != elsewhere.Digest() {
		t.Error("it depends on where a log is")
	}
	base := tpmEvidence()
	seen := map[wire.Hash]string{base.Digest(): "nothing"}
	for name, spoil := range map[string]func(e *Evidence){
		"kind": func(e *Evidence) { e.Kind++ }, "quote": func(e *Evidence) { e.Quote = []byte{9} }, "signature": func(e *Evidence) { e.Signature = []byte{9} },
		"PCRs": func(e *Evidence) { e.PCRs = []byte{9} }, "boot": func(e *Evidence) { e.Boot = log([]byte{9}) }, "app": func(e *Evidence) { e.App = log([]byte{9}) },
		"NV": func(e *Evidence) { e.NV = []byte{9} }, "its signature": func(e *Evidence) { e.NVSignature = []byte{9} }, "rest": func(e *Evidence) { e.Rest[0]++ },
		"leaf": func(e *Evidence) { e.Leaf = []byte{9} }, "claims": func(e *Evidence) { e.Claims = []byte{9} }, "size": func(e *Evidence) { e.App.Size++ },
	} {
		e := tpmEvidence()
		spoil(&e)
		if was, twice := seen[e.Digest()]; twice {
			t.Errorf("%s and %s change the digest alike", name, was)
		}
		seen[e.Digest()] = name
	}
}

func TestStatementsServeForOneMessage(t *testing.T) {
	v := Vote{Task: wire.Hash{1}, Attempt: 1, Device: wire.Hash{2}}
	next := v
	next.Attempt++
	seen := map[wire.Hash]bool{}
	for _, h := range []wire.Hash{
		ClaimStatement(wire.Hash{}, v, nil), ClaimStatement(wire.Hash{1}, v, nil), ClaimStatement(wire.Hash{}, next, nil), ClaimStatement(wire.Hash{}, v, []byte{1}),
		CommitStatement(wire.Hash{}, v, wire.Hash{}), CommitStatement(wire.Hash{}, next, wire.Hash{}), CommitStatement(wire.Hash{}, v, wire.Hash{1}),
		ChallengeStatement(wire.Hash{}, v, nil, nil, wire.Hash{}), ChallengeStatement(wire.Hash{}, v, []byte{1}, nil, wire.Hash{}), ChallengeStatement(wire.Hash{}, v, nil, []byte{1}, wire.Hash{}),
		JoinStatement(wire.Hash{}, wire.Hash{}, nil, wire.PublicKey{}, wire.PublicKey{}, wire.Account{}), JoinStatement(wire.Hash{}, wire.Hash{}, nil, wire.PublicKey{}, wire.PublicKey{}, wire.Account{1}),
		RotateStatement(wire.Hash{}, wire.Hash{}, wire.PublicKey{}, wire.PublicKey{}, wire.Hash{}), RotateStatement(wire.Hash{}, wire.Hash{}, wire.PublicKey{}, wire.PublicKey{}, wire.Hash{1}),
	} {
		if seen[h] {
			t.Errorf("%s is two statements", h)
		}
		seen[h] = true
	}
}

func TestOrdersReadBack(t *testing.T) {
	for _, o := range []Order{&DeviceRevoke{Device: wire.Hash{1}, Reason: "x"}, &ParamsSet{Params: []byte{1}}, &TreasuryPay{To: wire.Account{1}, Amount: 5}} {
		b := EncodeOrder(o)
		got, err := DecodeOrder(b)
		if err != nil || got.kind() != o.kind() || !bytes.Equal(EncodeOrder(got), b) {
			t.Errorf("%T: %v", o, err)
		}
		if _, err := DecodeOrder(append(b, 0)); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%T with a tail: %v", o, err)
		}
	}
	for name, x := range map[string]struct {
		o    Order
		want wire.Code
	}{
		"a long reason": {&DeviceRevoke{Reason: string(make([]byte, 129))}, wire.ErrMalformed}, "no amount": {&TreasuryPay{}, wire.ErrBadAmount},
	} {
		if _, err := DecodeOrder(EncodeOrder(x.o)); wire.CodeOf(err) != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range examples() {
		f.Add(Encode(p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			if wire.CodeOf(err) == wire.ErrInternal {
				t.Fatalf("%v carries no code", err)
			}
			return
		}
		if !bytes.Equal(Encode(p), b) {
			t.Fatalf("%x is a second encoding of a %T", b, p)
		}
	})
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add(EncodeOrder(&DeviceRevoke{Reason: "x"}))
	f.Add(EncodeOrder(&ParamsSet{Params: []byte{1}}))
	f.Add(EncodeOrder(&TreasuryPay{Amount: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := DecodeOrder(b)
		if err != nil {
			if wire.CodeOf(err) == wire.ErrInternal {
				t.Fatalf("%v carries no code", err)
			}
			return
		}
		if !bytes.Equal(EncodeOrder(o), b) {
			t.Fatalf("%x is a second encoding of a %T", b, o)
		}
	})
}
