package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"cloister/device/tpm"
	"cloister/evidence"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
)

// KernelBootLog is where Linux shows what firmware and boot loader measured.
const KernelBootLog = "/sys/kernel/security/tpm0/binary_bios_measurements"

// Config says what a machine consists of.
type Config struct {
	TPM     *tpm.TPM
	Home    string   // folder of the application log and the sealed keys
	BootLog string   // file; empty: nothing was measured at boot
	Issuing [][]byte // DER; the maker's certificates between the TPM's own and the root, in this order
	AppPCR  uint8    // by the ledger's schedule
}

// Machine is a computer with a TPM. Its methods may be called from many
// goroutines at a time.
type Machine struct {
	c      Config
	chain  [][]byte
	device wire.Hash
	ak     evidencetpm.AK

	mu  sync.Mutex // guards log and the files in Home
	log evidencetpm.AppLog
}

// Open takes stock of a machine. Errors: ErrMeasured, tpm.ErrNoCertificate.
func Open(c Config) (*Machine, error) {
	leaf, err := c.TPM.Certificate()
	if err != nil {
		return nil, err
	}
	ek, err := c.TPM.EK()
	if err != nil {
		return nil, err
	}
	m := &Machine{c: c, chain: append([][]byte{leaf}, c.Issuing...), device: evidence.DeviceID(evidence.TPMMaker, ek)}
	if m.ak, err = c.TPM.AK(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Home, 0o700); err != nil {
		return nil, fmt.Errorf("machine: %w", err)
	}
	return m, m.resume()
}

// Device is the machine's id in the registry.
func (m *Machine) Device() wire.Hash { return m.device }

// Chain is the endorsement key's certificates, leaf first, without the root.
func (m *Machine) Chain() [][]byte { return m.chain }

// AK is the attestation key.
func (m *Machine) AK() evidencetpm.AK { return m.ak }

// CertifyEK is tpm.TPM.CertifyEK.
func (m *Machine) CertifyEK(qualifying [32]byte) (attest, sig []byte, err error) {
	return m.c.TPM.CertifyEK(qualifying)
}

// Activate is tpm.TPM.Activate.
func (m *Machine) Activate(list []tpm.Credential) ([]tpm.Activated, error) {
	return m.c.TPM.Activate(list)
}

// Show makes fresh evidence over PCRs, with the logs as they are now. qualify
// makes the qualifying data of tpm.Parts.Digest.
func (m *Machine) Show(s evidencetpm.Selection, qualify func(rest [32]byte) [32]byte) (*evidencetpm.Parts, error) {
	boot, err := m.bootLog()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock() // so that the log does not grow between its reading and the quote
	return m.c.TPM.Show(tpm.Ask{Selection: s, BootLog: boot, AppLog: m.log, Qualify: qualify})
}

func (m *Machine) bootLog() ([]byte, error) {
	if m.c.BootLog == "" {
		return nil, nil
	}
	b, err := os.ReadFile(m.c.BootLog)
	if err != nil {
		return nil, fmt.Errorf("machine: boot log: %w", err)
	}
	if len(b) > evidencetpm.MaxBootLog {
		return nil, fmt.Errorf("machine: boot log of %d bytes, at most %d can be shown", len(b), evidencetpm.MaxBootLog)
	}
	return b, nil
}

func (m *Machine) file(name string) string { return filepath.Join(m.c.Home, name) }

// write replaces a file such that after a crash the old or the new one is whole.
func (m *Machine) write(name string, b []byte) error {
	f, err := os.CreateTemp(m.c.Home, name+"-")
	if err != nil {
		return fmt.Errorf("machine: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), m.file(name))
	}
	if err == nil {
		err = syncFolder(m.c.Home)
	}
	if err != nil {
		return fmt.Errorf("machine: writing %s: %w", name, err)
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
