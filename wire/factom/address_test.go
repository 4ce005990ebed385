package factom

import (
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"cloister/wire"
)

func TestRedeemConditionsHashToAddresses(t *testing.T) {
	rcd := RCD1(zeroKey.Public())
	is(t, "the condition", rcd[:], "013b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
	isHash(t, "its hash", RCDHash(zeroKey.Public()), "031cce24bcc43b596af105167de2c03603c20ada3314a7cfb47befcad4883e6f")
	for text, want := range map[string]string{
		wire.FactoidAddress(wire.Account(RCDHash(zeroKey.Public()))): "FA1zT4aFpEvcnPqPCigB3fvGu4Q4mTXY22iiuV69DqE1pNhdF2MC",
		wire.FactoidAddress(wire.Account{}):                          "FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbgu",
		wire.CreditAddress(wire.PublicKey{}):                         "EC1m9mouvUQeEidmqpUYpYtXg8fvTYi6GNHaKg8KMLbdMBrFfmUa",
		wire.CreditAddress(zeroKey.Public()):                         "EC2DKSYyRcNWf7RS963VFYgMExoHRYLHVeCfQ9PGPmNzwrcmgm2r",
		wire.FactoidSecret(zeroKey.Seed()):                           "Fs1KWJrpLdfucvmYwN2nWrwepLn8ercpMbzXshd1g8zyhKXLVLWj",
		wire.CreditSecret(zeroKey.Seed()):                            "Es2Rf7iM6PdsqfYCo3D1tnAR65SkLENyWJG1deUzpRMQmbh9F3eG",
	} {
		if text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	seed, kind, err := wire.ParseSecret("Es3LB2YW9bpdWmMnNQYb31kyPzqnecsNqmg5W4K7FKp4UP6omRTa")
	if err != nil || kind != wire.CreditSecretKind {
		t.Fatal(err)
	}
	if got := wire.CreditAddress(wire.NewPrivateKey(seed).Public()); got != "EC1nje9iEd4k3hzHad4Qty7fAxKdji9Ep4ZjnRiTAcSrEDL1drU4" {
		t.Errorf("the node's key is %s", got)
	}
}

// The identity of specification §17.6.
const (
	levelOneSeed   = "f84a80f204c8e5e4369a80336919f55885d0b093505d84b80d12f9c08b81cd5e"
	levelOneSecret = "sk13iLKJfxNQg8vpSmjacEgEQAnXkn7rbjd5ewexc1Un5wVPa7KTk"
	levelOneKey    = "id12K4tCXKcJJYxJmZ1UY9EuKPvtGVAjo32xySMKNUahbmRcsqFgW"
)

func TestTheIdentityMatchesTheVector(t *testing.T) {
	key := wire.NewPrivateKey(hashOf(levelOneSeed))
	isHash(t, "the level 1 key", RCDHash(key.Public()), "3f2b77bca02392c95149dc769a78bc758b1037b6a546011b163af0d492b1bcc0")
	if got := IdentitySecretText(1, key.Seed()); got != levelOneSecret {
		t.Errorf("the secret is %s", got)
	}
	if got := IdentityKeyText(1, RCDHash(key.Public())); got != levelOneKey {
		t.Errorf("the key is %s", got)
	}

	chain := ChainID([][]byte{
		{0}, []byte("Identity Chain"),
		unhex("3f2b77bca02392c95149dc769a78bc758b1037b6a546011b163af0d492b1bcc0"),
		unhex("58190cd60b8a3dd32f3e836e8f1f0b13e9ca1afff16416806c798f8d944c2c72"),
		unhex("b246833125481636108cedc2961338c1368c41c73e2c6e016e224dfe41f0ac23"),
		unhex("12db35739303a13861c14862424e90f116a594eaee25811955423dce33e500b6"),
		unhex("0000000000c512c7"),
	})
	isHash(t, "the identity's chain", chain, "888888d027c59579fc47a6fc6c4a5c0409c7c39bc38a86cb5fc0069978493762")

	message := append([]byte("\x00Register Factom Identity"), chain[:]...)
	signature := key.SignMessage(message)
	is(t, "the registration's signature", signature[:], "764974ae61de0d57507b80da61a809382e699cf0e31be44a5d357bd6c93d12fa6746b29c80f7184bd3c715eb910035d4dac2d8ecb1c4b731692e68631c69a503")
}

func TestIdentityTextsReadBack(t *testing.T) {
	for level := 1; level <= IdentityLevels; level++ {
		for i := range uint64(50) {
			payload := someHash(i)
			public, secret := IdentityKeyText(level, payload), IdentitySecretText(level, payload)
			digit := string(rune('0' + level))
			if !strings.HasPrefix(public, "id"+digit) || !strings.HasPrefix(secret, "sk"+digit) || len(public) != IdentityTextLength || len(secret) != IdentityTextLength {
				t.Errorf("level %d: %s, %s", level, public, secret)
			}
			if l, p, err := ParseIdentityKey(public); err != nil || l != level || p != payload {
				t.Errorf("%s is read as level %d, %s, %v", public, l, p, err)
			}
			if l, p, err := ParseIdentitySecret(secret); err != nil || l != level || p != payload {
				t.Errorf("%s is read as level %d, %x, %v", secret, l, p, err)
			}
		}
	}
}

func TestWrongIdentityTextsAreRefusedAndNotRepeated(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "one character less": levelOneKey[1:], "one character more": levelOneKey + "1",
		"mistyped": strings.Replace(levelOneKey, "K4", "K5", 1), "not of the alphabet": strings.Replace(levelOneKey, "K4", "K0", 1),
		"another kind": "1" + wire.CreditSecret(zeroKey.Seed()), "all ones": strings.Repeat("1", IdentityTextLength),
		"a prefix of two bytes": strings.Repeat("1", 2) + base58.Encode(append([]byte{1}, make([]byte, 36)...)),
		"unknown prefix":        identityText([3]byte{0x3f, 0xbe, 0xbb}, [32]byte{}),
	} {
		for _, parse := range []func(string) (int, [32]byte, error){
			func(s string) (int, [32]byte, error) { l, k, err := ParseIdentityKey(s); return l, k, err },
			ParseIdentitySecret,
		} {
			_, _, err := parse(text)
			if wire.CodeOf(err) != wire.ErrBadRequest {
				t.Errorf("%s: %v", name, err)
			} else if text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error repeats the text", name)
			}
		}
	}
	if _, key, err := ParseIdentityKey(levelOneSecret); wire.CodeOf(err) != wire.ErrBadRequest || !key.IsZero() || strings.Contains(err.Error(), levelOneSecret) {
		t.Errorf("a secret was taken for a key: %v", err)
	}
	if _, seed, err := ParseIdentitySecret(levelOneKey); wire.CodeOf(err) != wire.ErrBadRequest || seed != [32]byte{} {
		t.Errorf("a key was taken for a secret: %v", err)
	}
}
