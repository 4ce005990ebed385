package bitcoin

// MaxBlock bounds a block in bytes: Bitcoin's own limit.
const MaxBlock = 4_000_000

// Block is a header with its transactions.
type Block struct {
	Header
	Txs []*Tx
}

// ParseBlock reads exactly a block and holds its transactions against the header.
// Its work is for CheckWork. Scripts alias b. Errors carry ErrMalformed.
func ParseBlock(b []byte) (*Block, error) {
	if len(b) > MaxBlock {
		return nil, malformed("block of %d bytes, at most %d", len(b), MaxBlock)
	}
	if len(b) < HeaderSize {
		return nil, malformed("block of %d bytes", len(b))
	}
	h, err := ParseHeader(b[:HeaderSize])
	if err != nil {
		return nil, err
	}
	r := reader{b: b, off: HeaderSize}
	block := &Block{Header: h, Txs: make([]*Tx, 0, r.count(leastTx))}
	for range cap(block.Txs) {
		t := r.tx()
		if r.err != nil {
			return nil, r.err
		}
		block.Txs = append(block.Txs, t)
	}
	if r.left() > 0 {
		r.fail("%d bytes after the block", r.left())
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := block.check(); err != nil {
		return nil, err
	}
	return block, nil
}

func (b *Block) check() error {
	root, err := MerkleRoot(b.IDs())
	if err != nil {
		return err
	}
	if root != b.Root {
		return malformed("block %s: transactions are not those of the header", b.Hash())
	}
	for i, t := range b.Txs {
		if t.IsCoinbase() != (i == 0) {
			return malformed("block %s: transaction %d is out of place", b.Hash(), i)
		}
	}
	return nil
}

// IDs are the transactions' ids in their order.
func (b *Block) IDs() []Hash {
	ids := make([]Hash, len(b.Txs))
	for i, t := range b.Txs {
		ids[i] = t.ID()
	}
	return ids
}
