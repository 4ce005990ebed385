package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
	"cloister/wire/node"
)

func TestNumbersOfPagesAreReadWithinThem(t *testing.T) {
	page := binary.BigEndian.AppendUint64(make([]byte, 8), 77)
	for _, x := range []struct{ at, size, want uint32 }{{1, 8, 77}, {0, 8, 0}, {2, 8, 0}, {15, 1, 77}, {7, 2, 77}, {1 << 30, 8, 0}, {1<<32 - 1, 8, 0}} {
		if got := number(page, x.at, x.size); got != uint64(x.want) {
			t.Errorf("%d of %d bytes: %d, want %d", x.at, x.size, got, x.want)
		}
	}
	if got := number(nil, 0, 8); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

func TestCollateralIsNamedOneWay(t *testing.T) {
	for _, k := range []evidence.Key{{Type: evidence.TCBInfo, Name: "SGX/00606a000000"}, {Type: evidence.QEIdentity, Name: "QE"}, {Type: evidence.CRL, Name: "ab"}, {Type: evidence.AMDChain, Name: "Milan/vcek"}} {
		if got, err := parseKey(keyText(k)); err != nil || got != k {
			t.Errorf("%s: %v, %v", keyText(k), got, err)
		}
	}
	for _, text := range []string{"", "tcb-info", "tcb-info/", "item-9/x", "QE", "crl/" + strings.Repeat("a", 129)} {
		if k, err := parseKey(text); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	}
}

func TestAPolicyFileGoesBothWays(t *testing.T) {
	for _, role := range policy.Roles {
		p := policy.Default(role, true)
		p.MinTCB = []policy.MinTCB{{Product: "Genoa", Microcode: 9}}
		got, err := parsePolicy(wire.EncodeJSON(&p))
		if err != nil || !bytes.Equal(got.Bytes(), p.Bytes()) {
			t.Errorf("%s: %+v, %v", role, got, err)
		}
	}
	p := policy.Default(policy.Voter, true)
	good := string(wire.EncodeJSON(&p))
	for name, file := range map[string]string{
		"nothing": "", "another role": strings.Replace(good, `"voter"`, `"king"`, 1), "unknown field": strings.Replace(good, `"role"`, `"rule"`, 1),
		"a TPM that votes": strings.Replace(good, `"snp"`, `"tpm"`, 1), "no age": strings.Replace(good, `"max_evidence_age_blocks": 600`, `"max_evidence_age_blocks": 0`, 1),
		"more": good + "{}",
	} {
		if file == good {
			t.Fatalf("%s changes nothing", name)
		}
		if got, err := parsePolicy([]byte(file)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	p := policy.Default(policy.Worker, true)
	f.Add(wire.EncodeJSON(&p))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePolicy(b)
		if err != nil {
			return
		}
		if again, err := policy.Decode(p.Bytes()); err != nil || !bytes.Equal(again.Bytes(), p.Bytes()) {
			t.Fatalf("a policy that the ledger does not read: %v", err)
		}
	})
}

func TestWhatAMeasurementIsAtAHeight(t *testing.T) {
	m := trust.Measurement{Component: trust.Image, Version: "1", Activation: 10, Deprecated: 20, Revoked: 30}
	for height, want := range map[uint64]string{9: "from block 10 on", 10: "in force", 20: "deprecated", 30: "revoked", 31: "revoked"} {
		if got := showMeasurement(&m, height).State; got != want && got != want+", revoked from block 30 on" {
			t.Errorf("at %d: %q, want %q", height, got, want)
		}
	}
	if got := showMeasurement(&m, 29).State; got != "deprecated, revoked from block 30 on" {
		t.Errorf("at 29: %q", got)
	}
}

func TestEveryPhaseKindVerdictAndReasonHasWords(t *testing.T) {
	for p := hardware.PhaseAnchor; p <= hardware.PhaseClosed; p++ {
		if phases[p][0] == "" || phases[p][1] == "" {
			t.Errorf("phase %d has no words", p)
		}
	}
	for k := hardware.KindJoin; k <= hardware.KindReinstate; k++ {
		if taskKinds[k] == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	for r := appraise.Signature; r <= appraise.MissingParts; r++ {
		if reasons[r] == "" {
			t.Errorf("reason %d has no words", r)
		}
	}
	if reasonText(0) != "" || reasonText(999) != "reason-999" {
		t.Errorf("%q, %q", reasonText(0), reasonText(999))
	}
	strange := showTask(wire.Hash{}, &hardware.Task{Phase: 99, Kind: 99}, 1)
	if strange.Phase != "phase-99" || strange.Kind != "kind-99" {
		t.Errorf("%+v", strange)
	}
}

func TestATaskIsShownWithItsVotes(t *testing.T) {
	s := showTask(wire.Hash{1}, &hardware.Task{Device: wire.Hash{2}, Kind: hardware.KindChallenge, Phase: hardware.PhaseClosed, Verdict: hardware.Fail, Reason: appraise.NoEvidence, Final: 9}, 10)
	s.Seated = []shownSeat{{Device: wire.Hash{3}, Seats: 2, Committed: true}, {Device: wire.Hash{4}, Revealed: true, Verdict: "pass"}}
	var b bytes.Buffer
	s.text(&b)
	for _, want := range []string{"fail in block 9: there was no evidence", "committed", "pass", "VERIFIER"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

func TestWhatACoreShowsRegistersItsCPU(t *testing.T) {
	claims := []byte{1, 2}
	for _, x := range []struct {
		e    evidence.Evidence
		leaf []byte
		code wire.Code
	}{
		{evidence.Evidence{Kind: evidence.SGX, Quote: []byte{1}}, nil, wire.OK},
		{evidence.Evidence{Kind: evidence.SNP, Quote: []byte{1}, Aux: [][]byte{{9}}}, []byte{9}, wire.OK},
		{evidence.Evidence{Kind: evidence.SGX, Quote: []byte{1}, Aux: [][]byte{{9}}}, nil, wire.ErrEvidenceMalformed},
		{evidence.Evidence{Kind: evidence.SNP, Quote: []byte{1}, Aux: [][]byte{{9}, {9}}}, nil, wire.ErrEvidenceMalformed},
		{evidence.Evidence{Kind: evidence.TPM, Quote: []byte{1}}, nil, wire.ErrBadRequest},
	} {
		p, err := platformOf(&node.Attestation{Claims: claims, Evidence: x.e.Bytes()})
		if wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", x.e.Kind, err)
		}
		if err == nil && (!bytes.Equal(p.Evidence.Leaf, x.leaf) || !bytes.Equal(p.Evidence.Claims, claims) || p.Evidence.Kind != uint8(x.e.Kind)) {
			t.Errorf("%s: %+v", x.e.Kind, p)
		}
	}
	if _, err := platformOf(&node.Attestation{Evidence: []byte{1}}); err == nil {
		t.Error("no evidence at all")
	}
}

func TestATPMIsNamedByADeviceOrASocket(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{dir + "/none", "unix:" + dir + "/none", "unix:" + dir, "", "unix:"} {
		if c, err := openTPM(name); wire.CodeOf(err) != wire.ErrBadRequest || c != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
