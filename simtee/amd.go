package simtee

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"

	"cloister/evidence"
)

// What simulated SNP platforms have in common.
const (
	snpProduct = "Milan"
	snpPolicy  = 1<<17 | 1<<16 // the bit that must be set, and SMT allowed
	snpDebug   = 1 << 19

	snpVersion = 3
	snpReport  = 0x4a0
	snpSigned  = 0x2a0
	ecdsaP384  = 1
	milan      = 0x19 // CPUID family; model 1, stepping 1
)

// foundAMD makes ARK and ASK.
func foundAMD(s *vendorState) error {
	ark, err := newRSA(4096)
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	ask, err := newRSA(4096)
	if err != nil {
		return fmt.Errorf("simtee: %w", err)
	}
	if s.Root, err = issue(ark, nil, cert{name: "ARK-" + snpProduct, ca: true, pathLen: 1, usage: caUsage}); err != nil {
		return err
	}
	s.Intermediate, err = issue(ask, &s.Root, cert{name: "SEV-" + snpProduct, ca: true, usage: caUsage})
	return err
}

// snpTCB is the security version of a level in Milan's layout.
func snpTCB(level int) [8]byte {
	return [8]byte{0: byte(level), 6: byte(10 + level), 7: byte(100 + level)}
}

var amdOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}

// vcekExtensions say which chip it is and at which level.
func vcekExtensions(chip []byte, level int) ([]pkix.Extension, error) {
	tcb := snpTCB(level)
	var out []pkix.Extension
	var err error
	add := func(v any, params string, id ...int) {
		der, e := asn1.MarshalWithParams(v, params)
		if e != nil {
			err = e
		}
		out = append(out, pkix.Extension{Id: slices.Concat(amdOID, id), Value: der})
	}
	add(0, "", 1)
	add(snpProduct+"-B0", "ia5", 2)
	add(int(tcb[0]), "", 3, 1)
	add(int(tcb[1]), "", 3, 2)
	for n := 4; n <= 7; n++ {
		add(0, "", 3, n)
	}
	add(int(tcb[6]), "", 3, 3)
	add(int(tcb[7]), "", 3, 8)
	if err != nil {
		return nil, fmt.Errorf("simtee: VCEK extensions: %w", err)
	}
	// The chip's id stands bare in its extension, as in AMD's certificates.
	return append(out, pkix.Extension{Id: slices.Concat(amdOID, asn1.ObjectIdentifier{4}), Value: chip}), nil
}

// newSNP makes a chip: a VCEK for each level.
func (s *vendorState) newSNP() (*platformState, error) {
	p := &platformState{ID: make([]byte, 64)}
	if _, err := rand.Read(p.ID); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	for level := 1; level <= MaxTCB; level++ {
		key, err := newECDSA(elliptic.P384())
		if err != nil {
			return nil, err
		}
		ext, err := vcekExtensions(p.ID, level)
		if err != nil {
			return nil, err
		}
		leaf, err := issue(key, &s.Intermediate, cert{name: "SEV-VCEK", extensions: ext, change: func(c *x509.Certificate) {
			c.BasicConstraintsValid = false // AMD's leaves say nothing about it
		}})
		if err != nil {
			return nil, err
		}
		p.Leaves = append(p.Leaves, leaf)
	}
	return p, nil
}

// report makes an SNP report (TEE specification §3). All integers and the
// signature little-endian.
func (p *platformState) report(prog Program, data [64]byte) (*evidence.Evidence, error) {
	b, le := make([]byte, snpReport), binary.LittleEndian
	policy := uint64(snpPolicy)
	if prog.Debug {
		policy |= snpDebug
	}
	idKey := sha512.Sum384(prog.ReleaseKey)
	tcb := snpTCB(p.TCB)
	le.PutUint32(b[0x00:], snpVersion)
	le.PutUint32(b[0x04:], uint32(prog.SVN))
	le.PutUint64(b[0x08:], policy)
	le.PutUint32(b[0x34:], ecdsaP384)
	copy(b[0x38:], tcb[:])    // current
	le.PutUint64(b[0x40:], 1) // SMT on
	copy(b[0x50:], data[:])
	copy(b[0x90:], prog.Code.Launch[:])
	copy(b[0xe0:], idKey[:])
	copy(b[0x160:], slices.Repeat([]byte{0xff}, 32)) // no migration agent
	copy(b[0x180:], tcb[:])                          // reported
	b[0x188], b[0x189], b[0x18a] = milan, 1, 1
	copy(b[0x1a0:], p.ID)
	copy(b[0x1e0:], tcb[:]) // committed
	copy(b[0x1e8:], []byte{0, 55, 1, 0, 0, 55, 1, 0})
	copy(b[0x1f0:], tcb[:]) // at launch

	leaf := p.Leaves[p.TCB-1]
	key, err := leaf.ecdsa()
	if err != nil {
		return nil, err
	}
	digest := sha512.Sum384(b[:snpSigned])
	sig, err := rawSignature(key, digest[:], 48)
	if err != nil {
		return nil, err
	}
	slices.Reverse(sig[:48])
	slices.Reverse(sig[48:])
	copy(b[snpSigned:], sig[:48])
	copy(b[snpSigned+72:], sig[48:])
	return &evidence.Evidence{Kind: evidence.SNP, Quote: b, Aux: [][]byte{leaf.Cert}}, nil
}
