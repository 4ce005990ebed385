package anchor

import (
	"context"
	"errors"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// saveEvery so many blocks a long way is made durable.
const saveEvery = 64

// follow brings the machine to the node's tip. Errors are the node's.
func (a *Anchorer) follow(ctx context.Context) error {
	if err := a.recognise(ctx); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if !a.m.Begun {
			if err := a.begin(ctx); err != nil {
				return err
			}
		}
		there, err := a.advanceBlock(ctx)
		if err != nil || there {
			return err
		}
		if n%saveEvery == 0 {
			if err := a.save(); err != nil {
				return err
			}
			a.show(nil, nil)
		}
	}
}

// recognise makes sure that the node is of the configured network.
func (a *Anchorer) recognise(ctx context.Context) error {
	if a.sure {
		return nil
	}
	genesis, err := a.blockHash(ctx, 0)
	if err != nil {
		return err
	}
	if genesis != a.cfg.Network.Genesis {
		return wire.Faultf(wire.ErrBadRequest, "anchor: the Bitcoin node is not of network %s: its first block is %s", a.cfg.Network.Name, genesis)
	}
	a.sure = true
	return nil
}

// begin finds the key's coins: the node looks them up, or blocks are read from
// the key's birth on.
func (a *Anchorer) begin(ctx context.Context) error {
	scan, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	found, err := a.cfg.Bitcoin.Unspent(scan, a.cfg.Key.script)
	if errors.Is(err, ErrNoScan) {
		found.Tip.Height = a.cfg.Birth - 1
		if found.Tip.Hash, err = a.blockHash(ctx, found.Tip.Height); err != nil {
			return err
		}
		_, err = a.m.step(begun{found})
		return err
	}
	if err != nil {
		return err
	}
	return a.recall(ctx, found)
}

// recall begins at the tip, after looking back at the blocks in which earlier
// transactions may be.
func (a *Anchorer) recall(ctx context.Context, found Unspent) error {
	events := []event{begun{found}}
	from, sent := a.m.recallFrom(found.Tip.Height)
	ours := a.m.unmined()
	for at := found.Tip; sent; at.Height-- {
		block, err := a.block(ctx, at.Hash)
		if err != nil {
			return err
		}
		e := recalled{at: at}
		for i, tx := range block.Txs {
			if _, ok := ours[tx.ID()]; ok {
				e.found = append(e.found, placed{tx.ID(), i})
			}
		}
		events = append(events, e)
		if at.Hash = block.Prev; at.Height <= from {
			break
		}
	}
	for _, e := range events { // all or nothing: the node may stop answering above
		if _, err := a.m.step(e); err != nil {
			return err
		}
	}
	return nil
}

// advanceBlock follows by one block, or undoes one that the node has left. there
// means that nothing is left to follow.
func (a *Anchorer) advanceBlock(ctx context.Context) (there bool, err error) {
	height, err := a.height(ctx)
	if err != nil {
		return false, err
	}
	tip := a.m.Tip
	if known, ok := a.m.onTrail(min(height, tip.Height)); ok {
		hash, err := a.blockHash(ctx, min(height, tip.Height))
		if err != nil {
			return false, err
		}
		if hash != known {
			_, err := a.m.step(disconnected{})
			return false, err
		}
	}
	if height < tip.Height {
		return false, wire.Faultf(wire.ErrUnavailable, "anchor: the Bitcoin node is at height %d, it was at %d before: it has to catch up", height, tip.Height)
	}
	if height == tip.Height {
		return true, nil
	}
	next, err := a.blockHash(ctx, tip.Height+1)
	if err != nil {
		return false, err
	}
	block, err := a.block(ctx, next)
	if err != nil {
		return false, err
	}
	if block.Prev != tip.Hash {
		return false, nil // it changed its mind in between
	}
	_, err = a.m.step(connected{block})
	return false, err
}

// block reads a block, and holds it against its hash and the network's limit.
func (a *Anchorer) block(ctx context.Context, hash bitcoin.Hash) (*bitcoin.Block, error) {
	raw, err := a.rawBlock(ctx, hash)
	if err != nil {
		return nil, err
	}
	block, err := bitcoin.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	if block.Hash() != hash {
		return nil, wire.Faultf(wire.ErrProof, "anchor: the Bitcoin node returned another block than %s", hash)
	}
	return block, block.CheckWork(a.cfg.Network)
}

func (a *Anchorer) height(ctx context.Context) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return a.cfg.Bitcoin.Height(ctx)
}

func (a *Anchorer) blockHash(ctx context.Context, height uint32) (bitcoin.Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return a.cfg.Bitcoin.BlockHash(ctx, height)
}

func (a *Anchorer) rawBlock(ctx context.Context, hash bitcoin.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return a.cfg.Bitcoin.Block(ctx, hash)
}

// estimate learns what to pay. A node that cannot tell leaves the floor.
func (a *Anchorer) estimate(ctx context.Context) error {
	if a.cfg.Fees.Fixed > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	rate, err := a.cfg.Bitcoin.Rate(ctx, a.cfg.Fees.Target)
	if err != nil && !errors.Is(err, ErrNoEstimate) {
		return err
	}
	_, err = a.m.step(rated{rate})
	return err
}

// send gives transactions to the node. One that it refuses stays as it is: a
// higher fee, or the next block, will help.
func (a *Anchorer) send(ctx context.Context, txs []*bitcoin.Tx) error {
	for _, tx := range txs {
		err := a.sendOne(ctx, tx)
		var no *Refused
		switch {
		case errors.As(err, &no):
			a.cfg.Log.Warn("the Bitcoin node refuses an anchor's transaction", "tx", tx.ID(), "reason", no.Reason)
			if _, err := a.m.step(refused{tx.ID(), no.Fee}); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

func (a *Anchorer) sendOne(ctx context.Context, tx *bitcoin.Tx) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return a.cfg.Bitcoin.Send(ctx, tx.Bytes())
}
