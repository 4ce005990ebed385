package attest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"cloister/evidence"
)

// The kernel's report interface (Documentation/ABI/testing/configfs-tsm-report).
const (
	tsmFolder = "/sys/kernel/config/tsm/report"

	maxAuxBlob = 64 << 10 // bytes of the certificate table
)

// tsmProviders are the providers whose reports this program knows.
var tsmProviders = map[string]evidence.Kind{"tdx_guest": evidence.TDX, "sev_guest": evidence.SNP}

// TSM is a confidential virtual machine, TDX or SNP, that gets its reports from
// the kernel. The interface gives no seal key, counter or clock.
type TSM struct {
	files  Files
	random io.Reader
	kind   evidence.Kind
	leaf   []byte // SNP: used where the platform's table has none
}

// NewTSM returns the backend if the kernel offers reports of a known provider;
// otherwise the error wraps ErrNoBackend. random is the system's source. leaf is
// for SNP platforms whose host gives the guest no certificates: the DER of the
// VCEK or VLEK, which verifiers check like any other.
func NewTSM(files Files, random io.Reader, leaf []byte) (*TSM, error) {
	t := &TSM{files: files, random: random, leaf: leaf}
	var provider string
	err := t.entry(func(folder string) (err error) {
		provider, err = line(files, folder+"/provider", 64)
		return err
	})
	if missing(err) {
		return nil, fmt.Errorf("%w: no %s", ErrNoBackend, tsmFolder)
	}
	if err != nil {
		return nil, err
	}
	kind, known := tsmProviders[provider]
	if !known {
		return nil, fmt.Errorf("%w: the kernel's report provider is %q", ErrNoBackend, provider)
	}
	t.kind = kind
	return t, nil
}

// entry makes a report entry of our own, uses it and removes it.
func (t *TSM) entry(use func(folder string) error) (err error) {
	var n [8]byte
	if err := randomFrom(t.random, n[:]); err != nil {
		return err
	}
	folder := tsmFolder + "/cloister-" + hex.EncodeToString(n[:])
	if err := t.files.Mkdir(folder); err != nil {
		return fmt.Errorf("attest: report entry: %w", err)
	}
	// An entry that stays costs the kernel a little memory: no reason to fail.
	defer func() { _ = t.files.Remove(folder) }()
	return use(folder)
}

// Kind implements Backend.
func (t *TSM) Kind() evidence.Kind { return t.kind }

// Caps implements Backend. Trusted time exists on some of these platforms, but
// nothing tells the guest whether it has it.
func (t *TSM) Caps() Cap { return CapIsolated | CapEvidence | CapRandom }

// Simulated implements Backend.
func (t *TSM) Simulated() bool { return false }

// Attest implements Backend.
func (t *TSM) Attest(data [64]byte) (e *evidence.Evidence, err error) {
	err = t.entry(func(folder string) (err error) {
		e, err = t.report(folder, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// report writes the data and reads report and certificates. Each write to an
// entry raises its generation by one: if it is not exactly one further on, what
// was read may be about somebody else's data.
func (t *TSM) report(folder string, data [64]byte) (*evidence.Evidence, error) {
	before, err := t.generation(folder)
	if err != nil {
		return nil, err
	}
	if err := t.files.WriteFile(folder+"/inblob", data[:]); err != nil {
		return nil, fmt.Errorf("attest: report data: %w", err)
	}
	out, err := t.files.ReadFile(folder+"/outblob", maxPadding)
	if err != nil {
		return nil, fmt.Errorf("attest: report: %w", err)
	}
	var table []byte
	if t.kind == evidence.SNP {
		if table, err = t.files.ReadFile(folder+"/auxblob", maxAuxBlob); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("attest: certificate table: %w", err)
		}
	}
	after, err := t.generation(folder)
	if err != nil {
		return nil, err
	}
	if after != before+1 {
		return nil, fmt.Errorf("%w: generation %d after %d", ErrContended, after, before)
	}
	if t.kind == evidence.SNP {
		return snpEvidence(out, table, t.leaf)
	}
	q, err := trimQuote(out)
	if err != nil {
		return nil, err
	}
	return &evidence.Evidence{Kind: evidence.TDX, Quote: q}, nil
}

func (t *TSM) generation(folder string) (uint64, error) {
	s, err := line(t.files, folder+"/generation", 32)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: generation %q", ErrPlatform, s)
	}
	return n, nil
}

// SealKey implements Backend. SNP can derive keys, but not through this
// interface; the store of such a core is made anew at each boot.
func (t *TSM) SealKey(SealPolicy, string) (key [32]byte, err error) {
	return key, fmt.Errorf("attest: a seal key on %s: %w", t.kind, ErrUnsupported)
}

// Counter implements Backend.
func (t *TSM) Counter(string) (Counter, error) {
	return nil, fmt.Errorf("attest: a counter on %s: %w", t.kind, ErrUnsupported)
}

// Elapsed implements Backend.
func (t *TSM) Elapsed() (time.Duration, error) {
	return 0, fmt.Errorf("attest: a clock on %s: %w", t.kind, ErrUnsupported)
}

// Random implements Backend.
func (t *TSM) Random(p []byte) error { return randomFrom(t.random, p) }
