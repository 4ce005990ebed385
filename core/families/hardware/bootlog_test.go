package hardware_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf16"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// bootLog is what a firmware measured: a log in the crypto-agile form of the TCG
// PC Client Platform Firmware Profile, and the PCRs it leads to.
type bootLog struct {
	b    []byte
	pcrs [24]wire.Hash
}

// Event types of the profile.
const (
	noAction    = 0x00000003
	separator   = 0x00000004
	crtmVersion = 0x00000008
)

// event writes an event down and extends its PCR with a digest, which may be
// another than the text's.
func (l *bootLog) event(pcr, kind uint32, digest wire.Hash, text []byte) {
	l.write(pcr, kind, digest, text)
	l.pcrs[pcr] = sha256.Sum256(append(l.pcrs[pcr][:], digest[:]...))
}

// write does not extend anything.
func (l *bootLog) write(pcr, kind uint32, digest wire.Hash, text []byte) {
	le := binary.LittleEndian
	if l.b == nil {
		head := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
		head = le.AppendUint32(head, 1)              // one bank:
		head = append(head, 0x0B, 0, sha256.Size, 0, // SHA-256,
			0) // and nothing of the vendor's
		l.b = append(le.AppendUint32(le.AppendUint32(nil, 0), noAction), make([]byte, 20)...)
		l.b = append(le.AppendUint32(l.b, uint32(len(head))), head...)
	}
	for _, v := range []uint32{pcr, kind, 1} {
		l.b = le.AppendUint32(l.b, v)
	}
	l.b = append(append(l.b, 0x0B, 0), digest[:]...)
	l.b = append(le.AppendUint32(l.b, uint32(len(text))), text...)
}

// firmwareText is how a firmware writes its version.
func firmwareText(version string) (b []byte) {
	for _, u := range utf16.Encode([]rune(version + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// boots has a chip's machine start a firmware.
func (c *chip) boots(version string) {
	c.boot = bootLog{}
	text := firmwareText(version)
	c.boot.event(0, crtmVersion, sha256.Sum256(text), text)
	for pcr := range uint32(8) {
		c.boot.event(pcr, separator, sha256.Sum256(make([]byte, 4)), make([]byte, 4))
	}
}

const goodFirmware = "Firmware 1.0"

// mindsFirmware has a genesis demand an approved firmware of every machine.
func mindsFirmware(g *hardware.Genesis) {
	t := must(trust.ParseGenesis(g.Trust))
	digest := sha256.Sum256(firmwareText(goodFirmware))
	m := trust.Measurement{Component: trust.Firmware, Version: goodFirmware, Alg: trust.SHA256, Digest: digest[:], PCRs: []uint8{0}}
	t.Measurements = append(t.Measurements, trust.NewGenesisMeasurement(&m))
	t.Mandatory = append(t.Mandatory, trust.Firmware)
	slices.Sort(t.Mandatory)
	g.Trust = must(json.Marshal(t))
}

// A boot log is text that anybody can write: only what its digests prove counts,
// and only if they lead to the values the chip quotes.
func TestAttackBootLogWithLyingText(t *testing.T) {
	evil := wire.Hash(sha256.Sum256([]byte("another firmware")))
	text := firmwareText(goodFirmware)
	for name, x := range map[string]struct {
		boots   func(c *chip)
		verdict uint8
		reason  uint16
	}{
		"the truth":                     {func(c *chip) { c.boots(goodFirmware) }, public.Pass, 0},
		"a firmware nobody approved":    {func(c *chip) { c.boots("Firmware 0.9") }, public.Fail, appraise.NotApproved},
		"approved text, another digest": {func(c *chip) { c.boot.event(0, crtmVersion, evil, text) }, public.Fail, appraise.NotApproved},
		"approved event, another was extended": {func(c *chip) {
			c.boot.event(0, crtmVersion, evil, nil)
			c.boot.b = nil
			c.boot.write(0, crtmVersion, sha256.Sum256(text), text)
		}, public.Fail, appraise.Replay},
		"the evil one behind a separator": {func(c *chip) {
			c.boots(goodFirmware)
			c.boot.event(0, separator, evil, make([]byte, 4))
		}, public.Fail, appraise.NotApproved},
		"the approved one as a remark": {func(c *chip) {
			c.boot.event(0, separator, sha256.Sum256(make([]byte, 4)), make([]byte, 4))
			c.boot.write(0, noAction, sha256.Sum256(text), text)
		}, public.Fail, appraise.MissingParts},
		"nothing": {func(*chip) {}, public.Fail, appraise.MissingParts},
	} {
		a, c := newAgents(t, 6, mindsFirmware), newChip(0)
		a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
		c.boots(goodFirmware)
		var task wire.Hash
		honest := func(*verifier) say { return a.opinion(task) }
		a.OK(a.send(c.owner, c.join(a.chainID())))
		task = a.open(c.id)
		a.drawn(task)
		a.challenged(task)
		a.OK(a.send(c.owner, c.answer(a.world, task)))
		a.vote(task, honest)
		if got := a.status(c.id); got != public.Active {
			t.Fatalf("%s: with good firmware the device is %s", name, got)
		}
		a.until(a.device(c.id).LastEnd + a.params.Schedule.Spacing)
		task = a.opened(ledgertest.Carol, c.id, public.KindChallenge)
		c.boot = bootLog{}
		x.boots(c)
		c.clock.ResetCount++
		a.attested(c, task, honest)
		if got := a.task(task); got.Verdict != x.verdict || got.Reason != x.reason {
			t.Errorf("%s: verdict %d for reason %d, want %d for %d", name, got.Verdict, got.Reason, x.verdict, x.reason)
		}
		a.settled()
	}
}

// Software can reset PCRs from 16 on and measure into them whatever it likes.
func TestAttackMeasuringIntoAResettablePCR(t *testing.T) {
	w, c := withChip(t)
	m := trust.Measurement{Component: trust.Kernel, Version: "1", Alg: trust.SHA256, Digest: make([]byte, 32), PCRs: []uint8{16}, Activation: w.height() + 1000}
	if got := w.One(w.order(&trust.MeasurementApprove{Measurement: m}, true)).Code; got != wire.ErrResettablePCR {
		t.Errorf("a measurement in PCR 16: %s", got)
	}
	for _, pcrs := range [][]int{{16}, {0, 7, 23}} {
		p := w.params
		p.Schedule.BootPCRs = pcrs
		order := public.EncodeOrder(&public.ParamsSet{Params: wire.Marshal(&p)})
		if got := w.One(w.ruled(order, true)).Code; got != wire.ErrMalformed {
			t.Errorf("parameters that demand PCRs %v: %s", pcrs, got)
		}
	}
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	for name, s := range map[string]tpm.Selection{"besides": demanded() | tpm.Select(16), "instead": demanded()&^tpm.Select(13) | tpm.Select(23)} {
		c.counter++
		e := c.showOver(w.task(task).Nonce, s)
		if got := w.Admit(w.send(c.owner, &public.EvidenceSubmit{Task: task, Attempt: 1, Evidence: e})); got != wire.ErrPCRSelection {
			t.Errorf("quoted %s: %s", name, got)
		}
	}
}
