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
	"cloister/wire/receipt"
)

// Bounds of what verify proves one by one.
const maxProved = 1000

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

func notarizeVerify(a *app) *cobra.Command {
	var chain, by, receipts string
	c := &cobra.Command{
		Use:   "verify PATH",
		Short: "List the files under a path that differ from what was recorded",
		Long: `List the files under a path that differ from what was recorded: changed, missing or
new, with when the record was made. Records by other signers do not count. Exit
code 6 means that something differs.`,
		Example: `  mkdir -p papers && date > papers/one && cloister notarize papers --chain my-papers && cloister notarize verify papers --chain my-papers`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var signer wire.Account
			if by != "" {
				var err error
				if signer, err = wire.ParseAccount(by); err != nil {
					return err
				}
			}
			return a.withNotary(cmd.Context(), wire.PrivateKey{}, func(l *notaryLedger) error {
				return a.verify(cmd.Context(), l, chain, signer, args[0], receipts)
			})
		},
	}
	chainFlag(c, &chain)
	c.Flags().StringVar(&by, "by", "", "address whose records count (default the chain's first signer, who is named)")
	c.Flags().StringVar(&receipts, "receipts", "", "folder to write the receipts of what was recorded of each file that differs")
	return c
}

// shownPrint is what a file is or was.
type shownPrint struct {
	Link   bool      `json:"link,omitempty"`
	Size   uint64    `json:"size"`
	SHA256 wire.Hash `json:"sha256"`
}

// shownDifference is one path that is not as recorded.
type shownDifference struct {
	shownPath
	Change   notary.Change `json:"change"`
	Was      *shownPrint   `json:"was,omitempty"`
	Is       *shownPrint   `json:"is,omitempty"`
	Entry    *wire.Hash    `json:"entry,omitempty"`
	Height   uint64        `json:"height,omitempty"`  // of the record
	TimeMs   uint64        `json:"time_ms,omitempty"` // its block time
	Proved   bool          `json:"proved"`            // height and time are proved by a receipt
	Receipt  string        `json:"receipt,omitempty"` // file
	Unread   string        `json:"unreadable,omitempty"`
	SignedMs uint64        `json:"signed_ms,omitempty"` // signer's clock
}

// shownReport is the outcome of notarize verify.
type shownReport struct {
	Chain       wire.Hash         `json:"chain"`
	Signer      string            `json:"signer"`
	Matched     int               `json:"matched"`
	Differences []shownDifference `json:"differences"`
	Foreign     int               `json:"foreign_records"`
	AsOf        uint64            `json:"as_of"` // records are complete up to this block, proved
	AsOfMs      uint64            `json:"as_of_ms"`
}

func (r *shownReport) text(w io.Writer) {
	for _, d := range r.Differences {
		fmt.Fprintf(w, "%-10s %s\n", d.Change, shown(d.Path))
		if d.Unread != "" {
			fmt.Fprintf(w, "           cannot be read: %s\n", d.Unread)
		}
		if d.Was != nil {
			word := "by the host's word"
			if d.Proved {
				word = "proved"
			}
			fmt.Fprintf(w, "           recorded %d bytes, sha256 %s, in block %d at %s (%s)\n", d.Was.Size, d.Was.SHA256, d.Height, when(d.TimeMs), word)
		}
		if d.Is != nil {
			fmt.Fprintf(w, "           now      %d bytes, sha256 %s\n", d.Is.Size, d.Is.SHA256)
		}
		if d.Receipt != "" {
			fmt.Fprintf(w, "           receipt  %s\n", shown(d.Receipt))
		}
	}
	pairs := []string{"match", decimal(r.Matched), "differ", decimal(len(r.Differences)), "chain", r.Chain.String(), "signed by", r.Signer,
		"records", fmt.Sprintf("all up to block %d of %s, proved", r.AsOf, when(r.AsOfMs))}
	if r.Foreign > 0 {
		pairs = append(pairs, "not counted", fmt.Sprintf("%d records by others or malformed", r.Foreign))
	}
	fields(w, pairs...)
}

func (a *app) verify(ctx context.Context, l *notaryLedger, chain string, by wire.Account, root, receipts string) error {
	id, err := chainID(chain)
	if err != nil {
		return err
	}
	bar, err := a.progress(root, "comparing")
	if err != nil {
		return err
	}
	r, err := notary.Verify(ctx, l, id, by, root, notary.Options{Progress: bar.step})
	bar.end()
	if err != nil {
		return err
	}
	out := &shownReport{
		Chain: id, Signer: wire.FactoidAddress(wire.AccountOf(r.Signer)), Matched: r.Matched, Foreign: r.Foreign,
		Differences: []shownDifference{}, AsOf: l.asOf.Height, AsOfMs: l.asOf.Header.TimeMs,
	}
	if receipts != "" {
		if err := os.MkdirAll(receipts, 0o755); err != nil {
			return fileError("create", receipts, err)
		}
	}
	for _, d := range r.Differences {
		s := showDifference(d)
		if d.Was != nil && (receipts != "" || len(out.Differences) < maxProved) {
			if err := prove(ctx, l.client, &s, receipts); err != nil {
				return fmt.Errorf("receipt of %q: %w", d.Path, err)
			}
		}
		out.Differences = append(out.Differences, s)
	}
	if err := a.print(out); err != nil {
		return err
	}
	if !r.Clean() {
		return errDiffers
	}
	return nil
}

func showDifference(d notary.Difference) shownDifference {
	s := shownDifference{shownPath: showPath(d.Path), Change: d.Change}
	if d.Was != nil {
		s.Was = &shownPrint{d.Was.Link, d.Was.Size, d.Was.SHA256}
		s.Entry, s.Height, s.TimeMs, s.SignedMs = &d.Was.Recorded.Entry, d.Was.Height, d.Was.TimeMs, d.Was.AtMs
	}
	if d.Is != nil {
		s.Is = &shownPrint{d.Is.Link, d.Is.Size, d.Is.SHA256}
	}
	if d.Err != nil {
		s.Unread = d.Err.Error()
	}
	return s
}

// prove replaces the host's word on a record by its receipt, and keeps the
// receipt if there is a folder for it.
func prove(ctx context.Context, c *client.Client, s *shownDifference, folder string) error {
	v, file, err := c.EntryReceipt(ctx, *s.Entry, receipt.Executed)
	if err != nil {
		return err
	}
	s.Height, s.TimeMs, s.Proved = v.Height, v.TimeMs, true
	if folder == "" {
		return nil
	}
	s.Receipt = filepath.Join(folder, s.Entry.String()[:16]+".receipt")
	if err := os.WriteFile(s.Receipt, file, 0o644); err != nil {
		return fileError("write", s.Receipt, err)
	}
	return nil
}
