package tpm

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// Default is the TPM of a Linux machine: the kernel's resource manager, which
// keeps the objects of programs apart.
const Default = "/dev/tpmrm0"

// Errors of this package; others are the TPM's own (tpm2.TPMRC), wrapped.
var (
	ErrNoCertificate = errors.New("the TPM holds no certificate of an RSA-2048 endorsement key: its maker did not provision one")
	ErrNotActivated  = errors.New("the TPM did not activate the credential: it was made for another TPM or another attestation key")
	ErrNotUnsealed   = errors.New("the TPM does not unseal: it has been cleared, or other code than the sealed secret is for was measured")
	ErrUnsteady      = errors.New("PCRs keep changing while they are quoted")
)

// TPM is one TPM. Its methods may be called from many goroutines at a time.
type TPM struct {
	mu  sync.Mutex // held during each call: transports take one command at a time
	bus transport.TPMCloser
}

// Open opens the TPM at a path: a device file, or the Unix socket of an
// emulator. Close it in the end.
func Open(path string) (*TPM, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tpm: %w", err)
	}
	open := linuxtpm.Open
	if info.Mode()&os.ModeSocket != 0 {
		open = linuxudstpm.Open
	}
	bus, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("tpm: opening %s: %w", path, err)
	}
	return &TPM{bus: bus}, nil
}

// Close closes the connection. The TPM keeps running.
func (t *TPM) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bus.Close()
}

// object is a key in the TPM for the time of a call.
type object struct {
	tpm2.AuthHandle
	public         tpm2.TPM2BPublic
	creationHash   tpm2.TPM2BDigest
	creationTicket tpm2.TPMTTKCreation
}

// primary makes a primary key. The caller flushes it.
func (t *TPM) primary(hierarchy tpm2.TPMHandle, template tpm2.TPMTPublic, auth tpm2.Session) (*object, error) {
	r, err := tpm2.CreatePrimary{PrimaryHandle: hierarchy, InPublic: tpm2.New2B(template)}.Execute(t.bus)
	if err != nil {
		return nil, err
	}
	return &object{
		AuthHandle: tpm2.AuthHandle{Handle: r.ObjectHandle, Name: r.Name, Auth: auth}, public: r.OutPublic,
		creationHash: r.CreationHash, creationTicket: r.CreationTicket,
	}, nil
}

// flush drops a key. The TPM's answer does not matter: what it does not hold is
// flushed.
func (t *TPM) flush(o *object) { t.flushHandle(o.Handle) }

func (t *TPM) flushHandle(h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(t.bus)
}

// Sweep flushes all transient objects, as a program that was killed leaves them
// behind in a TPM without resource manager. Nobody else may be using the TPM.
func (t *TPM) Sweep() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	const first, most = 0x80000000, 64
	r, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: most}.Execute(t.bus)
	if err != nil {
		return fmt.Errorf("tpm: listing objects: %w", err)
	}
	handles, err := r.CapabilityData.Data.Handles()
	if err != nil {
		return fmt.Errorf("tpm: listing objects: %w", err)
	}
	for _, h := range handles.Handle {
		t.flushHandle(h)
	}
	return nil
}
