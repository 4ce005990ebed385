package main

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"github.com/spf13/pflag"

	"cloister/cmd/cloister/offline"
	"cloister/evidence"
	"cloister/evidence/tpm"
)

// Bounds of files given to judge evidence by.
const (
	maxCollateral = 256 << 10
	maxPCRs       = 24 * 32
)

// evidenceFiles name the parts evidence is put together from.
type evidenceFiles struct {
	kind         string // empty: recognise it
	cert         string // SNP: leaf certificate
	tpmQuote     string // virtual TPM
	tpmSignature string
	tpmPCRs      string
}

func (e *evidenceFiles) flags(f *pflag.FlagSet) {
	f.StringVar(&e.kind, "kind", "", "what FILE holds, if it is not recognised: sgx, tdx, snp or tpm")
	f.StringVar(&e.cert, "cert", "", "SNP: leaf certificate (VCEK or VLEK), DER or PEM")
	f.StringVar(&e.tpmQuote, "tpm-quote", "", "paravisor's report: TPMS_ATTEST of its virtual TPM")
	f.StringVar(&e.tpmSignature, "tpm-signature", "", "paravisor's report: signature over it")
	f.StringVar(&e.tpmPCRs, "tpm-pcrs", "", "paravisor's report: values of the quoted PCRs, 32 bytes each")
}

// read reads evidence with all parts that judging it takes.
func (e *evidenceFiles) read(file string) (*offline.Given, error) {
	g, err := e.parse(file)
	if err != nil {
		return nil, err
	}
	switch {
	case g.Attest != nil:
		return nil, bad("a TPM's bare attestation cannot be judged: give evidence in this project's encoding, or a paravisor's report with --tpm-quote")
	case g.Paravisor != nil:
		return g, e.completeParavisor(g.Paravisor)
	case g.Evidence.Kind == evidence.SNP && len(g.Evidence.Aux) == 0:
		leaf, err := e.leaf()
		g.Evidence.Aux = [][]byte{leaf}
		return g, err
	case e.cert != "":
		return nil, bad("--cert is for SNP reports that come without their certificate")
	}
	return g, nil
}

func (e *evidenceFiles) completeParavisor(n *tpm.Nested) (err error) {
	if n.Leaf, err = e.leaf(); err != nil {
		return err
	}
	for _, part := range []struct {
		flag, name string
		to         *[]byte
		limit      int64
	}{
		{"--tpm-quote", e.tpmQuote, &n.Quoted, evidence.MaxQuote},
		{"--tpm-signature", e.tpmSignature, &n.Signature, evidence.MaxQuote},
		{"--tpm-pcrs", e.tpmPCRs, &n.PCRs, maxPCRs},
	} {
		if part.name == "" {
			return bad("a paravisor's report is judged together with its virtual TPM's quote: give %s", part.flag)
		}
		if *part.to, err = readFile(part.name, part.limit); err != nil {
			return err
		}
	}
	return nil
}

func (e *evidenceFiles) leaf() ([]byte, error) {
	if e.cert == "" {
		return nil, bad("an SNP report is judged by the certificate of the key that signed it: give it with --cert")
	}
	b, err := readFile(e.cert, maxCollateral)
	if err != nil {
		return nil, err
	}
	if block, rest := pem.Decode(b); block != nil && block.Type == "CERTIFICATE" && len(bytes.TrimSpace(rest)) == 0 {
		return block.Bytes, nil
	}
	return b, nil
}

// parse reads the file of evidence itself.
func (e *evidenceFiles) parse(file string) (*offline.Given, error) {
	b, err := readFile(file, evidence.MaxEvidence)
	if err != nil {
		return nil, err
	}
	g, err := offline.Parse(e.kind, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return g, nil
}

// source is what evidence is judged by: the real vendors' roots, or those given,
// and collateral from files.
func (d *demands) source(at int64) (*evidence.Set, error) {
	src := offline.Source()
	if len(d.roots) > 0 {
		src.Trusted = nil
	}
	for _, given := range []struct {
		files []string
		add   func(b []byte) error
	}{
		{d.roots, func(b []byte) error { return offline.AddRoots(src, b) }},
		{d.collateral, func(b []byte) error { return offline.AddCollateral(src, b, at) }},
	} {
		for _, file := range given.files {
			b, err := readFile(file, maxCollateral)
			if err != nil {
				return nil, err
			}
			if err := given.add(b); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return src, nil
}
