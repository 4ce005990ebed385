package factom

import (
	"bytes"

	"github.com/mr-tron/base58"

	"cloister/wire"
)

// RCD1 is the redeem condition of type 1 of a key: 01 ‖ key. Whoever signs with
// the key satisfies it. No other type is in use.
func RCD1(key wire.PublicKey) (rcd [33]byte) {
	rcd[0] = 1
	copy(rcd[1:], key[:])
	return rcd
}

// RCDHash is SHA-256d(RCD1(key)): the key's factoid address, and as a level's
// key in an identity chain its identity key.
func RCDHash(key wire.PublicKey) wire.Hash { return wire.Hash(wire.AccountOf(key)) }

// IdentityLevels is how many keys an identity has, counted from 1.
const IdentityLevels = 4

// IdentityTextLength is the number of characters of an identity key's text.
const IdentityTextLength = 53

// The bytes that make the texts start with id1 to id4 and sk1 to sk4.
var (
	identityPublic = [IdentityLevels][3]byte{{0x3f, 0xbe, 0xba}, {0x3f, 0xbe, 0xd8}, {0x3f, 0xbe, 0xf6}, {0x3f, 0xbf, 0x14}}
	identitySecret = [IdentityLevels][3]byte{{0x4d, 0xb6, 0xc9}, {0x4d, 0xb6, 0xe7}, {0x4d, 0xb7, 0x05}, {0x4d, 0xb7, 0x23}}
)

// IdentityKeyText is the text of an identity key, the RCDHash of a public key,
// of level 1 to 4: id1… to id4…. It panics on another level.
func IdentityKeyText(level int, key wire.Hash) string {
	return identityText(identityPublic[level-1], key)
}

// IdentitySecretText is the text of the seed of an identity key of level 1 to
// 4: sk1… to sk4…. It panics on another level.
func IdentitySecretText(level int, seed [32]byte) string {
	return identityText(identitySecret[level-1], seed)
}

// ParseIdentityKey reads id1… to id4…. Errors carry ErrBadRequest and never
// quote the text, which may be a secret.
func ParseIdentityKey(text string) (level int, key wire.Hash, err error) {
	level, payload, secret, err := parseIdentityText(text)
	if err == nil && secret {
		return 0, wire.Hash{}, wire.Faultf(wire.ErrBadRequest, "this is the secret key sk%d…: show it to nobody, and give the id%d… text", level, level)
	}
	return level, payload, err
}

// ParseIdentitySecret reads sk1… to sk4…. The seed is wire.NewPrivateKey's
// argument. Errors carry ErrBadRequest and never quote the text.
func ParseIdentitySecret(text string) (level int, seed [32]byte, err error) {
	level, payload, secret, err := parseIdentityText(text)
	if err == nil && !secret {
		return 0, [32]byte{}, wire.Faultf(wire.ErrBadRequest, "this is the public key id%d…; a secret key of an identity starts with sk", level)
	}
	return level, payload, err
}

// identityText is base58(prefix ‖ payload ‖ first 4 bytes of SHA-256d of both).
func identityText(prefix [3]byte, payload [32]byte) string {
	b := append(prefix[:], payload[:]...)
	sum := doubleHash(b)
	return base58.Encode(append(b, sum[:4]...))
}

func parseIdentityText(text string) (level int, payload [32]byte, secret bool, err error) {
	bad := func(format string, args ...any) (int, [32]byte, bool, error) {
		return 0, [32]byte{}, false, wire.Faultf(wire.ErrBadRequest, format, args...)
	}
	if len(text) != IdentityTextLength {
		return bad("an identity key has %d characters, this has %d", IdentityTextLength, len(text))
	}
	b, err := base58.Decode(text)
	switch {
	case err != nil:
		return bad("an identity key has only letters and digits, without 0, O, I and l")
	case len(b) != 3+32+4 || base58.Encode(b) != text:
		return bad("this is no identity key: id1 to id4 and sk1 to sk4 are known")
	}
	if sum := doubleHash(b[:35]); !bytes.Equal(b[35:], sum[:4]) {
		return bad("the identity key has a wrong checksum: a character is mistyped or missing")
	}
	prefix, payload := [3]byte(b), [32]byte(b[3:35])
	for i := range IdentityLevels {
		switch prefix {
		case identityPublic[i]:
			return i + 1, payload, false, nil
		case identitySecret[i]:
			return i + 1, payload, true, nil
		}
	}
	return bad("this kind of key is not known: id1 to id4 and sk1 to sk4 are")
}
