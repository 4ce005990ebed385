package simtee

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf16"
)

// Event types of the TCG PC Client firmware profile.
const (
	evNoAction       = 0x00000003
	evSeparator      = 0x00000004
	evCRTMVersion    = 0x00000008
	evIPL            = 0x0000000d
	evVariable       = 0x80000001
	evApplication    = 0x80000003
	algSHA256        = 0x000b
	sizeSHA1         = 20
	lastFirmwarePCR  = 7
	simulatedVersion = "Simulated firmware 1.0"
)

// boot is a simulated machine's measured start: a log in the crypto-agile form
// and the registers it leads to.
type boot struct {
	log  []byte
	pcrs [24][32]byte
}

// bootUp is always the same: version of the firmware, Secure Boot on, loader,
// kernel and its command line.
func bootUp() *boot {
	le := binary.LittleEndian
	head := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
	head = le.AppendUint32(head, 1) // banks
	head = le.AppendUint16(le.AppendUint16(head, algSHA256), sha256.Size)
	head = append(head, 0) // bytes of the vendor's own
	b := &boot{log: le.AppendUint32(le.AppendUint32(nil, 0), evNoAction)}
	b.log = append(b.log, make([]byte, sizeSHA1)...) // the first event has the older form
	b.log = append(le.AppendUint32(b.log, uint32(len(head))), head...)

	secureBoot := []byte{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}
	secureBoot = le.AppendUint64(le.AppendUint64(secureBoot, uint64(len("SecureBoot"))), 1)
	secureBoot = append(append(secureBoot, utf16le("SecureBoot")...), 1)

	b.event(0, evCRTMVersion, utf16le(simulatedVersion+"\x00"), nil)
	b.event(7, evVariable, secureBoot, nil)
	for pcr := range uint32(lastFirmwarePCR + 1) {
		b.event(pcr, evSeparator, make([]byte, 4), nil)
	}
	b.event(4, evApplication, []byte("device path"), []byte("simulated boot loader"))
	b.event(8, evIPL, []byte("linux /vmlinuz ro"), nil)
	b.event(9, evIPL, []byte("/vmlinuz\x00"), []byte("simulated kernel"))
	return b
}

// event extends a register with the hash of content, or of the event's own text
// if there is no other, and logs it.
func (b *boot) event(pcr, kind uint32, text, content []byte) {
	if content == nil {
		content = text
	}
	le, digest := binary.LittleEndian, sha256.Sum256(content)
	b.extend(int(pcr), digest)
	for _, v := range []uint32{pcr, kind, 1} {
		b.log = le.AppendUint32(b.log, v)
	}
	b.log = append(le.AppendUint16(b.log, algSHA256), digest[:]...)
	b.log = append(le.AppendUint32(b.log, uint32(len(text))), text...)
}

func (b *boot) extend(pcr int, value [32]byte) {
	b.pcrs[pcr] = sha256.Sum256(append(b.pcrs[pcr][:], value[:]...))
}

func utf16le(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
