package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"cloister/cmd/cloister/devnet"
	"cloister/wire"
)

// The tests of this file run real networks of real processes.

func TestEveryExampleWorksWhenPasted(t *testing.T) {
	s := newShell(t)
	s.dev("")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		_, isGroup := c.Annotations[groupMark]
		if c.HasParent() && !isGroup {
			t.Run(strings.ReplaceAll(strings.TrimPrefix(c.CommandPath(), "cloister "), " ", "-"), func(t *testing.T) {
				s := &shell{t, s.dir}
				for line := range strings.SplitSeq(c.Example, "\n") {
					switch line = strings.TrimSpace(line); c.Name() {
					case "dev":
						s.interrupted(line+" --json", "cloister node status --home ./another-network")
					case "start":
						s.interrupted(line+" --json", "cloister --endpoint 127.0.0.1:7390 --genesis ./solo/genesis.json node status")
					case "agent": // it needs a TPM, and says so
						if o := s.run(line); o.code != wire.ExitUsage || !strings.Contains(o.errs, "TPM") {
							s.t.Errorf("%s: exit %d\n%s", line, o.code, o.errs)
						}
					case "fetch": // AMD's service is there, or it is not
						if o := s.run(line); o.code != wire.ExitOK && o.code != wire.ExitBusy {
							s.t.Errorf("%s: exit %d\n%s", line, o.code, o.errs)
						}
					default:
						s.ok(line)
					}
				}
			})
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}

// interrupted runs a line that goes on until it is interrupted; it must come to
// where probe succeeds, and end well.
func (s *shell) interrupted(line, probe string) {
	s.t.Helper()
	c := s.command("exec " + line)
	var said strings.Builder
	c.Stderr = &said
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for s.run(probe).code != 0 {
		select {
		case err := <-ended:
			s.t.Fatalf("%s ended with %v\n%s", line, err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	if err := <-ended; err != nil {
		s.t.Errorf("%s, interrupted, ended with %v\n%s", line, err, said.String())
	}
}

func TestANetworkSurvivesOneValidatorAndContinuesFromItsHome(t *testing.T) {
	s := newShell(t)
	n := s.dev("")
	s.ok("cloister chain create log")
	var before shownBlock
	decode(t, s.ok("cloister entry add log one -q >/dev/null && cloister block show --json"), &before)

	victim := n.Validators[0]
	family := append(started(victim.PID), victim.PID)
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(family)
	s.ok("cloister entry add log two")
	for s.run("cloister node status").code != 0 { // until it is started again
		time.Sleep(50 * time.Millisecond)
	}

	family = append(started(n.cmd.Process.Pid), n.cmd.Process.Pid)
	n.stop(t)
	gone(family)
	if o := s.run("cloister token balance"); o.code != wire.ExitBusy {
		t.Errorf("a stopped network: exit %d, want %d\n%s", o.code, wire.ExitBusy, o.errs)
	}

	if again := s.dev(""); again.ChainID != n.ChainID || again.Validators[0].Endpoint != victim.Endpoint {
		t.Errorf("another network: chain %s at %s", again.ChainID, again.Validators[0].Endpoint)
	}
	s.ok("cloister entry add log three")
	if out := s.ok("cloister chain list-entries log --json"); strings.Count(out, "\n") != 4 {
		t.Errorf("entries are missing:\n%s", out)
	}
	var after shownBlock
	decode(t, s.ok("cloister block show --json"), &after)
	if after.Height <= before.Height {
		t.Errorf("the ledger was at block %d and is at %d", before.Height, after.Height)
	}
}

// gone returns when none of the processes exists any more; the test's own time
// limit is the only bound.
func gone(family []int) {
	for _, pid := range family {
		for alive(pid) {
			runtime.Gosched()
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func TestNothingIsLeftWhenDevIsKilled(t *testing.T) {
	s := newShell(t)
	n := s.dev("--validators 1")
	family := started(n.cmd.Process.Pid)
	if len(family) < 2 {
		t.Fatalf("only processes %v run", family)
	}
	n.exited = true
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.cmd.Wait() // killed
	gone(family)
}

func TestOneHomeOneNetwork(t *testing.T) {
	s := newShell(t)
	s.dev("--validators 1")
	for line, says := range map[string]string{
		"cloister dev": "runs in .cloister-dev already",
		"cloister start --home .cloister-dev/validator-1": "another process runs in",
		"cloister start": "cloister init",
		"cloister init --home .cloister-dev/validator-1 --name x": "another process runs in",
	} {
		if o := s.run(line); o.code != wire.ExitUsage || !strings.Contains(o.errs, says) {
			t.Errorf("%s: exit %d\n%s", line, o.code, o.errs)
		}
	}
}

func TestExitCodesTellWhatClassOfThingWentWrong(t *testing.T) {
	s := newShell(t)
	s.dev("--validators 1")
	s.ok("cloister chain create there && cloister keys new pauper --plain")
	entry := strings.TrimSpace(s.ok("cloister entry add there hello -q"))
	s.ok("cloister receipt get " + entry + " --file good.receipt")
	s.ok("sed 's/\"index\": 0/\"index\": 1/' good.receipt >bad.receipt && cloister --home elsewhere keys new x --plain")
	zero := strings.Repeat("0", 64)
	for _, c := range []struct {
		line string
		exit int
		code wire.Code
	}{
		{"cloister entry add missing-chain hello", wire.ExitMissing, wire.ErrUnknownChain},
		{"cloister chain show missing-chain", wire.ExitMissing, wire.ErrUnknownChain},
		{"cloister chain create there", wire.ExitRefused, wire.ErrChainExists},
		{"cloister entry get " + zero, wire.ExitMissing, wire.ErrNotFound},
		{"cloister receipt get " + zero, wire.ExitMissing, wire.ErrNotFound},
		{"cloister block show 99999999", wire.ExitMissing, wire.ErrNotFound},
		{"cloister --key pauper entry add there hello", wire.ExitRefused, wire.ErrInsufficientCredits},
		{"cloister --key pauper token send " + sandboxAddress + " 1", wire.ExitRefused, wire.ErrInsufficientFunds},
		{"cloister token send " + sandboxSecret + " 1", wire.ExitUsage, wire.ErrBadRequest},
		{"cloister token send " + sandboxAddress + " 0", wire.ExitUsage, wire.ErrBadAmount},
		{"cloister credits buy 1 " + sandboxAddress, wire.ExitUsage, wire.ErrBadRequest},
		{"cloister credits buy 1 " + sandboxSecret, wire.ExitUsage, wire.ErrBadRequest},
		{"cloister credits buy 0", wire.ExitUsage, wire.ErrBadAmount},
		{"cloister --key pauper credits buy 1", wire.ExitRefused, wire.ErrInsufficientFunds},
		{"cloister entry reveal good.receipt", wire.ExitUsage, wire.ErrEntryMalformed},
		{"cloister --key pauper entry commit there hello --keep none.entry", wire.ExitRefused, wire.ErrInsufficientCredits},
		{"cloister entry reveal none.entry", wire.ExitUsage, wire.ErrBadRequest},
		{"head -c 20000 /dev/zero | cloister entry add there --file -", wire.ExitUsage, wire.ErrTooLarge},
		{"cloister receipt verify bad.receipt", wire.ExitUnproven, wire.ErrProof},
		{"cloister receipt verify .cloister-dev/genesis.json", wire.ExitUnproven, wire.ErrProof},
		{"cloister --endpoint 127.0.0.1:1 token balance", wire.ExitBusy, wire.ErrUnavailable},
		{"cloister --home elsewhere token balance", wire.ExitUsage, wire.ErrBadRequest},
		{"cloister --key nobody token balance", wire.ExitUsage, wire.ErrKeyFile},
		{"cloister notarize verify . --chain there", wire.ExitMissing, wire.ErrNotFound},
	} {
		o := s.run(c.line)
		want := fmt.Sprintf("code: %s (%d)", c.code, c.code)
		if o.code != c.exit || !strings.Contains(o.errs, want) || !strings.Contains(o.errs, "next: ") {
			t.Errorf("%s: exit %d, want %d and %s\n%s", c.line, o.code, c.exit, want, o.errs)
		}
		if strings.Contains(o.errs, sandboxSecret) {
			t.Errorf("%s repeats a secret", c.line)
		}
	}
}

func TestNotarizeFindsExactlyTheFileThatChanged(t *testing.T) {
	s := newShell(t)
	s.dev("")
	tree := filepath.Join(s.dir, "tree")
	for i := range 300 {
		name := filepath.Join(tree, fmt.Sprintf("d%d", i%7), fmt.Sprintf("f%d", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.Repeat("x", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	odd := filepath.Join(tree, "not utf-8 \xff")
	if err := os.WriteFile(odd, []byte("bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	var sum shownSummary
	decode(t, s.ok("cloister notarize tree --chain tree --json"), &sum)
	if sum.Recorded != 301 || !sum.Created {
		t.Fatalf("recorded %+v", sum)
	}
	decode(t, s.ok("cloister notarize tree --chain tree --json"), &sum)
	if sum.Recorded != 0 || sum.Unchanged != 301 {
		t.Fatalf("again %+v", sum)
	}
	s.ok("cloister notarize verify tree --chain tree")
	if err := os.WriteFile(odd, []byte("bytez"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := s.run("cloister notarize verify tree --chain tree --json --receipts evidence")
	var r shownReport
	decode(t, o.out, &r)
	if o.code != wire.ExitUnproven || len(r.Differences) != 1 || r.Matched != 300 {
		t.Fatalf("exit %d, %+v", o.code, r)
	}
	d := r.Differences[0]
	if string(d.Hex) != "not utf-8 \xff" || d.Change != "changed" || !d.Proved || d.Was.Size != 5 || d.Is.SHA256 == d.Was.SHA256 {
		t.Errorf("difference %+v", d)
	}
	s.ok("cloister receipt verify " + d.Receipt)
}

// Whoever is killed in the middle knows not what arrived. The next run records
// each file once and pays for each once.
func TestNotarizeKilledInTheMiddlePaysForNothingTwice(t *testing.T) {
	s := newShell(t)
	s.dev("--validators 1")
	const files, kills = 4000, 3
	tree := filepath.Join(s.dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprintf("f%d", i)), []byte(fmt.Sprint(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var before, after shownEntryCredits
	decode(t, s.ok("cloister credits show --json"), &before)
	for range kills {
		s.killedOnceItHasSent("cloister notarize tree --chain tree", filepath.Join(s.dir, ".cloister-dev", notaryFolder, "*.journal"))
	}
	var sum shownSummary
	decode(t, s.ok("cloister notarize tree --chain tree --json"), &sum)
	if sum.Recorded+sum.Unchanged != files || sum.Recorded == files || sum.Resumed > sum.Unchanged {
		t.Errorf("the last run said %+v", sum)
	}
	t.Logf("%d recorded by the last run, %d sent before and recorded by it, %d there", sum.Recorded, sum.Resumed, sum.Unchanged-sum.Resumed)
	var chain shownChain
	decode(t, s.ok("cloister chain show tree --json"), &chain)
	if chain.Entries != files+1 {
		t.Errorf("the chain has %d entries, want one for each of %d files and its first", chain.Entries, files)
	}
	decode(t, s.ok("cloister credits show --json"), &after)
	if spent := before.Credits - after.Credits; spent != files+11 {
		t.Errorf("%d credits were spent, want %d and 11 for the chain", spent, files)
	}
	s.ok("cloister notarize verify tree --chain tree")
}

// killedOnceItHasSent runs a line and kills it when its journal has grown by some
// hundred transactions.
func (s *shell) killedOnceItHasSent(line, pattern string) {
	s.t.Helper()
	size := func() (n int64) {
		names, err := filepath.Glob(pattern)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	until := size() + 200<<10
	c := s.command("exec " + line)
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	for c.ProcessState == nil && alive(c.Process.Pid) && size() <= until {
		time.Sleep(time.Millisecond)
	}
	if err := c.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		s.t.Fatalf("%s was done before it was killed", line)
	}
}

// TestANetworkFoundedByHandRuns follows docs/operator.md.
func TestANetworkFoundedByHandRuns(t *testing.T) {
	s := newShell(t)
	l, err := devnet.Plan(3, 15_000+rand.IntN(15_000))
	if err != nil {
		t.Fatal(err)
	}
	var members string
	for _, v := range l.Validators {
		s.ok(fmt.Sprintf("cloister init --home %s --name %s --api %s --peer %s", v.Name, v.Name, v.API, v.Peer))
		members += " --member " + v.Name + "/member.json"
	}
	s.ok("cloister keys new treasury --plain")
	s.ok("cloister genesis new --name by-hand" + members + " --file genesis.json" +
		" --fund $(cloister keys show treasury --json | grep -o 'FA[1-9A-Za-z]\\{50\\}')=10,20 >founded")
	for _, v := range l.Validators {
		s.ok(fmt.Sprintf("sed -n '/^\\[peers\\]/,$p' founded >>%s/node.toml && cp genesis.json %s/", v.Name, v.Name))
		c := s.command("exec cloister start --home " + v.Name)
		var said strings.Builder
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Signal(os.Interrupt) // it may have ended
			if err := c.Wait(); err != nil {
				t.Errorf("%s ended with %v\n%s", v.Name, err, said.String())
			}
		})
	}
	user := fmt.Sprintf("export CLOISTER_GENESIS=genesis.json CLOISTER_KEY=treasury CLOISTER_ENDPOINTS=%s; ", strings.Join(l.Endpoints(), ","))
	for s.run(user+"cloister token balance").code != 0 { // until a majority runs and leads
		time.Sleep(50 * time.Millisecond)
	}
	s.ok(user + "cloister chain create by-hand && cloister node status")
	var b shownBalance
	decode(t, s.ok(user+"cloister token balance --json"), &b)
	if b.Factoids != "10" || b.Credits != 20-11 {
		t.Errorf("balance %+v", b)
	}
}
