package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/governance"
	"cloister/wire/receipt"
)

// order is a decision that a command puts to the authorities.
type order struct {
	family string
	bytes  []byte
	does   string // in words: "approve …"
}

// orderFlags are those of every command that makes an order.
type orderFlags struct {
	file      string
	expires   time.Duration
	unanimous bool
	quiet     bool
}

func (o *orderFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.file, "order-file", "", "write the order to this file, for 'cloister governance propose', and propose nothing")
	o.proposing(c)
}

// proposing are the flags about the proposal itself.
func (o *orderFlags) proposing(c *cobra.Command) {
	f := c.Flags()
	f.DurationVar(&o.expires, "expires", 0, "how long it may wait for approvals, such as 48h (default as long as the network allows)")
	f.BoolVar(&o.unanimous, "unanimous", false, "carry it out only when every authority approves")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print the proposal's id and nothing else")
}

// shownOrderFile is the outcome of --order-file.
type shownOrderFile struct {
	File   string    `json:"file"`
	Family string    `json:"family"`
	Does   string    `json:"does"`
	Order  wire.Hash `json:"order"` // governance.OrderHash
}

func (s *shownOrderFile) text(w io.Writer) {
	fields(w, "order", s.Order.String(), "to", shown(s.Family), "does", lines(s.Does), "file", shown(s.File))
	fmt.Fprintf(w, "Nothing was proposed. An authority does: cloister governance propose %s %s\n", shown(s.Family), shown(s.File))
}

// decide proposes an order, or writes it to a file. One authority alone carries
// it out by that.
func (a *app) decide(ctx context.Context, c *client.Client, o order, f *orderFlags) error {
	if f.file != "" {
		if err := writeNew(f.file, o.bytes, 0o644); err != nil {
			return err
		}
		return a.print(&shownOrderFile{f.file, o.family, o.does, governance.OrderHash(o.family, o.bytes)})
	}
	p := &governance.Propose{Family: o.family, Order: o.bytes, Unanimous: f.unanimous}
	switch {
	case f.expires < 0:
		return bad("--expires is how long from now, not %s", f.expires)
	case f.expires > 0:
		p.ExpiresMs = uint64(time.Now().Add(f.expires).UnixMilli())
	}
	return a.resolve(ctx, c, p.Bytes(), o.does, f.quiet)
}

// resolve submits a proposal or an approval and shows what it led to.
func (a *app) resolve(ctx context.Context, c *client.Client, payload []byte, does string, quiet bool) error {
	v, err := a.submit(ctx, c, governance.Name, payload)
	if err != nil {
		return err
	}
	answer, err := governance.DecodeAnswer(v.Result.Output)
	if err != nil {
		return err
	}
	if quiet {
		_, err := fmt.Fprintln(a.out, answer.ID)
		return err
	}
	s := &shownDecision{Proposal: answer.ID, Executed: answer.Executed, Does: does, TxID: v.TxID, Height: v.Height, TimeMs: v.TimeMs}
	if !answer.Executed {
		if err := s.missing(provedState(ctx, c, governance.Name)); err != nil {
			return err
		}
	}
	return a.print(s)
}

// submit signs and submits a transaction and returns what its receipt proves.
func (a *app) submit(ctx context.Context, c *client.Client, family string, payload []byte) (*receipt.Verified, error) {
	key, err := a.signingKey()
	if err != nil {
		return nil, err
	}
	v, _, err := c.SubmitProved(ctx, c.Trust().NewTx(key, family, payload, validity))
	return v, err
}

// shownDecision is the outcome of proposing or approving, proved by a receipt.
type shownDecision struct {
	Proposal wire.Hash   `json:"proposal"`
	Does     string      `json:"does"`
	Executed bool        `json:"executed"`
	Waits    *shownTally `json:"waits,omitempty"` // unless it was executed
	TxID     wire.Hash   `json:"tx_id"`
	Height   uint64      `json:"height"`
	TimeMs   uint64      `json:"time_ms"`
}

// shownTally is how far a proposal is.
type shownTally struct {
	Approvals int    `json:"approvals"` // of present authorities
	All       int    `json:"authorities"`
	Missing   int    `json:"missing"`
	ExpiresMs uint64 `json:"expires_ms"`
}

func tally(p *governance.Proposal, a *governance.Authorities) *shownTally {
	t := &shownTally{Approvals: p.Counted(a), All: len(a.Accounts), ExpiresMs: p.ExpiresMs}
	for needed := t.Approvals; needed < t.All && !enough(p, a, needed); needed++ {
		t.Missing++
	}
	return t
}

// enough reports whether so many approvals carry a proposal out.
func enough(p *governance.Proposal, a *governance.Authorities, approvals int) bool {
	if p.Unanimous {
		return approvals == len(a.Accounts)
	}
	return a.Threshold.Met(approvals, len(a.Accounts))
}

func (t *shownTally) String() string {
	if t.Missing == 0 { // there were more authorities when it was made
		return fmt.Sprintf("%d of %d authorities approve, enough: the next approval by any of them carries it out", t.Approvals, t.All)
	}
	return fmt.Sprintf("%d of %d authorities approve, %d missing", t.Approvals, t.All, t.Missing)
}

// missing finds out what an open proposal waits for. Somebody else may have
// decided it in the meantime.
func (s *shownDecision) missing(st *proved) error {
	auth, err := governance.AuthoritiesOf(st.get)
	if err != nil || auth == nil {
		return err
	}
	p, err := governance.ProposalOf(st.get, s.Proposal)
	if err != nil || p == nil {
		return err
	}
	s.Waits = tally(p, auth)
	return nil
}

func (s *shownDecision) text(w io.Writer) {
	pairs := []string{"proposal", s.Proposal.String(), "transaction", s.TxID.String(), "block", decimal(s.Height), "time", when(s.TimeMs)}
	if s.Executed {
		fmt.Fprintln(w, "carried out: "+lines(s.Does))
		fields(w, pairs...)
		return
	}
	fmt.Fprintln(w, "proposed, NOT carried out yet: "+lines(s.Does))
	if s.Waits != nil {
		pairs = append(pairs, "waits", s.Waits.String(), "until", when(s.Waits.ExpiresMs))
	}
	fields(w, pairs...)
	fmt.Fprintf(w, "Another authority: cloister governance approve %s\n", s.Proposal)
}
