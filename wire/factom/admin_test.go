package factom

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloister/wire"
)

// adminMessages has one message of every type, with its bytes by the table of
// specification §6.5. ID, KEY and SIG stand for fields.
var adminMessages = []struct {
	message AdminMessage
	bytes   string
}{
	{&MinuteEnd{3}, "00 03"},
	{&BlockSignature{adminID, adminKey, adminSig}, "01 ID KEY SIG"},
	{&MHash{AdminRevealMHash, adminID, wire.Hash(adminKey)}, "02 ID KEY"},
	{&MHash{AdminAddMHash, adminID, wire.Hash(adminKey)}, "03 ID KEY"},
	{&ServerCount{1}, "04 01"},
	{&ServerChange{AdminAddFederated, adminID, 0x01020304}, "05 ID 01020304"},
	{&ServerChange{AdminAddAudit, adminID, 5}, "06 ID 00000005"},
	{&ServerChange{AdminRemoveServer, adminID, 6}, "07 ID 00000006"},
	{&SigningKey{adminID, 2, adminKey, 7}, "08 ID 02 KEY 00000007"},
	{&BitcoinKey{adminID, 1, 1, [20]byte{0: 9, 19: 8}}, "09 ID 01 01 0900000000000000000000000000000000000008"},
	{&ServerFault{vectorTime, adminID, wire.Hash(adminKey), 1, 2, 3, []FaultSignature{{adminKey, adminSig}}},
		"0a 015d3ef79800 ID KEY 01 00000002 00000003 00000001 KEY SIG"},
	{&ServerFault{}, "0a 000000000000 ZERO ZERO 00 00000000 00000000 00000000"},
	{&CoinbaseDescriptor{}, "0b 00"},
	{&CoinbaseDescriptor{[]TransAddress{{128, adminID}, {0, adminID}}}, "0b 43 8100 ID 00 ID"},
	{&CoinbaseCancel{128, 3}, "0c 03 8100 03"},
	{&PayoutAddress{adminID, wire.Hash(adminKey)}, "0d 40 ID KEY"},
	{&Efficiency{adminID, 5000}, "0e 22 ID 1388"},
	{&UnknownMessage{0x0f, []byte{}}, "0f 00"},
	{&UnknownMessage{0xff, []byte("later")}, "ff 05 6c61746572"},
}

var (
	adminID  = someHash(1)
	adminKey = zeroKey.Public()
	adminSig = zeroKey.SignMessage([]byte("message"))
)

func spell(text string) []byte {
	r := strings.NewReplacer("ID", adminID.String(), "KEY", adminKey.String(), "SIG", string(must(adminSig.MarshalText())),
		"ZERO", wire.Hash{}.String(), " ", "")
	return unhex(r.Replace(text))
}

func TestAdminMessagesHaveTheirFormats(t *testing.T) {
	var all []AdminMessage
	var body []byte
	for _, m := range adminMessages {
		want := spell(m.bytes)
		if got := AppendAdmin(nil, m.message); !bytes.Equal(got, want) || got[0] != byte(AdminTypeOf(m.message)) {
			t.Errorf("%T is written as %x, want %x", m.message, got, want)
		}
		if x, rest, err := ParseAdmin(append(want, 1, 2)); err != nil || len(rest) != 2 || !reflect.DeepEqual(x, m.message) {
			t.Errorf("%x is read as %v, %x left, %v", want, x, rest, err)
		}
		all, body = append(all, m.message), append(body, want...)
	}
	b, err := NewAdminBlock(AdminBlockHeader{
		Height: 9, Expansion: []ExpansionItem{{BalancesHash, adminID[:]}, {7, []byte("kept")}, {8, []byte{}}},
	}, all)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Body, all) {
		t.Errorf("the messages became %v", b.Body)
	}
	if !bytes.HasSuffix(b.Bytes(), body) || int(b.Header.BodySize) != len(body) || int(b.Header.MessageCount) != len(all) {
		t.Errorf("the block is %x", b.Bytes())
	}
	if x := b.Header.Expansion; len(x) != 3 || !bytes.Equal(x[0].Data, adminID[:]) || string(x[1].Data) != "kept" {
		t.Errorf("the expansion became %v", x)
	}
}

func TestAdminMessagesAreReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"signature cut": "01 ID KEY", "height cut": "05 ID 010203", "Bitcoin key of type 2": "09 ID 01 02 0900000000000000000000000000000000000008",
		"more signatures than there are": "0a 015d3ef79800 ID KEY 01 00000002 00000003 00000002 KEY SIG",
		"signatures beyond any input":    "0a 015d3ef79800 ID KEY 01 00000002 00000003 ffffffff",
		"length beyond the block":        "0f 05 00", "length in a longer form": "0f 8005 6c61746572", "huge length": "0f 81ffffffffffffffff7f",
		"descriptor ends inside an output": "0b 20 8100 ID", "descriptor with half an amount": "0b 01 81",
		"descriptor of too much": "0b 4b 81ffffffffffffffff7f ID 00 ID", "descriptor of too much together": "0b 52 ffffffffffffffff7f ID 01 ID", "cancel and a byte": "0c 04 8100 03 00",
		"payout of 63 bytes": "0d 3f ID KEY", "payout of 65 bytes": "0d 41 ID KEY 00", "efficiency of 33 bytes": "0e 21 ID 13",
		"efficiency of 35 bytes": "0e 23 ID 1388 00",
	} {
		body := spell(text)
		h := AdminBlockHeader{MessageCount: 1, BodySize: uint32(len(body))}
		if b, err := ParseAdminBlock(append(h.Bytes(), body...)); wire.CodeOf(err) != wire.ErrBlockMalformed || b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAdminHeadersAreReadStrictly(t *testing.T) {
	header := func(expansion []byte, messages, size uint32) []byte {
		b := append(slices.Concat(AdminChain[:], make([]byte, 36)), appendExpansion(nil, expansion)...)
		return append(append(b, wire.U32(messages)...), wire.U32(size)...)
	}
	if _, err := ParseAdminBlock(header(nil, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"a message that is not there": header(nil, 1, 0), "a byte that is not there": header(nil, 0, 1),
		"a message too few": append(header(nil, 1, 4), 4, 1, 4, 1),
		"half an item":      header([]byte{1}, 0, 0), "item beyond the area": header([]byte{7, 2, 0}, 0, 0),
		"balances hash of one byte": header([]byte{1, 1, 0}, 0, 0), "expansion too large": header(make([]byte, MaxExpansion+1), 0, 0),
	} {
		if x, err := ParseAdminBlock(b); wire.CodeOf(err) != wire.ErrBlockMalformed || x != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewAdminBlock(AdminBlockHeader{}, []AdminMessage{&BitcoinKey{Script: 9}}); wire.CodeOf(err) != wire.ErrBlockMalformed {
		t.Errorf("a message nobody could read was built: %v", err)
	}
}

func FuzzParseAdmin(f *testing.F) {
	for _, m := range adminMessages {
		f.Add(spell(m.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, rest, err := ParseAdmin(b)
		switch {
		case err != nil && wire.CodeOf(err) != wire.ErrBlockMalformed:
			t.Fatal(err)
		case err == nil && !bytes.Equal(append(AppendAdmin(nil, m), rest...), b):
			t.Fatalf("%x is written as %x", b, AppendAdmin(nil, m))
		}
	})
}
