package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"cloister/wire"
	"cloister/wire/record"
)

// outcome is what one command line did.
type outcome struct {
	code      int
	out, errs string
}

// cli runs one command line in this process.
func cli(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	return outcome{code, out.String(), errs.String()}
}

// ok runs a command line that must succeed.
func ok(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	o := cli(t, stdin, args...)
	if o.code != 0 {
		t.Fatalf("cloister %s: exit %d\n%s", strings.Join(args, " "), o.code, o.errs)
	}
	return o.out
}

const (
	sandboxAddress = "FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q"
)

func TestAmountsAreExactAndGoBothWays(t *testing.T) {
	for _, c := range []struct {
		text      string
		factoshis uint64
	}{
		{"0", 0}, {"1", 1e8}, {"12.5", 1_250_000_000}, {"0.00000001", 1}, {"0.00012", 12_000},
		{"92233720368.54775807", 1<<63 - 1}, {"20000", 20_000 * 1e8},
	} {
		n, err := parseAmount(c.text)
		if err != nil || n != c.factoshis {
			t.Errorf("%s is %d factoshis (%v), want %d", c.text, n, err, c.factoshis)
		}
		if s := amount(c.factoshis); s != c.text {
			t.Errorf("%d factoshis are %s, want %s", c.factoshis, s, c.text)
		}
	}
	for _, s := range []string{"", ".", "1.", ".5", "-1", "+1", "1e8", "1_0", "0x10", "1.000000001", " 1", "1,5", "92233720368.54775808", "99999999999999999999"} {
		if n, err := parseAmount(s); !errors.Is(err, wire.ErrBadAmount) {
			t.Errorf("%q is taken as %d: %v", s, n, err)
		}
	}
}

func TestFundsNameAnAddressAndAmounts(t *testing.T) {
	al, err := parseFund(sandboxAddress + "=20000,7")
	if err != nil || al.Address != sandboxAddress || al.Factoshis != 20000*1e8 || al.Credits != 7 {
		t.Fatalf("%+v, %v", al, err)
	}
	credit := wire.CreditAddress(wire.PublicKey{1})
	if al, err = parseFund(credit + "=1,7"); err != nil || al.Address != credit || al.Credits != 7 {
		t.Errorf("an EC address names the key that has the credits: %+v, %v", al, err)
	}
	for _, s := range []string{"", sandboxAddress, sandboxAddress + "=", sandboxAddress + "=1,", sandboxAddress + "=1,-2", "FA1=1", sandboxSecret + "=1"} {
		if _, err := parseFund(s); wire.CodeOf(err).Info().Exit != wire.ExitUsage {
			t.Errorf("%q: %v, want an error of the request", s, err)
		}
	}
}

func TestAGenesisSaysHowMuchTimeADirectoryBlockCovers(t *testing.T) {
	found := func(period time.Duration) (*wire.Genesis, error) {
		m := &member{Name: "a", Key: wire.NewPrivateKey([32]byte{1}).Public()}
		f := founding{name: "n", engine: "solo", rate: 1, period: period, at: time.UnixMilli(1_700_000_000_000), members: []*member{m}}
		return f.genesis()
	}
	for period, want := range map[time.Duration]uint64{0: record.DefaultPeriodMs, devPeriod: 10_000, time.Hour: 3_600_000} {
		g, err := found(period)
		if err != nil {
			t.Fatal(err)
		}
		p, err := record.ParseParams(g.Families[1].Params)
		if err != nil || g.Families[1].Name != record.Name || p.PeriodMs != want {
			t.Errorf("--period %s: %+v, %v", period, p, err)
		}
	}
	for _, period := range []time.Duration{time.Millisecond, 1234 * time.Millisecond, 48 * time.Hour, -time.Second} {
		if _, err := found(period); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("--period %s: %v", period, err)
		}
	}
}

func TestAnErrorSaysWhatWasWrongItsCodeAndWhatToDo(t *testing.T) {
	for _, err := range []error{
		wire.Faultf(wire.ErrBusy, "the pool is full"),
		fmt.Errorf("submit: %w", wire.Faultf(wire.ErrBusy, "the pool is full")),
		fmt.Errorf("submit: %w", wire.ErrBusy),
		fmt.Errorf("decode: %w", wire.ErrEncoding),
		errors.New("boom"),
	} {
		p := describe(err)
		info := wire.CodeOf(err).Info()
		if p.Error == "" || p.Name != info.Name || p.Next != info.Advice || p.Exit != info.Exit || strings.Contains(p.Error, info.Advice) {
			t.Errorf("%v is described as %+v", err, p)
		}
	}
	o := cli(t, "", "genesis", "show", "/nowhere/genesis.json")
	if o.code != wire.ExitUsage || !strings.Contains(o.errs, "code: ErrBadRequest (402)") || !strings.Contains(o.errs, "next: ") || o.out != "" {
		t.Errorf("exit %d, %q, %q", o.code, o.out, o.errs)
	}
	o = cli(t, "", "--json", "genesis", "show", "/nowhere/genesis.json")
	var p struct{ Problem problem }
	if err := json.Unmarshal([]byte(o.errs), &p); err != nil || p.Problem.Code != wire.ErrBadRequest || p.Problem.Exit != o.code || p.Problem.Next == "" {
		t.Errorf("as JSON: %v, %q", err, o.errs)
	}
}

func TestAWrongCommandLineIsExitTwo(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"nonsense"}, {"keys", "nonsense"}, {"keys", "new"}, {"keys", "new", "a", "b"}, {"genesis", "new"}, {"keys", "new", "../x", "--plain"}} {
		if o := cli(t, "", args...); o.code != wire.ExitUsage || !strings.Contains(o.errs, "next: ") {
			t.Errorf("cloister %v: exit %d, %q", args, o.code, o.errs)
		}
	}
}

func TestEveryCommandHasHelpAndAnExampleOfItself(t *testing.T) {
	a := &app{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no summary", c.CommandPath())
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example of itself: %q", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
}

func TestCompletionIsOffered(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := ok(t, "", "completion", shell); !strings.Contains(out, "cloister") {
			t.Errorf("completion %s says %.80q", shell, out)
		}
	}
}

func TestKeysAreMadeShownListedAndNeverOverwritten(t *testing.T) {
	home := t.TempDir()
	var made, shown shownKey
	decode(t, ok(t, "", "--home", home, "--json", "keys", "new", "alice", "--plain"), &made)
	decode(t, ok(t, "", "--home", home, "--json", "keys", "show", "alice"), &shown)
	if made != shown || made.Secret != "" || made.Kind != wire.KeyFilePlain {
		t.Errorf("made %+v, shown %+v", made, shown)
	}
	before, err := os.ReadFile(made.File)
	if err != nil {
		t.Fatal(err)
	}
	if o := cli(t, "", "--home", home, "keys", "new", "alice", "--plain"); o.code != wire.ExitUsage {
		t.Errorf("a second key of the name: exit %d", o.code)
	}
	if after, err := os.ReadFile(made.File); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key file changed: %v", err)
	}
	if info, err := os.Stat(made.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v: %v", info.Mode(), err)
	}
	var list keyList
	decode(t, ok(t, "", "--home", home, "--json", "keys", "list"), &list)
	if len(list.Keys) != 1 || *list.Keys[0] != made {
		t.Errorf("listed %+v", list.Keys)
	}
}

func TestTheSandboxSecretGivesItsWellKnownAddress(t *testing.T) {
	home := t.TempDir()
	var k shownKey
	decode(t, ok(t, sandboxSecret+"\n", "--home", home, "--json", "keys", "import", "tester", "--plain"), &k)
	if k.Address != sandboxAddress {
		t.Errorf("address %s, want %s", k.Address, sandboxAddress)
	}
	decode(t, ok(t, "", "--home", home, "--json", "keys", "show", "tester", "--secret"), &k)
	if k.Secret != sandboxSecret {
		t.Errorf("secret %s", k.Secret)
	}
	o := cli(t, sandboxAddress+"\n", "--home", home, "keys", "import", "other", "--plain")
	if o.code != wire.ExitUsage {
		t.Errorf("an address taken as a secret: exit %d", o.code)
	}
	o = cli(t, sandboxSecret[:51]+"L\n", "--home", home, "keys", "import", "other", "--plain")
	if o.code != wire.ExitUsage || strings.Contains(o.errs, sandboxSecret[:20]) {
		t.Errorf("a mistyped secret: exit %d, %q", o.code, o.errs)
	}
}

func TestAnEncryptedKeyNeedsItsPassphrase(t *testing.T) {
	home := t.TempDir()
	if o := cli(t, "", "--home", home, "keys", "new", "bob"); o.code != wire.ExitUsage || !strings.Contains(o.errs, "CLOISTER_PASSPHRASE") {
		t.Errorf("without a terminal: exit %d, %q", o.code, o.errs)
	}
	t.Setenv("CLOISTER_PASSPHRASE", "correct horse")
	var k shownKey
	decode(t, ok(t, "", "--home", home, "--json", "keys", "new", "bob"), &k)
	if k.Kind != wire.KeyFileEncrypted {
		t.Errorf("kind %s", k.Kind)
	}
	decode(t, ok(t, "", "--home", home, "--json", "keys", "show", "bob", "--secret"), &k)
	if k.Secret == "" {
		t.Error("the secret was asked for and not shown")
	}
	t.Setenv("CLOISTER_PASSPHRASE", "wrong horse")
	if o := cli(t, "", "--home", home, "keys", "show", "bob", "--secret"); o.code != wire.ErrKeyPassphrase.Info().Exit || !strings.Contains(o.errs, "ErrKeyPassphrase") {
		t.Errorf("a wrong passphrase: exit %d, %q", o.code, o.errs)
	}
}

func TestFlagsWinOverEnvironmentOverContext(t *testing.T) {
	home := t.TempDir()
	c := userContext{Format: contextFormat, Endpoints: []string{"http://context"}, Genesis: "g.json", Key: "ctx"}
	if err := os.WriteFile(filepath.Join(home, contextFile), wire.EncodeJSON(c), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"CLOISTER_HOME": home}
	a := &app{env: func(k string) string { return env[k] }}
	check := func(step, endpoint, genesis, key string) {
		t.Helper()
		e, err1 := a.endpointList()
		g, err2 := a.genesisPath()
		k, err3 := a.chosenKey()
		if err := errors.Join(err1, err2, err3); err != nil || e[0] != endpoint || g != genesis || k != key {
			t.Errorf("%s: %v %v %v, %v", step, e, g, k, err)
		}
	}
	check("context", "http://context", filepath.Join(home, "g.json"), filepath.Join(home, "keys", "ctx.json"))
	env["CLOISTER_ENDPOINTS"], env["CLOISTER_GENESIS"], env["CLOISTER_KEY"] = "http://env,http://env2", "/env/g", "env"
	check("environment", "http://env", "/env/g", filepath.Join(home, "keys", "env.json"))
	a.endpoints, a.genesis, a.key = []string{"http://flag"}, "/flag/g", "/flag/key.json"
	check("flags", "http://flag", "/flag/g", "/flag/key.json")
}

func TestAMangledContextIsNamed(t *testing.T) {
	home := t.TempDir()
	for _, content := range []string{"", "{", `{"format":"cloister-context/v9","endpoints":[],"genesis":"","key":""}`, strings.Repeat(" ", maxContext+1)} {
		if err := os.WriteFile(filepath.Join(home, contextFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if o := cli(t, "", "--home", home, "genesis", "show"); o.code != wire.ExitUsage || !strings.Contains(o.errs, contextFile) {
			t.Errorf("%.20q: exit %d, %q", content, o.code, o.errs)
		}
	}
}

func TestTerminalTextFromTheLedgerCannotMoveTheCursor(t *testing.T) {
	for _, s := range []string{"\x1b[2J", "a\nb", "\xff", "a\u202eb", "tab\there"} {
		if got := shown(s); got == s || !printable(got) {
			t.Errorf("%q is shown as %q", s, got)
		}
	}
	if got := shown("plain/päth ok"); got != "plain/päth ok" {
		t.Errorf("plain text is shown as %q", got)
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}
