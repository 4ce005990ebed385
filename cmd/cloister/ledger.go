package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/receipt"
)

// validity is how long a transaction may wait to be recorded.
const validity = 5 * time.Minute

// dial prepares a client of the hosts and the genesis file that are in force.
func (a *app) dial(opts client.Options) (*client.Client, error) {
	g, err := a.readGenesis()
	if err != nil {
		return nil, err
	}
	endpoints, err := a.endpointList()
	if err != nil {
		return nil, err
	}
	return client.Dial(endpoints, g, opts)
}

// asking makes a RunE of a function that needs a client.
func (a *app) asking(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, done, err := a.signing(client.Options{})
		if err != nil {
			return err
		}
		defer done()
		return f(cmd.Context(), c, args)
	}
}

// signing is dial for what may sign messages: done closes the client and remembers
// what it has signed.
func (a *app) signing(opts client.Options) (c *client.Client, done func(), err error) {
	if c, err = a.dial(opts); err != nil {
		return nil, nil, err
	}
	before := a.lastSigned(c)
	return c, func() {
		a.keepLastSigned(c, before)
		c.Close()
	}, nil
}

// lastSignedFile is the newest time that a message was signed with in this home:
// a burst runs ahead of the clock, and no later command may use its times again.
const lastSignedFile = "last-signed"

// lastSigned has a client go on behind what the home has signed.
func (a *app) lastSigned(c *client.Client) (before uint64) {
	home, err := a.homeFolder()
	if err != nil {
		return 0
	}
	b, err := readFile(filepath.Join(home, lastSignedFile), 32)
	if err != nil {
		return 0 // none yet
	}
	if before, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
		c.SignAfter(before)
	}
	return before
}

// keepLastSigned remembers what the client came to. That it cannot is no failure of
// the command: at worst another has to be sent again.
func (a *app) keepLastSigned(c *client.Client, before uint64) {
	last := c.LastSigned()
	if home, err := a.homeFolder(); err == nil && last > before {
		_ = replaceFile(filepath.Join(home, lastSignedFile), []byte(strconv.FormatUint(last, 10)+"\n"), 0o600)
	}
}

// quietFlag makes a writing command print nothing but the transaction's id.
func quietFlag(c *cobra.Command, quiet *bool) {
	c.Flags().BoolVarP(quiet, "quiet", "q", false, "print the transaction's id and nothing else")
}

// written is the outcome of a command that changed the ledger: proved by a
// receipt, not by a host's word.
type written struct {
	TxID   wire.Hash       `json:"tx_id"`
	Height uint64          `json:"height"`
	TimeMs uint64          `json:"time_ms"`         // block time
	Payer  string          `json:"payer,omitempty"` // nobody pays for a reveal
	Fee    uint64          `json:"fee"`             // factoshis
	Cost   uint64          `json:"credits"`         // entry credits
	Chain  *wire.Hash      `json:"chain,omitempty"`
	Entry  *wire.Hash      `json:"entry,omitempty"`
	Commit *wire.Hash      `json:"commit,omitempty"` // TXID of the payment for an entry
	Policy *receipt.Policy `json:"policy"`
	did    string
}

func (w *written) text(out io.Writer) {
	fmt.Fprintln(out, w.did)
	pairs := []string{"transaction", w.TxID.String(), "block", decimal(w.Height), "time", when(w.TimeMs), "payer", w.Payer}
	if w.Chain != nil {
		pairs = append(pairs, "chain", w.Chain.String())
	}
	if w.Entry != nil {
		pairs = append(pairs, "entry", w.Entry.String())
	}
	if w.Cost > 0 {
		pairs = append(pairs, "entry credits", decimal(w.Cost))
	}
	if w.Fee > 0 {
		pairs = append(pairs, "factoids", amount(w.Fee)+" burnt as fee")
	}
	fields(out, pairs...)
}

// write signs and submits one transaction, and prints what its receipt proves.
func (a *app) write(ctx context.Context, c *client.Client, family string, payload []byte, quiet bool, did string) error {
	return a.writeMade(ctx, c, quiet, did, func(key wire.PrivateKey) (*wire.Tx, error) {
		return c.Trust().NewTx(key, family, payload, validity), nil
	})
}

// writeMade is write for what has signatures of its own.
func (a *app) writeMade(ctx context.Context, c *client.Client, quiet bool, did string, made func(wire.PrivateKey) (*wire.Tx, error)) error {
	key, err := a.signingKey()
	if err != nil {
		return err
	}
	tx, err := made(key)
	if err != nil {
		return err
	}
	return a.record(ctx, c, tx, quiet, did)
}

// record submits a transaction and prints what its receipt proves.
func (a *app) record(ctx context.Context, c *client.Client, tx *wire.Tx, quiet bool, did string) error {
	v, _, err := c.SubmitProved(ctx, tx)
	if err != nil {
		return err
	}
	if quiet {
		_, err := fmt.Fprintln(a.out, v.TxID)
		return err
	}
	w := &written{TxID: v.TxID, Height: v.Height, TimeMs: v.TimeMs, Payer: v.Address, Fee: v.Result.Fee, Cost: v.Result.Credits, Policy: &v.Policy, did: did}
	if v.Commit != nil {
		w.Commit, w.Entry = &v.Commit.TXID, &v.Commit.Entry
	}
	if v.Entry != nil {
		w.Chain, w.Entry = &v.Entry.Chain, &v.Entry.Hash
	}
	return a.print(w)
}

// when shows a block time.
func when(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// chainID reads a chain as people give it: its id in hex, or the name it was
// created with.
func chainID(s string) (wire.Hash, error) {
	if len(s) == 64 {
		if h, err := wire.ParseHash(s); err == nil {
			return h, nil
		}
	}
	if s == "" {
		return wire.Hash{}, bad("a chain is given by its name or its id of 64 hex digits")
	}
	return factom.ChainID(chainName(s)), nil
}

// parseID reads a hash that a command is given.
func parseID(what, s string) (wire.Hash, error) {
	h, err := wire.ParseHash(s)
	if err != nil {
		return h, bad("%s has 64 hex digits, not %q", what, clip(s))
	}
	return h, nil
}
