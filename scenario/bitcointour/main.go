package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cloister/host/anchor"
	"cloister/host/anchor/btcdlab"
	"cloister/wire/bitcoin"
)

// Times of the tour.
const (
	patience = 2 * time.Minute // bounds every wait for something that must happen
	glance   = 250 * time.Millisecond
	period   = "3s" // of a directory block
)

// depth is what a development network wants of an anchor.
const depth = 3

// minerKey is the key that the first blocks pay to; nobody spends it.
const minerKey = "1111111111111111111111111111111111111111111111111111111111111111"

func main() {
	t := &tour{}
	flag.StringVar(&t.cloister, "cloister", "bin/cloister", "the command line")
	flag.Parse()
	if err := t.run(); err != nil {
		fmt.Fprintln(os.Stderr, "  BROKEN:", err)
		os.Exit(1)
	}
}

type tour struct {
	cloister, work, home string
	lab                  *btcdlab.Lab
	network              *exec.Cmd

	entry   string
	receipt string // file
	place   place
}

// place is where an entry's directory block is anchored.
type place struct {
	Directory uint32 `json:"directory_block"`
	Height    uint32 `json:"bitcoin_height"`
	Block     string `json:"bitcoin_block"`
}

func (t *tour) run() (err error) {
	if t.cloister, err = filepath.Abs(t.cloister); err != nil {
		return err
	}
	if t.work, err = os.MkdirTemp("", "cloister-bitcoin-"); err != nil {
		return err
	}
	t.home = filepath.Join(t.work, "net")
	defer os.RemoveAll(t.work)
	defer t.stop()
	ctx := context.Background()
	for _, step := range []func(context.Context) error{t.bitcoin, t.start, t.fund, t.write, t.anchored, t.verified, t.reorganise, t.scanned, t.offline} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends what runs.
func (t *tour) stop() {
	if t.network != nil {
		_ = t.network.Process.Signal(syscall.SIGTERM)
		_ = t.network.Wait() // it was asked to end
		t.network = nil
	}
	if t.lab != nil {
		t.lab.Close()
		t.lab = nil
	}
}

func proved(format string, args ...any) { fmt.Printf("  proved: "+format+"\n", args...) }

func (t *tour) bitcoin(ctx context.Context) (err error) {
	network, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		return err
	}
	miner, err := anchor.ParseKey(minerKey, anchor.P2WPKH, network)
	if err != nil {
		return err
	}
	t.lab, err = btcdlab.Start(ctx, filepath.Join(t.work, "btcd"), miner.Address())
	return err
}

// start begins a network whose validators anchor.
func (t *tour) start(ctx context.Context) error {
	user, password := t.lab.Login()
	t.network = exec.Command(t.cloister, "dev", "--home", t.home, "--hardware", "none", "--first-port", "7601", "--period", period,
		"--anchor", t.lab.URL(), "--anchor-user", user, "--anchor-password", password, "--json")
	out, err := os.Create(filepath.Join(t.work, "dev.json"))
	if err != nil {
		return err
	}
	defer out.Close()
	t.network.Stdout, t.network.Stderr = out, os.Stderr
	if err := t.network.Start(); err != nil {
		return err
	}
	return until("the network runs", func() error {
		b, err := os.ReadFile(out.Name())
		if err == nil && !bytes.HasSuffix(bytes.TrimSpace(b), []byte("}")) {
			err = errors.New("it has not said so")
		}
		return err
	})
}

// fund mines a chain that pays the validators.
func (t *tour) fund(ctx context.Context) error {
	b, err := os.ReadFile(filepath.Join(t.work, "dev.json"))
	if err != nil {
		return err
	}
	var dev struct {
		Validators []struct {
			Anchor string `json:"anchor"`
		} `json:"validators"`
	}
	if err := json.Unmarshal(b, &dev); err != nil {
		return err
	}
	var addresses []string
	for _, v := range dev.Validators {
		addresses = append(addresses, v.Anchor)
	}
	t.lab.Stop()
	t.lab.MineTo(addresses...)
	if err := t.lab.Restart(ctx); err != nil {
		return err
	}
	if _, err := t.lab.Generate(ctx, btcdlab.Mature); err != nil {
		return err
	}
	proved("a Bitcoin node (btcd, simnet) mined %d blocks, which pay %d validators", btcdlab.Mature, len(addresses))
	return nil
}

func (t *tour) write(context.Context) error {
	if err := t.do(nil, "chain", "create", "deeds"); err != nil {
		return err
	}
	var added struct {
		Entry string `json:"entry"`
	}
	if err := t.do(&added, "entry", "add", "deeds", "the house is sold"); err != nil {
		return err
	}
	t.entry = added.Entry
	return nil
}

// anchored mines a block now and then until the entry has a receipt that leads
// into Bitcoin.
func (t *tour) anchored(ctx context.Context) error {
	return t.mineUntil(ctx, "the entry is anchored", func() error { return t.fetch("first.receipt") })
}

func (t *tour) mineUntil(ctx context.Context, what string, done func() error) error {
	next := time.Now()
	return until(what, func() error {
		if time.Now().After(next) {
			if _, err := t.lab.Generate(ctx, 1); err != nil {
				return err
			}
			next = time.Now().Add(4 * glance)
		}
		return done()
	})
}

// fetch keeps the entry's receipt in a file.
func (t *tour) fetch(name string) error {
	file := filepath.Join(t.work, name)
	var p place
	if err := t.do(&p, "receipt", "get", t.entry, "--anchored", "--file", file); err != nil {
		return err
	}
	t.receipt, t.place = file, p
	return nil
}

// headers writes all of Bitcoin's headers into a file.
func (t *tour) headers(ctx context.Context, name string) (string, error) {
	tip, err := t.lab.Node.Height(ctx)
	if err != nil {
		return "", err
	}
	var b []byte
	for height := range tip + 1 {
		hash, err := t.lab.Node.BlockHash(ctx, height)
		if err != nil {
			return "", err
		}
		h, err := t.lab.Node.Header(ctx, hash)
		if err != nil {
			return "", err
		}
		raw := h.Bytes()
		b = append(b, raw[:]...)
	}
	file := filepath.Join(t.work, name)
	return file, os.WriteFile(file, b, 0o600)
}

func (t *tour) verify(receipt, headers string) error {
	return t.do(nil, "receipt", "verify", receipt, "--bitcoin-headers", headers, "--bitcoin-network", "simnet", "--bitcoin-depth", fmt.Sprint(depth))
}

func (t *tour) verified(ctx context.Context) error {
	headers, err := t.headers(ctx, "headers")
	if err != nil {
		return err
	}
	if err := t.verify(t.receipt, headers); err != nil {
		return err
	}
	proved("the entry is in directory block %d, whose key is in block %d of Bitcoin, by headers alone", t.place.Directory, t.place.Height)
	return nil
}

// reorganise has Bitcoin forget the block with the anchor: the anchor is posted and
// recorded again, and the receipt replaced.
func (t *tour) reorganise(ctx context.Context) error {
	old, before := t.receipt, t.place
	tip, err := t.lab.Node.Height(ctx)
	if err != nil {
		return err
	}
	gone := max(depth, tip-before.Height+1)
	if _, err := t.lab.Reorg(ctx, gone); err != nil {
		return err
	}
	if err := t.mineUntil(ctx, "the receipt is replaced", func() error {
		name := fmt.Sprintf("again-%d.receipt", time.Now().UnixNano())
		if err := t.fetch(name); err != nil {
			return err
		}
		if t.place.Block == before.Block {
			return errors.New("the receipt is the old one")
		}
		return nil
	}); err != nil {
		return err
	}
	headers, err := t.headers(ctx, "headers-after")
	if err != nil {
		return err
	}
	if err := t.verify(t.receipt, headers); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := t.verify(old, headers); !errors.As(err, &exit) || exit.ExitCode() != 6 {
		return fmt.Errorf("the receipt from before the reorganisation ends with %v, not exit code 6", err)
	}
	proved("after a reorganisation of %d blocks the anchor is recorded again, the new receipt holds and the old one does not", gone)
	return nil
}

func (t *tour) scanned(ctx context.Context) error {
	user, password := t.lab.Login()
	var r struct {
		Grades struct {
			Valid    int64 `json:"valid"`
			Anchored int64 `json:"anchored"`
		} `json:"grades"`
	}
	if err := t.mineUntil(ctx, "all blocks up to the entry's are anchored", func() error {
		if err := t.do(&r, "anchor", "scan", "--bitcoin", t.lab.URL(), "--bitcoin-user", user, "--bitcoin-password", password, "--depth", fmt.Sprint(depth)); err != nil {
			return err
		}
		if r.Grades.Anchored < int64(t.place.Directory) {
			return fmt.Errorf("anchored up to block %d, the entry is in %d", r.Grades.Anchored, t.place.Directory)
		}
		return nil
	}); err != nil {
		return err
	}
	proved("a fresh client that trusts no host finds the ledger valid up to directory block %d and anchored up to %d", r.Grades.Valid, r.Grades.Anchored)
	return nil
}

// offline verifies once more when nothing runs any more.
func (t *tour) offline(ctx context.Context) error {
	headers, err := t.headers(ctx, "headers-last")
	if err != nil {
		return err
	}
	t.stop()
	if err := t.verify(t.receipt, headers); err != nil {
		return err
	}
	proved("with the network and the Bitcoin node gone, the receipt still verifies")
	return nil
}

// do runs a command and reads its JSON into out.
func (t *tour) do(out any, args ...string) error {
	c := exec.Command(t.cloister, append(args, "--home", t.home, "--json")...)
	c.Dir = t.work
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("cloister %s: %w: %s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(stdout.Bytes(), out)
}

func until(what string, done func() error) error {
	err := done()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = done() {
		time.Sleep(glance)
	}
	if err != nil {
		return fmt.Errorf("it does not come to this: %s: %w", what, err)
	}
	return nil
}
