package trust

import (
	"fmt"

	"cloister/evidence"
	"cloister/wire"
)

// vendor gives a vendor a text form.
type vendor evidence.Vendor

var vendorNames = map[vendor]string{
	vendor(evidence.Intel): "intel", vendor(evidence.AMD): "amd", vendor(evidence.TPMMaker): "tpm",
}

// itemType gives a type of collateral a text form.
type itemType evidence.ItemType

var itemTypeNames = map[itemType]string{
	itemType(evidence.TCBInfo): evidence.TCBInfo.String(), itemType(evidence.QEIdentity): evidence.QEIdentity.String(),
	itemType(evidence.CRL): evidence.CRL.String(), itemType(evidence.AMDChain): evidence.AMDChain.String(),
}

var algNames = map[alg]string{alg(SHA256): "sha-256", alg(SHA384): "sha-384"}

// alg gives a digest algorithm a text form.
type alg uint8

// String is the class's name.
func (c Class) String() string { return nameOf(c, classNames) }

// String is the component's name.
func (c Component) String() string { return nameOf(c, componentNames) }

// MarshalText implements encoding.TextMarshaler.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors wrap wire.ErrEncoding.
func (c *Class) UnmarshalText(text []byte) error { return parse(c, classNames, text) }

// MarshalText implements encoding.TextMarshaler.
func (c Component) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors wrap wire.ErrEncoding.
func (c *Component) UnmarshalText(text []byte) error { return parse(c, componentNames, text) }

func (v vendor) MarshalText() ([]byte, error)     { return []byte(nameOf(v, vendorNames)), nil }
func (v *vendor) UnmarshalText(text []byte) error { return parse(v, vendorNames, text) }

func (t itemType) MarshalText() ([]byte, error)     { return []byte(nameOf(t, itemTypeNames)), nil }
func (t *itemType) UnmarshalText(text []byte) error { return parse(t, itemTypeNames, text) }

func (a alg) MarshalText() ([]byte, error)     { return []byte(nameOf(a, algNames)), nil }
func (a *alg) UnmarshalText(text []byte) error { return parse(a, algNames, text) }

func nameOf[T ~uint8](v T, names map[T]string) string {
	if n := names[v]; n != "" {
		return n
	}
	return fmt.Sprintf("number-%d", uint8(v))
}

// parse finds the value with a name.
func parse[T ~uint8](into *T, names map[T]string, text []byte) error {
	for v, n := range names { //deterministic: names are distinct
		if n == string(text) {
			*into = v
			return nil
		}
	}
	return fmt.Errorf("%w: nothing is called %.40q here", wire.ErrEncoding, text)
}
