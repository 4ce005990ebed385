package wire

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Kinds of key file.
const (
	KeyFileEncrypted = "encrypted" // argon2id over a passphrase, then XChaCha20-Poly1305
	KeyFilePlain     = "plain"     // the seed in the clear, for development networks
)

// Bounds of a key file. Work is memory times passes: whoever is given a file
// and asked for its passphrase must not be made to spend more than that, a few
// seconds on a slow machine.
const (
	MaxKeyFile       = 4096
	MaxPassphrase    = 1024      // bytes
	MaxKeyMemoryKiB  = 256 << 10 // of argon2id
	maxKeyWorkKiB    = 8 * MaxKeyMemoryKiB
	maxKeyThreads    = 16
	keyFileFormat    = "cloister-key/v1"
	keySaltSize      = 16
	sealedSeedLength = 32 + chacha20poly1305.Overhead
)

// keyCost is what new files cost to open: the second recommendation of RFC
// 9106 §4, for machines where 2 GiB per opening is too much.
var keyCost = KeyCrypto{Passes: 3, MemoryKiB: 64 << 10, Threads: 4}

// KeyFile is a private key at rest. The public part lets a program show what
// the file is for without asking for the passphrase; it is bound to the secret
// part, so that neither can be exchanged.
type KeyFile struct {
	Format  string    `json:"format"`
	Kind    string    `json:"kind"`
	Public  PublicKey `json:"public"`
	Address string    `json:"address"` // FactoidAddress of the key's account
	Crypto  KeyCrypto `json:"crypto"`
}

// KeyCrypto is the secret part: of an encrypted file everything but Seed, of a
// plain file only Seed.
type KeyCrypto struct {
	Passes    uint32 `json:"argon2id_passes,omitempty"`
	MemoryKiB uint32 `json:"argon2id_memory_kib,omitempty"`
	Threads   uint32 `json:"argon2id_threads,omitempty"`
	Salt      Hex    `json:"salt,omitempty"`
	Nonce     Hex    `json:"nonce,omitempty"`
	Sealed    Hex    `json:"xchacha20poly1305,omitempty"`
	Seed      Hex    `json:"seed,omitempty"`
}

// NewKeyFile encrypts a key under a passphrase of 1 to MaxPassphrase bytes,
// used as they are. Errors carry ErrBadRequest.
func NewKeyFile(key PrivateKey, passphrase []byte) (*KeyFile, error) {
	return newKeyFile(key, passphrase, keyCost)
}

func newKeyFile(key PrivateKey, passphrase []byte, cost KeyCrypto) (*KeyFile, error) {
	if len(passphrase) == 0 || len(passphrase) > MaxPassphrase {
		return nil, Faultf(ErrBadRequest, "a passphrase has 1 to %d bytes, this has %d", MaxPassphrase, len(passphrase))
	}
	f := clearKeyFile(key, KeyFileEncrypted)
	f.Crypto = cost
	f.Crypto.Salt, f.Crypto.Nonce = make([]byte, keySaltSize), make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(f.Crypto.Salt)
	rand.Read(f.Crypto.Nonce)
	seed, binding := key.Seed(), f.binding()
	aead, err := chacha20poly1305.NewX(f.stretch(passphrase))
	if err != nil {
		return nil, Faultf(ErrInternal, "key file: %v", err)
	}
	f.Crypto.Sealed = aead.Seal(nil, f.Crypto.Nonce, seed[:], binding[:])
	return f, nil
}

// PlainKeyFile stores the key in the clear. Whoever reads the file has the
// key: callers make one only when the user asked for it by name.
func PlainKeyFile(key PrivateKey) *KeyFile {
	f, seed := clearKeyFile(key, KeyFilePlain), key.Seed()
	f.Crypto.Seed = seed[:]
	return f
}

func clearKeyFile(key PrivateKey, kind string) *KeyFile {
	public := key.Public()
	return &KeyFile{Format: keyFileFormat, Kind: kind, Public: public, Address: FactoidAddress(AccountOf(public))}
}

// Bytes is the file's content. It belongs in a file only its owner can read.
func (f *KeyFile) Bytes() []byte { return EncodeJSON(f) }

// ParseKeyFile reads a key file without opening it: its public fields are
// claims until Open confirms them. Errors carry ErrKeyFile.
func ParseKeyFile(file []byte) (*KeyFile, error) {
	f := new(KeyFile)
	if err := DecodeJSON(file, f, MaxKeyFile); err != nil {
		return nil, Faultf(ErrKeyFile, "%v", err)
	}
	if err := f.check(); err != nil {
		return nil, Faultf(ErrKeyFile, "%v", err)
	}
	return f, nil
}

func (f *KeyFile) check() error {
	c := &f.Crypto
	switch {
	case f.Format != keyFileFormat:
		return fmt.Errorf("format %q, this program knows %s", clip(f.Format), keyFileFormat)
	case f.Address != FactoidAddress(AccountOf(f.Public)):
		return fmt.Errorf("the address does not belong to the public key")
	case f.Kind == KeyFilePlain:
		if len(c.Seed) != 32 || c.Passes|c.MemoryKiB|c.Threads != 0 || len(c.Salt)+len(c.Nonce)+len(c.Sealed) != 0 {
			return fmt.Errorf("a plain key file holds a seed of 32 bytes and nothing else")
		}
		return nil
	case f.Kind != KeyFileEncrypted:
		return fmt.Errorf("kind %q, this program knows %s and %s", clip(f.Kind), KeyFileEncrypted, KeyFilePlain)
	case len(c.Salt) != keySaltSize || len(c.Nonce) != chacha20poly1305.NonceSizeX || len(c.Sealed) != sealedSeedLength || len(c.Seed) != 0:
		return fmt.Errorf("salt, nonce or sealed seed is missing or has a wrong length")
	case c.Passes == 0 || c.Threads == 0 || c.Threads > maxKeyThreads || c.MemoryKiB < 8*c.Threads || c.MemoryKiB > MaxKeyMemoryKiB:
		return fmt.Errorf("argon2id parameters out of bounds")
	case uint64(c.Passes)*uint64(c.MemoryKiB) > maxKeyWorkKiB:
		return fmt.Errorf("opening it would cost %d passes over %d KiB, too much", c.Passes, c.MemoryKiB)
	}
	return nil
}

// Plain reports whether the key lies in the clear.
func (f *KeyFile) Plain() bool { return f.Kind == KeyFilePlain }

// Open returns the private key; a plain file needs no passphrase and ignores
// it. Errors carry ErrKeyPassphrase, or ErrKeyFile when the key is not the one
// the file claims.
func (f *KeyFile) Open(passphrase []byte) (PrivateKey, error) {
	if err := f.check(); err != nil {
		return PrivateKey{}, Faultf(ErrKeyFile, "%v", err)
	}
	seed := []byte(f.Crypto.Seed)
	if !f.Plain() {
		if len(passphrase) > MaxPassphrase {
			return PrivateKey{}, Faultf(ErrKeyPassphrase, "a passphrase has 1 to %d bytes, this has %d", MaxPassphrase, len(passphrase))
		}
		aead, err := chacha20poly1305.NewX(f.stretch(passphrase))
		if err != nil {
			return PrivateKey{}, Faultf(ErrInternal, "key file: %v", err)
		}
		binding := f.binding()
		if seed, err = aead.Open(nil, f.Crypto.Nonce, f.Crypto.Sealed, binding[:]); err != nil {
			return PrivateKey{}, Faultf(ErrKeyPassphrase, "the passphrase is wrong, or the file was changed")
		}
	}
	key := NewPrivateKey([32]byte(seed))
	if key.Public() != f.Public {
		return PrivateKey{}, Faultf(ErrKeyFile, "the public key is not that of the secret")
	}
	return key, nil
}

// stretch makes the encryption key of a passphrase.
func (f *KeyFile) stretch(passphrase []byte) []byte {
	c := &f.Crypto
	return argon2.IDKey(passphrase, c.Salt, c.Passes, c.MemoryKiB, uint8(c.Threads), chacha20poly1305.KeySize)
}

// binding covers every field in the clear; it is the associated data.
func (f *KeyFile) binding() Hash {
	c := &f.Crypto
	return TH("cloister/key-file/v1", []byte(f.Format), []byte(f.Kind), f.Public[:], []byte(f.Address),
		U32(c.Passes), U32(c.MemoryKiB), U32(c.Threads), c.Salt, c.Nonce)
}
