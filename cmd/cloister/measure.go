package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cloister/evidence"
	"cloister/wire"
)

// simulator is the program that plays trusted hardware. It knows what such
// hardware measures; this program has no part of it.
const simulator = "cloister-simtee"

// maxProgram bounds a measured program, in bytes.
const maxProgram = 256 << 20

// shownMeasures are the code ids of a program.
type shownMeasures struct {
	Binary  string      `json:"binary,omitempty"`
	SHA256  *wire.Hash  `json:"sha256,omitempty"`
	Config  string      `json:"config,omitempty"`
	Measure []shownCode `json:"code_ids"`
	Note    string      `json:"note,omitempty"` // what is left out, and why
}

// shownCode is what a ledger approves.
type shownCode struct {
	Kind      string    `json:"kind"`
	CodeID    wire.Hash `json:"code_id"`
	Simulated bool      `json:"simulated"`
}

func measureCommand(a *app) *cobra.Command {
	var binary, config, mrenclave string
	c := &cobra.Command{
		Use:   "measure",
		Short: "Compute the code ids a ledger approves a trusted program by",
		Long: `Compute the code ids a ledger approves a trusted program by.

A code id is a hash of what hardware measures when it starts the program. What
simulated hardware measures is computed here, from the program's file and its
measured configuration, by ` + simulator + `, which has to be beside this program.

Real hardware measures more than the file:

  SGX  gramine-sgx-sign prints MRENCLAVE of the program with its manifest, and
       so does gramine-sgx-sigstruct-view; --mrenclave turns it into the code id
  TDX, SNP  the image of the whole virtual machine: take the code id from the
       evidence of one that you built and started, 'cloister evidence show'
  TPM  what the machine booted: as for TDX

The program is built reproducibly: 'make build' in the same source with the same
version of Go gives the same bytes, so anyone can compute what a ledger approves.`,
		Example: `  cloister measure --binary $(command -v cloister-core)
  cloister measure --mrenclave 33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := &shownMeasures{Measure: []shownCode{}}
			if binary == "" && mrenclave == "" {
				return bad("give the program with --binary, or what SGX measured with --mrenclave")
			}
			if config != "" && binary == "" {
				return bad("--config is measured together with --binary")
			}
			if mrenclave != "" {
				code, err := enclaveCode(mrenclave)
				if err != nil {
					return err
				}
				s.Measure = append(s.Measure, code)
			}
			if binary != "" {
				if err := s.program(c.Context(), binary, config); err != nil {
					return err
				}
			}
			return a.print(s)
		},
	}
	f := c.Flags()
	f.StringVar(&binary, "binary", "", "trusted program")
	f.StringVar(&config, "config", "", "configuration that is measured with it (default none)")
	f.StringVar(&mrenclave, "mrenclave", "", "MRENCLAVE of a real SGX enclave, 64 hex digits")
	return c
}

// enclaveCode is the code id of a real enclave.
func enclaveCode(mrenclave string) (c shownCode, err error) {
	b, err := hex.DecodeString(mrenclave)
	if err != nil || len(b) != sha256.Size {
		return c, bad("--mrenclave has 64 hex digits, not %q", clip(mrenclave))
	}
	return shownCode{Kind: evidence.SGX.String(), CodeID: evidence.CodeID(evidence.SGX, b)}, nil
}

// program measures a program as simulated hardware does. Without the simulator
// only its digest is shown: nobody needs simulated code ids for a real network.
func (s *shownMeasures) program(ctx context.Context, binary, config string) error {
	b, err := readFile(binary, maxProgram)
	if err != nil {
		return err
	}
	digest := wire.Hash(sha256.Sum256(b))
	s.Binary, s.Config, s.SHA256 = binary, config, &digest
	tool, err := simulatorPath()
	if errors.Is(err, exec.ErrNotFound) {
		s.Note = "what simulated hardware measures is left out: " + simulator + " is not beside this program; 'make build' puts it there"
		return nil
	}
	if err != nil {
		return err
	}
	args := []string{"measure", binary}
	if config != "" {
		args = append(args, config)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Stderr, cmd.Env = &errs, []string{}
	out, err := cmd.Output()
	if err != nil {
		return bad("%s: %v: %s", simulator, err, strings.TrimSpace(clip(errs.String())))
	}
	codes, err := parseMeasured(out)
	if err != nil {
		return err
	}
	s.Measure = append(s.Measure, codes...)
	return nil
}

// simulatorPath finds the simulator beside this program, or else where the shell
// would. The error wraps exec.ErrNotFound if there is none.
func simulatorPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", simulator, err)
	}
	beside := filepath.Join(filepath.Dir(self), simulator)
	if _, err := os.Stat(beside); !errors.Is(err, fs.ErrNotExist) {
		return beside, fileError("find", beside, err)
	}
	return exec.LookPath(simulator)
}

// maxMeasured bounds what the simulator prints.
const maxMeasured = 4 << 10

// parseMeasured reads the simulator's answer: a line "kind code-id" for each
// kind of hardware it plays.
func parseMeasured(out []byte) (codes []shownCode, err error) {
	if len(out) > maxMeasured {
		return nil, wire.Faultf(wire.ErrMalformed, "%s printed %d bytes", simulator, len(out))
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		kind, id, _ := strings.Cut(lines.Text(), " ")
		code, err := wire.ParseHash(id)
		if err != nil || !isKind(kind) {
			return nil, wire.Faultf(wire.ErrMalformed, "%s printed %q where a kind and its code id belong", simulator, clip(lines.Text()))
		}
		codes = append(codes, shownCode{kind, code, true})
	}
	if len(codes) == 0 {
		return nil, wire.Faultf(wire.ErrMalformed, "%s printed no code id", simulator)
	}
	return codes, nil
}

func isKind(name string) bool {
	for _, k := range []evidence.Kind{evidence.SGX, evidence.TDX, evidence.SNP, evidence.TPM} {
		if k.String() == name {
			return true
		}
	}
	return false
}

func (s *shownMeasures) text(w io.Writer) {
	digest := ""
	if s.SHA256 != nil {
		digest = s.SHA256.String()
	}
	fields(w, "program", shown(s.Binary), "sha256", digest, "configuration", shown(s.Config))
	if len(s.Measure) > 0 {
		rows := make([][]string, len(s.Measure))
		for i, m := range s.Measure {
			hardware := "real"
			if m.Simulated {
				hardware = "simulated"
			}
			rows[i] = []string{m.Kind, hardware, m.CodeID.String()}
		}
		table(w, []string{"KIND", "HARDWARE", "CODE ID"}, rows)
	}
	if s.Note != "" {
		fmt.Fprintln(w, "NOTE: "+s.Note)
	}
}
