package machine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
)

const appLogFile = "app.log"

// ErrMeasured says that the application PCR has a value the log does not explain.
var ErrMeasured = errors.New("another program extended the application PCR: reboot, and let only this one measure into it")

// resume compares the log on disk with the PCR. Three things may have happened:
// nothing; a reboot, after which the PCR is zero and the log is of the past; a
// crash between writing the last entry and measuring it.
func (m *Machine) resume() error {
	values, err := m.c.TPM.PCRs(evidencetpm.Select(m.c.AppPCR))
	if err != nil {
		return err
	}
	pcr := values[0]
	log, err := m.readLog()
	if err != nil {
		return err
	}
	last := len(log) - 1
	switch {
	case pcr.IsZero(): // nothing has been measured since the machine started
		m.log = evidencetpm.AppLog{}
	case pcr == log.Replay():
		m.log = log
	case last >= 0 && pcr == log[:last].Replay():
		m.log = log
		return m.c.TPM.Extend(m.c.AppPCR, log[last].Measure())
	default:
		return fmt.Errorf("machine: PCR %d: %w", m.c.AppPCR, ErrMeasured)
	}
	return nil
}

func (m *Machine) readLog() (evidencetpm.AppLog, error) {
	b, err := os.ReadFile(m.file(appLogFile))
	if errors.Is(err, os.ErrNotExist) {
		return evidencetpm.AppLog{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("machine: %w", err)
	}
	log, err := evidencetpm.ParseAppLog(b)
	if err != nil {
		return nil, fmt.Errorf("machine: %s: %w", m.file(appLogFile), err)
	}
	return log, nil
}

// Log is what was measured into the application PCR since the machine started.
func (m *Machine) Log() evidencetpm.AppLog {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// Measure measures a program before it runs. One that is in the log already is
// not measured again: the program was restarted, not the machine.
func (m *Machine) Measure(e evidencetpm.AppEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.log, func(o evidencetpm.AppEntry) bool { return o.Measure() == e.Measure() }) {
		return nil
	}
	log, value, err := slices.Clone(m.log).Append(e)
	if err != nil {
		return fmt.Errorf("machine: measuring %s: %w", e.Version, err)
	}
	if err := m.write(appLogFile, log.Bytes()); err != nil {
		return err
	}
	if err := m.c.TPM.Extend(m.c.AppPCR, value); err != nil {
		return err
	}
	m.log = log
	return nil
}

// Program is the log entry of an executable file: its SHA-256.
func Program(component evidencetpm.Component, version, file string) (evidencetpm.AppEntry, error) {
	f, err := os.Open(file)
	if err != nil {
		return evidencetpm.AppEntry{}, fmt.Errorf("machine: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return evidencetpm.AppEntry{}, fmt.Errorf("machine: %w", err)
	}
	return evidencetpm.AppEntry{Component: component, Version: version, Digest: wire.Hash(h.Sum(nil))}, nil
}
