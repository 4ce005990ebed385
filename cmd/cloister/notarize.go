package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cloister/client"
	"cloister/notary"
	"cloister/wire"
	"cloister/wire/factom"
)

// patient outlasts a full pool for minutes: a big tree is a big load, and
// giving up in the middle of it helps nobody.
var patient = client.Retry{Attempts: 200, Pause: 50 * time.Millisecond, Longest: 2 * time.Second}

func notarizeCommand(a *app) *cobra.Command {
	var chain string
	c := &cobra.Command{
		Use:   "notarize PATH",
		Short: "Record the files under a path, one entry each, and later tell which differ",
		Long: `Record the files under a path: one signed entry per file with its path, size and
SHA-256. Contents stay where they are. Symbolic links are recorded as links; pipes,
sockets and devices are left out. Run it again to record what changed since, or to
finish what was interrupted: the home's folder notary keeps what was sent until it is
proved to be recorded, so that nothing is paid twice.`,
		Example: `  mkdir -p papers && date > papers/one && cloister notarize papers --chain my-papers`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.signingKey()
			if err != nil {
				return err
			}
			return a.withNotary(cmd.Context(), key, func(l *notaryLedger) error {
				return a.notarize(cmd.Context(), l, chain, args[0])
			})
		},
	}
	chainFlag(c, &chain)
	c.AddCommand(notarizeVerify(a))
	return c
}

func chainFlag(c *cobra.Command, chain *string) {
	c.Flags().StringVar(chain, "chain", "", "chain of the records: its name or id")
	if err := c.MarkFlagRequired("chain"); err != nil {
		panic(err) // the flag is defined above
	}
}

func (a *app) withNotary(ctx context.Context, key wire.PrivateKey, f func(*notaryLedger) error) error {
	c, done, err := a.signing(client.Options{Retry: patient})
	if err != nil {
		return err
	}
	defer done()
	return f(&notaryLedger{client: c, key: key})
}

// notaryLedger is the ledger as package notary needs it.
type notaryLedger struct {
	client *client.Client
	key    wire.PrivateKey
	asOf   *client.ChainState // what the last reading of a chain was proved by
}

func (l *notaryLedger) Entries(ctx context.Context, chain wire.Hash) iter.Seq2[notary.Entry, error] {
	return func(yield func(notary.Entry, error) bool) {
		list, err := l.client.VerifiedEntries(ctx, chain)
		if err != nil {
			yield(notary.Entry{}, err)
			return
		}
		l.asOf = list.State
		for e, err := range list.Entries(ctx) {
			if err != nil {
				yield(notary.Entry{}, err)
				return
			}
			at := notary.Recorded{Tx: e.Tx, Entry: e.Hash, Height: e.Height, TimeMs: e.TimeMs}
			if !yield(notary.Entry{Bytes: e.Raw, Recorded: at}, nil) {
				return
			}
		}
	}
}

func (l *notaryLedger) Hashes(ctx context.Context, chain wire.Hash) ([]wire.Hash, error) {
	list, err := l.client.VerifiedEntries(ctx, chain)
	if err != nil {
		return nil, err
	}
	l.asOf = list.State
	return list.Hashes, nil
}

func (l *notaryLedger) Create(ctx context.Context, entry []byte) (notary.Recorded, error) {
	st, err := l.client.CreateChain(ctx, l.key, entry)
	if err != nil {
		return notary.Recorded{}, err
	}
	return notary.Recorded{Tx: st.ID, Entry: factom.EntryHash(entry), Height: st.Height}, nil
}

func (l *notaryLedger) Prepare(ctx context.Context, entry []byte, afterMs uint64) ([]byte, error) {
	l.client.SignAfter(afterMs)
	tx, err := l.client.EntryTx(ctx, l.key, entry)
	if err != nil {
		return nil, err
	}
	return tx.Bytes(), nil
}

func (l *notaryLedger) Submit(ctx context.Context, encoded [][]byte) ([]notary.Recorded, []error) {
	at, errs := make([]notary.Recorded, len(encoded)), make([]error, len(encoded))
	txs := make([]*wire.Tx, len(encoded))
	for i, b := range encoded {
		var err error
		if txs[i], err = wire.DecodeTx(b); err != nil {
			for k := range errs {
				errs[k] = err
			}
			return at, errs
		}
	}
	statuses, refusals := l.client.SubmitBatch(ctx, txs, true)
	for i := range txs {
		st, err := l.settled(ctx, txs[i].ID(), statuses[i], refusals[i])
		if errs[i] = err; err == nil {
			at[i] = notary.Recorded{Tx: st.ID, Height: st.Height}
		}
	}
	return at, errs
}

// settled waits for what the host's wait was too short for, and finds out whether
// what it had before is this very transaction.
func (l *notaryLedger) settled(ctx context.Context, id wire.Hash, st *client.TxStatus, refusal error) (*client.TxStatus, error) {
	switch replayed := errors.Is(refusal, wire.ErrReplayed); {
	case refusal == nil, replayed && st.State == client.Committed:
		return st, nil
	case replayed || errors.Is(refusal, wire.ErrDeadline) && ctx.Err() == nil:
		st, err := l.client.Await(ctx, id)
		if errors.Is(err, wire.ErrNotFound) && replayed {
			err = refusal
		}
		return st, err
	}
	return st, refusal
}

// shownProblem is a path that was left out.
type shownProblem struct {
	shownPath
	Reason string `json:"reason"`
}

// shownPath is a path in JSON: exact in hex when it is not text.
type shownPath struct {
	Path string   `json:"path"`
	Hex  wire.Hex `json:"path_hex,omitempty"`
}

func showPath(p string) shownPath {
	if utf8.ValidString(p) {
		return shownPath{Path: p}
	}
	return shownPath{shown(p), []byte(p)}
}

// shownSummary is the outcome of notarize.
type shownSummary struct {
	Chain     wire.Hash      `json:"chain"`
	Created   bool           `json:"created"`
	Signer    string         `json:"signer"`
	Files     int            `json:"files"`
	Bytes     uint64         `json:"bytes"`
	Recorded  int            `json:"recorded"`
	Resumed   int            `json:"resumed"` // that an interrupted run had sent
	Unchanged int            `json:"unchanged"`
	First     uint64         `json:"first_height"`
	Last      uint64         `json:"last_height"`
	AsOf      uint64         `json:"proved_as_of"` // height of the state that holds them
	Skipped   []shownProblem `json:"skipped"`
	Failed    []shownProblem `json:"failed"`
}

func (s *shownSummary) text(w io.Writer) {
	for _, p := range s.Skipped {
		fmt.Fprintf(w, "left out   %s: %s\n", shown(p.Path), p.Reason)
	}
	for _, p := range s.Failed {
		fmt.Fprintf(w, "FAILED     %s: %s\n", shown(p.Path), p.Reason)
	}
	pairs := []string{"files", fmt.Sprintf("%d, %s", s.Files, size(s.Bytes)), "recorded", decimal(s.Recorded), "unchanged", decimal(s.Unchanged)}
	if s.Resumed > 0 {
		pairs = append(pairs, "sent before", fmt.Sprintf("%d by an interrupted run, recorded now and paid once", s.Resumed))
	}
	if s.First > 0 {
		pairs = append(pairs, "blocks", fmt.Sprintf("%d to %d", s.First, s.Last))
	}
	fields(w, append(pairs, "chain", s.Chain.String(), "signed by", s.Signer, "proved", fmt.Sprintf("the state after block %d holds every one of them", s.AsOf))...)
}

func problems(list []notary.Problem) []shownProblem {
	out := []shownProblem{}
	for _, p := range list {
		out = append(out, shownProblem{showPath(p.Path), p.Err.Error()})
	}
	return out
}

func (a *app) notarize(ctx context.Context, l *notaryLedger, chain, root string) error {
	id, err := chainID(chain)
	if err != nil {
		return err
	}
	journal, err := a.notaryJournal(id, l.key.Public())
	if err != nil {
		return err
	}
	defer journal.Close()
	bar, err := a.progress(root, "notarizing")
	if err != nil {
		return err
	}
	s, err := notary.Notarize(ctx, l, id, chainName(chain), l.key, root, notary.Options{Progress: bar.step, Journal: journal})
	bar.end()
	if err != nil {
		return fmt.Errorf("after %d of the files: %w; run it again to go on from there", s.Recorded+s.Unchanged, err)
	}
	out := &shownSummary{
		Chain: s.Chain, Created: s.Created, Signer: wire.FactoidAddress(wire.AccountOf(l.key.Public())),
		Files: s.Files, Bytes: s.Bytes, Recorded: s.Recorded, Resumed: s.Resumed, Unchanged: s.Unchanged, First: s.First, Last: s.Last,
		Skipped: problems(s.Skipped), Failed: problems(s.Failed),
	}
	if l.asOf != nil {
		out.AsOf = l.asOf.Height
	}
	if err := a.print(out); err != nil {
		return err
	}
	if len(s.Failed) > 0 {
		return bad("%d files could not be recorded; mend what is said of each and run it again", len(s.Failed))
	}
	return nil
}

// notaryFolder is where the home keeps journals of notarize.
const notaryFolder = "notary"

// notaryJournal opens the journal of a chain's records by a key. It is the home's
// and not the tree's: a tree must not change by being notarized.
func (a *app) notaryJournal(chain wire.Hash, key wire.PublicKey) (*notary.Journal, error) {
	home, err := a.homeFolder()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(home, notaryFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fileError("create", folder, err)
	}
	return notary.OpenJournal(filepath.Join(folder, chain.String()+"-"+key.String()[:16]+".journal"), chain, key)
}

// progress shows how far a tree is.
type progress struct {
	bar  *progressbar.ProgressBar // nil without a terminal
	a    *app
	what string
	done int
	all  int
}

// linesEvery is how many files a plain progress line stands for.
const linesEvery = 1000

func (a *app) progress(root, what string) (*progress, error) {
	n, err := notary.Count(root)
	p := &progress{a: a, what: what, all: n}
	if f, ok := a.errs.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !a.json {
		p.bar = progressbar.NewOptions(n, progressbar.OptionSetWriter(a.errs), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("files"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p, err
}

func (p *progress) step(notary.Step) {
	p.done++
	switch {
	case p.bar != nil:
		_ = p.bar.Add(1) // a bar that cannot be drawn stops nothing
	case p.done%linesEvery == 0 && !p.a.json:
		p.a.note("%s: %d of %d", p.what, p.done, p.all)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// size shows bytes for people.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	div, exp := uint64(unit), 0
	for m := n / unit; m >= unit; m /= unit {
		div, exp = div*unit, exp+1
	}
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(div), "KMGTPE"[exp])
}
