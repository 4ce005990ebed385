package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"

	"cloister/wire"
)

// Anchor is a trusted root certificate.
type Anchor struct {
	_         struct{} `cbor:",toarray"`
	Vendor    Vendor
	DER       []byte
	Product   string // AMD: the product line it is the ARK of; else empty
	Simulated bool   // of simulated hardware
}

// ID is the SHA-256 of the certificate.
func (a *Anchor) ID() wire.Hash { return sha256.Sum256(a.DER) }

// ItemType is a sort of collateral. Wire values, never reused.
type ItemType uint8

// Types of collateral and how their Key.Name is formed.
const (
	TCBInfo    ItemType = 1 // "SGX/<fmspc>" or "TDX/<fmspc>", 12 lower-case hex digits
	QEIdentity ItemType = 2 // "QE" or "TD_QE"
	CRL        ItemType = 3 // lower-case hex SHA-256 of the issuer's SubjectPublicKeyInfo
	AMDChain   ItemType = 4 // "<product>/vcek" or "<product>/vlek", product as "Milan"
)

// Key names one item of collateral; the newest item under a key is the one in force.
type Key struct {
	_    struct{} `cbor:",toarray"`
	Type ItemType
	Name string
}

// String is a readable form.
func (k Key) String() string { return fmt.Sprintf("%s %s", k.Type, k.Name) }

// String is the type's name.
func (t ItemType) String() string {
	switch t {
	case TCBInfo:
		return "tcb-info"
	case QEIdentity:
		return "qe-identity"
	case CRL:
		return "crl"
	case AMDChain:
		return "amd-chain"
	}
	return fmt.Sprintf("item-%d", uint8(t))
}

// Bounds of one item.
const (
	MaxItemBody = 32 << 10
	MaxItem     = 48 << 10
)

// Item is collateral in the vendor's own signed form.
type Item struct {
	_    struct{} `cbor:",toarray"`
	Type ItemType
	// Body: TCBInfo and QEIdentity the exact JSON text that is signed; CRL the
	// DER; AMDChain the intermediate certificate (ASK or ASVK), DER.
	Body []byte
	// Signature over Body, 64 bytes r‖s, for TCBInfo and QEIdentity; else empty.
	Signature []byte
	// Chain is who signed it, leaf first, DER, the anchor last. For a CRL: its
	// issuer first. Empty if the issuer is an anchor itself.
	Chain [][]byte
}

// Freshness orders items under one key: a newer one has a later Issued and a
// Number that is not lower.
type Freshness struct {
	_       struct{} `cbor:",toarray"`
	Issued  int64    // Unix seconds
	Expires int64    // Unix seconds
	Number  uint64   // Intel: tcbEvaluationDataNumber; CRL: its number; else 0
}

// Newer reports whether f may replace old.
func (f Freshness) Newer(old Freshness) bool { return f.Issued > old.Issued && f.Number >= old.Number }

// Source hands verifiers what they rely on: ledger state in the core, files on
// an auditor's machine.
type Source interface {
	// Anchors lists the trusted roots of a vendor by ascending ID.
	Anchors(v Vendor) []Anchor
	// Item returns the item in force under a key.
	Item(k Key) (Item, bool)
}

// Set is a Source in memory.
type Set struct {
	Trusted []Anchor
	Items   map[Key]Item
}

// Anchors implements Source.
func (s *Set) Anchors(v Vendor) []Anchor {
	var out []Anchor
	for _, a := range s.Trusted {
		if a.Vendor == v {
			out = append(out, a)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].ID(), out[j].ID()
		return hex.EncodeToString(a[:]) < hex.EncodeToString(b[:])
	})
	return out
}

// Item implements Source.
func (s *Set) Item(k Key) (Item, bool) { i, ok := s.Items[k]; return i, ok }

// Add puts an item under a key.
func (s *Set) Add(k Key, i Item) {
	if s.Items == nil {
		s.Items = map[Key]Item{}
	}
	s.Items[k] = i
}
