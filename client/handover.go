package client

import (
	"context"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
)

// learn asks a host for the handovers after the newest epoch known, and reports
// whether there are more epochs now. What does not verify is not taken.
func (c *Client) learn(ctx context.Context, e *endpoint) (more bool) {
	for {
		from := c.trust.epochs.Newest()
		res, err := e.ledger.Handovers(ctx, connect.NewRequest(&pb.HandoversRequest{FromEpoch: from}))
		if err != nil {
			return more
		}
		for _, h := range res.Msg.Handovers {
			if c.trust.Learn(h) != nil {
				return more
			}
		}
		if c.trust.epochs.Newest() == from {
			return more
		}
		more = true
	}
}
