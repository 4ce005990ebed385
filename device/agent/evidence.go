package agent

import (
	"bytes"
	"errors"

	"cloister/core/families/hardware/verifier"
	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// shown is evidence, with the task it answers and the logs that go apart from it.
type shown struct {
	own      *verifier.Own
	evidence hardware.Evidence
	logs     []*published
}

// show makes evidence that answers the device's task.
func (a *Agent) show(v *View, own *verifier.Own) (*shown, error) {
	if a.c.Chip == nil {
		return a.showCPU(own)
	}
	p, err := v.params(own.Task.Params)
	if err != nil {
		return nil, err
	}
	parts, err := a.c.Chip.Show(appraise.Selection(p.Schedule.PCRs(), p.Schedule.AppPCR), func(rest [32]byte) [32]byte {
		return tpm.Qualify(own.Task.Nonce, own.Device.NodeKey, own.Device.VRFKey, rest)
	})
	if err != nil {
		return nil, err
	}
	s := &shown{own: own, evidence: hardware.Evidence{
		Kind: hardware.TPM, Quote: parts.Quoted, Signature: parts.Signature, NV: parts.NV, NVSignature: parts.NVSignature, Rest: parts.Digest(),
	}}
	for _, value := range parts.PCRs {
		s.evidence.PCRs = append(s.evidence.PCRs, value[:]...)
	}
	if s.evidence.Boot, err = s.carry(a.device, parts.BootLog); err == nil {
		s.evidence.App, err = s.carry(a.device, parts.AppLog.Bytes())
	}
	return s, err
}

// carry describes a log: inline, or as the entries it has to be published in.
func (s *shown) carry(device wire.Hash, log []byte) (hardware.Log, error) {
	if len(log) <= hardware.MaxPart {
		return hardware.LogOf(log), nil
	}
	p, err := publish(device, log)
	if err != nil {
		return hardware.Log{}, err
	}
	s.logs = append(s.logs, p)
	return hardware.LogOf(log, p.refs()...), nil
}

// showCPU has the CPU sign claims that name the task's nonce.
func (a *Agent) showCPU(own *verifier.Own) (*shown, error) {
	if a.c.Attester == nil {
		return nil, errors.New("the device has neither a TPM nor an attester")
	}
	claims := own.Claims(evidence.Claims{ChainID: a.c.Chain})
	made, err := a.c.Attester.Attest(claims.ReportData())
	if err != nil {
		return nil, err
	}
	e, err := verifier.CPU(claims, made)
	return &shown{own: own, evidence: e}, err
}

// behind proves by evidence, which was refused because the chip is behind what
// the ledger accepted of it before, that the chip went back or exists twice. Only
// an answer to a question that came after that proves it; the ledger judges. It is
// nil for other refusals.
func behind(own *verifier.Own, e *hardware.Evidence, refused wire.Code) *hardware.CloneProof {
	p := &hardware.CloneProof{
		Device: own.Task.Device, Task: own.ID, Rest: e.Rest, NodeKey: own.Device.NodeKey, VRFKey: own.Device.VRFKey,
	}
	switch refused {
	case wire.ErrCounterRegress:
		p.First = hardware.Statement{Attest: e.NV, Signature: e.NVSignature}
	case wire.ErrResetRegress:
		p.First = hardware.Statement{Attest: e.Quote, Signature: e.Signature, PCRs: e.PCRs}
	default:
		return nil
	}
	return p
}

// Forked proves by two evidences of a device that there are two chips: one value
// of the counter was certified for two purposes. It is nil if they do not prove
// that. Whether the device signed them the ledger checks.
func Forked(device wire.Hash, a, b *hardware.Evidence) *hardware.CloneProof {
	x, err := tpm.ParseAttest(a.NV)
	if err != nil || x.NV == nil {
		return nil
	}
	y, err := tpm.ParseAttest(b.NV)
	if err != nil || y.NV == nil || !bytes.Equal(x.NV.Contents, y.NV.Contents) || bytes.Equal(x.Extra, y.Extra) {
		return nil
	}
	return &hardware.CloneProof{
		Device: device,
		First:  hardware.Statement{Attest: a.NV, Signature: a.NVSignature},
		Second: hardware.Statement{Attest: b.NV, Signature: b.NVSignature},
	}
}
