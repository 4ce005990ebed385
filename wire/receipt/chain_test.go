package receipt_test

import (
	"fmt"
	"sync"
	"testing"

	"cloister/core/consensus/quorum"
	"cloister/core/consensus/rules"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/merkle"
	"cloister/wire/receipt"
	"cloister/wire/record"
	"cloister/wire/token"
)

// chain is a small ledger with real keys, trees and seals. Execution is two
// blocks behind ordering.
type chain struct {
	genesis *wire.Genesis
	members []wire.PrivateKey
	next    *wire.MemberSet // in force from height 5 on, if there is one
	headers []*wire.Header
	txs     [][][]byte
	results [][][]byte
	execs   []wire.Exec
}

const (
	chainHeight = 9
	execLag     = 2
)

func key(n byte) wire.PrivateKey { return wire.NewPrivateKey([32]byte{n}) }

func newChain(name string) *chain {
	c := &chain{genesis: &wire.Genesis{
		Version: 1, Name: name, TimeMs: 1_700_000_000_000, Engine: "raft", Restart: "trust-disk", TEE: "none",
		Limits:   wire.DefaultLimits,
		Families: []wire.FamilyGenesis{{Name: record.Name}},
	}}
	for i := range 3 {
		c.members = append(c.members, key(byte(100+i)))
		c.genesis.Members = append(c.genesis.Members, wire.GenesisMember{Name: fmt.Sprint("v", i+1), Key: c.members[i].Public()})
	}
	c.append(c.genesis.Header(), nil, nil)
	for h := uint64(1); h <= chainHeight; h++ {
		c.grow(h)
	}
	return c
}

// grow adds the block of height h with h+2 transactions; number 1 of each
// block was refused.
func (c *chain) grow(h uint64) {
	var txs, results [][]byte
	for i := range h + 2 {
		tx := c.transaction(h, i)
		r := &wire.Result{TxID: tx.ID(), Credits: 11, Output: []byte{}}
		if i == 1 {
			r = &wire.Result{TxID: tx.ID(), Code: wire.ErrChainExists, Output: []byte{}}
		}
		txs, results = append(txs, tx.Bytes()), append(results, r.Bytes())
	}
	parent := c.headers[h-1]
	exec := c.execs[max(h, execLag)-execLag]
	header := &wire.Header{
		Version: wire.HeaderVersion, ChainID: c.genesis.ChainID(), Height: h, Epoch: 1, TimeMs: parent.TimeMs + 250,
		Parent: parent.Hash(), Proposer: wire.NodeIDOf(c.members[0].Public()),
		TxCount: uint32(len(txs)), TxRoot: merkle.Root(leaves(txs)), DataRoot: wire.EmptyRoot,
		ExecHeight: exec.Height, ExecRoot: exec.Root(), HistoryRoot: merkle.Root(c.history(h)),
		MembersHash: c.genesis.MemberSet().Hash(), EngineKind: wire.EngineRaft,
		Engine: wire.Marshal(quorum.Engine{View: 4, Slot: 1}),
	}
	switch {
	case c.next != nil && h == 4:
		header.Flags, header.Engine = wire.FlagHandover, wire.Marshal(quorum.Engine{View: 4, Slot: 1, Next: c.next.Hash()})
	case c.next != nil && h > 4:
		header.Epoch, header.MembersHash = 2, c.next.Hash()
	}
	c.append(header, txs, results)
}

func (c *chain) append(h *wire.Header, txs, results [][]byte) {
	c.headers, c.txs, c.results = append(c.headers, h), append(c.txs, txs), append(c.results, results)
	c.execs = append(c.execs, wire.Exec{
		Height: h.Height, StateRoot: wire.TH("state", wire.U64(h.Height)), ResultsRoot: merkle.Root(c.resultsHistory(h.Height)),
	})
}

// Kinds of the transactions that blocks hold; numbers from 3 on take turns.
const (
	chainPair = iota
	entryPair
	commit
	reveal
	payment
	signature
	kinds
)

func kindOf(index uint64) int {
	if index < 3 {
		return chainPair
	}
	return int(index-2) % kinds
}

func (c *chain) transaction(height, index uint64) *wire.Tx {
	ids := [][]byte{[]byte("cloister"), wire.U64(height), wire.U64(index)}
	e := factom.Entry{ChainID: factom.ChainID(ids), ExtIDs: ids, Content: []byte("hello")}
	b, at, payer := must(e.Marshal()), 1_700_000_000_000+100*height+index, key(7)
	carry := func(family string, payload []byte) *wire.Tx { return wire.Carry(c.genesis.ChainID(), family, payload) }
	switch kindOf(index) {
	case entryPair:
		return carry(record.Name, must(record.AddEntry(b, at, payer)))
	case commit:
		return carry(record.Name, record.Commit(must(factom.NewEntryCommit(b, at, payer)).Bytes()))
	case reveal:
		return carry(record.Name, record.Reveal(b))
	case payment:
		t := &factom.Transaction{TimestampMs: at}
		t.AddInput(5, wire.AccountOf(payer.Public()))
		t.AddInput(1000*at, wire.AccountOf(key(8).Public()))
		t.AddOutput(7, wire.Account{1})
		if err := t.Sign(payer, key(8)); err != nil {
			panic(err)
		}
		return carry(token.Name, t.Bytes())
	case signature:
		tx := &wire.Tx{
			ChainID: c.genesis.ChainID(), Family: record.Name, Payload: record.SignDirectory(1, make([]byte, 113), payer),
			NotAfterMs: 1_700_000_060_000, Nonce: [12]byte{byte(height), byte(index)},
		}
		tx.Sign(payer)
		return tx
	}
	return carry(record.Name, must(record.CreateChain(b, at, payer)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func leaves(items [][]byte) []wire.Hash {
	hashes := make([]wire.Hash, len(items))
	for i, it := range items {
		hashes[i] = merkle.LeafHash(it)
	}
	return hashes
}

// history lists the leaves of the header history of height h.
func (c *chain) history(h uint64) (hashes []wire.Hash) {
	for _, header := range c.headers[:h] {
		hash := header.Hash()
		hashes = append(hashes, merkle.LeafHash(hash[:]))
	}
	return hashes
}

// resultsHistory lists the leaves behind Exec.ResultsRoot after height h.
func (c *chain) resultsHistory(h uint64) (hashes []wire.Hash) {
	for _, results := range c.results[:h+1] {
		root := merkle.Root(leaves(results))
		hashes = append(hashes, merkle.LeafHash(root[:]))
	}
	return hashes
}

// seal is signatures of the voters in these slots over height h.
func (c *chain) seal(h uint64, slots ...uint64) []byte {
	header := c.headers[h]
	s := wire.Seal{View: 4}
	for _, slot := range slots {
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: c.members[slot-1].Sign(quorum.Statement(header, header.Hash(), slot, s.View))})
	}
	return wire.Marshal(s)
}

// ordered makes the receipt of a transaction, sealed at height sealed.
func (c *chain) ordered(height, index, sealed uint64) *receipt.Receipt {
	r := &receipt.Receipt{
		Version: receipt.Version, ChainID: c.genesis.ChainID(), Policy: receipt.PolicyOf(c.genesis),
		Tx: c.txs[height][index], Index: uint32(index), TxPath: merkle.Path(leaves(c.txs[height]), int(index)),
		Header: wire.Marshal(c.headers[height]), Seal: c.seal(sealed, 1, 3),
	}
	if sealed != height {
		r.Cover = &receipt.Cover{Header: wire.Marshal(c.headers[sealed]), Path: c.historyPath(height, sealed)}
	}
	return r
}

func (c *chain) historyPath(height, sealed uint64) []wire.Hash {
	return merkle.Path(c.history(sealed), int(height))
}

// executed adds the result as the header of height committed proves it.
func (c *chain) executed(height, index, committed, sealed uint64) *receipt.Receipt {
	r, exec := c.ordered(height, index, sealed), c.execs[c.headers[committed].ExecHeight]
	results := leaves(c.results[height])
	r.Execution = &receipt.Execution{
		Result: c.results[height][index], ResultPath: merkle.Path(results, int(index)), BlockRoot: merkle.Root(results),
		BlockPath: merkle.Path(c.resultsHistory(exec.Height), int(height)),
		Exec:      receipt.Exec{Height: exec.Height, StateRoot: exec.StateRoot, ResultsRoot: exec.ResultsRoot},
	}
	if committed != sealed {
		r.Execution.Commitment = &receipt.Commitment{Header: wire.Marshal(c.headers[committed]), Path: c.historyPath(committed, sealed)}
	}
	return r
}

// handedOver makes a chain whose fourth member joins after height 4: block 4 is
// the handover, block 5 the first that the new members seal.
func handedOver(name string) *chain {
	c := newChain(name)
	c.headers, c.txs, c.results, c.execs = c.headers[:4], c.txs[:4], c.results[:4], c.execs[:4]
	next := c.genesis.MemberSet()
	joined := key(103)
	next.Epoch, next.From = 2, 4
	next.Members = append(next.Members, wire.Member{ID: wire.NodeIDOf(joined.Public()), Slot: 4, Weight: 1, Role: wire.Voter, Key: joined.Public()})
	c.members, c.next = append(c.members, joined), next
	for h := uint64(4); h <= chainHeight; h++ {
		c.grow(h)
	}
	return c
}

// handover is the proof that the second member set follows.
func (c *chain) handover() wire.Hex {
	return wire.Marshal(wire.Handover{Header: c.headers[4], Seal: c.seal(4, 1, 2), Next: c.next})
}

// samples are the shapes a receipt has.
func (c *chain) samples() map[string]*receipt.Receipt {
	if c.next != nil {
		r := c.executed(3, 2, 5, 8)
		r.Seal, r.Handovers = c.seal(8, 1, 3, 4), []wire.Hex{c.handover()}
		return map[string]*receipt.Receipt{"sealed-by-later-members": r}
	}
	return map[string]*receipt.Receipt{
		"ordered-sealed":            c.ordered(3, 2, 3),
		"ordered-covered":           c.ordered(3, 2, 8),
		"executed-by-cover":         c.executed(3, 2, 6, 6),
		"executed-before-the-cover": c.executed(3, 2, 5, 8),
	}
}

// remembering verifies each seal once: tests ask about the same one for every
// byte of a receipt.
func remembering(r wire.SealRules) wire.SealRules {
	var known sync.Map
	verify := r.Seal
	r.Seal = func(set *wire.MemberSet, h *wire.Header, hash wire.Hash, seal []byte) error {
		asked := wire.TH("asked", hash[:], seal)
		if answer, ok := known.Load(asked); ok {
			err, _ := answer.(error)
			return err
		}
		err := verify(set, h, hash, seal)
		known.Store(asked, err)
		return err
	}
	return r
}

func verifyFile(c *chain, file []byte, rules wire.SealRules) (*receipt.Verified, error) {
	r, err := receipt.Decode(file)
	if err != nil {
		return nil, err
	}
	return receipt.Verify(r, c.genesis, rules)
}

func mustVerify(t *testing.T, c *chain, r *receipt.Receipt) *receipt.Verified {
	t.Helper()
	v, err := verifyFile(c, receipt.Encode(r), rules.All)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
