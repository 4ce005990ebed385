package anchor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/host/anchor"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

func network(name string) *bitcoin.Network {
	n, err := bitcoin.NetworkNamed(name)
	if err != nil {
		panic(err)
	}
	return n
}

// The key 1 is known everywhere; its segwit address is BIP 173's example.
func TestAddressesAreTheKnownOnes(t *testing.T) {
	one := strings.Repeat("0", 63) + "1"
	for _, c := range []struct{ text, kind, network, address string }{
		{one, anchor.P2WPKH, "mainnet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
		{one + "\n", anchor.P2WPKH, "testnet3", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"},
		{one, anchor.P2PKH, "mainnet", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"},
		{"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", anchor.P2PKH, "mainnet", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"},
	} {
		k, err := anchor.ParseKey(c.text, c.kind, network(c.network))
		if err != nil || k.Address() != c.address {
			t.Errorf("%s %s: %v, %v", c.kind, c.network, k, err)
		}
	}
}

func TestWhatIsNoKeyIsRefusedWithoutShowingIt(t *testing.T) {
	order := "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	for name, c := range map[string]struct{ text, kind, network string }{
		"nothing":         {"", anchor.P2WPKH, "mainnet"},
		"zero":            {strings.Repeat("0", 64), anchor.P2WPKH, "mainnet"},
		"the order":       {order, anchor.P2WPKH, "mainnet"},
		"short":           {"abcd", anchor.P2WPKH, "mainnet"},
		"long":            {strings.Repeat("1", 300), anchor.P2WPKH, "mainnet"},
		"other network":   {"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", anchor.P2WPKH, "simnet"},
		"bad checksum":    {"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWm", anchor.P2WPKH, "mainnet"},
		"uncompressed":    {"5HpHagT65TZzG1PH3CSu63k8DbpvD8s5ip4nEB3kEsreAnchuDf", anchor.P2WPKH, "mainnet"},
		"unknown address": {strings.Repeat("1", 64), "p2tr", "mainnet"},
	} {
		_, err := anchor.ParseKey(c.text, c.kind, network(c.network))
		if wire.CodeOf(err) != wire.ErrBadRequest || len(c.text) > 3 && strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Repeat("1", 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := anchor.ReadKey(path, anchor.P2WPKH, simnet()); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o622} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := anchor.ReadKey(path, anchor.P2WPKH, simnet()); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(strings.Repeat("1", 64))
	f.Add("KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := anchor.ParseKey(text, anchor.P2WPKH, network("mainnet")); err == nil && !strings.HasPrefix(k.Address(), "bc1q") {
			t.Fatal(k.Address())
		}
	})
}
