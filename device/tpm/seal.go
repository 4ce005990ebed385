package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"cloister/evidence/tpm"
	"cloister/wire"
)

// Bounds of sealing, in bytes.
const (
	MaxSecret = 128 // what every TPM seals in one object
	MaxSealed = 4 << 10
)

// sealed is what Seal returns, encoded. It is of no use without the TPM.
type sealed struct {
	_         struct{} `cbor:",toarray"`
	Selection uint32
	Public    []byte // TPMT_PUBLIC
	Private   []byte // contents of TPM2B_PRIVATE
}

// decodeSealed reads what Seal returned, from a file that anybody may have
// written. Errors: wire.ErrEncoding.
func decodeSealed(b []byte) (*sealed, error) {
	in := new(sealed)
	if err := wire.Unmarshal(b, in, MaxSealed); err != nil {
		return nil, fmt.Errorf("tpm: sealed secret: %w", err)
	}
	if in.Selection >= 1<<24 || in.Selection == 0 {
		return nil, fmt.Errorf("tpm: sealed secret: %w: PCRs %x", wire.ErrEncoding, in.Selection)
	}
	return in, nil
}

// pcrPolicy is the digest of a policy under which PCRs have these values.
func pcrPolicy(s tpm.Selection, values []wire.Hash) ([]byte, error) {
	c, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err == nil {
		err = tpm2.PolicyPCR{PcrDigest: tpm2.TPM2BDigest{Buffer: digest(values)}, Pcrs: selection(s)}.Update(c)
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: computing a policy: %w", err)
	}
	return c.Hash().Digest, nil
}

// withSRK calls fn with the storage root key loaded.
func (t *TPM) withSRK(fn func(srk *object) error) error {
	o, err := t.primary(tpm2.TPMRHOwner, tpm2.ECCSRKTemplate, tpm2.PasswordAuth(nil))
	if err != nil {
		return fmt.Errorf("tpm: making the storage key: %w", err)
	}
	defer t.flush(o)
	return fn(o)
}

// encrypted keeps the secret from whoever listens between program and TPM.
func encrypted(srk *object) ([]tpm2.AuthOption, error) {
	public, err := srk.public.Contents()
	if err != nil {
		return nil, fmt.Errorf("tpm: reading the storage key: %w", err)
	}
	return []tpm2.AuthOption{tpm2.Salted(srk.Handle, *public)}, nil
}

// Seal encrypts a secret of at most MaxSecret bytes so that only this TPM
// decrypts it, and only while the PCRs have the given values, ascending: those
// of now (PCRs), or those that approved code will leave behind after an update.
func (t *TPM) Seal(secret []byte, s tpm.Selection, values []wire.Hash) (out []byte, err error) {
	if len(secret) == 0 || len(secret) > MaxSecret || len(values) != len(s.PCRs()) {
		return nil, fmt.Errorf("tpm: sealing %d bytes to %d values of %d PCRs: 1 to %d bytes, one value for each", len(secret), len(values), len(s.PCRs()), MaxSecret)
	}
	policy, err := pcrPolicy(s, values)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withSRK(func(srk *object) error {
		salted, err := encrypted(srk)
		if err != nil {
			return err
		}
		r, err := tpm2.Create{
			ParentHandle: srk.AuthHandle,
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
			// Without userWithAuth the policy is the only way to the secret.
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
				AuthPolicy:       tpm2.TPM2BDigest{Buffer: policy},
			}),
		}.Execute(t.bus, tpm2.HMAC(tpm2.TPMAlgSHA256, 16, append(salted, tpm2.AESEncryption(128, tpm2.EncryptIn))...))
		if err != nil {
			return fmt.Errorf("tpm: sealing: %w", err)
		}
		out = wire.Marshal(&sealed{Selection: uint32(s), Public: r.OutPublic.Bytes(), Private: r.OutPrivate.Buffer})
		return nil
	})
	return out, err
}

// Unseal gives back what Seal took. Errors: ErrNotUnsealed; wire.ErrEncoding for
// bytes that are not Seal's.
func (t *TPM) Unseal(b []byte) (secret []byte, err error) {
	in, err := decodeSealed(b)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withSRK(func(srk *object) error {
		salted, err := encrypted(srk)
		if err != nil {
			return err
		}
		loaded, err := tpm2.Load{
			ParentHandle: srk.AuthHandle, InPrivate: tpm2.TPM2BPrivate{Buffer: in.Private},
			InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](in.Public),
		}.Execute(t.bus)
		if err != nil {
			return refusal(err)
		}
		defer t.flushHandle(loaded.ObjectHandle)
		r, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
			Handle: loaded.ObjectHandle, Name: loaded.Name,
			Auth: tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(bus transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
				_, err := tpm2.PolicyPCR{PolicySession: h, Pcrs: selection(tpm.Selection(in.Selection))}.Execute(bus)
				return err
			}, append(salted, tpm2.AESEncryption(128, tpm2.EncryptOut))...),
		}}.Execute(t.bus)
		if err != nil {
			return refusal(err)
		}
		secret = r.OutData.Buffer
		return nil
	})
	return secret, err
}

// refusal tells what the TPM refuses from what keeps it from answering.
func refusal(err error) error {
	for _, rc := range []tpm2.TPMRC{tpm2.TPMRCPolicyFail, tpm2.TPMRCIntegrity, tpm2.TPMRCAuthUnavailable, tpm2.TPMRCValue, tpm2.TPMRCSize} {
		if errors.Is(err, rc) {
			return fmt.Errorf("tpm: %w: %w", ErrNotUnsealed, err)
		}
	}
	return fmt.Errorf("tpm: unsealing: %w", err)
}
