package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sort"

	"cloister/gate"
)

// A chunk is: len u32 | synced u64 | AES-256-GCM(plaintext). The nonce is the
// chunk's index and length, the additional data is synced (gate.md §6.1).
const (
	chunkSize     = 16_384 // most plaintext bytes of one chunk
	chunkHead     = 4 + 8
	chunkOverhead = chunkHead + 16
	chunkStride   = chunkSize + chunkOverhead
)

// MaxFile is the most plaintext bytes one object may hold (gate.md §6.2 rule 7).
const MaxFile = 8 << 30

// salt is drawn once for each creation of an object and makes its key unique.
type salt [16]byte

// storeKey derives the key all file keys come from. The backend's seal key is
// never used directly, so that other users of it cannot collide with the vault.
func storeKey(seal [32]byte) []byte {
	return deriveKey(seal[:], nil, "cloister/vault/v1")
}

// fileCipher is the AEAD of one creation of one object.
func fileCipher(store []byte, s salt, obj uint64) cipher.AEAD {
	info := binary.BigEndian.AppendUint64([]byte("cloister/vault/file/v1"), obj)
	block, err := aes.NewCipher(deriveKey(store, s[:], string(info)))
	if err != nil {
		panic(err) // only a key of the wrong length does this
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only another block size does this
	}
	return aead
}

func deriveKey(secret, salt []byte, info string) []byte {
	k, err := hkdf.Key(sha256.New, secret, salt, info, 32)
	if err != nil {
		panic(err) // only an output over 255 hashes does this
	}
	return k
}

func setNonce(n *[12]byte, index uint64, length int) {
	binary.BigEndian.PutUint64(n[:8], index)
	binary.BigEndian.PutUint32(n[8:], uint32(length))
}

// openChunk checks raw, one whole chunk, as chunk number index and decrypts it
// into dst's storage, which may be raw[chunkHead:]. It reports false for
// anything that was not sealed for exactly this place.
func openChunk(dst []byte, aead cipher.AEAD, nonce *[12]byte, index uint64, raw []byte) ([]byte, bool) {
	n := len(raw) - chunkOverhead
	if n < 1 || n > chunkSize || binary.BigEndian.Uint32(raw) != uint32(n) {
		return nil, false
	}
	setNonce(nonce, index, n)
	plain, err := aead.Open(dst[:0], nonce[:], raw[chunkHead:], raw[4:chunkHead])
	return plain, err == nil
}

// layout says where the chunks of one object are.
type layout struct {
	size   uint64   // plaintext bytes in all chunks
	chunks uint64   // number of chunks
	ends   []uint64 // plaintext end of each chunk; nil while the object is regular
}

// regularLayout is that of an object whose chunks, but for the last, are full.
func regularLayout(size uint64) layout {
	return layout{size: size, chunks: (size + chunkSize - 1) / chunkSize}
}

func (l *layout) regular() bool { return l.ends == nil }

// stored is the object's length at the host.
func (l *layout) stored() uint64 { return l.size + l.chunks*chunkOverhead }

// add appends a chunk of n plaintext bytes. A chunk after a short one makes the
// object irregular: from then on positions are remembered, not computed.
func (l *layout) add(n int) {
	if l.ends == nil && l.size != l.chunks*chunkSize {
		l.ends = make([]uint64, l.chunks, l.chunks+16)
		for i := range l.ends {
			l.ends[i] = min(uint64(i+1)*chunkSize, l.size)
		}
	}
	l.size += uint64(n)
	l.chunks++
	if l.ends != nil {
		l.ends = append(l.ends, l.size)
	}
}

func (l *layout) end(i uint64) uint64 {
	if l.ends == nil {
		return min((i+1)*chunkSize, l.size)
	}
	return l.ends[i]
}

func (l *layout) start(i uint64) uint64 {
	if i == 0 {
		return 0
	}
	return l.end(i - 1)
}

// offset is where chunk i begins in the object.
func (l *layout) offset(i uint64) uint64 { return l.start(i) + i*chunkOverhead }

// find is the chunk that holds plaintext byte off, which is below size.
func (l *layout) find(off uint64) uint64 {
	if l.ends == nil {
		return off / chunkSize
	}
	return uint64(sort.Search(len(l.ends), func(i int) bool { return l.ends[i] > off }))
}

// outLimit is how many sealed bytes gather before they are handed to the host:
// sixteen full chunks, so that a batch of the log leaves as one Append.
const outLimit = 16 * chunkStride

// sealer appends chunks to one object. Its owner serialises all calls.
type sealer struct {
	host  gate.Objects
	obj   uint64
	class gate.Class
	hint  uint64
	aead  cipher.AEAD

	created bool   // the host was told of the object; an empty file has none
	index   uint64 // chunks sealed so far
	durable uint64 // chunks known durable; sealed into each later chunk as "synced"
	off     uint64 // bytes handed to the host
	out     []byte // sealed bytes not yet handed over
	nonce   [12]byte
}

// seal adds one chunk of 1 to chunkSize bytes, encrypting straight into the
// outgoing buffer.
func (s *sealer) seal(plain []byte) error {
	if len(s.out)+len(plain)+chunkOverhead > outLimit {
		if err := s.flush(); err != nil {
			return err
		}
	}
	head := len(s.out)
	s.out = binary.BigEndian.AppendUint32(s.out, uint32(len(plain)))
	s.out = binary.BigEndian.AppendUint64(s.out, s.durable)
	setNonce(&s.nonce, s.index, len(plain))
	// Advanced before the host sees anything: whatever happens from here, this
	// index is not sealed again.
	s.index++
	s.out = s.aead.Seal(s.out, s.nonce[:], plain, s.out[head+4:head+chunkHead])
	return nil
}

// flush hands everything sealed to the host, as one Append.
func (s *sealer) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	if !s.created {
		if err := s.host.Create(s.obj, s.class, s.hint); err != nil {
			return err
		}
		s.created = true
	}
	if err := s.host.Append(s.obj, s.off, s.out); err != nil {
		return err
	}
	s.off += uint64(len(s.out))
	s.out = s.out[:0]
	return nil
}
