package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/spf13/cobra"

	"cloister/evidence"
	"cloister/simtee"
	"cloister/wire"
)

// maxProgram bounds a measured program, in bytes.
const maxProgram = 256 << 20

// shownMeasures are the code ids of a program.
type shownMeasures struct {
	Binary  string      `json:"binary,omitempty"`
	SHA256  *wire.Hash  `json:"sha256,omitempty"`
	Config  string      `json:"config,omitempty"`
	Measure []shownCode `json:"code_ids"`
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
measured configuration.

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
		RunE: func(*cobra.Command, []string) error {
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
				if err := s.program(binary, config); err != nil {
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

// program measures a program as simulated hardware does.
func (s *shownMeasures) program(binary, config string) error {
	b, err := readFile(binary, maxProgram)
	if err != nil {
		return err
	}
	var cfg []byte
	if config != "" {
		if cfg, err = readFile(config, maxProgram); err != nil {
			return err
		}
	}
	digest := wire.Hash(sha256.Sum256(b))
	s.Binary, s.Config, s.SHA256 = binary, config, &digest
	m := simtee.Measure(b, cfg)
	for _, k := range simtee.Kinds() {
		s.Measure = append(s.Measure, shownCode{k.String(), m.CodeID(k), true})
	}
	return nil
}

func (s *shownMeasures) text(w io.Writer) {
	digest := ""
	if s.SHA256 != nil {
		digest = s.SHA256.String()
	}
	fields(w, "program", shown(s.Binary), "sha256", digest, "configuration", shown(s.Config))
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
