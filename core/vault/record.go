package vault

import (
	"encoding/binary"
	"fmt"

	"cloister/gate"
	"cloister/wire"
)

// Bounds of gate.md §6.2 rule 7.
const (
	MaxNames      = 16_384
	MaxObjects    = 64 << 20 // numbers ever given out by one store
	MaxCatalogue  = 16 << 20 // bytes of one generation
	MaxNameLength = 255
)

// maxRecord bounds the CBOR of one catalogue record; a name is the longest part.
const maxRecord = 512

// record is one change of the catalogue, or the two that frame its opening
// snapshot. Encoded: len u32 of the CBOR | op u8 | CBOR.
type record interface{ op() byte }

// rootRecord is the first of a generation.
type rootRecord struct {
	_          struct{} `cbor:",toarray"`
	StoreID    [16]byte
	Generation uint64
	Boots      uint64
	ChainID    wire.Hash
	Node       wire.Hash // zero until the node has an identity
	Counter    uint64
}

// numbersRecord reserves every object number below Next for this and earlier boots.
type numbersRecord struct {
	_    struct{} `cbor:",toarray"`
	Next uint64
}

// nameRecord gives a name to an object, which it creates if it is the first.
type nameRecord struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Obj   uint64
	Salt  salt
	Class gate.Class
}

// unnameRecord takes a name away.
type unnameRecord struct {
	_    struct{} `cbor:",toarray"`
	Name string
}

// closedRecord says that an object is complete. Bytes the host has beyond
// Stored are the torn tail of a crash, or invented, and are never read.
type closedRecord struct {
	_       struct{} `cbor:",toarray"`
	Obj     uint64
	Size    uint64 // plaintext bytes
	Stored  uint64 // object bytes
	Regular bool   // every chunk but the last is full
}

// durableRecord says that at least Size plaintext bytes are durable.
type durableRecord struct {
	_    struct{} `cbor:",toarray"`
	Obj  uint64
	Size uint64
}

// endRecord closes the opening snapshot; a generation without it never began.
type endRecord struct {
	_ struct{} `cbor:",toarray"`
}

func (*rootRecord) op() byte    { return 'R' }
func (*numbersRecord) op() byte { return 'N' }
func (*nameRecord) op() byte    { return 'C' }
func (*unnameRecord) op() byte  { return 'U' }
func (*closedRecord) op() byte  { return 'F' }
func (*durableRecord) op() byte { return 'L' }
func (*endRecord) op() byte     { return 'E' }

func newRecord(op byte) record {
	switch op {
	case 'R':
		return new(rootRecord)
	case 'N':
		return new(numbersRecord)
	case 'C':
		return new(nameRecord)
	case 'U':
		return new(unnameRecord)
	case 'F':
		return new(closedRecord)
	case 'L':
		return new(durableRecord)
	case 'E':
		return new(endRecord)
	}
	return nil
}

func appendRecord(dst []byte, r record) []byte {
	body := wire.Marshal(r)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(append(dst, r.op()), body...)
}

// decodeRecords calls fn for each record of one chunk. A chunk holds whole
// records only, so a group of records in one chunk takes effect or does not.
func decodeRecords(plain []byte, fn func(record) error) error {
	for len(plain) > 0 {
		if len(plain) < 5 {
			return fmt.Errorf("%w: %d bytes left over", wire.ErrEncoding, len(plain))
		}
		n, op := binary.BigEndian.Uint32(plain), plain[4]
		plain = plain[5:]
		if n > maxRecord || int(n) > len(plain) {
			return fmt.Errorf("%w: record of %d bytes", wire.ErrEncoding, n)
		}
		r := newRecord(op)
		if r == nil {
			return fmt.Errorf("%w: unknown record %q", wire.ErrEncoding, op)
		}
		if err := wire.Unmarshal(plain[:n], r, maxRecord); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		plain = plain[n:]
	}
	return nil
}

// packer gathers groups of records into chunks without splitting a group.
type packer struct {
	chunks [][]byte
	size   int
}

func (p *packer) add(group []byte) {
	last := len(p.chunks) - 1
	if last < 0 || len(p.chunks[last])+len(group) > chunkSize {
		p.chunks = append(p.chunks, nil)
		last++
	}
	p.chunks[last] = append(p.chunks[last], group...)
	p.size += len(group)
}
