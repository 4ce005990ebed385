package duty

import (
	"testing"

	family "cloister/core/families/hardware"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	"cloister/wire/hardware"
)

// What the purse sets aside is never less than what the family takes, whatever the
// payload.
func TestPricesAreNotUnderestimated(t *testing.T) {
	most := hardware.Evidence{Kind: hardware.SNP, Quote: make([]byte, hardware.MaxQuote), Leaf: []byte{1}}
	most.Claims = make([]byte, wire.MaxPayload-len(hardware.Encode(&hardware.EvidenceSubmit{Evidence: most}))-8)
	reveal := &hardware.Reveal{Verdict: hardware.Pass}
	for n := range uint64(hardware.MaxFound) {
		reveal.Measurements = append(reveal.Measurements, wire.Hash(append(wire.U64(n), make([]byte, 24)...)))
	}
	for _, p := range []hardware.Payload{
		&hardware.JoinPlatform{Evidence: most},
		&hardware.Claim{Proof: make([]byte, hardware.ProofSize)}, &hardware.Commit{}, &hardware.Reveal{Verdict: hardware.Fail}, reveal,
		&hardware.Challenge{Blob: make([]byte, hardware.BlobSize), EncSecret: make([]byte, hardware.SecretSize)},
		&hardware.Deposit{Amount: hardware.MaxAmount}, &hardware.Open{Kind: hardware.KindReinstate},
	} {
		payload := hardware.Encode(p)
		tx := &wire.Tx{Family: hardware.Name, Payload: payload, NotAfterMs: 1 << 62}
		tx.Sign(ledgertest.Alice)
		checked, err := family.Family{}.Check(tx)
		if err != nil {
			t.Fatal(err)
		}
		want, err := family.Family{}.Price(&ledger.Call{Request: &ledger.Request{Tx: tx, Size: len(tx.Bytes()), Payload: checked}})
		if err != nil {
			t.Fatal(err)
		}
		got := price(payload)
		switch p.(type) {
		case *hardware.JoinPlatform:
			got = evidencePrice
		}
		if got < want.Credits || got > want.Credits+20 {
			t.Errorf("a %T of %d bytes costs %d credits, %d are set aside", p, len(payload), want.Credits, got)
		}
	}
}
