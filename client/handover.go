package client

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
)

// learn asks a host for the handovers after the newest epoch known, and returns
// which is the newest then. What does not verify, or leads nowhere new, is not
// taken, nor what the host says after it.
func (c *Client) learn(ctx context.Context, e *endpoint) (newest uint64) {
	for {
		from := c.trust.epochs.Newest()
		res, err := e.ledger.Handovers(ctx, connect.NewRequest(&pb.HandoversRequest{FromEpoch: from}))
		if err != nil {
			return from
		}
		newest = from
		for _, h := range res.Msg.Handovers {
			known := newest
			if c.trust.Learn(h) != nil {
				break
			}
			if newest = c.trust.epochs.Newest(); newest == known {
				break
			}
		}
		if newest == from {
			return newest
		}
	}
}
