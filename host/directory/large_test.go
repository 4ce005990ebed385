package directory

import (
	"fmt"
	"slices"
	"testing"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/factom"
)

// TestLargeBlocksAreStoredInPieces: a period whose blocks are longer than one piece,
// in several batches, among them the entry block of one chain and the directory block.
func TestLargeBlocksAreStoredInPieces(t *testing.T) {
	const perBlock, blocks = 1000, 13
	w := newWorld(t)
	w.run()
	w.add(100, w.c.CreateChain("big", nil))
	for b := range blocks {
		var txs []*wire.Tx
		for i := range perBlock {
			name := "big"
			if i%3 == 0 {
				name = fmt.Sprint("c", b, "-", i)
			}
			txs = append(txs, w.c.AddEntry(name, fmt.Append(nil, b, i)))
		}
		w.add(700, txs...)
	}
	w.add(periodMs, w.c.AddEntry("big", []byte("next")))
	w.add(periodMs)
	w.same()
	s := w.l.sets[0]
	for what, size := range map[string]int{
		"credit": len(s.credit.Bytes()), "directory": len(s.directory.Bytes()), "entry": len(s.blocks[archivetest.EntryChain("big")].Bytes()),
	} {
		if size < pieceBytes {
			t.Errorf("the %s block has %d bytes, which is one piece", what, size)
		}
	}
	r, err := w.x.Receipt(hash("big", "next"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(); err != nil {
		t.Error(err)
	}
	// Of the first and the last piece, and of chains in both pieces of the directory block.
	entries := s.entries[archivetest.EntryChain("big")]
	wanted := []wire.Hash{entries[0].Hash, entries[4000].Hash, entries[len(entries)-1].Hash}
	for i, pair := range s.directory.Body[3:] {
		if i%97 == 0 || i == len(s.directory.Body)-4 {
			wanted = append(wanted, s.entries[pair.ChainID][0].Hash)
		}
	}
	for _, entry := range wanted {
		big, err := w.x.Receipt(entry)
		if err != nil {
			t.Fatal(err)
		}
		p, err := big.Verify()
		if err != nil || big.CheckHeader(&s.directory.Header) != nil {
			t.Fatal(err)
		}
		e, err := w.x.Entry(entry)
		if err != nil {
			t.Fatal(err)
		}
		// What the whole blocks give is the same, but for the times of 60 s a minute.
		whole, err := factom.BuildReceipt(e.Raw, s.blocks[p.ChainID], s.directory)
		if err != nil || !slices.Equal(big.MerkleBranch, whole.MerkleBranch) || big.DirectoryBlockHeight != whole.DirectoryBlockHeight {
			t.Fatalf("entry %s: another path, %v", entry, err)
		}
	}
	if err := w.halt(); err != nil {
		t.Fatal(err)
	}
}

// TestBranchesOfPiecesAreThoseOfTheWhole, for every number of leaves around the
// bounds of a piece that a small tree of the same rule has.
func TestBranchesOfPiecesAreThoseOfTheWhole(t *testing.T) {
	const most = pieceBytes / hashSize
	w := newWorld(t)
	s := w.open().store
	for _, n := range []int{2, most - 1, most, most + 1, most + 2, most + 3, most + 1000, 2*most - 1, 2 * most, 2*most + 1, 3*most + 5} {
		leaves := make([]wire.Hash, n)
		b := &body{out: &output{store: s}, chain: wire.Hash{byte(n), byte(n >> 8)}, period: uint32(n), object: hashSize}
		for i := range leaves {
			leaves[i] = wire.TH("test/leaf", wire.U64(uint64(i)))
			if err := b.write(leaves[i][:]); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.end(1, wire.Hash{1}, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.out.flush(); err != nil {
			t.Fatal(err)
		}
		r, _, err := row(s, hashKey(tableBlock, wire.Hash{1}), decodeBlockRow)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 1, n / 2, n - 2, n - 1} {
			o, err := r.findHash(s, leaves[i])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.branch(s, o, hashSize); err != nil || !slices.Equal(got, factom.MerkleBranch(leaves, i)) {
				t.Errorf("leaf %d of %d: another branch, %v", i, n, err)
			}
		}
	}
}
