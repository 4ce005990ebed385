package anchor

import (
	"context"
	"errors"
	"fmt"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// ask learns from the ledger what others have recorded, and what is for this
// host to do. ledger is what may pass.
func (a *Anchorer) ask(ctx context.Context) (ledger, fatal error) {
	for _, height := range a.m.asks() {
		if ledger, fatal = a.askRecord(ctx, height); ledger != nil || fatal != nil {
			return ledger, fatal
		}
		x := a.m.find(height)
		if x == nil || x.Recorded != nil || x.Due {
			continue
		}
		turn, err := a.cfg.Ledger.Turn(ctx, height)
		if err != nil {
			return fmt.Errorf("anchor: turn of directory block %d: %w", height, err), nil
		}
		if turn {
			if _, err := a.m.step(due{height}); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// askRecord looks whether a height is recorded in a block of the best chain.
func (a *Anchorer) askRecord(ctx context.Context, height uint32) (ledger, fatal error) {
	failed := func(err error) (error, error) {
		return fmt.Errorf("anchor: record of directory block %d: %w", height, err), nil
	}
	r, ok, err := a.cfg.Ledger.Recorded(ctx, height)
	if err != nil {
		return failed(err)
	}
	if !ok || r.Bitcoin == nil {
		return nil, nil
	}
	if r.DBHeight != height {
		return failed(wire.Faultf(wire.ErrMalformed, "it is of height %d", r.DBHeight))
	}
	hash, err := bitcoin.ParseHash(r.Bitcoin.BlockHash)
	if err != nil {
		return failed(err)
	}
	e := recorded{height: height, keyMR: r.KeyMR, at: Place{Height: r.Bitcoin.BlockHeight, Hash: hash}}
	if _, known := a.m.onTrail(e.at.Height); !known && e.at.Height < a.m.Tip.Height {
		now, err := a.blockHash(ctx, e.at.Height)
		if err != nil && !errors.Is(err, ErrNoBlock) {
			return failed(err)
		}
		e.inChain = err == nil && now == hash
	}
	_, fatal = a.m.step(e)
	return nil, fatal
}

// record has the ledger record an anchor that is deep, unless it is recorded:
// by another host, or by this one before it stopped.
func (a *Anchorer) record(ctx context.Context, height uint32) (node, ledger, fatal error) {
	if ledger, fatal = a.askRecord(ctx, height); ledger != nil || fatal != nil {
		return nil, ledger, fatal
	}
	x := a.m.find(height)
	if x == nil || x.Mined == nil || x.Recorded != nil {
		return nil, nil, nil
	}
	at := x.Mined.At
	proof, err := a.prove(ctx, x)
	if err != nil {
		return err, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	if err := a.cfg.Ledger.Record(ctx, height, proof, a.cfg.Key.address); err != nil {
		return nil, fmt.Errorf("anchor: record of directory block %d: %w", height, err), nil
	}
	a.cfg.Log.Info("directory block anchored", "height", height, "tx", x.last().tx.ID(), "block", at.Hash, "blockHeight", at.Height)
	_, fatal = a.m.step(recorded{height: height, keyMR: x.KeyMR, at: at})
	return nil, nil, fatal
}

// prove makes the proof of a mined anchor with the headers on top of it, and
// checks it as the core will.
func (a *Anchorer) prove(ctx context.Context, x *anchor) (*bitcoin.Proof, error) {
	raw, err := a.rawBlock(ctx, x.Mined.At.Hash)
	if err != nil {
		return nil, err
	}
	p, err := bitcoin.NewProof(raw, x.Mined.At.Height, x.last().tx.ID())
	if err != nil {
		return nil, err
	}
	for h := x.Mined.At.Height + 1; h <= a.m.Tip.Height && len(p.Following) < bitcoin.MaxFollowing; h++ {
		hash, ok := a.m.onTrail(h)
		if !ok {
			break
		}
		header, err := a.header(ctx, hash)
		if err != nil {
			return nil, err
		}
		p.Following = append(p.Following, header)
	}
	_, err = p.Verify(a.cfg.Network, x.script())
	return p, err
}

func (a *Anchorer) header(ctx context.Context, hash bitcoin.Hash) (bitcoin.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return a.cfg.Bitcoin.Header(ctx, hash)
}
