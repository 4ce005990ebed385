package tpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"cloister/evidence"
	"cloister/wire"
)

// Bounds of a boot log.
const (
	MaxBootLog    = evidence.MaxAuxItem
	MaxEvents     = 4096
	maxAlgorithms = 16
	maxDigest     = 64 // bytes of the longest hash
	pcrCount      = 24
)

// Event types of the TCG PC Client Platform Firmware Profile that are told
// apart here.
const (
	evNoAction            = 0x00000003
	evSeparator           = 0x00000004
	evAction              = 0x00000005
	evSCRTMVersion        = 0x00000008
	evIPL                 = 0x0000000D
	evEFIVariableDriver   = 0x80000001
	evEFIBootApplication  = 0x80000003
	evEFIAction           = 0x80000007
	evEFIPlatformFirmware = 0x80000008
)

// Event is an entry of a boot log.
type Event struct {
	PCR    uint32
	Type   uint32
	Digest wire.Hash // of the SHA-256 bank: what the PCR was extended with
	Data   []byte    // says what was measured; see Proven
}

// Proven reports whether the digest is the hash of the text, so that the text
// says what was measured. For other events the text is only a hint.
func (e *Event) Proven() bool { return sha256.Sum256(e.Data) == e.Digest }

// Extends reports whether the event changed its PCR.
func (e *Event) Extends() bool { return e.Type != evNoAction }

// The head of a crypto-agile log, an event of the older SHA-1 form.
var (
	specID          = []byte("Spec ID Event03\x00")
	startupLocality = []byte("StartupLocality\x00")
)

// ParseEventLog reads a boot log: the Spec ID event, then TCG_PCR_EVENT2 with
// one digest for each bank the head announces, SHA-256 among them. After the
// last event there may be padding of only 0xFF or only zero bytes, as firmware
// leaves it. Integers are little-endian. Errors are ErrEventLog.
func ParseEventLog(b []byte) ([]Event, error) {
	if len(b) > MaxBootLog {
		return nil, refuse(ErrEventLog, "boot log of %d bytes, at most %d are accepted", len(b), MaxBootLog)
	}
	c := &cursor{b: b, order: binary.LittleEndian}
	banks, err := readHead(c)
	if err != nil {
		return nil, err
	}
	var events []Event
	for len(c.b) > 0 && !padding(c.b) {
		if len(events) == MaxEvents {
			return nil, refuse(ErrEventLog, "more than %d events", MaxEvents)
		}
		e, err := readEvent(c, banks)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// bank is a hash algorithm of the log with the length of its digests.
type bank struct{ alg, size uint16 }

func readHead(c *cursor) ([]bank, error) {
	pcr, kind := c.u32(), c.u32()
	sha1 := c.bytes(20)
	data := &cursor{b: c.bytes(int(c.u32())), order: binary.LittleEndian}
	if c.short || pcr != 0 || kind != evNoAction || !allBytes(sha1, 0) || !bytes.Equal(data.bytes(len(specID)), specID) {
		return nil, refuse(ErrEventLog, "the log does not begin with the Spec ID event of the crypto-agile form")
	}
	data.bytes(8) // platform class, specification version and errata, size of UINTN
	n := data.u32()
	if n == 0 || n > maxAlgorithms {
		return nil, refuse(ErrEventLog, "%d hash algorithms", n)
	}
	banks := make([]bank, n)
	has := false
	for i := range banks {
		banks[i] = bank{data.u16(), data.u16()}
		for _, earlier := range banks[:i] {
			if earlier.alg == banks[i].alg {
				return nil, refuse(ErrEventLog, "hash algorithm %04x twice", earlier.alg)
			}
		}
		if banks[i].size == 0 || banks[i].size > maxDigest || (banks[i].alg == algSHA256 && banks[i].size != sha256.Size) {
			return nil, refuse(ErrEventLog, "digests of %d bytes by algorithm %04x", banks[i].size, banks[i].alg)
		}
		has = has || banks[i].alg == algSHA256
	}
	data.bytes(int(data.u8())) // vendor's
	if !data.whole() || !has {
		return nil, refuse(ErrEventLog, "the Spec ID event is malformed or has no SHA-256")
	}
	return banks, nil
}

func readEvent(c *cursor, banks []bank) (Event, error) {
	e := Event{PCR: c.u32(), Type: c.u32()}
	if n := c.u32(); !c.short && n != uint32(len(banks)) {
		return e, refuse(ErrEventLog, "event with %d digests, the log has %d algorithms", n, len(banks))
	}
	seen := 0
	for range banks {
		alg := c.u16()
		for i, b := range banks {
			if b.alg == alg && seen&(1<<i) == 0 {
				seen |= 1 << i
				if d := c.bytes(int(b.size)); alg == algSHA256 && d != nil {
					e.Digest = wire.Hash(d)
				}
			}
		}
	}
	e.Data = c.bytes(int(c.u32()))
	if c.short || seen != 1<<len(banks)-1 || e.PCR >= pcrCount {
		return e, refuse(ErrEventLog, "malformed event of type %08x for PCR %d", e.Type, e.PCR)
	}
	return e, nil
}

// padding reports whether only filler is left.
func padding(b []byte) bool { return allBytes(b, 0xFF) || allBytes(b, 0) }

// allBytes stops at the first other byte: padding asks again after every event,
// and must not read the rest of the log each time.
func allBytes(b []byte, v byte) bool {
	for _, x := range b {
		if x != v {
			return false
		}
	}
	return true
}

// replayEvents runs the log over PCRs 0 to 15, which begin at zero; PCR 0
// begins at the locality the firmware started from, if the log says so first.
func replayEvents(events []Event) (pcrs [16]wire.Hash, touched Selection, err error) {
	for i := range events {
		e := &events[i]
		if !e.Extends() {
			if rest, ok := bytes.CutPrefix(e.Data, startupLocality); ok && e.PCR == 0 {
				if len(rest) != 1 || touched&1 != 0 || pcrs[0] != (wire.Hash{}) {
					return pcrs, touched, refuse(ErrEventLog, "a startup locality that is malformed or not the first of PCR 0")
				}
				pcrs[0][31] = rest[0]
			}
			continue
		}
		if e.PCR < uint32(len(pcrs)) {
			pcrs[e.PCR] = extend(pcrs[e.PCR], e.Digest)
			touched |= 1 << e.PCR
		}
	}
	return pcrs, touched, nil
}
