package wire

import "crypto/sha256"

// Account names who holds money and credits: the RCD hash of an Ed25519 key,
// SHA-256(SHA-256(01 ‖ key)), so that one balance serves Factom clients and
// native ones (factom specification §2).
type Account [32]byte

// AccountOf derives the account of a key.
func AccountOf(key PublicKey) Account {
	once := sha256.Sum256(append([]byte{1}, key[:]...))
	return sha256.Sum256(once[:])
}

// String is lower-case hex; FactoidAddress gives the human form.
func (a Account) String() string { return Hash(a).String() }

// MarshalText implements encoding.TextMarshaler.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it reads hex only.
func (a *Account) UnmarshalText(b []byte) error { return (*Hash)(a).UnmarshalText(b) }
