package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cloister/wire"
)

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, errs: errs, env: os.Getenv}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started { // cobra refused flags or arguments
		err = wire.Faultf(wire.ErrBadRequest, "%v; see 'cloister help'", err)
	}
	return a.fail(err)
}

// app is what every command shares: where to read and print, and the global flags.
type app struct {
	in        io.Reader
	out, errs io.Writer
	env       func(string) string
	started   bool // a command's own code runs

	home      string
	endpoints []string
	genesis   string
	key       string
	json      bool
}

// nouns has one line per noun of the command line.
var nouns = []func(*app) *cobra.Command{
	devCommand, initCommand, genesisCommand, startCommand, nodeCommand,
	keysCommand, tokenCommand, creditsCommand, chainCommand, entryCommand, notarizeCommand,
	receiptCommand, anchorCommand, blockCommand, txCommand, governanceCommand, hardwareCommand, evidenceCommand, measureCommand, benchCommand, versionCommand,
}

func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false // the order of nouns is that of use
	c := &cobra.Command{
		Use:   "cloister",
		Short: "An attested ledger with confidential contracts",
		Long: `Cloister keeps records that nobody can alter or backdate.

Try it: 'cloister dev' runs a network of three validators on this machine. The
examples of every other command work when pasted into a second shell, in the
folder 'cloister dev' was started in.

Flags win over the environment, which wins over cloister.json in the home:
  CLOISTER_HOME        folder with cloister.json, genesis.json and keys/
  CLOISTER_ENDPOINTS   addresses of hosts, separated by commas
  CLOISTER_GENESIS     genesis file: what every answer is verified against
  CLOISTER_KEY         key to sign with: a name in keys/, or a file
  CLOISTER_PASSPHRASE  passphrase of that key, instead of asking for it
  CLOISTER_CORE        the trusted program, if it is not beside this one

Exit codes: 0 done, 1 internal error, 2 wrong request, 3 refused by the ledger's
rules, 4 not found, 5 try again, 6 a proof or comparison did not hold.`,
		Example: `  cloister dev
  cloister token balance
  cloister chain create journal`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.CompletionOptions.HiddenDefaultCmd = false
	f := c.PersistentFlags()
	f.StringVar(&a.home, "home", "", "folder with cloister.json, genesis.json and keys/ (default ./.cloister-dev if there, else ~/.cloister)")
	f.StringSliceVar(&a.endpoints, "endpoint", nil, "address of a host, such as http://127.0.0.1:7401; repeat for more")
	f.StringVar(&a.genesis, "genesis", "", "genesis file to verify against")
	f.StringVar(&a.key, "key", "", "key to sign with: a name in the home's keys/, or a file")
	f.BoolVar(&a.json, "json", false, "print JSON")
	for _, noun := range nouns {
		c.AddCommand(noun(a))
	}
	a.mark(c)
	return c
}

// mark lets run tell an error of a command from cobra's refusal of its flags
// and arguments, which are errors without a code.
func (a *app) mark(c *cobra.Command) {
	if f := c.RunE; f != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.started = true
			return f(c, args)
		}
	}
	for _, sub := range c.Commands() {
		a.mark(sub)
	}
}

// groupMark tells nouns that only have verbs from commands that do something.
const groupMark = "group"

// group is a noun that only has verbs.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, Annotations: map[string]string{groupMark: ""}, RunE: func(c *cobra.Command, _ []string) error {
		return c.Help()
	}}
	for i, v := range verbs {
		c.AddCommand(v)
		if i > 0 {
			c.Example += "\n"
		}
		c.Example += v.Example
	}
	return c
}
