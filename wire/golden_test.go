package wire

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The vectors were computed by an independent program from the specification's
// text: a change here splits networks and invalidates every receipt.

func mustHash(s string) Hash {
	h, err := ParseHash(s)
	if err != nil {
		panic(err)
	}
	return h
}

// zeroSeed is the key of factom specification §17.
var zeroSeed = NewPrivateKey([32]byte{})

func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func filled(n byte) Hash { return Hash(bytes.Repeat([]byte{n}, 32)) }

func vectorTx() *Tx {
	return &Tx{
		ChainID: Hash(counting(32)), Family: "record", Payload: []byte("payload"),
		NotAfterMs: 1_700_000_000_000, Nonce: [12]byte(counting(12)), Payer: zeroSeed.Public(),
	}
}

func vectorHeader() *Header {
	return &Header{
		Version: 1, Flags: FlagBarrier, ChainID: Hash(counting(32)), Height: 7, Epoch: 1, TimeMs: 1_700_000_000_000,
		Parent: filled(1), Proposer: filled(2), TxCount: 3, TxRoot: filled(3), DataRoot: filled(4), ExecHeight: 5,
		ExecRoot: filled(5), HistoryRoot: filled(6), MembersHash: filled(7), EngineKind: EngineRaft, Engine: []byte{0x82, 4, 1},
	}
}

func vectorGenesis() *Genesis {
	return &Genesis{
		Version: 1, Name: "vector", TimeMs: 1_700_000_000_000, Engine: "raft", Restart: "trust-disk", TEE: "none",
		Limits:   DefaultLimits,
		Members:  []GenesisMember{{Name: "a", Key: zeroSeed.Public()}},
		Families: []FamilyGenesis{{Name: "token", Params: []byte(`{"rate":1000,"allocations":[]}`)}, {Name: "record"}},
	}
}

func TestHashesArePinned(t *testing.T) {
	tx, h, g := vectorTx(), vectorHeader(), vectorGenesis()
	exec := Exec{Height: 9, StateRoot: filled(8), ResultsRoot: filled(9)}
	for name, x := range map[string]struct {
		got  Hash
		want string
	}{
		"tagged hash":          {TH("cloister/test/v1", []byte("a"), nil, U64(1)), "5902f4f6d8d5f0f9d40c06d05e1103e133ce534614ffd40941593b2f6e9d8383"},
		"tagged hash, no part": {TH("cloister/test/v1"), "5cbfa3acba83cb559e2008a77c4831753dc48e85d5913f9a4396779e7e5f346d"},
		"node id":              {NodeIDOf(zeroSeed.Public()), "361b71d252b0ea017b5bba4ebc40a0bec807b5e1386919425733398ea6e634f4"},
		"transaction id":       {tx.ID(), "404a9461c6d4af90e726faa477f6c69c58baf9db1f9c4c80f93cdba31cbc306e"},
		"header hash":          {h.Hash(), "8dde8ce7cbb738e724a0e0ef593b9efa783882156b9b3cb7a11c1567ec65f82e"},
		"chain id":             {g.ChainID(), "22661406babdb41f1d316b1ab973ff276ab6bf5fb6f5bf662f43beb421538919"},
		"member set":           {g.MemberSet().Hash(), "dbdc400669bc3b41cc47cbb8a8f3e49ae4b2c5a79d4d15505061f59b88eb5f43"},
		"block 0":              {g.Header().Hash(), "b31ca3f345aad78d9791850b1675c5fe5b7b98552142c170bf757cdc831aff22"},
		"execution root":       {exec.Root(), "a0cea02b1ef04c7af26c3eb1253b06fdd5936aedb2c7359aa19b26b5773fa21e"},
	} {
		if x.got != mustHash(x.want) {
			t.Errorf("%s is %s, want %s", name, x.got, x.want)
		}
	}
}

func TestEncodingsArePinned(t *testing.T) {
	for name, x := range map[string]struct {
		got  []byte
		want string
	}{
		"genesis": {vectorGenesis().Bytes(), "890166766563746f721b0000018bcfe5680064726166746a74727573742d6469736b646e6f6e65841a0040000019138818401907d08182616158203b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29828265746f6b656e581e7b2272617465223a313030302c22616c6c6f636174696f6e73223a5b5d7d82667265636f726440"},
		"result":  {(&Result{TxID: filled(1), Code: ErrInsufficientCredits, Credits: 24, Fee: 1 << 40, Output: []byte("o")}).Bytes(), "8558200101010101010101010101010101010101010101010101010101010101010101" + "18ca" + "1818" + "1b0000010000000000" + "416f"},
		"list":    {EncodeList([][]byte{{1}, nil, bytes.Repeat([]byte{2}, 24)}), "83410140" + "5818" + "020202020202020202020202020202020202020202020202"},
	} {
		if got := hex.EncodeToString(x.got); got != x.want {
			t.Errorf("%s is\n%s, want\n%s", name, got, x.want)
		}
	}
}

func TestTransactionIDCoversEveryFieldButTheSignature(t *testing.T) {
	id := vectorTx().ID()
	for name, change := range map[string]func(*Tx){
		"chain id":  func(tx *Tx) { tx.ChainID[0] ^= 1 },
		"family":    func(tx *Tx) { tx.Family, tx.Payload = "recor", []byte("dpayload") },
		"payload":   func(tx *Tx) { tx.Payload = []byte("payloae") },
		"not after": func(tx *Tx) { tx.NotAfterMs++ },
		"nonce":     func(tx *Tx) { tx.Nonce[11] ^= 1 },
		"payer":     func(tx *Tx) { tx.Payer[31] ^= 1 },
	} {
		tx := vectorTx()
		if change(tx); tx.ID() == id {
			t.Errorf("%s is not covered", name)
		}
	}
	tx := vectorTx()
	if tx.Sign(zeroSeed); tx.ID() != id {
		t.Error("the signature changes the id")
	}
	if !tx.Payer.Verify(tx.ID(), tx.Signature) {
		t.Error("the signature does not hold")
	}
}
