package anchor_test

import (
	"strings"
	"testing"

	"cloister/host/anchor"
	"cloister/host/anchor/btcdlab"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

func TestBlockIsPostedConfirmedDeepAndRecorded(t *testing.T) {
	b := begin(t, nil)
	b.generate(btcdlab.Mature)
	b.run()
	b.ledger.close(1)
	sent := b.phase(0, anchor.Sent)
	b.generate(1)
	mined := b.phase(0, anchor.Mined)
	if mined.TxID != sent.TxID || mined.Depth != 1 || mined.Fee == 0 {
		t.Fatalf("%+v, then %+v", sent, mined)
	}
	b.generate(1)
	b.phase(0, anchor.Mined)
	b.generate(1)
	b.phase(0, anchor.Recorded)
	b.holds(0)
	r := b.ledger.record(0)
	if r.Bitcoin.TXID != sent.TxID.String() || r.Bitcoin.Address != b.cfg.Key.Address() || r.Bitcoin.Offset != mined.Offset {
		t.Fatalf("recorded as %+v", r.Bitcoin)
	}
	b.offline(0, depth)
	b.generate(b.cfg.Settle)
	s := b.until("settled", func(s anchor.Status) bool { return len(s.Heights) == 0 })
	if s.Next != 1 || s.Confirmed == 0 || s.Funds != nil {
		t.Fatalf("%+v", s)
	}
}

// offline verifies an anchor with a file of headers and nothing else.
func (b *bench) offline(height, deep uint32) {
	b.t.Helper()
	var file []byte
	for h := uint32(0); h <= b.height(); h++ {
		hash, err := b.lab.Node.BlockHash(b.t.Context(), h)
		if err != nil {
			b.t.Fatal(err)
		}
		header, err := b.lab.Node.Header(b.t.Context(), hash)
		if err != nil {
			b.t.Fatal(err)
		}
		raw := header.Bytes()
		file = append(file, raw[:]...)
	}
	headers, err := bitcoin.ParseHeaders(file)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := bitcoin.CheckChain(simnet(), simnet().Checkpoint(), headers)
	if err != nil {
		b.t.Fatal(err)
	}
	r := b.ledger.record(height)
	hash, err := bitcoin.ParseHash(r.Bitcoin.BlockHash)
	if err != nil {
		b.t.Fatal(err)
	}
	id, err := bitcoin.ParseHash(r.Bitcoin.TXID)
	if err != nil {
		b.t.Fatal(err)
	}
	raw, err := b.lab.Node.Block(b.t.Context(), hash)
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := bitcoin.NewProof(raw, r.Bitcoin.BlockHeight, id)
	if err != nil {
		b.t.Fatal(err)
	}
	script := factom.AnchorScript(height, r.KeyMR)
	if _, err := p.VerifyIn(c, script[:], deep); err != nil {
		b.t.Fatal(err)
	}
}

func TestReorganisationIsPostedAndRecordedAgain(t *testing.T) {
	b := begin(t, nil)
	b.generate(btcdlab.Mature)
	b.run()
	b.ledger.close(1)
	b.phase(0, anchor.Sent)
	b.generate(depth)
	b.phase(0, anchor.Recorded)
	before := b.ledger.record(0).Bitcoin.BlockHash
	if _, err := b.lab.Reorg(t.Context(), depth); err != nil {
		t.Fatal(err)
	}
	b.until("again unrecorded, or recorded again", func(s anchor.Status) bool {
		return s.Tip.Height == b.height() && s.Node == nil
	})
	b.generate(depth + 1)
	b.phase(0, anchor.Recorded)
	b.holds(0)
	if after := b.ledger.record(0).Bitcoin.BlockHash; after == before {
		t.Fatal("the record still names the block that was left behind")
	}
}

func TestNodeThatIsKilledLosesNothing(t *testing.T) {
	b := begin(t, nil)
	b.generate(btcdlab.Mature)
	b.lab.Stop() // what is mined so far survives, what follows does not
	if err := b.lab.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.run()
	b.ledger.close(2)
	b.phase(1, anchor.Sent)
	b.generate(1)
	b.phase(1, anchor.Mined)
	b.lab.Kill()
	b.until("failing", func(s anchor.Status) bool { return s.Node != nil })
	b.ledger.close(1)
	if err := b.lab.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for height := uint32(0); height < 3; height++ {
		b.toRecord(height)
	}
}

// toRecord mines until a height is recorded in the best chain.
func (b *bench) toRecord(height uint32) {
	b.t.Helper()
	for range 20 {
		b.generate(1)
		tip := b.height()
		s := b.until("at the tip", func(s anchor.Status) bool { return s.Tip.Height == tip && s.Node == nil })
		for _, h := range s.Heights {
			if h.Height == height && h.Phase == anchor.Recorded {
				b.holds(height)
				return
			}
		}
	}
	b.t.Fatalf("height %d is not recorded: %+v", height, b.a.Status())
}

func TestOutageFromTheStartEndsWithTheNode(t *testing.T) {
	b := begin(t, nil)
	b.generate(btcdlab.Mature)
	b.lab.Stop()
	b.run()
	b.ledger.close(3)
	s := b.until("failing", func(s anchor.Status) bool { return s.Node != nil && s.Next == 3 })
	if wire.CodeOf(s.Node) != wire.ErrUnavailable || s.Counts[anchor.Waiting] != 3 {
		t.Fatalf("%+v", s)
	}
	if err := b.lab.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.phase(2, anchor.Sent)
	for height := uint32(0); height < 3; height++ {
		b.toRecord(height)
	}
}

func TestRestartInEveryPhaseDoublesNothing(t *testing.T) {
	b := begin(t, nil)
	b.generate(btcdlab.Mature)
	restart := func() {
		b.stop()
		b.run()
	}
	b.run()
	b.ledger.set(func() { b.ledger.notMine[0] = true })
	b.ledger.close(1)
	b.phase(0, anchor.Waiting)
	restart()
	b.phase(0, anchor.Waiting)
	b.ledger.set(func() { clear(b.ledger.notMine) })
	sent := b.phase(0, anchor.Sent)
	restart()
	if again := b.phase(0, anchor.Sent); again.TxID != sent.TxID || again.Versions != 1 {
		t.Fatalf("%+v, after a restart %+v", sent, again)
	}
	b.stop()
	b.generate(1) // mined while nobody looks
	b.run()
	b.phase(0, anchor.Mined)
	b.ledger.set(func() { b.ledger.out = true })
	b.generate(depth - 1)
	b.phase(0, anchor.Deep)
	restart()
	b.phase(0, anchor.Deep)
	b.ledger.set(func() { b.ledger.out = false })
	b.phase(0, anchor.Recorded)
	restart()
	b.phase(0, anchor.Recorded)
	b.holds(0)
	if n := b.ledger.times[0]; n != 1 {
		t.Fatalf("recorded %d times", n)
	}
}

func TestStuckAnchorIsReplacedByFee(t *testing.T) {
	b := begin(t, func(c *anchor.Config) { c.Fees.After = 2 })
	b.generate(btcdlab.Mature)
	b.run()
	b.ledger.close(1)
	first := b.phase(0, anchor.Sent)
	if err := b.lab.GenerateEmpty(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s := b.until("replaced", func(s anchor.Status) bool { return len(s.Heights) == 1 && s.Heights[0].Versions == 2 })
	if second := s.Heights[0]; second.Fee <= first.Fee || second.TxID == first.TxID {
		t.Fatalf("%+v replaced by %+v", first, second)
	}
	b.toRecord(0)
	if got := b.ledger.record(0).Bitcoin.TXID; got != s.Heights[0].TxID.String() {
		t.Fatalf("transaction %s was mined, %s was the newest", got, s.Heights[0].TxID)
	}
}

// keyOf is a configuration's change to a legacy key, which can be paid to before
// segwit is active.
func keyOf(t *testing.T, digit string) func(c *anchor.Config) {
	return func(c *anchor.Config) {
		key, err := anchor.ParseKey(strings.Repeat(digit, 64), anchor.P2PKH, simnet())
		if err != nil {
			t.Fatal(err)
		}
		c.Key = key
	}
}

// The second height spends change that has no age, for which the node wants its
// full relay fee.
func TestFeeThatTheNodeRefusesIsRaised(t *testing.T) {
	b := begin(t, keyOf(t, "4"), "--minrelaytxfee=0.00005")
	b.generate(100) // one reward can be spent
	b.run()
	b.ledger.close(2)
	s := b.until("raised", func(s anchor.Status) bool {
		return len(s.Heights) == 2 && s.Heights[1].Versions > 1 && s.Heights[1].Fee >= 5*200
	})
	if s.Heights[0].Versions != 1 {
		t.Fatalf("%+v", s.Heights)
	}
	b.toRecord(0)
	b.toRecord(1)
}

func TestWithoutMoneyItSaysSoAndGoesOnWhenFunded(t *testing.T) {
	b := begin(t, keyOf(t, "2"))
	b.generate(20) // rewards that cannot be spent yet
	b.run()
	b.ledger.close(1)
	s := b.until("without money", func(s anchor.Status) bool { return s.Funds != nil })
	if wire.CodeOf(s.Funds) != wire.ErrInsufficientFunds || s.Missing == 0 || s.Counts[anchor.Queued] != 1 {
		t.Fatalf("%+v", s)
	}
	b.generate(100)
	b.until("funded", func(s anchor.Status) bool { return s.Funds == nil && s.Counts[anchor.Sent] == 1 })
	b.toRecord(0)
}

func TestManyHeightsAtOnceBuildOnEachOther(t *testing.T) {
	b := begin(t, func(c *anchor.Config) {
		keyOf(t, "3")(c)
		c.MaxChain = 4
	})
	b.generate(100) // one reward can be spent
	b.run()
	b.ledger.close(7)
	b.until("five on a chain", func(s anchor.Status) bool {
		return s.Counts[anchor.Sent] == 5 && s.Counts[anchor.Queued] == 2 && s.Funds == nil
	})
	b.generate(1)
	b.phase(6, anchor.Sent)
	for height := uint32(0); height < 7; height++ {
		b.toRecord(height)
	}
}

func TestForeignNetworkIsRefused(t *testing.T) {
	b := begin(t, nil)
	regtest, err := bitcoin.NetworkNamed("regtest")
	if err != nil {
		t.Fatal(err)
	}
	b.cfg.Network = regtest
	b.run()
	s := b.until("refusing", func(s anchor.Status) bool { return s.Node != nil })
	if wire.CodeOf(s.Node) != wire.ErrBadRequest {
		t.Fatal(s.Node)
	}
}
