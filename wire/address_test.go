package wire

import (
	"strings"
	"testing"

	"github.com/mr-tron/base58"
)

// Vectors of factom specification §17.1.
const (
	zeroFA     = "FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbgu"
	zeroEC     = "EC1m9mouvUQeEidmqpUYpYtXg8fvTYi6GNHaKg8KMLbdMBrFfmUa"
	zeroSeedFs = "Fs1KWJrpLdfucvmYwN2nWrwepLn8ercpMbzXshd1g8zyhKXLVLWj"
	zeroSeedFA = "FA1zT4aFpEvcnPqPCigB3fvGu4Q4mTXY22iiuV69DqE1pNhdF2MC"
	zeroSeedEs = "Es2Rf7iM6PdsqfYCo3D1tnAR65SkLENyWJG1deUzpRMQmbh9F3eG"
	zeroSeedEC = "EC2DKSYyRcNWf7RS963VFYgMExoHRYLHVeCfQ9PGPmNzwrcmgm2r"
	nodeEs     = "Es3LB2YW9bpdWmMnNQYb31kyPzqnecsNqmg5W4K7FKp4UP6omRTa"
	nodeEC     = "EC1nje9iEd4k3hzHad4Qty7fAxKdji9Ep4ZjnRiTAcSrEDL1drU4"
	zeroRCD    = "031cce24bcc43b596af105167de2c03603c20ada3314a7cfb47befcad4883e6f"
)

func TestAddressesMatchTheVectors(t *testing.T) {
	seed := zeroSeed.Seed()
	account := AccountOf(zeroSeed.Public())
	for got, want := range map[string]string{
		FactoidAddress(Account{}): zeroFA, CreditAddress(PublicKey{}): zeroEC,
		FactoidSecret(seed): zeroSeedFs, CreditSecret(seed): zeroSeedEs,
		FactoidAddress(account): zeroSeedFA, CreditAddress(zeroSeed.Public()): zeroSeedEC,
		account.String(): zeroRCD,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	seed, kind, err := ParseSecret(nodeEs)
	if err != nil || kind != CreditSecretKind || CreditAddress(NewPrivateKey(seed).Public()) != nodeEC {
		t.Errorf("%v, %v", kind, err)
	}
}

func TestAccountsAreReadInEachFormPeopleHave(t *testing.T) {
	want := AccountOf(zeroSeed.Public())
	for _, text := range []string{zeroSeedFA, zeroSeedEC, zeroRCD, strings.ToUpper(zeroRCD)} {
		if got, err := ParseAccount(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestWrongAddressesAreExplained(t *testing.T) {
	identity := base58.Encode(append(append([]byte{0x3f, 0xbe, 0xba}, make([]byte, 32)...), checksum(append([]byte{0x3f, 0xbe, 0xba}, make([]byte, 32)...))...))
	for name, x := range map[string]struct{ text, says string }{
		"empty":             {"", "52 characters"},
		"short":             {zeroFA[:51], "has 51"},
		"long":              {zeroFA + "1", "has 53"},
		"identity key":      {identity, "has 53"},
		"mistyped":          {"FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbgv", "checksum"},
		"swapped":           {"FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbug", "checksum"},
		"forbidden letter":  {"FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbg0", "without 0, O, I and l"},
		"not ASCII":         {"FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbé", "without"},
		"leading ones":      {strings.Repeat("1", 52), "no address"},
		"too large":         {strings.Repeat("z", 52), "no address"},
		"other prefix":      {base58.Encode(withChecksum(0x5f, 0xb2)), "not known"},
		"hex with a letter": {strings.Repeat("g", 64), "64 hex digits"},
		"secret":            {zeroSeedFs, "show it to nobody"},
		"secret for credit": {zeroSeedEs, "show it to nobody"},
	} {
		_, err := ParseAccount(x.text)
		if CodeOf(err) != ErrBadRequest || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
		if len(x.text) > 2 && err != nil && strings.Contains(err.Error(), x.text[2:]) {
			t.Errorf("%s: the error quotes what may be a secret", name)
		}
	}
	for _, text := range []string{zeroFA, zeroEC, zeroRCD, ""} {
		if seed, kind, err := ParseSecret(text); CodeOf(err) != ErrBadRequest || seed != [32]byte{} || kind != 0 {
			t.Errorf("secret from %q: %v", text, err)
		}
	}
}

func withChecksum(prefix ...byte) []byte {
	b := append(prefix, make([]byte, 32)...)
	return append(b, checksum(b)...)
}

func TestEveryChangedCharacterOfAnAddressIsRefused(t *testing.T) {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	for i := range zeroSeedFA {
		for _, c := range alphabet {
			if text := zeroSeedFA[:i] + string(c) + zeroSeedFA[i+1:]; text != zeroSeedFA {
				if _, err := ParseAccount(text); err == nil {
					t.Errorf("%s is accepted", text)
				}
			}
		}
	}
}

func TestKindsAreNamedAsTheirTextStarts(t *testing.T) {
	for _, x := range addressKinds {
		for _, payload := range [][32]byte{{}, filled(0xff)} {
			text := addressText(x.kind, payload)
			if len(text) != AddressLength || !strings.HasPrefix(text, x.kind.String()) {
				t.Errorf("%s: %s", x.kind, text)
			}
		}
	}
	if AddressKind(0).String() != "unknown" || AddressKind(0).Secret() {
		t.Error("the zero kind is something")
	}
}
