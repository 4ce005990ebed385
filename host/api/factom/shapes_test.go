package factom

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
)

// hashOf is a hash of one digit, and its text.
func hashOf(digit byte) wire.Hash {
	var h wire.Hash
	for i := range h {
		h[i] = digit * 0x11
	}
	return h
}

const (
	ones   = "1111111111111111111111111111111111111111111111111111111111111111"
	twos   = "2222222222222222222222222222222222222222222222222222222222222222"
	nobody = "FA1y5ZGuHSLmf2TqNf6hVMkPiNGyQpQDTFJvDLRkKQaoPo4bmbgu"
)

func TestEveryKindOfAdminMessageHasItsFields(t *testing.T) {
	for _, x := range []struct {
		message factom.AdminMessage
		want    string
	}{
		{&factom.MinuteEnd{Minute: 3}, `{"adminidtype":0,"minutenumber":3}`},
		{&factom.BlockSignature{Identity: hashOf(1), Key: wire.PublicKey(hashOf(2)), Signature: wire.Signature{0xab}},
			`{"adminidtype":1,"identityadminchainid":"` + ones + `","prevdbsig":{"pub":"` + twos + `","sig":"ab` + strings.Repeat("0", 126) + `"}}`},
		{&factom.MHash{Kind: factom.AdminRevealMHash, Identity: hashOf(1), Hash: hashOf(2)}, `{"adminidtype":2,"identitychainid":"` + ones + `","mhash":"` + twos + `"}`},
		{&factom.MHash{Kind: factom.AdminAddMHash, Identity: hashOf(1), Hash: hashOf(2)}, `{"adminidtype":3,"identitychainid":"` + ones + `","mhash":"` + twos + `"}`},
		{&factom.ServerCount{Raise: 2}, `{"adminidtype":4,"amount":2}`},
		{&factom.ServerChange{Kind: factom.AdminAddFederated, Identity: hashOf(1), Height: 9}, `{"adminidtype":5,"identitychainid":"` + ones + `","dbheight":9}`},
		{&factom.ServerChange{Kind: factom.AdminAddAudit, Identity: hashOf(1), Height: 9}, `{"adminidtype":6,"identitychainid":"` + ones + `","dbheight":9}`},
		{&factom.ServerChange{Kind: factom.AdminRemoveServer, Identity: hashOf(1), Height: 9}, `{"adminidtype":7,"identitychainid":"` + ones + `","dbheight":9}`},
		{&factom.SigningKey{Identity: hashOf(1), Priority: 1, Key: wire.PublicKey(hashOf(2)), Height: 9},
			`{"adminidtype":8,"identitychainid":"` + ones + `","keypriority":1,"publickey":"` + twos + `","dbheight":9}`},
		{&factom.BitcoinKey{Identity: hashOf(1), Priority: 1, Script: 1, Hash160: [20]byte{0xcd}},
			`{"adminidtype":9,"identitychainid":"` + ones + `","keypriority":1,"keytype":1,"ecdsapublickey":"cd` + strings.Repeat("0", 38) + `"}`},
		{&factom.ServerFault{TimestampMs: 1500000000000, Faulted: hashOf(1), Promoted: hashOf(2), ListIndex: 4, Height: 9, ListHeight: 8,
			Signatures: []factom.FaultSignature{{Key: wire.PublicKey(hashOf(2)), Signature: wire.Signature{0xab}}}},
			`{"adminidtype":10,"timestamp":"1500000000000","serverid":"` + ones + `","auditserverid":"` + twos + `","vmindex":4,"dbheight":9,"height":8,"signaturelist":[{"pub":"` + twos + `","sig":"ab` + strings.Repeat("0", 126) + `"}]}`},
		{&factom.CoinbaseDescriptor{}, `{"adminidtype":11,"Outputs":[]}`},
		{&factom.CoinbaseDescriptor{Outputs: []factom.TransAddress{{Amount: 640000000}}},
			`{"adminidtype":11,"Outputs":[{"amount":640000000,"address":"` + strings.Repeat("0", 64) + `","useraddress":"` + nobody + `"}]}`},
		{&factom.CoinbaseCancel{Height: 7, Index: 1}, `{"adminidtype":12,"descriptor_height":7,"descriptor_index":1}`},
		{&factom.PayoutAddress{Identity: hashOf(1)}, `{"adminidtype":13,"identitychainid":"` + ones + `","factoidaddress":"` + nobody + `"}`},
		{&factom.Efficiency{Identity: hashOf(1), Efficiency: 5000}, `{"adminidtype":14,"identitychainid":"` + ones + `","efficiency":5000}`},
		{&factom.UnknownMessage{Kind: 15, Data: []byte{1, 2}}, `{"adminidtype":15,"size":2,"data":"0102"}`},
	} {
		block := must(factom.NewAdminBlock(factom.AdminBlockHeader{
			Expansion: []factom.ExpansionItem{{Type: factom.BalancesHash, Data: hashBytes(hashOf(1))}},
		}, []factom.AdminMessage{x.message}))
		b, err := appendAdminBlock([]byte("{"), &Block{Raw: block.Bytes()})
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			Block struct {
				Header struct {
					Size int    `json:"headerexpansionsize"`
					Area string `json:"headerexpansionarea"`
				} `json:"header"`
				Messages []json.RawMessage `json:"abentries"`
			} `json:"ablock"`
		}
		if err := json.Unmarshal(append(b, '}'), &shown); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if len(shown.Block.Messages) != 1 || string(shown.Block.Messages[0]) != x.want {
			t.Errorf("%T: %s, want %s", x.message, shown.Block.Messages, x.want)
		}
		if h := shown.Block.Header; h.Size != 34 || h.Area != "0120"+ones {
			t.Errorf("expansion %+v", h)
		}
	}
}

func hashBytes(h wire.Hash) []byte { return h[:] }

func TestCreditBlocksShowObjectsBetweenTheMarkers(t *testing.T) {
	k := must(factom.ParseCommit(vectors(t)["commit to it"]))
	block := must(factom.NewECBlock(factom.ECBlockHeader{}, []factom.ECObjectAt{
		{Minute: 1, Object: factom.IncreaseObject(&factom.BalanceIncrease{Key: wire.PublicKey(hashOf(1)), TXID: hashOf(2), Index: 3, Credits: 400})},
		{Minute: 4, Object: factom.ECObject{Kind: factom.ECServerIndex, Number: 6}},
		{Minute: 4, Object: factom.CommitObject(k)},
	}))
	b, err := appendCreditBlock([]byte("{"), &Block{Raw: block.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Block struct {
			Body struct {
				Entries []map[string]any `json:"entries"`
			} `json:"body"`
		} `json:"ecblock"`
	}
	if err := json.Unmarshal(append(b, '}'), &shown); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range shown.Block.Body.Entries {
		switch {
		case e["number"] != nil:
			got = append(got, "minute")
		case reflect.DeepEqual(e, map[string]any{"ecpubkey": ones, "txid": twos, "index": 3.0, "numec": 400.0}):
			got = append(got, "increase")
		case reflect.DeepEqual(e, map[string]any{"serverindexnumber": 6.0}):
			got = append(got, "server")
		case e["millitime"] == "015d3ef79800" && e["credits"] == 1.0 && e["weld"] == nil && e["entryhash"] == k.EntryHash.String():
			got = append(got, "commit")
		default:
			t.Errorf("%v", e)
		}
	}
	if want := "increase minute minute minute server commit minute minute minute minute minute minute minute"; strings.Join(got, " ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestABlockThatCannotBeReadIsADatabaseError(t *testing.T) {
	w := newWorld(t)
	for key, b := range w.blocks {
		w.blocks[key] = &Block{Kind: b.Kind, Key: key, Raw: b.Raw[:len(b.Raw)-1]}
	}
	for _, d := range w.directories {
		d.Block, d.Admin, d.Factoid = nil, nil, nil
	}
	s := serve(t, w)
	for _, x := range exchanges(t, "testdata/blocks.json") {
		if x.Status != 200 || strings.Contains(x.body(), "directory-block-head") {
			continue
		}
		if status, answer := ask(s, here, x.body()); status != 400 || !strings.Contains(answer, `"code":-32603,"message":"Internal error","data":"database error"`) {
			t.Errorf("%s: %d %s", x.Case, status, answer)
		}
	}
}

func TestACoinbaseBurnsNothing(t *testing.T) {
	if n := burnt(&factom.Transaction{Outputs: []factom.TransAddress{{Amount: 5}}}); n != 0 {
		t.Errorf("%d", n)
	}
	for _, credits := range []uint64{0, 3} {
		paid := &factom.Transaction{
			Inputs: []factom.TransAddress{{Amount: 20}}, Outputs: []factom.TransAddress{{Amount: 5}}, ECOutputs: []factom.TransAddress{{Amount: credits}},
		}
		if n := burnt(paid); n != 15-credits {
			t.Errorf("%d, want %d", n, 15-credits)
		}
	}
}
