package wire

import (
	"encoding"
	"errors"
	"fmt"
	"strings"
	"testing"
)

type text interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

func TestTextFormsReadBack(t *testing.T) {
	h, p, s, a, x := filled(0xab), zeroSeed.Public(), zeroSeed.Sign(Hash{}), Account(filled(0xcd)), Hex{1, 0xab}
	for _, pair := range []struct {
		value interface{ encoding.TextMarshaler }
		empty text
		size  int
	}{{h, new(Hash), 64}, {p, new(PublicKey), 64}, {s, new(Signature), 128}, {a, new(Account), 64}, {x, new(Hex), 4}} {
		b, err := pair.value.MarshalText()
		if err != nil || len(b) != pair.size || string(b) != strings.ToLower(string(b)) {
			t.Errorf("%T: %s, %v", pair.value, b, err)
		}
		if err := pair.empty.UnmarshalText(b); err != nil {
			t.Errorf("%T: %v", pair.value, err)
		}
		if again, _ := pair.empty.MarshalText(); string(again) != string(b) {
			t.Errorf("%T: %s became %s", pair.value, b, again)
		}
		for _, bad := range []string{string(b) + "0", string(b[1:]), strings.Repeat("g", len(b))} {
			if err := pair.empty.UnmarshalText([]byte(bad)); !errors.Is(err, ErrEncoding) {
				t.Errorf("%T from %q: %v", pair.value, bad, err)
			}
		}
	}
}

func TestAPrivateKeyIsNotPrinted(t *testing.T) {
	k := NewPrivateKey(filled(0xab))
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %s %+v", k, k, []PrivateKey{k}), fmt.Sprint(PrivateKey{})} {
		if strings.Contains(s, "171 171") || strings.Contains(s, "abab") || !strings.Contains(s, "private key") {
			t.Errorf("printed as %s", s)
		}
	}
}
