package machine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"cloister/device/tpm"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
)

const keysFile = "keys.sealed"

// secureBootPCR holds who may sign what the machine boots (TCG PC Client
// Platform Firmware Profile §3.3.4.8).
const secureBootPCR = 7

// Keys are the machine's node key and VRF key. At the first call they are made
// and sealed to Secure Boot's PCR and the application PCR as they are then; so
// first Measure what runs. Errors: tpm.ErrNotUnsealed if something else runs
// now: the old version gives the keys back, or new ones are registered after
// ForgetKeys (KeyRotate).
func (m *Machine) Keys() (node, vrf wire.PrivateKey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, err := os.ReadFile(m.file(keysFile))
	if errors.Is(err, os.ErrNotExist) {
		return m.newKeys()
	}
	if err != nil {
		return node, vrf, fmt.Errorf("machine: %w", err)
	}
	seeds, err := m.c.TPM.Unseal(blob)
	if err != nil {
		return node, vrf, fmt.Errorf("machine: keys: %w", err)
	}
	return split(seeds)
}

func (m *Machine) newKeys() (node, vrf wire.PrivateKey, err error) {
	seeds := make([]byte, 64)
	if _, err := rand.Read(seeds); err != nil {
		return node, vrf, fmt.Errorf("machine: %w", err)
	}
	if err := m.seal(seeds, nil); err != nil {
		return node, vrf, err
	}
	return split(seeds)
}

func split(seeds []byte) (node, vrf wire.PrivateKey, err error) {
	if len(seeds) != 64 {
		return node, vrf, fmt.Errorf("machine: keys of %d bytes: %w", len(seeds), tpm.ErrNotUnsealed)
	}
	return wire.NewPrivateKey([32]byte(seeds[:32])), wire.NewPrivateKey([32]byte(seeds[32:])), nil
}

// seal writes the seeds, to be unsealed behind an application log; nil: the one
// of now.
func (m *Machine) seal(seeds []byte, app *evidencetpm.AppLog) error {
	to := evidencetpm.Select(secureBootPCR, m.c.AppPCR)
	values, err := m.c.TPM.PCRs(to)
	if err != nil {
		return err
	}
	if app != nil {
		at := 0
		if m.c.AppPCR > secureBootPCR {
			at = 1
		}
		values[at] = app.Replay()
	}
	blob, err := m.c.TPM.Seal(seeds, to, values)
	if err != nil {
		return err
	}
	return m.write(keysFile, blob)
}

// Prepare seals the keys anew for an update: from the next start of the machine
// on they are unsealed behind a log of exactly these entries, and no more behind
// the one of now. Errors: tpm.ErrNotUnsealed.
func (m *Machine) Prepare(next ...evidencetpm.AppEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, err := os.ReadFile(m.file(keysFile))
	if err != nil {
		return fmt.Errorf("machine: %w", err)
	}
	seeds, err := m.c.TPM.Unseal(blob)
	if err != nil {
		return fmt.Errorf("machine: keys: %w", err)
	}
	log := evidencetpm.AppLog(next)
	return m.seal(seeds, &log)
}

// ForgetKeys removes the sealed keys: the next call of Keys makes new ones. Only
// a rotation of keys, or a new joining, makes them the device's.
func (m *Machine) ForgetKeys() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := os.Remove(m.file(keysFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("machine: %w", err)
	}
	return nil
}
