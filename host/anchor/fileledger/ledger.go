package fileledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"cloister/host/anchor"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

// maxBlocks bounds a file.
const maxBlocks = 100_000

// Ledger is an open file of blocks. It implements anchor.Bitcoin.
type Ledger struct {
	network *bitcoin.Network

	mu    sync.Mutex // guards all below
	file  *os.File
	end   int64 // of the last whole block
	raws  [][]byte
	chain []*bitcoin.Block
	coins map[bitcoin.Outpoint]anchor.Coin // unspent
	paid  map[bitcoin.Outpoint]string      // script of each
	pool  []*bitcoin.Tx                    // waiting, parents first
}

var _ anchor.Bitcoin = (*Ledger)(nil)

// Open reads a file, or makes it with the simulation network's first block.
// Errors carry ErrMalformed if it holds another thing than such blocks.
func Open(path string) (*Ledger, error) {
	network, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fileledger: %w", err)
	}
	l := &Ledger{network: network, file: f, coins: map[bitcoin.Outpoint]anchor.Coin{}, paid: map[bitcoin.Outpoint]string{}}
	if err = l.load(); err == nil && len(l.chain) == 0 {
		err = l.append(genesis())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// CopyTo writes the chain as it is to another file: from there on, the two can
// grow apart.
func (l *Ledger) CopyTo(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := make([]byte, l.end)
	if _, err := l.file.ReadAt(b, 0); err != nil {
		return fmt.Errorf("fileledger: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("fileledger: %w", err)
	}
	return nil
}

// load reads blocks, each with its length in four bytes before it, until the end
// or a block that was cut off.
func (l *Ledger) load() error {
	r := io.NewSectionReader(l.file, 0, 1<<62)
	for len(l.chain) < maxBlocks {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return ended(err)
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > bitcoin.MaxBlock {
			return wire.Faultf(wire.ErrMalformed, "fileledger: block %d of %d bytes", len(l.chain), n)
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(r, raw); err != nil {
			return ended(err)
		}
		if err := l.take(raw); err != nil {
			return err
		}
		l.end += int64(len(size) + len(raw))
	}
	return wire.Faultf(wire.ErrTooLarge, "fileledger: more than %d blocks", maxBlocks)
}

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("fileledger: %w", err)
}

// take puts a block on the chain in memory.
func (l *Ledger) take(raw []byte) error {
	b, err := bitcoin.ParseBlock(raw)
	if err != nil {
		return err
	}
	height := uint32(len(l.chain))
	if height == 0 && b.Hash() != l.network.Genesis || height > 0 && b.Prev != l.chain[height-1].Hash() {
		return wire.Faultf(wire.ErrMalformed, "fileledger: block %d does not build on the one before it", height)
	}
	if err := b.CheckWork(l.network); err != nil {
		return err
	}
	for i, tx := range b.Txs {
		for _, in := range tx.Inputs {
			delete(l.coins, in.Prev)
			delete(l.paid, in.Prev)
		}
		for j, out := range tx.Outputs {
			at := bitcoin.Outpoint{Tx: tx.ID(), Index: uint32(j)}
			l.coins[at] = anchor.Coin{Out: at, Value: out.Value, Born: height, Coinbase: i == 0}
			l.paid[at] = string(out.Script)
		}
	}
	l.raws, l.chain = append(l.raws, raw), append(l.chain, b)
	return nil
}

// append makes a block durable and takes it.
func (l *Ledger) append(raw []byte) error {
	record := append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
	if _, err := l.file.WriteAt(record, l.end); err != nil {
		return fmt.Errorf("fileledger: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("fileledger: %w", err)
	}
	if err := l.take(raw); err != nil {
		return err
	}
	l.end += int64(len(record))
	return nil
}

// Height implements anchor.Bitcoin.
func (l *Ledger) Height(context.Context) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint32(len(l.chain) - 1), nil
}

// BlockHash implements anchor.Bitcoin.
func (l *Ledger) BlockHash(_ context.Context, height uint32) (bitcoin.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uint64(height) >= uint64(len(l.chain)) {
		return bitcoin.Hash{}, anchor.ErrNoBlock
	}
	return l.chain[height].Hash(), nil
}

// Header implements anchor.Bitcoin.
func (l *Ledger) Header(_ context.Context, hash bitcoin.Hash) (bitcoin.Header, error) {
	b, _, err := l.find(hash)
	if err != nil {
		return bitcoin.Header{}, err
	}
	return b.Header, nil
}

// Block implements anchor.Bitcoin.
func (l *Ledger) Block(_ context.Context, hash bitcoin.Hash) ([]byte, error) {
	_, raw, err := l.find(hash)
	return bytes.Clone(raw), err
}

func (l *Ledger) find(hash bitcoin.Hash) (*bitcoin.Block, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.chain) - 1; i >= 0; i-- {
		if l.chain[i].Hash() == hash {
			return l.chain[i], l.raws[i], nil
		}
	}
	return nil, nil, wire.Faultf(wire.ErrNotFound, "fileledger: no block %s", hash)
}

// Rate implements anchor.Bitcoin: nothing is scarce here.
func (l *Ledger) Rate(context.Context, uint32) (uint64, error) { return 0, anchor.ErrNoEstimate }

// Unspent implements anchor.Bitcoin.
func (l *Ledger) Unspent(_ context.Context, script []byte) (anchor.Unspent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tip := len(l.chain) - 1
	u := anchor.Unspent{Tip: anchor.Place{Height: uint32(tip), Hash: l.chain[tip].Hash()}}
	for at, to := range l.paid {
		if to == string(script) {
			u.Coins = append(u.Coins, l.coins[at])
		}
	}
	slices.SortFunc(u.Coins, func(a, b anchor.Coin) int {
		return cmp.Or(cmp.Compare(a.Born, b.Born), bytes.Compare(a.Out.Tx[:], b.Out.Tx[:]), cmp.Compare(a.Out.Index, b.Out.Index))
	})
	return u, nil
}

// Send implements anchor.Bitcoin. What waits already is not replaced.
func (l *Ledger) Send(_ context.Context, raw []byte) error {
	tx, err := bitcoin.ParseTx(bytes.Clone(raw))
	if err != nil {
		return &anchor.Refused{Reason: err.Error()}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var in, out uint64
	for _, o := range tx.Outputs {
		out += o.Value
	}
	for _, waiting := range l.pool {
		if waiting.ID() == tx.ID() {
			return nil
		}
	}
	for _, i := range tx.Inputs {
		value, ok := l.spendable(i.Prev)
		if !ok {
			return &anchor.Refused{Reason: "an input is spent or unknown"}
		}
		in += value
	}
	if in < out {
		return &anchor.Refused{Reason: "it spends more than it has", Fee: true}
	}
	l.pool = append(l.pool, tx)
	return nil
}

// spendable is the value of an output that neither the chain nor the pool spends.
func (l *Ledger) spendable(at bitcoin.Outpoint) (value uint64, ok bool) {
	c, ok := l.coins[at]
	value = c.Value
	for _, waiting := range l.pool {
		for _, in := range waiting.Inputs {
			if in.Prev == at {
				return 0, false
			}
		}
		if waiting.ID() == at.Tx && int(at.Index) < len(waiting.Outputs) {
			value, ok = waiting.Outputs[at.Index].Value, true
		}
	}
	return value, ok
}
