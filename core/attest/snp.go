package attest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"cloister/evidence"
)

const (
	snpReport     = 1184
	snpSignerInfo = 0x48

	maxLeaf        = 16 << 10 // bytes of a certificate
	maxTable       = 64       // entries of a certificate table
	tableEntrySize = 16 + 4 + 4
)

// Names of the leaf certificates in the table (GHCB standardization §4.1.8.1).
const (
	vcekName = "63da758de6644564adc5f4b93be8accd"
	vlekName = "a8074bc2a25a483eaae639c045a0b8a1"
)

// snpEvidence puts a report together with the certificate of the key that
// signed it: from the platform's table, else the one given.
func snpEvidence(report, table, given []byte) (*evidence.Evidence, error) {
	if len(report) != snpReport {
		return nil, fmt.Errorf("%w: report of %d bytes", ErrPlatform, len(report))
	}
	name := vcekName
	if signer := binary.LittleEndian.Uint32(report[snpSignerInfo:]) >> 2 & 7; signer == 1 {
		name = vlekName
	}
	leaf, err := certificate(table, name)
	if err != nil {
		return nil, err
	}
	if leaf == nil {
		leaf = given
	}
	if leaf == nil {
		return nil, fmt.Errorf("%w: the host gave the guest no certificate of its report key; give the core one", ErrPlatform)
	}
	return &evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{leaf}}, nil
}

// certificate finds one by its name in a table: entries {guid 16, offset u32,
// length u32} (little-endian) up to one of zeros, then the certificates. nil
// means it is not there. The host wrote the table, so nothing in it is believed.
func certificate(table []byte, name string) ([]byte, error) {
	if zeros(table) {
		return nil, nil
	}
	for i := range maxTable {
		at := i * tableEntrySize
		if at+tableEntrySize > len(table) {
			break
		}
		e := table[at : at+tableEntrySize]
		if zeros(e) {
			return nil, nil
		}
		if id := e[:16]; hex.EncodeToString(id) != name && mixed(id) != name {
			continue
		}
		off, n := uint64(binary.LittleEndian.Uint32(e[16:])), uint64(binary.LittleEndian.Uint32(e[20:]))
		if n == 0 || n > maxLeaf || off+n > uint64(len(table)) {
			return nil, fmt.Errorf("%w: certificate of %d bytes at %d in a table of %d", ErrPlatform, n, off, len(table))
		}
		return append([]byte(nil), table[off:off+n]...), nil
	}
	return nil, fmt.Errorf("%w: certificate table without an end", ErrPlatform)
}

// mixed is a GUID whose first three fields are little-endian, as firmware
// writes them: hosts differ in which form they put in the table.
func mixed(g []byte) string {
	o := [16]byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6]}
	copy(o[8:], g[8:])
	return hex.EncodeToString(o[:])
}
