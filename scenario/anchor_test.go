package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/client"
	"cloister/client/factomd"
	"cloister/client/scan"
	"cloister/host/anchor"
	"cloister/host/anchor/btcdlab"
	"cloister/host/anchor/rpc"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// TestReceiptsLeadIntoBitcoin runs the tour of anchors, which checks itself.
func TestReceiptsLeadIntoBitcoin(t *testing.T) {
	tour := filepath.Join(t.TempDir(), "bitcointour")
	build := exec.Command("go", "build", "-o", tour, "cloister/scenario/bitcointour")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(tour, "--cloister", program(t)).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// What is written under kills, and how fast.
const (
	killedEntries = 10_000
	killedWriters = 20
	anchorKills   = 16
	anchorDepth   = 3 // of development networks
)

// TestKilledProcessesLoseNoEntryAndNoAnchor kills hosts, cores and the Bitcoin node
// while entries are written: each is recorded exactly once, and in the end each
// directory block is anchored, as a client finds that trusts nobody. A majority that
// was killed has not signed every block; later ones that it signed cover those.
func TestKilledProcessesLoseNoEntryAndNoAnchor(t *testing.T) {
	lab := bitcoinLab(t)
	user, password := lab.Login()
	n := devNetwork(t, t.TempDir(), 3, "--hardware", "none", "--period", "3s",
		"--anchor", lab.URL(), "--anchor-user", user, "--anchor-password", password)
	n.pay(lab)
	c := n.dial()
	chain := createChain(t, c, n.key, "anchored under fire")
	stopMining := mine(t, lab)

	var work sync.WaitGroup
	for w := range killedWriters {
		work.Go(func() { n.writeAll(t, c, chain, w) })
	}
	written := make(chan struct{})
	go func() { work.Wait(); close(written) }()

	seed := uint64(time.Now().UnixNano())
	t.Logf("kill sequence seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range anchorKills {
		time.Sleep(time.Duration(300+rng.IntN(900)) * time.Millisecond)
		if rng.IntN(4) == 0 {
			lab.killed.Lock()
			lab.Kill()
			time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
			if err := lab.Restart(t.Context()); err != nil {
				t.Error(err)
			}
			lab.killed.Unlock()
			continue
		}
		hosts, cores := n.processes()
		if victims := append(hosts, cores...); len(victims) > 0 {
			_ = syscall.Kill(victims[rng.IntN(len(victims))], syscall.SIGKILL) // it may have ended just now
		}
	}
	<-written
	if t.Failed() {
		return
	}
	n.eachOnce(c, chain)

	var newest uint32
	f := n.factomd(0)
	eventually(t, "the directory block with the last entry", func(ctx context.Context) error {
		r, err := f.Receipt(ctx, factom.EntryHash(killedEntry(t, chain, killedEntries-1)), true)
		if err != nil {
			return err
		}
		block, err := f.RawDirectoryBlock(ctx, r.DirectoryBlockKeyMR)
		newest = block.Header.Height
		return err
	})
	network, err := scan.NetworkOf(n.genesis)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "each directory block is anchored", func(ctx context.Context) error {
		var peers []scan.Peer
		for i := range n.Validators {
			peers = append(peers, scan.NewNode(n.factomd(i)))
		}
		r, _, err := scan.Run(ctx, network, peers, bitcoinView{lab.Node}, scan.Options{Depth: anchorDepth, MaxUnsigned: 100}, nil)
		switch {
		case err != nil:
			return err
		case r.Chosen < 0 || r.Candidates[r.Chosen].Fault != nil || len(r.Findings) > 0:
			return fmt.Errorf("the scan finds %+v in %+v", r.Findings, r.Candidates)
		case r.Grades.Anchored < int64(newest):
			return fmt.Errorf("anchored up to %d, valid up to %d, the last entry is in %d: %+v", r.Grades.Anchored, r.Grades.Valid, newest, r.Candidates[r.Chosen].Notes)
		}
		t.Logf("%d entries, each once; %d directory blocks valid, %d anchored", killedEntries, r.Grades.Valid+1, r.Grades.Anchored+1)
		return nil
	})
	stopMining()
}

// killableLab is a Bitcoin node that one goroutine may kill while others use it.
type killableLab struct {
	*btcdlab.Lab
	killed sync.Mutex // held while it is down
}

func bitcoinLab(t *testing.T) *killableLab {
	t.Helper()
	simnet, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		t.Fatal(err)
	}
	miner, err := anchor.ParseKey(fmt.Sprintf("%064x", 7), anchor.P2WPKH, simnet)
	if err != nil {
		t.Fatal(err)
	}
	lab, err := btcdlab.Start(t.Context(), t.TempDir(), miner.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	return &killableLab{Lab: lab}
}

// pay mines a chain that pays the validators, and keeps it on disk.
func (n *network) pay(lab *killableLab) {
	n.t.Helper()
	var addresses []string
	for _, v := range n.Validators {
		addresses = append(addresses, v.Anchor)
	}
	lab.Stop()
	lab.MineTo(addresses...)
	err := lab.Restart(n.t.Context())
	if err == nil {
		_, err = lab.Generate(n.t.Context(), btcdlab.Mature)
	}
	if err == nil { // only an orderly end writes blocks down
		lab.Stop()
		err = lab.Restart(n.t.Context())
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// mine makes a block every second until the test or the caller ends it.
func mine(t *testing.T, lab *killableLab) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var mining sync.WaitGroup
	mining.Go(func() {
		for ctx.Err() == nil {
			lab.killed.Lock()
			_, _ = lab.Generate(ctx, 1) // the node may have been killed just now
			lab.killed.Unlock()
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); mining.Wait() })
	t.Cleanup(stop)
	return stop
}

// writeAll writes a writer's share of the entries, each until it is recorded. What
// is sent again are the same bytes, so no answer that was lost can double an entry.
func (n *network) writeAll(t *testing.T, c *client.Client, chain wire.Hash, writer int) {
	const batch = 25
	for from := writer; from < killedEntries; from += killedWriters * batch {
		var txs []*wire.Tx
		for i := range batch {
			if k := from + i*killedWriters; k < killedEntries {
				tx, err := c.EntryTx(t.Context(), n.key, killedEntry(t, chain, k))
				if err != nil {
					t.Error(err)
					return
				}
				txs = append(txs, tx)
			}
		}
		for end := time.Now().Add(patience); len(txs) > 0; {
			if time.Now().After(end) {
				t.Errorf("writer %d: %d entries are not recorded", writer, len(txs))
				return
			}
			statuses, errs := c.SubmitBatch(t.Context(), txs, true)
			var left []*wire.Tx
			for i := range txs {
				if errs[i] != nil && wire.CodeOf(errs[i]) != wire.ErrReplayed || statuses[i] == nil || statuses[i].State != client.Committed {
					left = append(left, txs[i])
				}
			}
			if txs = left; len(txs) > 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(500 * time.Millisecond) // so that the load lasts as long as the kills
	}
}

func killedEntry(t *testing.T, chain wire.Hash, number int) []byte {
	b, err := (&factom.Entry{ChainID: chain, Content: fmt.Appendf(nil, "entry %d", number)}).Marshal()
	if err != nil {
		t.Error(err)
	}
	return b
}

// eachOnce checks by proof that the chain has its first entry and each of the
// entries exactly once.
func (n *network) eachOnce(c *client.Client, chain wire.Hash) {
	n.t.Helper()
	eventually(n.t, "the list of entries", func(ctx context.Context) error {
		list, err := c.VerifiedEntries(ctx, chain)
		if err != nil {
			return err
		}
		times := map[wire.Hash]int{}
		for _, h := range list.Hashes {
			times[h]++
		}
		if len(list.Hashes) != killedEntries+1 {
			n.t.Fatalf("the chain has %d entries, %d were written", len(list.Hashes)-1, killedEntries)
		}
		for k := range killedEntries {
			if got := times[factom.EntryHash(killedEntry(n.t, chain, k))]; got != 1 {
				n.t.Fatalf("entry %d is recorded %d times", k, got)
			}
		}
		return nil
	})
}

func (n *network) factomd(i int) *factomd.Client {
	n.t.Helper()
	f, err := factomd.New(n.Validators[i].Endpoint, factomd.Options{})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(f.Close)
	return f
}

// bitcoinView is the test's own view of Bitcoin.
type bitcoinView struct{ rpc.Node }

func (v bitcoinView) Anchors(ctx context.Context, from uint32, found func(scan.Anchor) error) (uint32, error) {
	return v.Node.Anchors(ctx, from, func(f rpc.Found) error {
		return found(scan.Anchor{
			TXID: f.TXID, BlockHash: f.Block.Hash, BlockHeight: f.Block.Height, Depth: f.Depth,
			SpentFrom: scan.Spender{Hash160: f.Spender}, Script: f.Script,
		})
	})
}
