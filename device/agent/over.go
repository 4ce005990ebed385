package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"cloister/client"
	"cloister/core/families/hardware/verifier"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/hardware"
)

// validity is how long what an agent submits may wait to be recorded.
const validity = time.Minute

// ErrMoved says that a block was recorded while the state before it was read.
var ErrMoved = errors.New("the ledger went on while its state was read")

// maxMoved is how many views are given up because the ledger went on. The next
// one is read across blocks: on a network that is never quiet long enough nothing
// would be done at all, and what comes of such a view is at worst refused.
const maxMoved = 6

// over is a network reached through its public API.
type over struct {
	client *client.Client
	payer  wire.PrivateKey
	moved  atomic.Int32 // views given up since the last that was not
}

// Over reaches a network through a client. payer's account pays.
func Over(c *client.Client, payer wire.PrivateKey) Network { return &over{client: c, payer: payer} }

func (o *over) Payer() wire.Account { return wire.AccountOf(o.payer.Public()) }

// View reads with proofs: no host can make the agent act on a state that is not
// there. What was read in a view is not asked for again.
func (o *over) View(ctx context.Context) (*View, error) {
	known := map[string][]byte{}
	s, header, err := o.client.StateProof(ctx, hardware.Name, hardware.TotalsKey)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	known[string(hardware.TotalsKey)] = value(s.Present, s.Value)
	at := verifier.At{Height: s.Exec.Height, TimeMs: header.TimeMs}
	strict := o.moved.Load() < maxMoved
	if !strict {
		o.moved.Store(0)
	}
	return &View{At: at, Get: func(key []byte) ([]byte, error) {
		if b, ok := known[string(key)]; ok {
			return b, nil
		}
		s, _, err := o.client.StateProof(ctx, hardware.Name, key)
		if err != nil {
			return nil, err
		}
		if strict && s.Exec.Height != at.Height {
			o.moved.Add(1)
			return nil, ErrMoved
		}
		b := value(s.Present, s.Value)
		known[string(key)] = b
		return b, nil
	}}, nil
}

func value(present bool, b []byte) []byte {
	if !present {
		return nil
	}
	return b
}

func (o *over) Submit(ctx context.Context, payloads [][]byte) (errs []error) {
	for len(payloads) > 0 {
		n := min(len(payloads), client.MaxBatch)
		txs := make([]*wire.Tx, n)
		for i, p := range payloads[:n] {
			txs[i] = o.client.Trust().NewTx(o.payer, hardware.Name, p, validity)
		}
		_, failed := o.client.SubmitBatch(ctx, txs, false)
		errs = append(errs, failed...)
		payloads = payloads[n:]
	}
	return errs
}

func (o *over) Entry(ctx context.Context, hash wire.Hash) ([]byte, error) {
	e, err := o.client.Entry(ctx, hash)
	if errors.Is(err, wire.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.Raw, nil
}

// Record asks for the chain's first entry rather than for the chain's state: what
// was just recorded is proved by a later block only.
func (o *over) Record(ctx context.Context, entries [][]byte) error {
	for i, e := range entries {
		write := o.client.AddEntry
		if i == 0 {
			known, err := o.Entry(ctx, factom.EntryHash(e))
			if err != nil {
				return err
			}
			if known != nil {
				continue
			}
			write = o.client.CreateChain
		}
		if _, err := write(ctx, o.payer, e); err != nil && !errors.Is(err, wire.ErrChainExists) {
			return err
		}
	}
	return nil
}
