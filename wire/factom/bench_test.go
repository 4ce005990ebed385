package factom

import "testing"

// A leaf costs one hash on average, whatever the size of the tree.
func BenchmarkTreeAppend(b *testing.B) {
	leaf, tree := someHash(1), new(Tree)
	for b.Loop() {
		tree.Append(leaf)
	}
}

// A busy chain's block of 100,000 entries.
func BenchmarkParseEntryBlock(b *testing.B) {
	entries := make([]EntryAt, 100_000)
	for i := range entries {
		entries[i] = EntryAt{uint8(1 + i/10_000), someHash(uint64(i))}
	}
	block := must(NewEntryBlock(EntryBlockHeader{ChainID: someHash(1)}, entries)).Bytes()
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		must(ParseEntryBlock(block))
	}
}

func BenchmarkParseCommit(b *testing.B) {
	commit := unhex(chainCommit)
	for b.Loop() {
		must(ParseCommit(commit))
	}
}

func BenchmarkParseTransaction(b *testing.B) {
	transaction := unhex(factoidTransaction)
	for b.Loop() {
		if _, _, err := ParseTransaction(transaction); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyReceipt(b *testing.B) {
	r := vectorReceipt()
	for b.Loop() {
		must(r.Verify())
	}
}
