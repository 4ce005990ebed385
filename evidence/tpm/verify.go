package tpm

import (
	"crypto/sha256"
	"math"

	"cloister/evidence"
	"cloister/wire"
)

// Names of the checks, in order, as Result.Passed lists them.
const (
	checkFormat  = "format"
	checkQuote   = "quote"
	checkLogs    = "logs explain pcrs"
	checkCounter = "counter"
)

// Verify judges TPM evidence by itself, as an auditor without the ledger can:
// the quote is signed by the key it comes with, a key of the right template in
// the endorsement hierarchy; the PCR values are the quoted ones; the logs, if
// there are any, explain them. The key is not traced to a maker (that takes a
// device's registration, VerifyEK and an answered MakeCredential), so Device,
// Anchor and Product are empty and anyone with a TPM, or none, can make such evidence. No
// source and no time changes the answer, so NotAfter is math.MaxInt64 and Level
// is empty.
//
// Code is CodeID(TPM, PCR selection, PCR digest); ReportData is the qualifying
// data, which must have 32 bytes, then zeros. Errors carry a Reason and its
// 6xx code.
func Verify(e *evidence.Evidence, _ evidence.Source, _ int64) (evidence.Result, error) {
	var res evidence.Result
	p, err := Parse(e)
	if err != nil {
		return res, err
	}
	err = judge(p, &res)
	return res, err
}

func judge(p *Parts, res *evidence.Result) error {
	res.Passed = []string{checkFormat}
	pass := func(name string, err error) error {
		if err == nil {
			res.Passed = append(res.Passed, name)
		}
		return err
	}
	if len(p.Statement.Extra) != sha256.Size {
		return refuse(ErrNonce, "qualifying data of %d bytes, want %d", len(p.Statement.Extra), sha256.Size)
	}
	qualifying := [32]byte(p.Statement.Extra)
	if _, err := VerifyQuote(p, p.AK, qualifying, p.Statement.Quote.Selection); pass(checkQuote, err) != nil {
		return err
	}
	if len(p.BootLog) > 0 || len(p.AppLog) > 0 {
		if _, err := Replay(p, DefaultAppPCR); pass(checkLogs, err) != nil {
			return err
		}
	}
	if len(p.NV) > 0 {
		if _, err := VerifyNV(p, p.AK, qualifying, CounterName()); pass(checkCounter, err) != nil {
			return err
		}
	}
	fill(p, res)
	return nil
}

func fill(p *Parts, res *evidence.Result) {
	q := p.Statement.Quote
	res.Kind = evidence.TPM
	res.Code = CodeID(q.Selection, wire.Hash(q.Digest))
	res.Status = evidence.UpToDate
	copy(res.ReportData[:], p.Statement.Extra)
	res.Signed = sha256.Sum256(p.Quoted)
	res.NotAfter = math.MaxInt64
}

// CodeID names what a machine booted: PCR selection and the digest over the
// selected values.
func CodeID(s Selection, digest wire.Hash) wire.Hash {
	return evidence.CodeID(evidence.TPM, s.Bytes(), digest[:])
}
