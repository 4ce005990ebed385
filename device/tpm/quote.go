package tpm

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/google/go-tpm/tpm2"

	"cloister/evidence/tpm"
	"cloister/wire"
)

// selection is a Selection in the TPM's own terms.
func selection(s tpm.Selection) tpm2.TPMLPCRSelection {
	list := make([]uint, 0, 24)
	for _, i := range s.PCRs() {
		list = append(list, uint(i))
	}
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(list...),
	}}}
}

// PCRs are the values of a selection of the SHA-256 bank, by ascending index.
func (t *TPM) PCRs(s tpm.Selection) ([]wire.Hash, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pcrs(s)
}

// pcrs reads in portions: a TPM shows at most eight values at a time, and says
// which.
func (t *TPM) pcrs(s tpm.Selection) ([]wire.Hash, error) {
	indices := s.PCRs()
	values := make([]wire.Hash, 0, len(indices))
	for len(values) < len(indices) {
		part := indices[len(values):min(len(values)+8, len(indices))]
		r, err := tpm2.PCRRead{PCRSelectionIn: selection(tpm.Select(part...))}.Execute(t.bus)
		if err != nil {
			return nil, fmt.Errorf("tpm: reading PCRs: %w", err)
		}
		if len(r.PCRValues.Digests) != len(part) {
			return nil, fmt.Errorf("tpm: %d values for PCRs %d: the SHA-256 bank is not active", len(r.PCRValues.Digests), part)
		}
		for _, d := range r.PCRValues.Digests {
			if len(d.Buffer) != sha256.Size {
				return nil, fmt.Errorf("tpm: a PCR value of %d bytes", len(d.Buffer))
			}
			values = append(values, wire.Hash(d.Buffer))
		}
	}
	return values, nil
}

// Extend extends a PCR of the SHA-256 bank. What was extended cannot be undone
// before the machine restarts.
func (t *TPM) Extend(pcr uint8, digest wire.Hash) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: digest[:]}}},
	}.Execute(t.bus)
	if err != nil {
		return fmt.Errorf("tpm: extending PCR %d: %w", pcr, err)
	}
	return nil
}

// Quoted is a quote with the values it is about.
type Quoted struct {
	AK        tpm.AK
	PCRs      []wire.Hash // of the selection, ascending
	Attest    []byte      // TPMS_ATTEST
	Signature []byte      // TPMT_SIGNATURE
}

// Quote has the TPM sign the values of PCRs with qualifying data.
func (t *TPM) Quote(s tpm.Selection, qualifying [32]byte) (q *Quoted, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err = t.withAK(func(key *object, ak tpm.AK) error {
		q, err = t.quote(key, ak, s, func([]wire.Hash) [32]byte { return qualifying })
		return err
	})
	return q, err
}

// quote reads the values first, as the qualifying data may depend on them, and
// begins anew if one of them changed before it was quoted.
func (t *TPM) quote(key *object, ak tpm.AK, s tpm.Selection, qualify func([]wire.Hash) [32]byte) (*Quoted, error) {
	for range 3 {
		values, err := t.pcrs(s)
		if err != nil {
			return nil, err
		}
		qualifying := qualify(values)
		r, err := tpm2.Quote{
			SignHandle: key.AuthHandle, QualifyingData: tpm2.TPM2BData{Buffer: qualifying[:]}, InScheme: null, PCRSelect: selection(s),
		}.Execute(t.bus)
		if err != nil {
			return nil, fmt.Errorf("tpm: quoting: %w", err)
		}
		attest, sig, err := statement(r.Quoted.Bytes(), &r.Signature)
		if err != nil {
			return nil, err
		}
		st, err := tpm.ParseAttest(attest)
		if err != nil {
			return nil, err
		}
		if st.Quote != nil && bytes.Equal(st.Quote.Digest, digest(values)) {
			return &Quoted{AK: ak, PCRs: values, Attest: attest, Signature: sig}, nil
		}
	}
	return nil, fmt.Errorf("tpm: %w", ErrUnsteady)
}

func digest(values []wire.Hash) []byte {
	h := sha256.New()
	for _, v := range values {
		h.Write(v[:])
	}
	return h.Sum(nil)
}

// Ask is what evidence has to be about.
type Ask struct {
	Selection tpm.Selection
	BootLog   []byte
	AppLog    tpm.AppLog
	// Qualify makes the qualifying data of tpm.Parts.Digest.
	Qualify func(rest [32]byte) [32]byte
}

// Show makes evidence: it increments the counter, quotes, and certifies the
// counter with the same qualifying data. Counting first is a device's duty: two
// statements with one value of the counter prove that there are two TPMs.
func (t *TPM) Show(ask Ask) (*tpm.Parts, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.defineCounter(); err != nil {
		return nil, err
	}
	if err := t.increment(); err != nil {
		return nil, err
	}
	p := &tpm.Parts{BootLog: ask.BootLog, AppLog: ask.AppLog}
	err := t.withAK(func(key *object, ak tpm.AK) error {
		var qualifying [32]byte
		q, err := t.quote(key, ak, ask.Selection, func(values []wire.Hash) [32]byte {
			p.PCRs = values
			qualifying = ask.Qualify(p.Digest())
			return qualifying
		})
		if err != nil {
			return err
		}
		p.Quoted, p.Signature, p.AK, p.PCRs = q.Attest, q.Signature, q.AK, q.PCRs
		p.NV, p.NVSignature, err = t.certifyCounter(key, qualifying)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tpm.Parse(p.Evidence()) // as everybody else will read it
}
