package agent

import (
	"context"

	devicetpm "cloister/device/tpm"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/wire"
)

// Chip is the TPM of a device (machine.Machine). Wrongly implemented, evidence
// is refused; nothing else.
type Chip interface {
	Device() wire.Hash
	Chain() [][]byte // endorsement certificates, leaf first
	AK() tpm.AK
	CertifyEK(qualifying [32]byte) (attest, sig []byte, err error)
	Activate(list []devicetpm.Credential) ([]devicetpm.Activated, error)
	// Show increments the counter and makes evidence over PCRs.
	Show(s tpm.Selection, qualify func(rest [32]byte) [32]byte) (*tpm.Parts, error)
}

// Attester is the CPU of a device without a TPM: it makes evidence that carries
// reportData.
type Attester interface {
	Attest(reportData [64]byte) (*evidence.Evidence, error)
}

// Network is the ledger as an agent reaches it (Over). Methods return when ctx
// ends.
type Network interface {
	// Payer is the account that pays for all that is submitted. Evidence and a
	// device's upkeep are taken from its owner only.
	Payer() wire.Account
	// View is the newest state there is. Its Get fails with ErrMoved rather than
	// read of another block.
	View(ctx context.Context) (*View, error)
	// Submit hands over payloads of family hardware; one error for each, with the
	// code of the refusal, nil for what is on its way.
	Submit(ctx context.Context, payloads [][]byte) []error
	// Entry is an entry of the data layer, as hashed; nil if nobody has it.
	Entry(ctx context.Context, hash wire.Hash) ([]byte, error)
	// Record records entries of one chain, and returns when they are recorded. The
	// first of them is the one that makes the chain, and is passed over if there is
	// one.
	Record(ctx context.Context, entries [][]byte) error
}
