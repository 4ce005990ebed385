package trust

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cloister/evidence"
	"cloister/wire"
)

// Class is what sort of hardware a root endorses. Wire values, never reused.
type Class uint8

// Classes.
const (
	DiscreteTPM Class = 1
	FirmwareTPM Class = 2
	VirtualTPM  Class = 3
	CPU         Class = 4
	Emulated    Class = 5 // only on test networks
)

var classNames = map[Class]string{
	DiscreteTPM: "discrete-tpm", FirmwareTPM: "firmware-tpm", VirtualTPM: "virtual-tpm", CPU: "cpu", Emulated: "emulated",
}

// Fits reports whether a vendor makes hardware of the class.
func (c Class) Fits(v evidence.Vendor) bool {
	switch v {
	case evidence.Intel, evidence.AMD:
		return c == CPU || c == Emulated
	case evidence.TPMMaker:
		return c == DiscreteTPM || c == FirmwareTPM || c == VirtualTPM || c == Emulated
	}
	return false
}

// Mode is how far a revocation of a root goes. Wire values, never reused; a
// higher one goes further.
type Mode uint8

// Modes.
const (
	NoNewcomers Mode = 1 // evidence that ends in the root is refused from now on
	SuspendAll  Mode = 2 // also what is registered under it is suspended
)

// Bounds of a root.
const (
	MaxRootDER = 8 << 10
	MaxName    = 64 // bytes, UTF-8
)

// Root is a maker's certificate that evidence may end in, with the limits on
// what joins under it. Stored under RootKey.
type Root struct {
	_            struct{} `cbor:",toarray"`
	Vendor       evidence.Vendor
	DER          []byte // X.509
	Name         string // for people
	Product      string // AMD: the product line; else empty
	Class        Class
	MaxDevices   uint32 // 0: no limit
	SeatCap      uint16 // seats in one committee; 0: no limit
	IssuePercent uint8  // of the credit a device of another root would be given
	Simulated    bool
	Added        uint64 // height; 0: in the genesis
	Revoked      uint64 // height; 0: not revoked
	Mode         Mode   // of the revocation; 0: not revoked
}

// RootID names a root: TH("cloister/root/v1", u8 vendor, certificate).
func RootID(v evidence.Vendor, der []byte) wire.Hash {
	return wire.TH("cloister/root/v1", []byte{byte(v)}, der)
}

// ID is the root's RootID.
func (r *Root) ID() wire.Hash { return RootID(r.Vendor, r.DER) }

// Anchor is the root as verifiers need it.
func (r *Root) Anchor() evidence.Anchor {
	return evidence.Anchor{Vendor: r.Vendor, DER: r.DER, Product: r.Product, Simulated: r.Simulated}
}

// check judges the form of what an order adds.
func (r *Root) check() error {
	switch {
	case !knownVendor(r.Vendor):
		return malformed("root of unknown vendor %d", uint8(r.Vendor))
	case len(r.DER) == 0 || len(r.DER) > MaxRootDER:
		return malformed("root certificate of %d bytes, 1 to %d", len(r.DER), MaxRootDER)
	case !readable(r.Name, MaxName) || r.Name == "":
		return malformed("the root's name must be 1 to %d printable bytes", MaxName)
	case (r.Vendor == evidence.AMD) != (r.Product != "") || !readable(r.Product, MaxName):
		return malformed("a root of AMD names its product line, no other does")
	case classNames[r.Class] == "":
		return malformed("root of unknown class %d", uint8(r.Class))
	case r.IssuePercent > 100:
		return malformed("issue of %d percent, at most 100", r.IssuePercent)
	case r.Added != 0 || r.Revoked != 0 || r.Mode != 0:
		return malformed("heights and revocation of a root are the ledger's to fill")
	}
	return nil
}

func knownVendor(v evidence.Vendor) bool {
	return v == evidence.Intel || v == evidence.AMD || v == evidence.TPMMaker
}

// readable checks a text for people: bounded, valid, without control characters.
func readable(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrMalformed, format, args...)
}
