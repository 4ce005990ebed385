package factom

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// The anchor of main network height 1000 (specification §12, §17.6).
const (
	anchorPayload = "46610000000003e8cd45e38f53c090a03513f0c67afb93c774a064a5614a772cd079f31b3db4d011"
	anchorKeyMR   = "cd45e38f53c090a03513f0c67afb93c774a064a5614a772cd079f31b3db4d011"
)

func TestTheAnchorMatchesTheVector(t *testing.T) {
	p, s := AnchorPayload(1000, hashOf(anchorKeyMR)), AnchorScript(1000, hashOf(anchorKeyMR))
	is(t, "the payload", p[:], anchorPayload)
	is(t, "the script", s[:], "6a28"+anchorPayload)
	if h, k, err := ParseAnchorPayload(unhex(anchorPayload)); err != nil || h != 1000 || k != hashOf(anchorKeyMR) {
		t.Errorf("height %d, %s, %v", h, k, err)
	}
	if h, k, err := ParseAnchorScript(unhex("6a28" + anchorPayload)); err != nil || h != 1000 || k != hashOf(anchorKeyMR) {
		t.Errorf("height %d, %s, %v", h, k, err)
	}
}

func TestAnchorsAreReadStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "cut": "6a28" + anchorPayload[:78], "a byte more": "6a28" + anchorPayload + "00",
		"another push of the same": "6a4c28" + anchorPayload, "no OP_RETURN": "5128" + anchorPayload, "push of 41": "6a29" + anchorPayload,
		"another mark": "6a28" + "4662" + anchorPayload[4:], "lower-case mark": "6a28" + "6661" + anchorPayload[4:],
		"height of 33 bits": "6a28" + "4661" + "000100000000" + anchorPayload[16:], "largest height": "6a28" + "4661" + "ffffffffffff" + anchorPayload[16:],
	} {
		if h, k, err := ParseAnchorScript(unhex(text)); wire.CodeOf(err) != wire.ErrMalformed || h != 0 || !k.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		height, key := rapid.Uint32().Draw(t, "height"), someHash(rapid.Uint64().Draw(t, "key"))
		s := AnchorScript(height, key)
		if h, k, err := ParseAnchorScript(s[:]); err != nil || h != height || k != key {
			t.Fatalf("%d became %d, %v", height, h, err)
		}
	})
}

// A record of the main network, with the key that signed those of version 1.
const (
	mainRecordKey = "0426a802617848d4d16d87830fc521f4d136bb2d0c352850919c2679f189613a"
	mainRecord    = `{"AnchorRecordVer":1,"DBHeight":46226,"KeyMR":"831287d96f9955ff438836b26219b8c937e01e668295e8334a5d140cdaacd2fd","RecordHeight":46226,"Bitcoin":{"Address":"1K2SXgApmo9uZoyahvsbSanpVWbzZWVVMF","TXID":"9a47f131677e135645cebe74085cd980044eda2abbb05ac09ee79ba8640f368d","BlockHeight":421417,"BlockHash":"000000000000000003781bf1b36dbaa1a71f94e23b4b9dc13024379aaf244d89","Offset":599}}`
	mainRecordSig = `e5d40b8673fbeba9e4e5a4322a514ec28989acef55b6fcdf49eae400b6d302852c2cf6659dc1f3298ffae60f6605666efbcef3ac4947333515084e1269ec0807`
)

func TestARecordOfTheMainNetworkIsVerified(t *testing.T) {
	key := wire.PublicKey(hashOf(mainRecordKey))
	e := &Entry{ChainID: BitcoinAnchorChain, Content: []byte(mainRecord + mainRecordSig)}
	r, signer, err := VerifyAnchorRecord(e, []wire.PublicKey{zeroKey.Public(), key})
	if err != nil || signer != key {
		t.Fatal(err)
	}
	if r.DBHeight != 46226 || r.Bitcoin.BlockHeight != 421417 || r.Bitcoin.Offset != 599 || r.Ethereum != nil || string(r.JSON()) != mainRecord {
		t.Errorf("%+v", r)
	}
	if _, _, err := VerifyAnchorRecord(e, []wire.PublicKey{zeroKey.Public()}); wire.CodeOf(err) != wire.ErrMalformed {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := VerifyAnchorRecord(e, nil); wire.CodeOf(err) != wire.ErrMalformed {
		t.Errorf("no key: %v", err)
	}
	for i := range len(mainRecord) + len(mainRecordSig) {
		b := []byte(mainRecord + mainRecordSig)
		b[i] ^= 1
		if _, _, err := VerifyAnchorRecord(&Entry{ChainID: BitcoinAnchorChain, Content: b}, []wire.PublicKey{key}); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("byte %d is not signed: %v", i, err)
		}
	}
}

func bitcoinRecord() *AnchorRecord {
	return &AnchorRecord{
		AnchorRecordVer: RecordSignedInExtID, DBHeight: 7, KeyMR: someHash(1), RecordHeight: 8,
		Bitcoin: &BitcoinAnchor{Address: "bc1q", TXID: someHash(2).String(), BlockHeight: 9, BlockHash: someHash(3).String(), Offset: 1},
	}
}

func ethereumRecord() *AnchorRecord {
	window := MerkleRoot(someHashes(1000))
	return &AnchorRecord{
		AnchorRecordVer: RecordSignedInExtID, DBHeight: 999, KeyMR: someHash(999), DBHeightMax: 999, WindowMR: &window, RecordHeight: 1000,
		Ethereum: &EthereumAnchor{ContractAddress: "0x30aA981F6d2fce81083e584c8ee2f822b548752f", TxID: "0x" + someHash(2).String(), BlockHeight: 9, BlockHash: "0x" + someHash(3).String(), TxIndex: 4},
	}
}

func TestRecordsReadBackInBothVersions(t *testing.T) {
	for _, r := range []*AnchorRecord{bitcoinRecord(), ethereumRecord()} {
		for _, r.AnchorRecordVer = range []int{RecordSignedInContent, RecordSignedInExtID} {
			e, err := r.Entry(zeroKey)
			if err != nil {
				t.Fatal(err)
			}
			raw := must(e.Marshal())
			x, signer, err := VerifyAnchorRecord(must(ParseEntry(raw)), []wire.PublicKey{zeroKey.Public()})
			if err != nil || signer != zeroKey.Public() || !bytes.Equal(x.JSON(), r.JSON()) {
				t.Errorf("%s: %v", r.JSON(), err)
			}
			if (r.AnchorRecordVer == RecordSignedInExtID) != (len(e.ExtIDs) == 1) {
				t.Errorf("version %d has %d external ids", r.AnchorRecordVer, len(e.ExtIDs))
			}
			// Anybody may copy it into another chain, where it says nothing.
			e.ChainID = someHash(1)
			if _, _, err := ParseAnchorRecord(e); wire.CodeOf(err) != wire.ErrMalformed {
				t.Errorf("in another chain: %v", err)
			}
		}
	}
}

func TestRecordsAreReadStrictly(t *testing.T) {
	r := bitcoinRecord()
	good := string(r.JSON())
	signature := zeroKey.SignMessage(r.JSON())
	inContent := strings.Replace(good, `"AnchorRecordVer":2`, `"AnchorRecordVer":1`, 1)
	for name, e := range map[string]*Entry{
		"nothing":                      {},
		"no signature":                 {Content: []byte(good)},
		"two external ids":             {ExtIDs: [][]byte{signature[:], nil}, Content: []byte(good)},
		"half a signature":             {ExtIDs: [][]byte{signature[:32]}, Content: []byte(good)},
		"version 2 signed as 1":        {Content: hex.AppendEncode([]byte(good), signature[:])},
		"version 1 signed as 2":        {ExtIDs: [][]byte{signature[:]}, Content: []byte(inContent)},
		"signature in upper case":      {Content: []byte(inContent + strings.ToUpper(hex.EncodeToString(signature[:])))},
		"space":                        {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, ",", ", ", 1))},
		"unknown field":                {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, "{", `{"X":1,`, 1))},
		"height twice":                 {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, `"DBHeight":7`, `"DBHeight":7,"DBHeight":7`, 1))},
		"another case of a name":       {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, "DBHeight", "dbheight", 1))},
		"text that is no JSON":         {ExtIDs: [][]byte{signature[:]}, Content: []byte("}")},
		"more than a record ever has":  {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Repeat(" ", MaxAnchorRecord) + good)},
		"version 3":                    {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, `Ver":2`, `Ver":3`, 1))},
		"anchored nowhere":             {ExtIDs: [][]byte{signature[:]}, Content: []byte(good[:strings.Index(good, `,"Bitcoin"`)] + "}")},
		"negative height":              {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, `"DBHeight":7`, `"DBHeight":-7`, 1))},
		"height beyond 31 bits":        {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, `"BlockHeight":9`, `"BlockHeight":2147483648`, 1))},
		"address with other signs":     {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, "bc1q", "bc<q", 1))},
		"transaction id in upper case": {ExtIDs: [][]byte{signature[:]}, Content: []byte(strings.Replace(good, r.Bitcoin.TXID, strings.ToUpper(r.Bitcoin.TXID), 1))},
	} {
		e.ChainID = BitcoinAnchorChain
		if x, signed, err := ParseAnchorRecord(e); wire.CodeOf(err) != wire.ErrMalformed || x != nil || signed.Message != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range "/:@[`{ é" {
		r := bitcoinRecord()
		r.Bitcoin.Address = "a" + string(x) + "z"
		if err := r.Check(); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("address %q: %v", r.Bitcoin.Address, err)
		}
	}
	for name, change := range map[string]func(*AnchorRecord){
		"window begins": func(r *AnchorRecord) { r.DBHeightMin = 1 },
		"proof of none": func(r *AnchorRecord) { r.Bitcoin.Proof = []byte{1} },
		"no proof":      func(r *AnchorRecord) { r.Bitcoin.Network = "mainnet" },
		"odd network":   func(r *AnchorRecord) { r.Bitcoin.Network, r.Bitcoin.Proof = "<main>", []byte{1} },
		"long network": func(r *AnchorRecord) {
			r.Bitcoin.Network, r.Bitcoin.Proof = strings.Repeat("n", 17), []byte{1}
		},
		"window root":    func(r *AnchorRecord) { r.WindowMR = new(wire.Hash) },
		"long address":   func(r *AnchorRecord) { r.Bitcoin.Address = strings.Repeat("a", maxAddress+1) },
		"short contract": func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.ContractAddress = "0" },
		"long contract":  func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.ContractAddress += "00" },
		"contract of g": func(r *AnchorRecord) {
			*r = *ethereumRecord()
			r.Ethereum.ContractAddress = "0x" + strings.Repeat("g", 40)
		},
		"no block hash":   func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.BlockHash = "" },
		"block beyond":    func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.BlockHeight = maxOrdinal + 1 },
		"offset beyond":   func(r *AnchorRecord) { r.Bitcoin.Offset = maxOrdinal + 1 },
		"both ledgers":    func(r *AnchorRecord) { r.Ethereum = ethereumRecord().Ethereum },
		"Bitcoin window":  func(r *AnchorRecord) { r.DBHeightMax = 1 },
		"no window":       func(r *AnchorRecord) { r.Bitcoin, r.Ethereum = nil, ethereumRecord().Ethereum },
		"no address":      func(r *AnchorRecord) { r.Bitcoin.Address = "" },
		"short id":        func(r *AnchorRecord) { r.Bitcoin.TXID = "00" },
		"Ethereum in hex": func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.TxID = r.Ethereum.TxID[2:] },
		"window inverted": func(r *AnchorRecord) { *r = *ethereumRecord(); r.DBHeightMin = 1000 },
		"Ethereum beyond": func(r *AnchorRecord) { *r = *ethereumRecord(); r.Ethereum.TxIndex = 1 << 31 },
	} {
		x := bitcoinRecord()
		change(x)
		if _, err := x.Entry(zeroKey); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordsMayReachTheirLimits(t *testing.T) {
	b, e := bitcoinRecord(), ethereumRecord()
	b.Bitcoin.Address, b.Bitcoin.BlockHeight, b.Bitcoin.Offset = strings.Repeat("09AZaz", maxAddress/6), maxOrdinal, maxOrdinal
	e.Ethereum.BlockHeight, e.Ethereum.TxIndex, e.DBHeightMin = maxOrdinal, maxOrdinal, e.DBHeightMax
	proved := bitcoinRecord()
	proved.Bitcoin.Network, proved.Bitcoin.Proof = "mainnet", make([]byte, 6<<10)
	for _, r := range []*AnchorRecord{b, e, proved} {
		entry, err := r.Entry(zeroKey)
		if err != nil {
			t.Fatal(err)
		}
		entry = must(ParseEntry(must(entry.Marshal())))
		if x, _, err := ParseAnchorRecord(entry); err != nil || !bytes.Equal(x.JSON(), r.JSON()) {
			t.Errorf("%s: %v", r.JSON(), err)
		}
	}
}

func FuzzParseAnchorScript(f *testing.F) {
	f.Add(unhex("6a28" + anchorPayload))
	f.Fuzz(func(t *testing.T, b []byte) {
		height, key, err := ParseAnchorScript(b)
		if err != nil {
			return
		}
		if again := AnchorScript(height, key); !bytes.Equal(again[:], b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}

func FuzzParseAnchorRecord(f *testing.F) {
	f.Add([]byte(mainRecord+mainRecordSig), []byte{}, true)
	proved := bitcoinRecord()
	proved.Bitcoin.Network, proved.Bitcoin.Proof = "simnet", []byte("proof")
	for _, r := range []*AnchorRecord{bitcoinRecord(), ethereumRecord(), proved} {
		e := must(r.Entry(zeroKey))
		f.Add(e.Content, e.ExtIDs[0], r.Bitcoin != nil)
	}
	f.Fuzz(func(t *testing.T, content, id []byte, bitcoin bool) {
		e := &Entry{ChainID: EthereumAnchorChain, Content: content}
		if bitcoin {
			e.ChainID = BitcoinAnchorChain
		}
		if len(id) > 0 {
			e.ExtIDs = [][]byte{id}
		}
		r, signed, err := ParseAnchorRecord(e)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatal(err)
			}
			return
		}
		if !bytes.HasPrefix(content, r.JSON()) || !bytes.Equal(signed.Message, r.JSON()) || r.Check() != nil {
			t.Fatalf("%s became %s", content, r.JSON())
		}
	})
}

func FuzzParseIdentityKey(f *testing.F) {
	f.Add(levelOneKey)
	f.Add(levelOneSecret)
	f.Fuzz(func(t *testing.T, text string) {
		if level, key, err := ParseIdentityKey(text); err == nil && IdentityKeyText(level, key) != text {
			t.Fatalf("%s is written as %s", text, IdentityKeyText(level, key))
		}
		if level, seed, err := ParseIdentitySecret(text); err == nil && IdentitySecretText(level, seed) != text {
			t.Fatalf("%s is written as %s", text, IdentitySecretText(level, seed))
		}
	})
}
