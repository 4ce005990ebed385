package notary

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"cloister/wire"
	"cloister/wire/factom"
)

// Format is the first external id of every record.
const Format = "notarize/v1"

// MaxPath bounds a path in bytes; longer ones do not exist on the systems this
// runs on (PATH_MAX).
const MaxPath = 4096

// maxContent bounds a record's content: two hex strings and two small fields.
const maxContent = 512

// Fingerprint is what of a file is recorded.
type Fingerprint struct {
	Link   bool      // a symbolic link; size and hash are of its target text
	Size   uint64    // bytes
	SHA256 wire.Hash // of the content
}

// Record is one file's signed record.
type Record struct {
	Path string // relative, '/' between parts; bytes, not text
	Fingerprint
	AtMs uint64         // signer's clock, Unix milliseconds; orders records of one path
	Key  wire.PublicKey // who signed
}

// content is the JSON of a record's entry. Field order is the encoding.
type content struct {
	Link bool           `json:"link,omitempty"`
	AtMs uint64         `json:"at_ms"`
	Key  wire.PublicKey `json:"key"`
	Sig  wire.Signature `json:"sig"`
}

// digest is what the signer signs: the record in this one chain.
func (r *Record) digest(chain wire.Hash) wire.Hash {
	link := []byte{0}
	if r.Link {
		link[0] = 1
	}
	return wire.TH("cloister/notarize/v1", chain[:], []byte(r.Path), link, wire.U64(r.Size), r.SHA256[:], wire.U64(r.AtMs))
}

// Entry signs the record for a chain and gives the entry to submit. It fails
// with ErrBadRequest if the path is not one a record can have.
func (r *Record) Entry(chain wire.Hash, key wire.PrivateKey) ([]byte, error) {
	if err := checkPath(r.Path); err != nil {
		return nil, err
	}
	r.Key = key.Public()
	c, err := json.Marshal(content{r.Link, r.AtMs, r.Key, key.Sign(r.digest(chain))})
	if err != nil {
		return nil, fmt.Errorf("record of %q: %w", r.Path, err)
	}
	e := factom.Entry{ChainID: chain, Content: c, ExtIDs: [][]byte{
		[]byte(Format), []byte(r.Path), strconv.AppendUint(nil, r.Size, 10), []byte(r.SHA256.String()),
	}}
	return e.Marshal()
}

// DecodeRecord reads the record in an entry and checks its signature. ok is
// false for an entry that is no record; an error means it claims to be one and
// is malformed or badly signed.
func DecodeRecord(entry []byte) (r *Record, ok bool, err error) {
	e, err := factom.ParseEntry(entry)
	if err != nil {
		return nil, false, err
	}
	if len(e.ExtIDs) == 0 || string(e.ExtIDs[0]) != Format {
		return nil, false, nil
	}
	bad := func(format string, args ...any) (*Record, bool, error) {
		return nil, true, wire.Faultf(wire.ErrEntryMalformed, "record: "+format, args...)
	}
	if len(e.ExtIDs) != 4 {
		return bad("%d external ids, a record has 4", len(e.ExtIDs))
	}
	r = &Record{Path: string(e.ExtIDs[1])}
	if err := checkPath(r.Path); err != nil {
		return nil, true, err
	}
	size := string(e.ExtIDs[2])
	if r.Size, err = strconv.ParseUint(size, 10, 64); err != nil || strconv.FormatUint(r.Size, 10) != size {
		return bad("size is not a decimal number")
	}
	if n, err := hex.Decode(r.SHA256[:], clipped(e.ExtIDs[3], 64)); err != nil || n != len(r.SHA256) || r.SHA256.String() != string(e.ExtIDs[3]) {
		return bad("hash is not 64 lower-case hex digits")
	}
	var c content
	if err := decodeContent(e.Content, &c); err != nil {
		return bad("content: %v", err)
	}
	r.Link, r.AtMs, r.Key = c.Link, c.AtMs, c.Key
	if !r.Key.Verify(r.digest(e.ChainID), c.Sig) {
		return nil, true, wire.Faultf(wire.ErrProof, "record of %q: its signature does not hold", r.Path)
	}
	return r, true, nil
}

// decodeContent accepts only the bytes Entry would write.
func decodeContent(b []byte, c *content) error {
	if len(b) > maxContent {
		return fmt.Errorf("%d bytes, at most %d", len(b), maxContent)
	}
	if err := json.Unmarshal(b, c); err != nil {
		return err
	}
	if again, err := json.Marshal(c); err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("not in the one form it has")
	}
	return nil
}

// checkPath accepts relative paths that stay inside the tree.
func checkPath(p string) error {
	if p == "" || len(p) > MaxPath {
		return wire.Faultf(wire.ErrBadRequest, "a path of %d bytes, 1 to %d are possible", len(p), MaxPath)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.IndexByte(part, 0) >= 0 {
			return wire.Faultf(wire.ErrBadRequest, "path %q is not a plain relative path", p)
		}
	}
	return nil
}

// clipped makes a hex decode of hostile length safe for its fixed target.
func clipped(b []byte, n int) []byte { return b[:min(len(b), n)] }
