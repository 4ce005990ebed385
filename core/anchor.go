package core

import (
	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// anchor checks a claim that a directory block is anchored in Bitcoin, signs the
// record of it and writes that into the anchor chain, paid for by the core's
// account. It answers with the entry's hash once that is in the pool; while the
// chain does not exist, the core begins it and answers ErrUnknownChain.
//
// What it cannot know is whether Bitcoin's other nodes agree: the block has its
// own work, and its depth is the host's word. The signature says that the anchor
// carries this ledger's key, and where.
func (n *Node) anchor(q step.Query, answer func([]byte, error)) {
	claim, err := record.DecodeAnchorClaim(q.Body)
	if err != nil {
		answer(nil, err)
		return
	}
	type outcome struct {
		entry *factom.Entry
		begin bool
		err   error
	}
	key := n.cfg.Key
	n.out.Add(step.Read{F: func(view any) any {
		v, ok := view.(*ledger.View)
		if !ok {
			return nil
		}
		r, exists, err := anchorRecord(v, claim)
		if err != nil {
			return outcome{err: err}
		}
		if !exists {
			return outcome{begin: true, entry: &factom.Entry{ChainID: factom.BitcoinAnchorChain, ExtIDs: factom.BitcoinAnchorName}}
		}
		e, err := r.Entry(key)
		return outcome{entry: e, err: err}
	}, Token: n.ask(func(_ step.Now, result any, err error) {
		o, ok := result.(outcome)
		switch {
		case err != nil || !ok:
			answer(nil, wire.Faultf(wire.ErrInternal, "state could not be read"))
		case o.err != nil:
			answer(nil, o.err)
		default:
			n.writeAnchor(o.entry, o.begin, answer)
		}
	})})
}

// writeAnchor pools the transaction that pays for an entry of the anchor chain.
func (n *Node) writeAnchor(e *factom.Entry, begin bool, answer func([]byte, error)) {
	raw, err := e.Marshal()
	if err != nil {
		answer(nil, err)
		return
	}
	write := record.AddEntry
	if begin {
		write = record.CreateChain
	}
	n.stamp = max(n.stamp+1, n.tip.Header.TimeMs, n.clock(n.now))
	payload, err := write(raw, n.stamp, n.cfg.Key)
	if err != nil {
		answer(nil, err)
		return
	}
	hash := factom.EntryHash(raw)
	n.judge([][]byte{wire.Carry(n.chainID, record.Name, payload).Bytes()}, func(items []step.SubmitItem) {
		switch code := items[0].Code; {
		case code != wire.OK:
			answer(nil, wire.Faultf(code, "the core's account pays for anchor records"))
		case begin:
			answer(nil, wire.Faultf(wire.ErrUnknownChain, "the anchor chain is being created"))
		default:
			answer(hash[:], nil)
		}
	}, true)
}

// anchorRecord is what a claim proves; exists says that the anchor chain does.
func anchorRecord(v *ledger.View, c *record.AnchorClaim) (r *factom.AnchorRecord, exists bool, err error) {
	st := v.State(record.Name)
	raw, err := st.Get(record.DirectoryKey(c.Height))
	if err != nil {
		return nil, false, err
	}
	if raw == nil {
		return nil, false, wire.Faultf(wire.ErrNotFound, "directory block %d is not closed", c.Height)
	}
	closed, err := record.DecodeDirectory(raw)
	if err != nil {
		return nil, false, err
	}
	network, err := bitcoin.NetworkNamed(c.Network)
	if err != nil {
		return nil, false, err
	}
	proof, err := bitcoin.ParseProof(c.Proof)
	if err != nil {
		return nil, false, err
	}
	script := factom.AnchorScript(c.Height, closed.KeyMR)
	at, err := proof.Verify(network, script[:])
	if err != nil {
		return nil, false, err
	}
	open, _, err := directory.Current(st, v.Tip().Header.TimeMs)
	if err != nil {
		return nil, false, err
	}
	if _, exists, err = ledger.Load[record.Chain](st, record.ChainKey(factom.BitcoinAnchorChain)); err != nil {
		return nil, false, err
	}
	r = &factom.AnchorRecord{
		AnchorRecordVer: factom.RecordSignedInExtID, DBHeight: c.Height, KeyMR: closed.KeyMR, RecordHeight: open.Height,
		Bitcoin: &factom.BitcoinAnchor{
			Address: c.Address, TXID: at.TxID.String(), BlockHeight: at.Height, BlockHash: at.Block.String(), Offset: at.Offset,
			Network: network.Name, Proof: c.Proof,
		},
	}
	return r, exists, r.Check()
}
