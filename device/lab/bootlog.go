package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"unicode/utf16"

	"cloister/device/tpm"
	"cloister/wire"
)

// Event types of the TCG PC Client Platform Firmware Profile that the lab's
// firmware writes.
const (
	noAction        = 0x00000003
	separator       = 0x00000004
	crtmVersion     = 0x00000008
	ipl             = 0x0000000D
	bootApplication = 0x80000003
	firmwareBlob    = 0x80000008
)

const algSHA256 = 0x000B

// Event is something that firmware or boot loader measures.
type Event struct {
	PCR    uint8
	Type   uint32
	Digest wire.Hash // what the PCR is extended with
	Text   []byte
}

// Software is what a machine boots.
type Software struct {
	Firmware string // version; of the firmware itself
	Loader   []byte // the image of the boot loader
	Kernel   []byte // kernel and initrd
	Command  string // the kernel's command line
}

// Events are what a firmware of the usual make measures on the way up.
func (s Software) Events() []Event {
	version := []byte{}
	for _, u := range utf16.Encode([]rune(s.Firmware + "\x00")) {
		version = binary.LittleEndian.AppendUint16(version, u)
	}
	measured := func(pcr uint8, kind uint32, text []byte) Event {
		return Event{PCR: pcr, Type: kind, Digest: sha256.Sum256(text), Text: text}
	}
	list := []Event{
		measured(0, crtmVersion, version),
		{PCR: 0, Type: firmwareBlob, Digest: sha256.Sum256([]byte("firmware " + s.Firmware)), Text: []byte("volume")},
	}
	for pcr := range uint8(8) {
		list = append(list, measured(pcr, separator, make([]byte, 4)))
	}
	return append(list,
		Event{PCR: 4, Type: bootApplication, Digest: sha256.Sum256(s.Loader), Text: []byte("loader")},
		Event{PCR: 9, Type: ipl, Digest: sha256.Sum256(s.Kernel), Text: []byte("/vmlinuz")},
		measured(8, ipl, []byte(s.Command)),
	)
}

// BootLog is a log in the crypto-agile form, with digests of SHA-256 alone.
type BootLog struct{ b []byte }

// NewBootLog is a log without events.
func NewBootLog() *BootLog {
	le := binary.LittleEndian
	head := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
	head = le.AppendUint32(head, 1)
	head = le.AppendUint16(le.AppendUint16(head, algSHA256), sha256.Size)
	head = append(head, 0)
	b := le.AppendUint32(le.AppendUint32(nil, 0), noAction)
	b = append(b, make([]byte, 20)...)
	return &BootLog{append(le.AppendUint32(b, uint32(len(head))), head...)}
}

// Add appends an event.
func (l *BootLog) Add(e Event) {
	le := binary.LittleEndian
	l.b = le.AppendUint32(le.AppendUint32(le.AppendUint32(l.b, uint32(e.PCR)), e.Type), 1)
	l.b = append(le.AppendUint16(l.b, algSHA256), e.Digest[:]...)
	l.b = append(le.AppendUint32(l.b, uint32(len(e.Text))), e.Text...)
}

// Bytes is the log's encoding.
func (l *BootLog) Bytes() []byte { return bytes.Clone(l.b) }

// Boot has the firmware of a machine that is on measure what it starts, and
// write the log. It may be called again with what runs later.
func (m *Machine) Boot(events ...Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return fmt.Errorf("lab: %s is off", m.folder)
	}
	chip, err := tpm.Open(m.process.socket)
	if err != nil {
		return err
	}
	defer chip.Close()
	for _, e := range events {
		m.log.Add(e)
		if err := chip.Extend(e.PCR, e.Digest); err != nil {
			return err
		}
	}
	if err := os.WriteFile(m.BootLogFile(), m.log.b, 0o600); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}
