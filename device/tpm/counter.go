package tpm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence/tpm"
)

// counterPublic is the one template of the counter. Its Name, which every
// certification carries, fixes index and attributes: an index that can be set to
// any value has another Name.
var counterPublic = tpm2.TPMSNVPublic{
	NVIndex: tpm.CounterIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
	Attributes: tpm2.TPMANV{OwnerWrite: true, AuthWrite: true, NT: tpm2.TPMNTCounter, OwnerRead: true, AuthRead: true, NoDA: true},
}

// counterHandle names the counter as it is now: its Name changes with the first
// increment.
func (t *TPM) counterHandle() (tpm2.AuthHandle, error) {
	r, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(tpm.CounterIndex)}.Execute(t.bus)
	if err != nil {
		return tpm2.AuthHandle{}, err
	}
	return tpm2.AuthHandle{Handle: tpm2.TPMHandle(tpm.CounterIndex), Name: r.NVName, Auth: tpm2.PasswordAuth(nil)}, nil
}

// defineCounter makes the counter if there is none. A TPM never starts one below
// any it had before, so an owner who removes it cannot go back.
func (t *TPM) defineCounter() error {
	_, err := t.counterHandle()
	if err == nil {
		return nil
	}
	if !errors.Is(err, tpm2.TPMRCHandle) {
		return fmt.Errorf("tpm: looking for the counter: %w", err)
	}
	_, err = tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}, PublicInfo: tpm2.New2B(counterPublic),
	}.Execute(t.bus)
	if err != nil {
		return fmt.Errorf("tpm: making the counter: %w", err)
	}
	return nil
}

func (t *TPM) increment() error {
	at, err := t.counterHandle()
	if err == nil {
		_, err = tpm2.NVIncrement{AuthHandle: at, NVIndex: tpm2.NamedHandle{Handle: at.Handle, Name: at.Name}}.Execute(t.bus)
	}
	if err != nil {
		return fmt.Errorf("tpm: incrementing the counter: %w", err)
	}
	return nil
}

// Increment makes the counter if there is none, and counts one up.
func (t *TPM) Increment() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.defineCounter(); err != nil {
		return err
	}
	return t.increment()
}

// CertifyCounter has the TPM sign the counter's value with qualifying data. It
// does not increment: Show does. There must be a counter.
func (t *TPM) CertifyCounter(qualifying [32]byte) (attest, sig []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withAK(func(key *object, _ tpm.AK) error {
		attest, sig, err = t.certifyCounter(key, qualifying)
		return err
	})
	return attest, sig, err
}

func (t *TPM) certifyCounter(key *object, qualifying [32]byte) (attest, sig []byte, err error) {
	at, err := t.counterHandle()
	if err != nil {
		return nil, nil, fmt.Errorf("tpm: looking for the counter: %w", err)
	}
	if !bytes.Equal(at.Name.Buffer, tpm.CounterName()) {
		return nil, nil, fmt.Errorf("tpm: index %08x is not the counter a device keeps; remove it with 'tpm2_nvundefine'", tpm.CounterIndex)
	}
	r, err := tpm2.NVCertify{
		SignHandle: key.AuthHandle, AuthHandle: at, NVIndex: tpm2.NamedHandle{Handle: at.Handle, Name: at.Name},
		QualifyingData: tpm2.TPM2BData{Buffer: qualifying[:]}, InScheme: null, Size: 8,
	}.Execute(t.bus)
	if err != nil {
		return nil, nil, fmt.Errorf("tpm: certifying the counter: %w", err)
	}
	return statement(r.CertifyInfo.Bytes(), &r.Signature)
}
