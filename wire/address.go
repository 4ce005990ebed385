package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/mr-tron/base58"
)

// AddressKind says what a text address holds.
type AddressKind uint8

// Kinds of address, by how their text starts.
const (
	FactoidAddressKind AddressKind = 1 // FA: the hash of a key, that is, an account
	CreditAddressKind  AddressKind = 2 // EC: an Ed25519 public key
	FactoidSecretKind  AddressKind = 3 // Fs: an Ed25519 seed
	CreditSecretKind   AddressKind = 4 // Es: an Ed25519 seed
)

// AddressLength is the number of characters of every text address.
const AddressLength = 52

// addressKinds holds, per kind, the two bytes that make the text start as it does.
var addressKinds = [...]struct {
	kind   AddressKind
	prefix [2]byte
	start  string
}{
	{FactoidAddressKind, [2]byte{0x5f, 0xb1}, "FA"},
	{CreditAddressKind, [2]byte{0x59, 0x2a}, "EC"},
	{FactoidSecretKind, [2]byte{0x64, 0x78}, "Fs"},
	{CreditSecretKind, [2]byte{0x5d, 0xb6}, "Es"},
}

// String is how the kind's text starts: FA, EC, Fs or Es.
func (k AddressKind) String() string {
	for _, x := range addressKinds {
		if x.kind == k {
			return x.start
		}
	}
	return "unknown"
}

// Secret reports whether such a text must be kept to oneself.
func (k AddressKind) Secret() bool { return k == FactoidSecretKind || k == CreditSecretKind }

// FactoidAddress is the text of an account, FA….
func FactoidAddress(a Account) string { return addressText(FactoidAddressKind, a) }

// CreditAddress is the text of a public key as holder of entry credits, EC….
func CreditAddress(p PublicKey) string { return addressText(CreditAddressKind, p) }

// FactoidSecret is the text of a seed whose key holds factoids, Fs….
func FactoidSecret(seed [32]byte) string { return addressText(FactoidSecretKind, seed) }

// CreditSecret is the text of a seed whose key holds entry credits, Es….
func CreditSecret(seed [32]byte) string { return addressText(CreditSecretKind, seed) }

// addressText is base58(prefix ‖ payload ‖ first 4 bytes of SHA-256d of both).
func addressText(kind AddressKind, payload [32]byte) string {
	for _, x := range addressKinds {
		if x.kind == kind {
			b := append(x.prefix[:], payload[:]...)
			return base58.Encode(append(b, checksum(b)...))
		}
	}
	panic("wire: unknown address kind")
}

func checksum(b []byte) []byte {
	once := sha256.Sum256(b)
	twice := sha256.Sum256(once[:])
	return twice[:4]
}

// ParseAddress reads any text address. Errors carry ErrBadRequest and never
// quote the text, which may be a secret.
func ParseAddress(text string) (kind AddressKind, payload [32]byte, err error) {
	bad := func(format string, args ...any) (AddressKind, [32]byte, error) {
		return 0, [32]byte{}, Faultf(ErrBadRequest, format, args...)
	}
	if len(text) != AddressLength {
		return bad("an address has %d characters, this has %d", AddressLength, len(text))
	}
	b, err := base58.Decode(text)
	switch {
	case err != nil:
		return bad("an address has only letters and digits, without 0, O, I and l")
	case len(b) != 38 || base58.Encode(b) != text:
		return bad("this is no address: FA, EC, Fs and Es are known")
	case !bytes.Equal(b[34:], checksum(b[:34])):
		return bad("the address has a wrong checksum: a character is mistyped or missing")
	}
	for _, x := range addressKinds {
		if x.prefix == [2]byte(b) {
			return x.kind, [32]byte(b[2:34]), nil
		}
	}
	return bad("this kind of address is not known: FA, EC, Fs and Es are")
}

// ParseAccount reads an account in each form people have it: FA text, EC text
// (the account of that key), or 64 hex digits. Errors carry ErrBadRequest.
func ParseAccount(text string) (a Account, err error) {
	if len(text) == 2*len(a) {
		b, err := hex.DecodeString(text)
		if err != nil {
			return a, Faultf(ErrBadRequest, "an account is an FA or EC address or 64 hex digits: %v", err)
		}
		return Account(b), nil
	}
	kind, payload, err := ParseAddress(text)
	switch {
	case err != nil:
		return a, err
	case kind.Secret():
		return a, Faultf(ErrBadRequest, "this is the secret key %s…, not an address: show it to nobody, and give the FA or EC address", kind)
	case kind == CreditAddressKind:
		return AccountOf(payload), nil
	}
	return payload, nil
}

// ParseSecret reads Fs or Es text. The seed is NewPrivateKey's argument.
// Errors carry ErrBadRequest and never quote the text.
func ParseSecret(text string) (seed [32]byte, kind AddressKind, err error) {
	kind, seed, err = ParseAddress(text)
	switch {
	case err != nil:
		return [32]byte{}, 0, err
	case !kind.Secret():
		return [32]byte{}, 0, Faultf(ErrBadRequest, "this is the public address %s…; a secret key starts with Fs or Es", kind)
	}
	return seed, kind, nil
}
