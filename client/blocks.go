package client

import (
	"context"
	"errors"
	"io"
	"iter"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Block is a verified block: its header is sealed or covered, and its
// transactions are those the header commits to.
type Block struct {
	Header *wire.Header
	Hash   wire.Hash
	Txs    [][]byte // encoded transactions, in order
	// Outcome is the host's word (an encoded wire.Outcome): a header commits to
	// the execution of earlier blocks only. An executed receipt proves a result.
	Outcome []byte
}

// Block returns one block, verified. Errors: ErrNotFound, ErrNotCovered.
func (c *Client) Block(ctx context.Context, height uint64) (*Block, error) {
	return c.block(ctx, &pb.BlockRequest{At: &pb.BlockRequest_Height{Height: height}}, func(b *Block) bool {
		return b.Header.Height == height
	})
}

// BlockByHash returns the block with this header hash, verified.
func (c *Client) BlockByHash(ctx context.Context, hash wire.Hash) (*Block, error) {
	return c.block(ctx, &pb.BlockRequest{At: &pb.BlockRequest_Hash{Hash: hash.String()}}, func(b *Block) bool {
		return b.Hash == hash
	})
}

// Latest returns the newest block the host can prove, verified. That it is the
// newest there is remains the host's word, but it is never older than what the
// client has seen.
func (c *Client) Latest(ctx context.Context) (*Block, error) {
	after := c.seen.after()
	return c.block(ctx, &pb.BlockRequest{At: &pb.BlockRequest_Latest{Latest: true}, AfterHeight: after}, func(*Block) bool {
		return true
	})
}

func (c *Client) block(ctx context.Context, req *pb.BlockRequest, asked func(*Block) bool) (*Block, error) {
	var out *Block
	err := c.do(ctx, "block", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Block(ctx, connect.NewRequest(req))
		if err != nil {
			return err
		}
		b, err := c.readBlock(res.Msg)
		if err != nil {
			return err
		}
		if !asked(b) {
			return wire.Faultf(wire.ErrProof, "block %d holds, but is not the one asked for", b.Header.Height)
		}
		out = b
		return nil
	})
	return out, err
}

// readBlock verifies a block as the API carries it.
func (c *Client) readBlock(m *pb.BlockResponse) (*Block, error) {
	s, err := sealedHeader(m.GetHeader())
	if err != nil {
		return nil, err
	}
	h, hash, err := c.trust.VerifyHeader(s)
	if err != nil {
		return nil, err
	}
	if err := c.seen.header(h, hash); err != nil {
		return nil, err
	}
	b := &Block{Header: h, Hash: hash, Outcome: m.Outcome}
	if h.TxCount == 0 && h.TxRoot == wire.EmptyRoot {
		return b, nil // block 0 has no body at all, others an empty list
	}
	if b.Txs, err = wire.DecodeList(m.Body, wire.MaxBodyItems, wire.MaxTx); err != nil {
		return nil, wire.Faultf(wire.ErrProof, "body of block %d: %v", h.Height, err)
	}
	leaves := make([]wire.Hash, len(b.Txs))
	for i, tx := range b.Txs {
		leaves[i] = merkle.LeafHash(tx)
	}
	if uint64(len(leaves)) != uint64(h.TxCount) || merkle.Root(leaves) != h.TxRoot {
		return nil, wire.Faultf(wire.ErrProof, "body of block %d is not what its header commits to", h.Height)
	}
	return b, nil
}

// Blocks follows the chain from a height on, each block verified and the child
// of the one before it, until ctx ends or the loop breaks. It goes on at
// another endpoint when a host fails, by the retry policy, which starts anew
// with every block. The sequence ends after the first error.
func (c *Client) Blocks(ctx context.Context, from uint64) iter.Seq2[*Block, error] {
	return func(yield func(*Block, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		next, parent := from, wire.Hash{}
		for {
			err := c.retry(ctx, "blocks", func(ctx context.Context, e *endpoint) (progress bool, err error) {
				err = c.receiveBlocks(ctx, e, next, func(b *Block) error {
					if b.Header.Height != next || !parent.IsZero() && b.Header.Parent != parent {
						return wire.Faultf(wire.ErrProof, "block %d does not follow block %d", b.Header.Height, next-1)
					}
					next, parent, progress = next+1, b.Hash, true
					if !yield(b, nil) {
						return errEnough
					}
					return nil
				})
				if err == nil && !progress { // else a host could keep this loop busy
					err = wire.Faultf(wire.ErrUnavailable, "the stream ended without a block")
				}
				return progress, received(ctx, err)
			})
			switch {
			case errors.Is(err, errEnough):
				return
			case err != nil:
				yield(nil, err)
				return
			}
		}
	}
}

// errEnough ends a stream whose reader has what it wants.
var errEnough = errors.New("enough")

func (c *Client) receiveBlocks(ctx context.Context, e *endpoint, from uint64, each func(*Block) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.ledger.Blocks(ctx, connect.NewRequest(&pb.BlocksRequest{From: from}))
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		b, err := c.readBlock(stream.Msg().GetBlock())
		if err != nil {
			return err
		}
		if err := each(b); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
