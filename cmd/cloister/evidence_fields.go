package main

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"cloister/cmd/cloister/offline"
	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/intel"
	"cloister/evidence/tpm"
	"cloister/wire"
)

// showEvidence says what evidence says about itself.
func showEvidence(file string, g *offline.Given) *shownEvidence {
	s := &shownEvidence{File: file, Kind: g.Kind().String()}
	add := func(name, format string, args ...any) {
		s.Fields = append(s.Fields, shownReading{name, fmt.Sprintf(format, args...)})
	}
	switch {
	case g.Attest != nil:
		showAttest(add, g.Attest)
	case g.Paravisor != nil:
		s.showParavisor(add, g.Paravisor)
	case g.Evidence.Kind == evidence.SNP:
		s.showSNP(add, g.Evidence.Quote)
		for _, leaf := range g.Evidence.Aux {
			showCertificate(add, leaf)
		}
	case g.Evidence.Kind == evidence.TPM:
		s.showTPM(add, g.Evidence)
	default:
		s.showQuote(add, g.Evidence.Quote)
	}
	return s
}

// adder appends a field.
type adder = func(name, format string, args ...any)

func (s *shownEvidence) showQuote(add adder, b []byte) {
	q, err := intel.ParseQuote(b)
	if err != nil {
		add("quote", "not readable: %v", err)
		return
	}
	id := q.CodeID()
	s.CodeID = &id
	for _, f := range intel.Explain(q) {
		add(f.Name, "%s", f.Value)
	}
}

func (s *shownEvidence) showSNP(add adder, b []byte) {
	r, err := amd.ParseReport(b)
	if err != nil {
		add("report", "not readable: %v", err)
		return
	}
	id := evidence.CodeID(evidence.SNP, r.Measurement[:], r.HostData[:], wire.U64(r.Policy))
	s.CodeID = &id
	for _, f := range amd.Explain(r) {
		add(f.Name, "%s", f.Value)
	}
}

func (s *shownEvidence) showTPM(add adder, e *evidence.Evidence) {
	p, err := tpm.Parse(e)
	if err != nil {
		add("evidence", "not readable: %v", err)
		return
	}
	q := p.Statement.Quote
	if len(q.Digest) == len(wire.Hash{}) {
		id := tpm.CodeID(q.Selection, wire.Hash(q.Digest))
		s.CodeID = &id
	}
	showAttest(add, p.Statement)
	add("attestation key", "%x", p.AK.Name())
	for i, n := range q.Selection.PCRs() {
		if i < len(p.PCRs) {
			add(fmt.Sprintf("pcr %d", n), "%s", p.PCRs[i])
		}
	}
	add("boot log", "%d bytes", len(p.BootLog))
	for i, m := range p.AppLog {
		add(fmt.Sprintf("application %d", i+1), "component %d, version %q, %s", m.Component, m.Version, m.Digest)
	}
	if p.Counter != nil && p.Counter.NV != nil {
		add("counter", "%x", p.Counter.NV.Contents)
	}
}

func (s *shownEvidence) showParavisor(add adder, n *tpm.Nested) {
	report, claims, ak, err := tpm.ParseHCL(n.HCL)
	if err != nil {
		add("paravisor's report", "not readable: %v", err)
		return
	}
	s.showSNP(add, report)
	if n.Leaf != nil {
		showCertificate(add, n.Leaf)
	}
	add("claims", "%s", bytes.TrimSpace(claims))
	add("virtual TPM's key", "RSA-%d, modulus %x", ak.N.BitLen(), ak.N)
	if n.Quoted == nil {
		return
	}
	quote, err := tpm.ParseAttest(n.Quoted)
	if err != nil {
		add("virtual TPM's quote", "not readable: %v", err)
		return
	}
	showAttest(add, quote)
}

func showCertificate(add adder, der []byte) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		add("certificate", "not readable: %v", err)
		return
	}
	add("certificate", "%s, serial %x, %s to %s", c.Subject.CommonName, c.SerialNumber, second(c.NotBefore.Unix()), second(c.NotAfter.Unix()))
}

func showAttest(add adder, at *tpm.Attest) {
	add("qualified signer", "%x", at.QualifiedSigner)
	add("extra data", "%x", at.Extra)
	add("clock", "%d ms, %d resets, %d restarts, safe %t", at.Clock, at.ResetCount, at.RestartCount, at.Safe)
	add("firmware", "%#x", at.Firmware)
	switch {
	case at.Quote != nil:
		add("pcrs", "%v", at.Quote.Selection.PCRs())
		add("pcr digest", "%x", at.Quote.Digest)
	case at.Creation != nil:
		add("created", "%x", at.Creation.Name)
	case at.NV != nil:
		add("nv index", "%x", at.NV.Name)
		add("nv contents", "%x", at.NV.Contents)
	}
}
