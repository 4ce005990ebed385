package simtee

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"testing"

	"cloister/evidence"
	"cloister/wire"
)

func TestTheMeasurementIsTheSpecifiedHash(t *testing.T) {
	bin, cfg := []byte("binary"), []byte("config")
	b := []byte("cloister/sim-measure/v1")
	b = append(binary.BigEndian.AppendUint64(b, 6), bin...)
	b = append(binary.BigEndian.AppendUint64(b, 6), cfg...)
	m := Measure(bin, cfg)
	if m.Enclave != sha256.Sum256(b) || m.Launch != sha512.Sum384(b) {
		t.Errorf("measured %x, %x", m.Enclave, m.Launch)
	}
	if id := m.CodeID(evidence.SGX); id != wire.TH("cloister/code/v1", []byte{1}, m.Enclave[:]) {
		t.Errorf("SGX code id %s", id)
	}
	if id := m.CodeID(evidence.SNP); id != wire.TH("cloister/code/v1", []byte{3}, m.Launch[:], make([]byte, 32), []byte{0, 0, 0, 0, 0, 3, 0, 0}) {
		t.Errorf("SNP code id %s", id)
	}
	if !m.CodeID(evidence.TDX).IsZero() {
		t.Error("TDX is not played")
	}
}

func TestEveryByteOfProgramAndConfigurationCounts(t *testing.T) {
	ids := Measure([]byte("ab"), []byte("c")).CodeIDs()
	if len(ids) != len(Kinds()) {
		t.Errorf("%d code ids", len(ids))
	}
	for name, other := range map[string]Measured{
		"program": Measure([]byte("ac"), []byte("c")), "configuration": Measure([]byte("ab"), []byte("d")),
		"boundary": Measure([]byte("a"), []byte("bc")), "no configuration": Measure([]byte("abc"), nil),
	} {
		for kind, id := range other.CodeIDs() {
			if id == ids[kind] {
				t.Errorf("%s: another %s has the same %s code id", name, name, kind)
			}
		}
	}
}
