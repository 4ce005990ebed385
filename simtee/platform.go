package simtee

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cloister/evidence"
	"cloister/gate/backend"
	"cloister/wire"
)

const (
	platformFile = "platform.json"
	counterFile  = "counters.json"

	// tpmCounter is the counter a TPM certifies in its evidence, which raises it.
	tpmCounter = "nv/01800c15"

	maxCounters = 1024 // names in a platform's counters
)

// Platform is one piece of simulated hardware with its keys. Methods are safe
// for concurrent use, also by several processes on one folder.
type Platform struct {
	dir string

	mu    sync.Mutex
	state *platformState // its TCB is guarded by mu; the rest never changes
}

// platformState is the content of a platform's folder.
type platformState struct {
	Kind           evidence.Kind
	ID             []byte   // PPID, CHIP_ID, or the EK's SubjectPublicKeyInfo
	TCB            int      // level, 1 to MaxTCB
	Made           int64    // Unix milliseconds
	Secret         []byte   // all seal keys are derived from it
	AttestationKey []byte   `json:",omitempty"` // PKCS #8; SGX and TPM
	QESigner       []byte   `json:",omitempty"` // SGX
	Leaves         []pair   // PCK or VCEK by level, or the one EK
	Chain          [][]byte `json:",omitempty"` // issuers of the leaves, root last
}

func (s *platformState) leaves() (ders [][]byte) {
	for _, l := range s.Leaves {
		ders = append(ders, l.Cert)
	}
	return ders
}

// NewPlatform makes a platform of this vendor in a folder, or opens the one that
// is there.
func (v *Vendor) NewPlatform(dir string) (*Platform, error) {
	vendor, err := v.state()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	path := filepath.Join(dir, platformFile)
	p := &Platform{dir: dir, state: new(platformState)}
	err = locked(dir, func() error {
		if known, err := load(path, p.state); err != nil || known {
			return err
		}
		made := map[evidence.Kind]func() (*platformState, error){
			evidence.SGX: vendor.newSGX, evidence.SNP: vendor.newSNP, evidence.TPM: vendor.newTPM,
		}[vendor.Kind]
		if p.state, err = made(); err != nil {
			return err
		}
		p.state.Kind, p.state.TCB, p.state.Made = vendor.Kind, DefaultTCB, time.Now().UnixMilli()
		p.state.Secret = make([]byte, 32)
		if _, err := rand.Read(p.state.Secret); err != nil {
			return fmt.Errorf("simtee: %w", err)
		}
		return store(path, p.state)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// OpenPlatform opens a platform's folder.
func OpenPlatform(dir string) (*Platform, error) {
	p := &Platform{dir: dir, state: new(platformState)}
	known, err := load(filepath.Join(dir, platformFile), p.state)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, fmt.Errorf("simtee: %s is no platform's folder; make one with 'cloister-simtee new-platform'", dir)
	case p.state.Kind.Vendor() == 0 || len(p.state.Leaves) == 0 || p.state.TCB < 1 || p.state.TCB > MaxTCB:
		return nil, fmt.Errorf("simtee: %s is damaged", dir)
	}
	return p, nil
}

// Kind is the kind of hardware.
func (p *Platform) Kind() evidence.Kind { return p.state.Kind }

// Device is the platform's name on a ledger.
func (p *Platform) Device() wire.Hash { return evidence.DeviceID(p.state.Kind.Vendor(), p.state.ID) }

// SetTCB changes the platform's level, as an update of firmware and microcode
// does, or its undoing. A TPM has no levels.
func (p *Platform) SetTCB(level int) error {
	if level < 1 || level > len(p.state.Leaves) || p.state.Kind == evidence.TPM {
		return fmt.Errorf("simtee: a %s platform has no level %d", p.state.Kind, level)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return locked(p.dir, func() error {
		p.state.TCB = level
		return store(filepath.Join(p.dir, platformFile), p.state)
	})
}

// Attest makes evidence for a program, whether it runs or not: whoever calls it
// is the hardware. A TPM refuses data beyond its first 32 bytes.
func (p *Platform) Attest(prog Program, data [64]byte) (*evidence.Evidence, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state.Kind {
	case evidence.SGX:
		return p.state.quote(prog, data)
	case evidence.SNP:
		return p.state.report(prog, data)
	case evidence.TPM:
		n, err := p.IncrementCounter(tpmCounter)
		if err != nil {
			return nil, err
		}
		return p.state.pcrQuote(prog, data, p.state.tpmClock(time.Now()), n)
	}
	return nil, ErrKind
}

// sealLabel opens the derivation of a program's seal keys.
const sealLabel = "cloister/sim-seal/v1"

// SealKey derives a program's key: from its code, or from signer, product and
// security version, so that an older version cannot read what a newer one
// sealed. A debugged program gets other keys.
func (p *Platform) SealKey(prog Program, policy backend.SealPolicy, label string) (key [32]byte, err error) {
	var bound [][]byte
	switch policy {
	case backend.SealCode:
		bound = [][]byte{prog.Code.Enclave[:]}
	case backend.SealSigner:
		bound = [][]byte{prog.ReleaseKey, wire.U16(prog.ProdID), wire.U16(prog.SVN)}
	default:
		return key, fmt.Errorf("%w: seal policy %d", backend.ErrBadRequest, policy)
	}
	debug := []byte{0}
	if prog.Debug {
		debug[0] = 1
	}
	info := wire.TH(sealLabel, append([][]byte{{byte(p.state.Kind)}, {byte(policy)}, debug, []byte(label)}, bound...)...)
	b, err := hkdf.Key(sha256.New, p.state.Secret, nil, string(info[:]), len(key))
	if err != nil {
		return key, fmt.Errorf("simtee: seal key: %w", err)
	}
	return [32]byte(b), nil
}

// counter returns one of the platform's counters, after changing it if change is
// not nil.
func (p *Platform) counter(name string, change func(uint64) uint64) (n uint64, err error) {
	err = locked(p.dir, func() error {
		path := filepath.Join(p.dir, counterFile)
		all := map[string]uint64{}
		if _, err := load(path, &all); err != nil {
			return err
		}
		n = all[name]
		if change == nil {
			return nil
		}
		if _, known := all[name]; !known && len(all) >= maxCounters {
			return fmt.Errorf("%w: %d counters", backend.ErrLimit, len(all))
		}
		n = change(n)
		all[name] = n
		return store(path, all)
	})
	return n, err
}

// ReadCounter is a counter's value, 0 if it was never used.
func (p *Platform) ReadCounter(name string) (uint64, error) { return p.counter(name, nil) }

// IncrementCounter returns the new value once it is durable.
func (p *Platform) IncrementCounter(name string) (uint64, error) {
	return p.counter(name, func(n uint64) uint64 { return n + 1 })
}

// RollBackCounter sets a counter to any value, which real hardware prevents.
func (p *Platform) RollBackCounter(name string, value uint64) error {
	_, err := p.counter(name, func(uint64) uint64 { return value })
	return err
}

// threeKeys makes keys for a P-256 vendor.
func threeKeys() (keys [3]crypto.Signer, err error) {
	for i := range keys {
		if keys[i], err = newECDSA(elliptic.P256()); err != nil {
			return keys, fmt.Errorf("simtee: %w", err)
		}
	}
	return keys, nil
}
