package client

import (
	"context"

	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/token"
)

// Rates returns what an entry credit costs as of a verified state, in factoshis,
// and what it is decided to cost from a later directory block on, 0 if nothing
// is. Errors: ErrUnavailable if the network keeps no accounts.
func (c *Client) Rates(ctx context.Context) (now, coming uint64, err error) {
	s, _, err := c.StateProof(ctx, record.Name, record.ProgressKey)
	if err != nil {
		return 0, 0, err
	}
	if s.Present {
		p, err := record.DecodeProgress(s.Value)
		if err != nil {
			return 0, 0, wire.Faultf(wire.ErrProof, "%v", err)
		}
		if p.Rate != 0 { // else the first directory block has not begun
			return p.Rate, p.Coming, nil
		}
	}
	if s, _, err = c.StateProof(ctx, token.Name, token.SupplyKey); err != nil {
		return 0, 0, err
	}
	supply := new(token.Supply)
	if !s.Present {
		return 0, 0, wire.Faultf(wire.ErrUnavailable, "this network keeps no accounts")
	}
	if err := wire.Unmarshal(s.Value, supply, len(s.Value)); err != nil {
		return 0, 0, wire.Faultf(wire.ErrProof, "supply: %v", err)
	}
	return supply.Rate, 0, nil
}

// Rate is the rate to pay with: the one in force, or the one that comes if that
// is higher, so that a payment holds whichever is in force when it is recorded.
func (c *Client) Rate(ctx context.Context) (uint64, error) {
	now, coming, err := c.Rates(ctx)
	return max(now, coming), err
}

// PaymentTx makes the transaction that moves factoids of key's account to outputs
// and buys entry credits; it pays the fee at Rate. Errors: ErrBadAmount,
// ErrTooLarge, and those of Rates.
func (c *Client) PaymentTx(ctx context.Context, key wire.PrivateKey, outputs []token.Output, purchases []token.Purchase) (*wire.Tx, error) {
	rate, err := c.Rate(ctx)
	if err != nil {
		return nil, err
	}
	return c.paymentAt(ctx, key, rate, outputs, purchases)
}

// CreditsTx makes the transaction that buys at least so many entry credits for a
// key, from key's account: more if the rate has fallen when it is recorded.
// Errors as for PaymentTx.
func (c *Client) CreditsTx(ctx context.Context, key wire.PrivateKey, owner wire.PublicKey, credits uint64) (*wire.Tx, error) {
	rate, err := c.Rate(ctx)
	if err != nil {
		return nil, err
	}
	if credits == 0 || rate != 0 && credits > token.MaxAmount/rate {
		return nil, wire.Faultf(wire.ErrBadAmount, "%d credits at %d factoshis each are none, or more than there can be", credits, rate)
	}
	return c.paymentAt(ctx, key, rate, nil, []token.Purchase{{For: owner, Amount: credits * rate}})
}

func (c *Client) paymentAt(ctx context.Context, key wire.PrivateKey, rate uint64, outputs []token.Output, purchases []token.Purchase) (*wire.Tx, error) {
	at, err := c.stamps.Next(ctx)
	if err != nil {
		return nil, err
	}
	t, err := token.Pay(key, at, rate, outputs, purchases)
	if err != nil {
		return nil, err
	}
	return c.trust.Carry(token.Name, t.Bytes()), nil
}

// Pay is PaymentTx to one account, then Submit: what it returns is the word of a
// host. Receipt of the status's id proves it, Account what came of it.
func (c *Client) Pay(ctx context.Context, key wire.PrivateKey, to wire.Account, factoshis uint64) (*TxStatus, error) {
	return c.submitMade(ctx, "pay")(c.PaymentTx(ctx, key, []token.Output{{To: to, Amount: factoshis}}, nil))
}

// BuyCredits is CreditsTx, then Submit; what it returns is proved as for Pay.
func (c *Client) BuyCredits(ctx context.Context, key wire.PrivateKey, owner wire.PublicKey, credits uint64) (*TxStatus, error) {
	return c.submitMade(ctx, "buy entry credits")(c.CreditsTx(ctx, key, owner, credits))
}
