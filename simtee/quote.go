package simtee

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"

	"cloister/evidence"
)

// Sizes and offsets of an SGX quote of version 3 (TEE specification §2.1, §2.2,
// §2.4). All integers little-endian.
const (
	quoteHeader  = 48
	enclaveBody  = 384
	quoteVersion = 3
	ecdsaP256    = 2
	pckChainType = 5

	flagInit  = 1 << 0
	flagDebug = 1 << 1
	flag64    = 1 << 2
	xfrm      = 0x07
)

var intelQE, _ = hex.DecodeString("939a7233f79c4ca9940a0db3957f0607")

// enclave is what an SGX report says about an enclave.
type enclave struct {
	level      int
	flags      uint64
	code       [32]byte
	signer     [32]byte
	prodID     uint16
	svn        uint16
	reportData [64]byte
}

// body is the 384-byte report.
func (e *enclave) body() []byte {
	b, le := make([]byte, enclaveBody), binary.LittleEndian
	for i := range 16 {
		b[i] = byte(e.level) // CPUSVN
	}
	le.PutUint64(b[48:], e.flags)
	le.PutUint64(b[56:], xfrm)
	copy(b[64:], e.code[:])
	copy(b[128:], e.signer[:])
	le.PutUint16(b[256:], e.prodID)
	le.PutUint16(b[258:], e.svn)
	copy(b[320:], e.reportData[:])
	return b
}

// quote makes an SGX quote: header, report, and the way from its signature to
// the PCK certificate of the platform's level.
func (p *platformState) quote(prog Program, data [64]byte) (*evidence.Evidence, error) {
	le := binary.LittleEndian
	id := sha256.Sum256(p.ID)
	q := make([]byte, quoteHeader)
	le.PutUint16(q[0:], quoteVersion)
	le.PutUint16(q[2:], ecdsaP256)
	le.PutUint16(q[8:], qeSVN)
	le.PutUint16(q[10:], uint16(pceSVN+p.TCB))
	copy(q[12:], intelQE)
	copy(q[28:], id[:16])
	e := &enclave{
		level: p.TCB, flags: flagInit | flag64, code: prog.Code.Enclave, signer: sha256.Sum256(prog.ReleaseKey),
		prodID: prog.ProdID, svn: prog.SVN, reportData: data,
	}
	if prog.Debug {
		e.flags |= flagDebug
	}
	q = append(q, e.body()...)

	attestation, err := pair{Key: p.AttestationKey}.ecdsa()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(q)
	sig, err := rawSignature(attestation, digest[:], 32)
	if err != nil {
		return nil, err
	}
	point, err := rawPoint(&attestation.PublicKey)
	if err != nil {
		return nil, err
	}
	endorsed, err := p.quotingEnclave(point)
	if err != nil {
		return nil, err
	}
	section := append(append(sig, point...), endorsed...)
	q = le.AppendUint32(q, uint32(len(section)))
	return &evidence.Evidence{Kind: evidence.SGX, Quote: append(q, section...)}, nil
}

// quotingEnclave is what follows the attestation key: the quoting enclave's
// report about it, signed by the PCK key, and the certificates.
func (p *platformState) quotingEnclave(point []byte) ([]byte, error) {
	auth := make([]byte, 32)
	for i := range auth {
		auth[i] = byte(i)
	}
	qe := &enclave{level: p.TCB, flags: flagInit | flag64 | 1<<4, signer: sha256.Sum256(p.QESigner), prodID: qeProdID, svn: qeSVN}
	qe.code = sha256.Sum256([]byte("simulated quoting enclave"))
	bound := sha256.Sum256(append(point[:len(point):len(point)], auth...))
	copy(qe.reportData[:], bound[:])
	b := qe.body()
	leaf := p.Leaves[p.TCB-1]
	pck, err := leaf.ecdsa()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(b)
	sig, err := rawSignature(pck, digest[:], 32)
	if err != nil {
		return nil, err
	}
	var chain []byte
	for _, der := range append([][]byte{leaf.Cert}, p.Chain...) {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	chain = append(chain, 0) // as real quotes end
	le := binary.LittleEndian
	b = append(b, sig...)
	b = append(le.AppendUint16(b, uint16(len(auth))), auth...)
	b = le.AppendUint16(b, pckChainType)
	return append(le.AppendUint32(b, uint32(len(chain))), chain...), nil
}
