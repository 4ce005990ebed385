package vault

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"cloister/gate"
)

// errBadChunk is where a scanner met bytes that are not the next chunk. Whether
// that is a torn tail or corruption is the caller's question; see laterSynced.
var errBadChunk = errors.New("not the next chunk")

// scanner reads an object's chunks from the first to the last. It holds one
// Read of memory whatever the object's length.
type scanner struct {
	host  gate.Objects
	obj   uint64
	aead  cipher.AEAD
	off   uint64 // object offset of the next chunk
	end   uint64 // the object's length as far as it is believed
	index uint64 // number of the next chunk

	window []byte // unread bytes from off on
	buf    []byte
	nonce  [12]byte
}

func newScanner(host gate.Objects, obj uint64, aead cipher.AEAD, start, end uint64) *scanner {
	return &scanner{host: host, obj: obj, aead: aead, off: start, end: end}
}

// next returns the next chunk's plaintext, valid until the following call.
// It returns io.EOF exactly at the end, errBadChunk where the bytes are not a
// good chunk, or the host's failure to read.
func (s *scanner) next() ([]byte, error) {
	if s.off == s.end {
		return nil, io.EOF
	}
	if err := s.want(chunkHead); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(s.window)
	if n < 1 || n > chunkSize {
		return nil, errBadChunk
	}
	total := int(n) + chunkOverhead
	if err := s.want(total); err != nil {
		return nil, err
	}
	raw := s.window[:total]
	// Decrypted into the window itself would destroy the bytes laterSynced
	// must look at when the tag is wrong, so the tag is checked into scratch.
	plain, ok := openChunk(s.scratch(), s.aead, &s.nonce, s.index, raw)
	if !ok {
		return nil, errBadChunk
	}
	s.window = s.window[total:]
	s.off += uint64(total)
	s.index++
	return plain, nil
}

// scratch is room for one plaintext behind the window's own storage.
func (s *scanner) scratch() []byte {
	return s.buf[gate.MaxRead : gate.MaxRead : gate.MaxRead+chunkSize]
}

// want makes at least n bytes of the object available in the window.
func (s *scanner) want(n int) error {
	if len(s.window) >= n {
		return nil
	}
	if uint64(n) > s.end-s.off {
		return errBadChunk
	}
	if s.buf == nil {
		s.buf = make([]byte, gate.MaxRead+chunkSize)
	}
	have := copy(s.buf, s.window)
	fill := int(min(gate.MaxRead, s.end-s.off)) - have
	got, err := readFull(s.host, s.obj, s.off+uint64(have), s.buf[have:have+fill])
	if err != nil {
		return err
	}
	s.window = s.buf[:have+got]
	if got < fill {
		// The list promised more than the host gives; what is missing is cut.
		s.end = s.off + uint64(have+got)
	}
	if len(s.window) < n {
		return errBadChunk
	}
	return nil
}

// readFull reads once and turns "no such object" into "no bytes": the host
// calls a lost object by either name.
func readFull(host gate.Objects, obj, off uint64, p []byte) (int, error) {
	n, err := host.Read(obj, off, p)
	if errors.Is(err, gate.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("vault: read object %d: %w", obj, err)
	}
	if n < 0 || n > len(p) {
		return 0, corrupt("object %d: the host answered with more than was asked", obj)
	}
	return n, nil
}

// tries bounds the tags laterSynced checks, about half a second of work.
const tries = 1 << 17

// laterSynced is asked after errBadChunk. It reports whether a good chunk
// further on says that the bad one was durable when it was sealed: then no crash
// of an honest disk explains the bad chunk, and it is corruption, not a torn tail.
// The bad chunk's own length cannot be trusted, so every later byte may start a
// chunk; a random position passes the two range checks once in 2^50, so what
// passes is a chunk or was made to look like one.
func (s *scanner) laterSynced() (bool, error) {
	bad, start := s.index, s.off
	budget := tries
	window := make([]byte, gate.MaxRead)
	plain := make([]byte, chunkSize)
	for pos := start + 1; pos+chunkOverhead < s.end; {
		n, err := readFull(s.host, s.obj, pos, window[:min(gate.MaxRead, s.end-pos)])
		if err != nil {
			return false, err
		}
		last := pos+uint64(n) >= s.end || n < len(window)
		w := window[:n]
		i := 0
		for ; i+chunkOverhead < len(w); i++ {
			size := binary.BigEndian.Uint32(w[i:])
			if size-1 >= chunkSize {
				continue
			}
			synced := binary.BigEndian.Uint64(w[i+4:])
			// Each earlier chunk takes at least overhead+1 bytes, which bounds the index.
			most := bad + (pos+uint64(i)-start)/(chunkOverhead+1)
			if synced <= bad || synced > most {
				continue
			}
			total := int(size) + chunkOverhead
			if i+total > len(w) {
				if !last {
					break // begin the next window here
				}
				continue
			}
			for index := synced; index <= most; index++ {
				if budget--; budget < 0 {
					return true, nil // no honest disk needs this many
				}
				if _, ok := openChunk(plain, s.aead, &s.nonce, index, w[i:i+total]); ok {
					return true, nil
				}
			}
		}
		if last {
			return false, nil
		}
		pos += uint64(i)
	}
	return false, nil
}
