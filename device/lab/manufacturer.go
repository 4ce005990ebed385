package lab

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Manufacturer makes machines whose TPMs it endorses, by a root authority and an
// issuing one. Its methods may be called from many goroutines.
type Manufacturer struct {
	Name     string
	folder   string
	programs programs
	mu       sync.Mutex // one TPM at a time: the authority's serial number is a file
}

// NewManufacturer founds a manufacturer in a folder, or finds the one that is
// there. The name goes into the certificates of its platforms. Errors: ErrMissing.
func NewManufacturer(folder, name string) (*Manufacturer, error) {
	p, err := find()
	if err != nil {
		return nil, err
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("lab: %q is no name for a manufacturer: printable characters, no spaces", name)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	m := &Manufacturer{Name: name, folder: folder, programs: p}
	if err := m.configure(); err != nil {
		return nil, fmt.Errorf("lab: manufacturer %s: %w", name, err)
	}
	if _, err := os.Stat(m.rootFile()); err == nil {
		return m, nil
	}
	return m, m.found()
}

func (m *Manufacturer) path(name string) string { return filepath.Join(m.folder, name) }
func (m *Manufacturer) rootFile() string        { return m.path("swtpm-localca-rootca-cert.pem") }

// configure writes what swtpm_setup and swtpm_localca read; anew each time, as
// the files hold absolute paths.
func (m *Manufacturer) configure() error {
	if err := os.MkdirAll(m.folder, 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		lines []string
	}{
		{"localca.conf", []string{
			"statedir = " + m.folder, "signingkey = " + m.path("signkey.pem"),
			"issuercert = " + m.path("issuercert.pem"), "certserial = " + m.path("certserial"),
		}},
		{"options", []string{"--platform-manufacturer " + m.Name, "--platform-version 1.0", "--platform-model Lab"}},
		{"setup.conf", []string{
			"create_certs_tool = " + m.programs.localca, "create_certs_tool_config = " + m.path("localca.conf"),
			"create_certs_tool_options = " + m.path("options"), "active_pcr_banks = sha256",
		}},
	} {
		if err := os.WriteFile(m.path(f.name), []byte(strings.Join(f.lines, "\n")+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// found makes the authorities, which come to be with the first TPM: one that
// nobody gets.
func (m *Manufacturer) found() error {
	first, err := os.MkdirTemp("", "cloister-lab-")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer os.RemoveAll(first)
	return m.manufacture(first)
}

// manufacture makes a TPM's state in a folder: keys, certificates in NV.
func (m *Manufacturer) manufacture(folder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	out, err := exec.Command(m.programs.setup, "--tpm2", "--tpmstate", "dir://"+folder, "--config", m.path("setup.conf"),
		"--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--overwrite").CombinedOutput()
	if err != nil {
		return fmt.Errorf("lab: swtpm_setup: %w: %.1000s", err, out)
	}
	return nil
}

// Root is the certificate of the root authority, DER: what a ledger is told to
// trust.
func (m *Manufacturer) Root() ([]byte, error) { return readPEM(m.rootFile()) }

// Issuing is the certificate of the authority between the root and the TPMs,
// DER. A TPM holds its own certificate only, so a device ships this one.
func (m *Manufacturer) Issuing() ([]byte, error) { return readPEM(m.path("issuercert.pem")) }

func readPEM(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("lab: %s holds no certificate", file)
	}
	return block.Bytes, nil
}

// Make makes a machine in a folder, or finds the one that is there. It is off.
func (m *Manufacturer) Make(folder string) (*Machine, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	machine := &Machine{folder: folder, maker: m}
	if _, err := os.Stat(machine.stateFile()); err == nil {
		return machine, nil
	}
	if err := os.MkdirAll(machine.state(), 0o700); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return machine, m.manufacture(machine.state())
}
