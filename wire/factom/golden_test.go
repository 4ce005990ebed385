package factom

import (
	"encoding/hex"
	"testing"

	"cloister/wire"
)

// zeroKey is the key of specification §17: seed of 32 zero bytes.
var zeroKey = wire.NewPrivateKey([32]byte{})

// vectorTime is the timestamp of §17.2 and §17.3.
const vectorTime = 1_500_000_000_000

func hashOf(s string) wire.Hash {
	h, err := wire.ParseHash(s)
	if err != nil {
		panic(err)
	}
	return h
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// is holds what was computed against hex.
func is(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s is %x, want %s", what, got, want)
	}
}

// isHash is for values that are not addressable.
func isHash(t *testing.T, what string, got wire.Hash, want string) {
	t.Helper()
	is(t, what, got[:], want)
}

func TestCommitsMatchTheVectors(t *testing.T) {
	for name, v := range map[string]struct {
		commit, entry, txid, full string
		build                     func([]byte, uint64, wire.PrivateKey) (*Commit, error)
	}{
		"entry commit": {entryCommit, noExtIDEntry,
			"b6e161f67d2b771f9e879ce9bf706db00d161f13e597870d140dc4c0db55e921", "d4c01c06971b81729a4facf4ef89ee3f9ea56423f0a4f97f450e8ea3855f8acb", NewEntryCommit},
		"chain commit": {chainCommit, firstEntry,
			"9b5557d4610735cf5c718be41b87faa8544cff6c562b59a0cc75d7658794e6ea", "737d9d0c5b4bf82b5924ddf6444b38a20192b58afe9e785768e132fc56f4e3c8", NewChainCommit},
	} {
		built := must(v.build(unhex(v.entry), vectorTime, zeroKey))
		is(t, name+" as built", built.Bytes(), v.commit)
		k, err := ParseCommit(unhex(v.commit))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *k != *built {
			t.Errorf("%s is parsed as %+v, was built as %+v", name, k, built)
		}
		isHash(t, name+"'s txid", k.TXID(), v.txid)
		isHash(t, name+"'s full hash", k.FullHash(), v.full)
		if s := k.Signed(); !s.Verify() || s.Key != zeroKey.Public() {
			t.Errorf("%s: the signature does not hold", name)
		}
		if err := k.Covers(unhex(v.entry)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheTransactionMatchesTheVector(t *testing.T) {
	built := &Transaction{TimestampMs: vectorTime}
	built.AddInput(1_012_000, wire.AccountOf(zeroKey.Public()))
	built.AddCredits(1_000_000, zeroKey.Public())
	if fee := built.Fee(1000); fee != 12_000 {
		t.Errorf("before signing the fee is %d", fee)
	}
	if err := built.Sign(zeroKey); err != nil {
		t.Fatal(err)
	}
	is(t, "the transaction as built", built.Bytes(), factoidTransaction)

	x, rest, err := ParseTransaction(unhex(factoidTransaction + "0203"))
	if err != nil || len(rest) != 2 {
		t.Fatalf("%v, %d bytes are left", err, len(rest))
	}
	is(t, "the transaction as parsed", x.Bytes(), factoidTransaction)
	isHash(t, "its txid", x.TXID(), "22548d9c15e87833815427340d7c7fefcb1ff2fc34106e69cdca1b3405eaa4ce")
	isHash(t, "its full hash", x.FullHash(), "4c1179d543d764a4a9711a358b05daa05b6bc8d3a4dbc4ad2ffd6fb29db83e46")
	if x.Size() != len(unhex(factoidTransaction)) || x.Fee(1000) != x.TotalInputs()-x.TotalOutputs()-x.TotalECOutputs() {
		t.Errorf("size %d, fee %d of %d", x.Size(), x.Fee(1000), x.TotalInputs())
	}
	for _, s := range x.Signed() {
		if !s.Verify() {
			t.Error("the signature does not hold")
		}
	}
}

func TestTheBlockSetMatchesTheVectors(t *testing.T) {
	isHash(t, "the entry's hash", EntryHash(unhex(blockEntry)), "5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c")

	eb := must(ParseEntryBlock(unhex(entryBlock)))
	is(t, "the entry block", eb.Bytes(), entryBlock)
	isHash(t, "the entry block's KeyMR", eb.KeyMR(), "6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727")
	isHash(t, "the entry block's full hash", eb.FullHash(), "ca3d4688507cfffeea090d1dab1f3d9b081a1af19141b1a96f7d44d9dae04703")
	if got := eb.Entries(); len(got) != 1 || got[0] != (EntryAt{10, EntryHash(unhex(blockEntry))}) {
		t.Errorf("the entry block has %v", got)
	}

	ec := must(ParseECBlock(unhex(ecBlock)))
	is(t, "the entry credit block", ec.Bytes(), ecBlock)
	isHash(t, "its header's hash", ec.HeaderHash(), "552276c2ec8a4aff4fc7c68e83b941abaae1fdaf3d7fe365a0ca3aa8d8c140bc")
	isHash(t, "its full hash", ec.FullHash(), "81a9cbe8e4af691b41d26eadcca50793c3e7af5b7a5f1cc76bc461f768aa58f9")
	if len(ec.Body) != 1 || ec.Body[0].Minute != 10 || ec.Body[0].Object.Kind != ECChainCommit {
		t.Fatalf("the entry credit block has %+v", ec.Body)
	}
	commit := ec.Body[0].Object.Commit
	isHash(t, "the chain commit's txid", commit.TXID(), "ee0f0560ae50297c1651c4ecd000e17a30ebb3e7cde4d96ee6edf386115f264b")
	if s := commit.Signed(); !s.Verify() {
		t.Error("the chain commit's signature does not hold")
	}
	if err := commit.Covers(unhex(blockEntry)); err != nil {
		t.Errorf("the chain commit: %v", err)
	}

	fb := must(ParseFactoidBlock(unhex(factoidBlock)))
	is(t, "the factoid block", fb.Bytes(), factoidBlock)
	isHash(t, "the factoid block's KeyMR", fb.KeyMR(), "7e27c21f758a63cee4ed1e433bba1b8d0120d4ca53de9fb5c0ede31139ad1ca6")
	isHash(t, "the factoid block's LedgerKeyMR", fb.LedgerKeyMR(), "ac9747eeafd294811f47cb1c5cedf54508786eb5122aa8f84693fe8425634693")
	if len(fb.Body) != 2 || fb.Body[0].Minute != 1 || fb.Body[1].Minute != 9 || fb.Header.Rate != 1000 {
		t.Fatalf("the factoid block has %+v", fb)
	}
	isHash(t, "the second transaction's txid", fb.Body[1].Transaction.TXID(), "b36fbdd9df1dc25c2cc2837269277f4c1d1182da191cbd5c3ce5b32e52862da3")

	ab := must(ParseAdminBlock(unhex(adminBlock)))
	is(t, "the admin block", ab.Bytes(), adminBlock)
	isHash(t, "its lookup hash", ab.LookupHash(), "2c4856fd7fbb208df8962a37ed9dbfbb766abc5c1b8ba0cba1e49b4c2c4b121d")
	isHash(t, "its back reference hash", ab.BackRefHash(), "913cfd1adea4beaad40a5ec33c6289ca1f135aa54f6607a01d3b92db78696fd0")

	d0 := must(ParseDirectoryBlock(unhex(directoryBlock0)))
	is(t, "directory block 0", d0.Bytes(), directoryBlock0)
	isHash(t, "directory block 0's KeyMR", d0.KeyMR(), "c1fdd8c0a09e55e8b5f5e92eacb695d915b83af79735236fbd9274e37b26adc7")
	if s := ab.Body[0].(*BlockSignature); !s.Key.VerifyMessage(d0.Header.Bytes(), s.Signature) {
		t.Error("the admin block's signature does not hold over directory block 0's header")
	}

	d1 := must(ParseDirectoryBlock(unhex(directoryBlock1)))
	is(t, "directory block 1", d1.Bytes(), directoryBlock1)
	isHash(t, "directory block 1's KeyMR", d1.KeyMR(), "bf542b99100bf87b3797b4e432d09b57c0f6248c8454abe9bbfe667ba7396d79")
	isHash(t, "directory block 1's full hash", d1.FullHash(), "457ee615029f566fa7066d3063e17487e781633c59712128bdcd78413f7da1ed")
	if d1.Header.PrevKeyMR != d0.KeyMR() || d1.Header.PrevFullHash != d0.FullHash() {
		t.Error("directory block 1 does not follow directory block 0")
	}
	for i, want := range []Pair{
		{AdminChain, ab.LookupHash()}, {EntryCreditChain, ec.HeaderHash()}, {FactoidChain, fb.KeyMR()}, {eb.Header.ChainID, eb.KeyMR()},
	} {
		if d1.Body[i] != want {
			t.Errorf("pair %d of directory block 1 is %v, want %v", i, d1.Body[i], want)
		}
	}
}

// TestTheBlockSetIsBuiltAgain makes the blocks of §17.4 of their contents.
func TestTheBlockSetIsBuiltAgain(t *testing.T) {
	eb := must(ParseEntryBlock(unhex(entryBlock)))
	ec := must(ParseECBlock(unhex(ecBlock)))
	fb := must(ParseFactoidBlock(unhex(factoidBlock)))
	ab := must(ParseAdminBlock(unhex(adminBlock)))
	d1 := must(ParseDirectoryBlock(unhex(directoryBlock1)))

	is(t, "the entry block", must(NewEntryBlock(EntryBlockHeader{ChainID: eb.Header.ChainID, Height: 1}, eb.Entries())).Bytes(), entryBlock)
	is(t, "the entry credit block", must(NewECBlock(ECBlockHeader{
		PrevHeaderHash: ec.Header.PrevHeaderHash, PrevFullHash: ec.Header.PrevFullHash, Height: 1,
	}, ec.Body)).Bytes(), ecBlock)
	coinbase := &Transaction{TimestampMs: fb.Body[0].Transaction.TimestampMs}
	is(t, "the factoid block", must(NewFactoidBlock(FactoidBlockHeader{
		PrevKeyMR: fb.Header.PrevKeyMR, PrevLedgerKeyMR: fb.Header.PrevLedgerKeyMR, Rate: 1000, Height: 1,
	}, []TransactionAt{{1, coinbase}, fb.Body[1]})).Bytes(), factoidBlock)
	is(t, "the admin block", must(NewAdminBlock(AdminBlockHeader{PrevBackRefHash: ab.Header.PrevBackRefHash, Height: 1}, ab.Body)).Bytes(), adminBlock)
	is(t, "directory block 1", must(NewDirectoryBlock(DirectoryBlockHeader{
		NetworkID: LocalNetwork, PrevKeyMR: d1.Header.PrevKeyMR, PrevFullHash: d1.Header.PrevFullHash,
		Minutes: d1.Header.Minutes, Height: 1,
	}, d1.Body)).Bytes(), directoryBlock1)
}

func TestAMainNetworkEntryBlockMatchesItsVector(t *testing.T) {
	b := must(ParseEntryBlock(unhex(mainEntryBlock)))
	is(t, "the block", b.Bytes(), mainEntryBlock)
	isHash(t, "its KeyMR", b.KeyMR(), "f08c42bc44c09ac26c349bef8ee80d2ffb018cfa3e769107b2413792fa9bd642")
	isHash(t, "its full hash", b.FullHash(), "00f9ce481c4e389a83461f5ebff43e10cad5d55e15d58c3afd4fc16006b95195")
	if b.Header.ChainID != BitcoinAnchorChain || b.Header.Sequence != 545 || b.Header.Height != 1000 {
		t.Errorf("%+v", b.Header)
	}
	if got := b.Entries(); len(got) != 1 || got[0].Minute != 9 {
		t.Errorf("entries %v", got)
	}
}

func TestReservedNamesHashToTheirChains(t *testing.T) {
	for want, got := range map[string]wire.Hash{
		"df3ade9eec4b08d5379cc64270c30ea7315d8a8a1a69efe2b98a60ecdd69e604": BitcoinAnchorChain,
		"6e4540d08d5ac6a1a394e982fb6a2ab8b516ee751c37420055141b94fe070bfe": EthereumAnchorChain,
		"111111118d918a8be684e0dac725493a75862ef96d2d3f43f84b26969329bf03": RateChain,
	} {
		isHash(t, "the chain", got, want)
	}
}
