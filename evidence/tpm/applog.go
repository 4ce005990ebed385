package tpm

import (
	"crypto/sha256"

	"cloister/wire"
)

// Component says what a measurement is of. Wire values, never reused
// (hardware registry specification §3.4).
type Component uint8

// Components.
const (
	PlatformFirmware Component = 1
	BootLoader       Component = 2
	Kernel           Component = 3 // and its initrd and command line
	NodeBinary       Component = 4
	SystemWasm       Component = 5
	Image            Component = 6 // of an enclave or guest
	TPMFirmware      Component = 7 // its version
)

// Bounds of an application log.
const (
	MaxAppEntries = 256
	MaxVersion    = 64 // bytes
	maxAppLog     = MaxAppEntries * (MaxVersion + 48)
)

// AppEntry is what a program measured before it ran it.
type AppEntry struct {
	_         struct{}  `cbor:",toarray"`
	Component Component // NodeBinary, SystemWasm or Image
	Version   string    // 1 to MaxVersion bytes
	Digest    wire.Hash // SHA-256
}

// AppLog lists what programs measured into the application PCR, in order.
type AppLog []AppEntry

// Measure is what an entry extends the PCR with:
// TH("cloister/measure/v1", u8 component, version, digest).
func (e AppEntry) Measure() wire.Hash {
	return wire.TH("cloister/measure/v1", []byte{byte(e.Component)}, []byte(e.Version), e.Digest[:])
}

// Append adds an entry and returns with the log what the TPM must be told to
// extend the PCR with. Errors are ErrEventLog.
func (l AppLog) Append(e AppEntry) (AppLog, wire.Hash, error) {
	if err := e.check(); err != nil {
		return nil, wire.Hash{}, err
	}
	if len(l) >= MaxAppEntries {
		return nil, wire.Hash{}, refuse(ErrEventLog, "an application log has at most %d entries", MaxAppEntries)
	}
	return append(l[:len(l):len(l)], e), e.Measure(), nil
}

func (e AppEntry) check() error {
	if e.Component < NodeBinary || e.Component > Image {
		return refuse(ErrEventLog, "component %d is not measured by programs", e.Component)
	}
	if e.Version == "" || len(e.Version) > MaxVersion {
		return refuse(ErrEventLog, "version %.80q has not 1 to %d bytes", e.Version, MaxVersion)
	}
	return nil
}

// Replay is the value of the PCR after the log, from 32 zero bytes.
func (l AppLog) Replay() (pcr wire.Hash) { return l.replayOn(wire.Hash{}) }

func (l AppLog) replayOn(pcr wire.Hash) wire.Hash {
	for _, e := range l {
		pcr = extend(pcr, e.Measure())
	}
	return pcr
}

// Bytes is the encoding. An empty log has one too.
func (l AppLog) Bytes() []byte { return wire.Marshal([]AppEntry(l)) }

// ParseAppLog reads a log strictly. Errors are ErrEventLog.
func ParseAppLog(b []byte) (AppLog, error) {
	var l []AppEntry
	if err := wire.Unmarshal(b, &l, maxAppLog); err != nil {
		return nil, refuse(ErrEventLog, "application log: %v", err)
	}
	if len(l) > MaxAppEntries {
		return nil, refuse(ErrEventLog, "application log of %d entries, at most %d are accepted", len(l), MaxAppEntries)
	}
	for _, e := range l {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// extend is what a TPM does to a PCR.
func extend(pcr, value wire.Hash) wire.Hash {
	return sha256.Sum256(append(pcr[:], value[:]...))
}
