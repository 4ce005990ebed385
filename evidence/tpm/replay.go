package tpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"cloister/wire"
)

// DefaultAppPCR is the PCR programs measure into where no genesis parameter
// says otherwise.
const DefaultAppPCR = 13

// NoPCR is Measured.PCR of what the quote itself states.
const NoPCR = 0xFF

// Measured is something the evidence proves to have been measured.
//
// How the boot log's events become components:
//
//	PCR 0      every event but separators: PlatformFirmware. That is the CRTM's
//	           version, firmware blobs and whatever else ran before the rest.
//	PCR 4      every event but separators and announcements: BootLoader. For
//	           EV_EFI_BOOT_SERVICES_APPLICATION the digest is the Authenticode
//	           hash of the image.
//	PCR 8, 9   EV_IPL: Kernel. GRUB measures what it reads into 9 (kernel and
//	           initrd, by content) and what it is told into 8 (its commands and
//	           the kernel's command line).
//
// A separator or announcement is passed over only if its digest proves its
// text, so nothing hides behind one. Each event is a Measured of its own.
type Measured struct {
	Component Component
	Version   string // empty where the log has none that the digest proves: match by digest
	Alg       uint8  // 1: SHA-256, as in the registry's measurements
	Digest    wire.Hash
	PCR       uint8
}

// algMeasured is SHA-256 in the registry's table of measurements.
const algMeasured = 1

// Replayed is what logs say once they explain the quoted values.
type Replayed struct {
	PCRs     []wire.Hash // of the selection, ascending: equal to the quoted ones
	Measured []Measured  // boot log, application log, TPM firmware, in order
	// SecureBoot is set if the log proves that UEFI Secure Boot was on.
	SecureBoot bool
}

// Replay runs both logs and demands that they explain every quoted PCR: a PCR
// without an event is zero. The application PCR belongs to the application log
// alone. Call it after VerifyQuote. Errors are ErrEventLog and ErrReplay.
func Replay(p *Parts, appPCR uint8) (*Replayed, error) {
	if appPCR > 15 {
		return nil, refuse(ErrReplay, "PCR %d can be reset and holds no evidence", appPCR)
	}
	var events []Event
	if len(p.BootLog) > 0 {
		var err error
		if events, err = ParseEventLog(p.BootLog); err != nil {
			return nil, err
		}
	}
	pcrs, touched, err := replayEvents(events)
	if err != nil {
		return nil, err
	}
	if touched&(1<<appPCR) != 0 {
		return nil, refuse(ErrReplay, "the boot log has events for PCR %d, which is the programs'", appPCR)
	}
	pcrs[appPCR] = p.AppLog.Replay()
	quoted := p.Statement.Quote.Selection
	if quoted&Select(appPCR) == 0 && len(p.AppLog) > 0 {
		return nil, refuse(ErrReplay, "the application log's PCR %d is not quoted", appPCR)
	}
	r := &Replayed{SecureBoot: quoted&Select(7) != 0 && secureBoot(events)}
	for i, at := range quoted.PCRs() {
		if at > 15 || pcrs[at] != p.PCRs[i] {
			return nil, refuse(ErrReplay, "the logs do not explain PCR %d", at)
		}
		r.PCRs = append(r.PCRs, pcrs[at])
	}
	r.Measured = append(r.Measured, bootMeasured(events, quoted)...)
	for _, e := range p.AppLog {
		r.Measured = append(r.Measured, Measured{e.Component, e.Version, algMeasured, e.Digest, appPCR})
	}
	r.Measured = append(r.Measured, firmware(p.Statement.Firmware))
	return r, nil
}

// bootMeasured reads the components out of a log whose replay held, from PCRs
// that were quoted.
func bootMeasured(events []Event, quoted Selection) (out []Measured) {
	for i := range events {
		e := &events[i]
		if !e.Extends() || quoted&(1<<e.PCR) == 0 {
			continue
		}
		if c, ok := componentOf(e); ok {
			out = append(out, Measured{c, versionOf(e), algMeasured, e.Digest, uint8(e.PCR)})
		}
	}
	return out
}

func componentOf(e *Event) (Component, bool) {
	switch {
	case e.PCR == 0 && !(e.Type == evSeparator && isSeparator(e)):
		return PlatformFirmware, true
	case e.PCR == 4 && !(e.Type == evSeparator && isSeparator(e)) && !(isAnnouncement(e.Type) && e.Proven()):
		return BootLoader, true
	case (e.PCR == 8 || e.PCR == 9) && e.Type == evIPL:
		return Kernel, true
	}
	return 0, false
}

// isSeparator reports whether a separator is one of the values that firmware
// writes when it hands over in good order.
func isSeparator(e *Event) bool {
	return len(e.Data) == 4 && (allBytes(e.Data, 0) || allBytes(e.Data, 0xFF)) && e.Proven()
}

func isAnnouncement(kind uint32) bool { return kind == evAction || kind == evEFIAction }

// versionOf is the CRTM's version, if that is what the event proves.
func versionOf(e *Event) string {
	if e.Type != evSCRTMVersion || !e.Proven() || len(e.Data)%2 != 0 || len(e.Data) > 2*MaxVersion {
		return ""
	}
	units := make([]uint16, len(e.Data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(e.Data[2*i:])
		if end := i == len(units)-1; (units[i] < 0x20 || units[i] > 0x7E) && !(end && units[i] == 0) {
			return ""
		}
	}
	return string(bytes.TrimRight([]byte(string(utf16.Decode(units))), "\x00"))
}

// firmware is the TPM's own version, which it signs with every quote: 16 hex
// digits, measured as SHA-256 of its 8 bytes.
func firmware(version uint64) Measured {
	return Measured{TPMFirmware, fmt.Sprintf("%016x", version), algMeasured, sha256.Sum256(wire.U64(version)), NoPCR}
}

// secureBootVariable is the head of a UEFI_VARIABLE_DATA for SecureBoot with
// one byte of data: the global variable GUID, lengths of name and data, name.
var secureBootVariable = func() []byte {
	b := []byte{0x61, 0xDF, 0xE4, 0x8B, 0xCA, 0x93, 0xD2, 0x11, 0xAA, 0x0D, 0x00, 0xE0, 0x98, 0x03, 0x2B, 0x8C}
	b = binary.LittleEndian.AppendUint64(b, uint64(len("SecureBoot")))
	b = binary.LittleEndian.AppendUint64(b, 1)
	for _, r := range "SecureBoot" {
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}()

// secureBoot looks for the variable in PCR 7, where the firmware measures it
// once, before anything else can write there.
func secureBoot(events []Event) bool {
	for i := range events {
		e := &events[i]
		if e.PCR != 7 || !e.Extends() {
			continue
		}
		if e.Type == evSeparator {
			return false
		}
		if value, ok := bytes.CutPrefix(e.Data, secureBootVariable); ok && e.Type == evEFIVariableDriver {
			return e.Proven() && bytes.Equal(value, []byte{1})
		}
	}
	return false
}
