package wire

import (
	"bytes"
	"strings"
	"testing"
)

// cheap parameters let tests open a file hundreds of times.
var cheap = KeyCrypto{Passes: 1, MemoryKiB: 8, Threads: 1}

func cheapKeyFile(t testing.TB) *KeyFile {
	f, err := newKeyFile(zeroSeed, []byte("correct horse"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestKeyFilesOpenWithTheirPassphraseOnly(t *testing.T) {
	f, err := NewKeyFile(zeroSeed, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := ParseKeyFile(f.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if g.Plain() || g.Public != zeroSeed.Public() || g.Address != zeroSeedFA || g.Crypto.MemoryKiB < 64<<10 {
		t.Errorf("%+v", g)
	}
	if k, err := g.Open([]byte("correct horse")); err != nil || k.Seed() != zeroSeed.Seed() {
		t.Errorf("%v", err)
	}
	for _, wrong := range []string{"", "correct horsf", "correct horse ", strings.Repeat("x", MaxPassphrase+1)} {
		if k, err := cheapKeyFile(t).Open([]byte(wrong)); CodeOf(err) != ErrKeyPassphrase || k.k != nil {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", MaxPassphrase+1)} {
		if _, err := NewKeyFile(zeroSeed, []byte(bad)); CodeOf(err) != ErrBadRequest {
			t.Errorf("made under a passphrase of %d bytes: %v", len(bad), err)
		}
	}
}

func TestAnEncryptedKeyFileHidesTheSeed(t *testing.T) {
	k := NewPrivateKey(filled(0x5a))
	f, err := newKeyFile(k, []byte("p"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(f.Bytes()), "5a5a5a5a") || !strings.Contains(string(PlainKeyFile(k).Bytes()), "5a5a5a5a") {
		t.Error("seed in the wrong file")
	}
	g, err := newKeyFile(k, []byte("p"), cheap)
	if err != nil || bytes.Equal(f.Crypto.Salt, g.Crypto.Salt) || bytes.Equal(f.Crypto.Nonce, g.Crypto.Nonce) {
		t.Error("salt or nonce is used twice")
	}
}

func TestPlainKeyFilesNeedNoPassphrase(t *testing.T) {
	f, err := ParseKeyFile(PlainKeyFile(zeroSeed).Bytes())
	if err != nil || !f.Plain() {
		t.Fatal(err)
	}
	for _, passphrase := range [][]byte{nil, []byte("any")} {
		if k, err := f.Open(passphrase); err != nil || k.Seed() != zeroSeed.Seed() {
			t.Error(err)
		}
	}
}

func TestEveryChangedBitOfAKeyFileIsRefused(t *testing.T) {
	for _, f := range []*KeyFile{cheapKeyFile(t), PlainKeyFile(zeroSeed)} {
		file := f.Bytes()
		for i := range file {
			for bit := range 8 {
				file[i] ^= 1 << bit
				g, err := ParseKeyFile(file)
				if err == nil && g.Crypto.MemoryKiB <= 64 && g.Crypto.Passes <= 64 {
					_, err = g.Open([]byte("correct horse"))
				}
				if code := CodeOf(err); code != ErrKeyFile && code != ErrKeyPassphrase {
					t.Fatalf("bit %d of byte %d: %v in\n%s", bit, i, err, file)
				}
				file[i] ^= 1 << bit
			}
		}
	}
}

func TestHostileKeyFilesAreRefusedBeforeWork(t *testing.T) {
	for name, change := range map[string]func(f *KeyFile){
		"format":            func(f *KeyFile) { f.Format = "cloister-key/v2" },
		"kind":              func(f *KeyFile) { f.Kind = "none" },
		"other address":     func(f *KeyFile) { f.Address = zeroFA },
		"other public key":  func(f *KeyFile) { f.Public[0] ^= 1 },
		"no pass":           func(f *KeyFile) { f.Crypto.Passes = 0 },
		"endless passes":    func(f *KeyFile) { f.Crypto.Passes = 1<<32 - 1 },
		"much memory":       func(f *KeyFile) { f.Crypto.MemoryKiB = MaxKeyMemoryKiB + 1 },
		"much work":         func(f *KeyFile) { f.Crypto.MemoryKiB, f.Crypto.Passes = MaxKeyMemoryKiB, 9 },
		"little memory":     func(f *KeyFile) { f.Crypto.MemoryKiB = 7 },
		"no thread":         func(f *KeyFile) { f.Crypto.Threads = 0 },
		"many threads":      func(f *KeyFile) { f.Crypto.Threads, f.Crypto.MemoryKiB = 257, 1<<16 },
		"short salt":        func(f *KeyFile) { f.Crypto.Salt = f.Crypto.Salt[1:] },
		"short nonce":       func(f *KeyFile) { f.Crypto.Nonce = f.Crypto.Nonce[1:] },
		"short secret":      func(f *KeyFile) { f.Crypto.Sealed = f.Crypto.Sealed[1:] },
		"seed beside it":    func(f *KeyFile) { f.Crypto.Seed = make([]byte, 32) },
		"called plain":      func(f *KeyFile) { f.Kind = KeyFilePlain },
		"plain, two forms":  func(f *KeyFile) { f.Kind, f.Crypto.Seed = KeyFilePlain, make([]byte, 32) },
		"plain, short seed": func(f *KeyFile) { *f = *PlainKeyFile(zeroSeed); f.Crypto.Seed = f.Crypto.Seed[1:] },
	} {
		f := cheapKeyFile(t)
		change(f)
		if _, err := ParseKeyFile(f.Bytes()); CodeOf(err) != ErrKeyFile {
			t.Errorf("%s, parsed: %v", name, err)
		}
		if _, err := f.Open([]byte("correct horse")); CodeOf(err) != ErrKeyFile {
			t.Errorf("%s, opened: %v", name, err)
		}
	}
	if _, err := ParseKeyFile(append(cheapKeyFile(t).Bytes(), make([]byte, MaxKeyFile)...)); CodeOf(err) != ErrKeyFile {
		t.Errorf("long file: %v", err)
	}
}

// A thief of one file must not get it opened as another key's.
func TestPublicPartAndSecretCannotBeExchanged(t *testing.T) {
	other, err := newKeyFile(NewPrivateKey([32]byte{1}), []byte("correct horse"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	f := cheapKeyFile(t)
	f.Public, f.Address = other.Public, other.Address
	if _, err := f.Open([]byte("correct horse")); CodeOf(err) != ErrKeyPassphrase {
		t.Errorf("encrypted: %v", err)
	}
	p := PlainKeyFile(zeroSeed)
	p.Public, p.Address = other.Public, other.Address
	if _, err := p.Open(nil); CodeOf(err) != ErrKeyFile {
		t.Errorf("plain: %v", err)
	}
}

func BenchmarkOpenKeyFile(b *testing.B) {
	f, err := NewKeyFile(zeroSeed, []byte("correct horse"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.Open([]byte("correct horse")); err != nil {
			b.Fatal(err)
		}
	}
}
