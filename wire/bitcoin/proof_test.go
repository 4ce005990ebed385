package bitcoin_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	btc "github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

func btcHash(n byte) chainhash.Hash { return chainhash.Hash{n} }

// ids makes n different ones.
func ids(n int) []bitcoin.Hash {
	list := make([]bitcoin.Hash, n)
	for i := range list {
		list[i] = bitcoin.Sum([]byte{byte(i), byte(i >> 8)})
	}
	return list
}

func TestEveryTransactionOfABlockHasABranchToTheRoot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "transactions")
		txs := make([]*bitcoin.Tx, n)
		list := make([]bitcoin.Hash, n)
		plain := make([]*btc.MsgTx, n)
		for i := range txs {
			plain[i] = payment(byte(i), i%2 == 0)
			tx, err := bitcoin.ParseTx(rawTx(t, plain[i]))
			if err != nil {
				rt.Fatal(err)
			}
			txs[i], list[i] = tx, tx.ID()
		}
		at := rapid.IntRange(0, n-1).Draw(rt, "index")
		branch, root, err := bitcoin.NewBranch(list, at)
		if err != nil || root != bitcoin.Hash(merkleRoot(plain)) {
			rt.Fatal(root, err)
		}
		if got, err := branch.Root(txs[at]); err != nil || got != root {
			rt.Fatal(got, err)
		}
		if other := (at + 1) % n; other != at {
			if got, err := branch.Root(txs[other]); err == nil && got == root {
				rt.Fatal("the branch holds for another transaction")
			}
		}
		// One place, one index: no other is accepted.
		for index := range uint32(1 << len(branch.Siblings)) {
			moved := branch
			moved.Index = index
			if got, err := moved.Root(txs[at]); err == nil && got == root && index != uint32(at) {
				rt.Fatalf("index %d holds for the transaction at %d", index, at)
			}
		}
	})
}

func TestRepeatedTransactionsHaveNoRoot(t *testing.T) {
	three := ids(3)
	if _, err := bitcoin.MerkleRoot(three); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]bitcoin.Hash{nil, append(three, three[2]), append(ids(6), ids(6)[4:]...), {three[0], three[0], three[1], three[2]}} {
		_, err := bitcoin.MerkleRoot(list)
		code(t, err, wire.ErrMalformed)
	}
	_, _, err := bitcoin.NewBranch(three, 3)
	code(t, err, wire.ErrMalformed)
}

// anchored is a simnet chain of ten blocks whose fifth has the transaction.
type anchored struct {
	blocks  []*btc.MsgBlock
	headers []bitcoin.Header
	tx      *btc.MsgTx
	proof   *bitcoin.Proof
}

const anchorHeight = 5

func anchor(t testing.TB, outputs ...*btc.TxOut) anchored {
	a := anchored{tx: payment(2, true, outputs...)}
	a.headers = []bitcoin.Header{header(t, &chaincfg.SimNetParams.GenesisBlock.Header)}
	prev := *chaincfg.SimNetParams.GenesisHash
	for height := 1; height <= 10; height++ {
		var txs []*btc.MsgTx
		if height == anchorHeight {
			txs = []*btc.MsgTx{payment(1, false), a.tx, payment(3, true)}
		}
		b := mine(t, prev, int64(height), txs...)
		a.blocks, prev = append(a.blocks, b), b.BlockHash()
		a.headers = append(a.headers, header(t, &b.Header))
	}
	proof, err := bitcoin.NewProof(rawBlock(t, a.blocks[anchorHeight-1]), anchorHeight, bitcoin.Hash(a.tx.TxHash()))
	if err != nil {
		t.Fatal(err)
	}
	a.proof = proof
	return a
}

func TestProofShowsPlaceAndDepth(t *testing.T) {
	a := anchor(t, btc.NewTxOut(0, script))
	at, err := a.proof.Verify(simnet, script)
	want := bitcoin.Anchored{TxID: bitcoin.Hash(a.tx.TxHash()), Block: a.headers[anchorHeight].Hash(), Height: anchorHeight, Offset: 2, Depth: 1}
	if err != nil || at != want {
		t.Fatalf("%+v, %v", at, err)
	}
	a.proof.Following = a.headers[anchorHeight+1:]
	if at, err = a.proof.Verify(simnet, script); err != nil || at.Depth != 6 {
		t.Fatalf("%+v, %v", at, err)
	}
	back, err := bitcoin.ParseProof(a.proof.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.Verify(simnet, script); err != nil || again != at || !bytes.Equal(back.Encode(), a.proof.Encode()) {
		t.Fatalf("after encoding %+v, %v", again, err)
	}
	c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), a.headers)
	if err != nil {
		t.Fatal(err)
	}
	if at, err = a.proof.VerifyIn(c, script, 6); err != nil || at.Depth != 6 {
		t.Fatalf("%+v, %v", at, err)
	}
	_, err = a.proof.VerifyIn(c, script, 7)
	code(t, err, wire.ErrNotCovered)
	short, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), a.headers[:anchorHeight])
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.proof.VerifyIn(short, script, 1)
	code(t, err, wire.ErrNotCovered)
	late, err := bitcoin.CheckChain(simnet, bitcoin.Checkpoint{Height: 6, Hash: a.headers[6].Hash()}, a.headers[6:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.proof.VerifyIn(late, script, 1)
	code(t, err, wire.ErrNotCovered)
}

func TestProofOfABlockThatWasLeftBehindDoesNotHold(t *testing.T) {
	a := anchor(t, btc.NewTxOut(0, script))
	other := anchor(t, btc.NewTxOut(7, script))
	c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), other.headers)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.proof.VerifyIn(c, script, 1)
	code(t, err, wire.ErrProof)
}

func TestProofWantsExactlyOneOutputOfTheScript(t *testing.T) {
	for name, outputs := range map[string][]*btc.TxOut{
		"none":    nil,
		"another": {btc.NewTxOut(0, append([]byte{0x6a, 40}, make([]byte, 40)...))},
		"longer":  {btc.NewTxOut(0, append(append([]byte(nil), script...), 0))},
		"two":     {btc.NewTxOut(0, script), btc.NewTxOut(0, script)},
	} {
		if _, err := anchor(t, outputs...).proof.Verify(simnet, script); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryPartOfAProofCounts(t *testing.T) {
	for name, spoil := range map[string]func(a *anchored){
		"another transaction":   func(a *anchored) { a.proof.Tx = rawTx(t, payment(9, true, btc.NewTxOut(0, script))) },
		"sibling":               func(a *anchored) { a.proof.Branch.Siblings[0][3]++ },
		"fewer siblings":        func(a *anchored) { a.proof.Branch.Siblings = a.proof.Branch.Siblings[:1] },
		"index":                 func(a *anchored) { a.proof.Branch.Index = 3 },
		"index out of the tree": func(a *anchored) { a.proof.Branch.Index |= 4 },
		"too many siblings": func(a *anchored) {
			a.proof.Branch.Siblings = make([]bitcoin.Hash, bitcoin.MaxBranch+1)
		},
		"header":             func(a *anchored) { a.proof.Header.Nonce++; a.proof.Header.Root[0]++ },
		"height":             func(a *anchored) { a.proof.Height++ },
		"coinbase of others": func(a *anchored) { a.proof.Coinbase = rawTx(t, coinbase(t, 6)) },
		"coinbase is not":    func(a *anchored) { a.proof.Coinbase = rawTx(t, payment(1, false)) },
		"coinbase's branch":  func(a *anchored) { a.proof.First[1][0]++ },
		"following":          func(a *anchored) { a.proof.Following = a.headers[anchorHeight+2:] },
	} {
		a := anchor(t, btc.NewTxOut(0, script))
		spoil(&a)
		if _, err := a.proof.Verify(simnet, script); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A block may hold a transaction of 64 bytes whose second half is the id of a
// forged one: the way down to the forged one is a branch too, one step longer.
func TestTransactionBelowALeafIsNone(t *testing.T) {
	forged := payment(5, false, btc.NewTxOut(0, script))
	bearer := btc.NewMsgTx(2)
	in := btc.NewTxIn(&btc.OutPoint{Hash: btcHash(1)}, nil, nil)
	bearer.AddTxIn(in)
	bearer.AddTxOut(btc.NewTxOut(0, make([]byte, 4)))
	node := rawTx(t, bearer)
	if len(node) != 64 {
		t.Fatalf("%d bytes", len(node))
	}
	// The second half cannot be chosen without long search; what a successful one
	// would have found is taken as given by computing the tree over the bytes.
	id := bitcoin.Hash(forged.TxHash())
	copy(node[32:], id[:])
	leaf := bitcoin.Sum(node)

	first := coinbase(t, 5)
	root := bitcoin.Sum(append(append([]byte(nil), hashBytes(first)...), leaf[:]...))
	h := btc.NewBlockHeader(4, &chainhash.Hash{}, (*chainhash.Hash)(&root), simnet.LimitBits, 0)
	h.Timestamp = btcTime(1_700_000_000)
	solve(h)
	proof := &bitcoin.Proof{
		Tx:       rawTx(t, forged),
		Branch:   bitcoin.Branch{Siblings: []bitcoin.Hash{bitcoin.Hash(node[:32]), bitcoin.Hash(first.TxHash())}, Index: 3},
		Coinbase: rawTx(t, first), First: []bitcoin.Hash{leaf}, Header: header(t, h), Height: 5,
	}
	tx, err := bitcoin.ParseTx(proof.Tx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := proof.Branch.Root(tx); err != nil || got != root {
		t.Fatalf("the attack is not what it was meant to be: %v", err)
	}
	_, err = proof.Verify(simnet, script)
	code(t, err, wire.ErrProof)

	// Nor is the bearer itself accepted.
	small, err := bitcoin.ParseTx(rawTx(t, bearer))
	if err != nil {
		t.Fatal(err)
	}
	_, err = bitcoin.Branch{Siblings: []bitcoin.Hash{{1}}, Index: 1}.Root(small)
	code(t, err, wire.ErrProof)
}

func hashBytes(tx *btc.MsgTx) []byte {
	h := tx.TxHash()
	return h[:]
}

func TestProofIsReadStrictly(t *testing.T) {
	a := anchor(t, btc.NewTxOut(0, script))
	good := a.proof.Encode()
	a.proof.Following = make([]bitcoin.Header, bitcoin.MaxFollowing+1)
	other := append([]byte(nil), good...)
	other[1] = 2 // the version
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "more": append(append([]byte(nil), good...), 0),
		"version": other, "too many headers": a.proof.Encode(), "too large": make([]byte, bitcoin.MaxProof+1),
	} {
		if _, err := bitcoin.ParseProof(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := bitcoin.NewProof(rawBlock(t, a.blocks[0]), 1, bitcoin.Hash{1})
	code(t, err, wire.ErrMalformed)
}

func TestCoinbaseSaysEveryHeight(t *testing.T) {
	for _, height := range []int64{1, 16, 17, 127, 128, 255, 256, 32767, 32768, 65535, 840_000, 8_388_608} {
		tx := payment(2, true, btc.NewTxOut(0, script))
		b := mine(t, btcHash(1), height, tx)
		proof, err := bitcoin.NewProof(rawBlock(t, b), uint32(height), bitcoin.Hash(tx.TxHash()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Verify(simnet, script); err != nil {
			t.Errorf("height %d: %v", height, err)
		}
		proof.Height++
		if _, err := proof.Verify(simnet, script); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("height %d passes for another: %v", height, err)
		}
	}
}
