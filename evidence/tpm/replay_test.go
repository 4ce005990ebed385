package tpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"cloister/wire"
)

func replayed(t *testing.T, c *chip) (*Replayed, error) {
	t.Helper()
	e, _ := c.attest(t, demanded, forNode)
	p, err := Parse(e)
	if err != nil {
		t.Fatal(err)
	}
	return Replay(p, DefaultAppPCR)
}

func TestLogsBecomeMeasuredComponents(t *testing.T) {
	r, err := replayed(t, newChip(t).bootUp(t))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) wire.Hash { return sha256.Sum256(b) }
	want := []Measured{
		{PlatformFirmware, "CRTM 1.2", 1, sum(crtmVersion), 0},
		{PlatformFirmware, "", 1, blobDigest, 0},
		{BootLoader, "", 1, shimDigest, 4},
		{Kernel, "", 1, linuxDigest, 9},
		{Kernel, "", 1, sum([]byte("linux /vmlinuz ro")), 8},
		{NodeBinary, "1.0.0", 1, nodeEntry.Digest, 13},
		{TPMFirmware, "2020031200120003", 1, sum(wire.U64(0x2020031200120003)), NoPCR},
	}
	if !slices.Equal(r.Measured, want) {
		t.Errorf("measured %+v\nwant %+v", r.Measured, want)
	}
	if !r.SecureBoot {
		t.Error("Secure Boot was on")
	}
	if len(r.PCRs) != 12 || r.PCRs[0].IsZero() || !r.PCRs[11].IsZero() {
		t.Errorf("PCRs %v", r.PCRs)
	}
}

func TestAnEventsTextIsBelievedOnlyIfItsDigestProvesIt(t *testing.T) {
	lie := wire.Hash{9}
	for rule, row := range map[string]struct {
		event func(c *chip)
		want  Measured
	}{
		"a version that is not measured": {func(c *chip) { c.event(0, evSCRTMVersion, &lie, crtmVersion) }, Measured{PlatformFirmware, "", 1, lie, 0}},
		"a version that is not text": {func(c *chip) { c.event(0, evSCRTMVersion, nil, []byte{1, 0}) },
			Measured{PlatformFirmware, "", 1, wire.Hash(sha256.Sum256([]byte{1, 0})), 0}},
		"code behind a separator":       {func(c *chip) { c.event(4, evSeparator, &lie, make([]byte, 4)) }, Measured{BootLoader, "", 1, lie, 4}},
		"code behind an announcement":   {func(c *chip) { c.event(4, evEFIAction, &lie, []byte("Calling EFI")) }, Measured{BootLoader, "", 1, lie, 4}},
		"an event of an unknown type":   {func(c *chip) { c.event(0, 0x77, &lie, nil) }, Measured{PlatformFirmware, "", 1, lie, 0}},
		"an error value as a separator": {func(c *chip) { c.event(0, evSeparator, nil, []byte{1, 0, 0, 0}) }, Measured{PlatformFirmware, "", 1, sha256.Sum256([]byte{1, 0, 0, 0}), 0}},
	} {
		c := newChip(t)
		row.event(c)
		r, err := replayed(t, c)
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if len(r.Measured) != 2 || r.Measured[0] != row.want {
			t.Errorf("%s: %+v", rule, r.Measured)
		}
	}
}

func TestSecureBootNeedsAProvenVariableBeforeTheSeparator(t *testing.T) {
	on := append(slices.Clone(secureBootVariable), 1)
	lie := wire.Hash{9}
	for rule, row := range map[string]struct {
		events func(c *chip)
		want   bool
	}{
		"on":            {func(c *chip) { c.event(7, evEFIVariableDriver, nil, on) }, true},
		"off":           {func(c *chip) { c.event(7, evEFIVariableDriver, nil, append(slices.Clone(secureBootVariable), 0)) }, false},
		"claimed":       {func(c *chip) { c.event(7, evEFIVariableDriver, &lie, on) }, false},
		"after the end": {func(c *chip) { c.event(7, evSeparator, nil, make([]byte, 4)); c.event(7, evEFIVariableDriver, nil, on) }, false},
		"another PCR":   {func(c *chip) { c.event(6, evEFIVariableDriver, nil, on) }, false},
		"not said":      {func(*chip) {}, false},
	} {
		c := newChip(t)
		row.events(c)
		if r, err := replayed(t, c); err != nil || r.SecureBoot != row.want {
			t.Errorf("%s: %v, %v", rule, r, err)
		}
	}
}

func TestLogsThatDoNotExplainThePCRsAreRefused(t *testing.T) {
	for rule, row := range map[string]struct {
		want   *Reason
		change func(c *chip)
	}{
		"an event missing":            {ErrReplay, func(c *chip) { c.pcrs[4] = extend(c.pcrs[4], wire.Hash{1}) }},
		"an event more":               {ErrReplay, func(c *chip) { c.boot.event(4, evIPL, wire.Hash{1}, nil) }},
		"a program's PCR in the boot": {ErrReplay, func(c *chip) { c.event(13, evIPL, nil, nil) }},
		"an application entry more":   {ErrReplay, func(c *chip) { c.app = append(c.app, nodeEntry) }},
		"a PCR above 15 is passed by": {nil, func(c *chip) { c.event(17, evIPL, nil, nil) }},
		"a second locality":           {ErrEventLog, func(c *chip) { c.event(0, evNoAction, &wire.Hash{}, append(slices.Clone(startupLocality), 3)) }},
		"an unknown remark":           {nil, func(c *chip) { c.event(5, evNoAction, &wire.Hash{}, []byte("vendor's")) }},
	} {
		c := newChip(t).bootUp(t)
		row.change(c)
		if _, err := replayed(t, c); !refusedFor(err, row.want) {
			t.Errorf("%s: %v, want %v", rule, err, row.want)
		}
	}
}

func TestBootLogsAreReadStrictly(t *testing.T) {
	good := newChip(t).bootUp(t).boot.b
	events, err := ParseEventLog(good)
	if err != nil || len(events) != 16 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	head := newLog().b
	cut := func(at int, b ...byte) []byte {
		out := slices.Clone(good)
		copy(out[at:], b)
		return out
	}
	many := slices.Clone(head)
	for range MaxEvents + 1 {
		many = append(many, good[len(head):len(head)+12+22+34+4]...)
		binary.LittleEndian.PutUint32(many[len(many)-4:], 0)
	}
	for rule, row := range map[string]struct {
		want *Reason
		log  []byte
	}{
		"padding of ones":         {nil, append(slices.Clone(good), bytes.Repeat([]byte{0xFF}, 50)...)},
		"padding of zeros":        {nil, append(slices.Clone(good), make([]byte, 50)...)},
		"mixed padding":           {ErrEventLog, append(slices.Clone(good), 0xFF, 0)},
		"only a head":             {nil, head},
		"half a head":             {ErrEventLog, head[:40]},
		"nothing":                 {ErrEventLog, nil},
		"a cut":                   {ErrEventLog, good[:len(good)-1]},
		"another signature":       {ErrEventLog, cut(32, 'X')},
		"a head with a digest":    {ErrEventLog, cut(8, 1)},
		"a head with a PCR":       {ErrEventLog, cut(0, 1)},
		"no algorithms":           {ErrEventLog, cut(56, 0)},
		"many algorithms":         {ErrEventLog, cut(56, 17)},
		"an algorithm twice":      {ErrEventLog, cut(60, algSHA256)},
		"digests of no length":    {ErrEventLog, cut(62, 0)},
		"SHA-256 of 31 bytes":     {ErrEventLog, cut(66, 31)},
		"no SHA-256":              {ErrEventLog, cut(64, 12)},
		"more vendor bytes":       {ErrEventLog, cut(68, 1)},
		"another digest count":    {ErrEventLog, cut(len(head)+8, 1)},
		"an algorithm unheard":    {ErrEventLog, cut(len(head)+12, 9)},
		"PCR 24":                  {ErrEventLog, cut(len(head), 24)},
		"text without end":        {ErrEventLog, cut(len(head)+12+22+34, 0xFF, 0xFF, 0xFF, 0xFF)},
		"a log of too many":       {ErrEventLog, append(many, 1)},
		"a log of too many bytes": {ErrEventLog, make([]byte, MaxBootLog+1)},
	} {
		if _, err := ParseEventLog(row.log); !refusedFor(err, row.want) {
			t.Errorf("%s: %v, want %v", rule, err, row.want)
		}
	}
}

func TestApplicationLogsHaveOneEncodingAndBounds(t *testing.T) {
	var l AppLog
	var pcr wire.Hash
	for i := range MaxAppEntries {
		next, value, err := l.Append(AppEntry{Component: SystemWasm, Version: "v", Digest: wire.Hash{byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
		l, pcr = next, extend(pcr, value)
	}
	if l.Replay() != pcr {
		t.Error("the log does not replay to what the PCR was extended with")
	}
	if got, err := ParseAppLog(l.Bytes()); err != nil || !slices.Equal(got, l) {
		t.Errorf("read back as %d entries, %v", len(got), err)
	}
	if _, _, err := l.Append(nodeEntry); !refusedFor(err, ErrEventLog) {
		t.Error("the log has no end")
	}
	for rule, e := range map[string]AppEntry{
		"firmware is not a program's": {Component: PlatformFirmware, Version: "v"},
		"nor is the TPM's":            {Component: TPMFirmware, Version: "v"},
		"a version is given":          {Component: NodeBinary},
		"a version is short":          {Component: NodeBinary, Version: string(make([]byte, 65))},
	} {
		if _, _, err := (AppLog{}).Append(e); !refusedFor(err, ErrEventLog) {
			t.Errorf("%s: %v", rule, err)
		}
		if _, err := ParseAppLog(AppLog{e}.Bytes()); !refusedFor(err, ErrEventLog) {
			t.Errorf("%s, read: %v", rule, err)
		}
	}
	if l, err := ParseAppLog([]byte{0x80}); err != nil || len(l) != 0 || !l.Replay().IsZero() {
		t.Errorf("an empty log is %v, %v", l, err)
	}
	want := wire.TH("cloister/measure/v1", []byte{4}, []byte("1.0.0"), nodeEntry.Digest[:])
	if nodeEntry.Measure() != want {
		t.Error("an entry extends something else than the specification says")
	}
}
