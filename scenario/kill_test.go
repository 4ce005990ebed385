package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
)

// kills is how many processes are killed under load.
const kills = 20

// TestKilledProcessesLoseNothing kills hosts and cores at random under load:
// nothing that was acknowledged is lost, every node ends with the same chain,
// and whoever was killed catches up by itself.
func TestKilledProcessesLoseNothing(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	hosts, cores := n.processes()
	if len(hosts) != 3 || len(cores) != 3 {
		t.Fatalf("%d hosts and %d cores run, want three of each", len(hosts), len(cores))
	}
	c := n.dial()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	chain := createChain(t, c, n.key, "killed")

	var mu sync.Mutex
	acknowledged := map[wire.Hash]uint64{} // transaction → height
	var load sync.WaitGroup
	for w := range 16 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				tx := entryTx(t, c, n.key, chain, fmt.Sprintf("%d-%d", w, i))
				st, err := c.Submit(ctx, tx)
				if err != nil {
					continue // unknown: it may or may not be recorded
				}
				mu.Lock()
				acknowledged[st.ID] = st.Height
				mu.Unlock()
			}
		})
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("kill sequence seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		time.Sleep(time.Duration(200+rng.IntN(1000)) * time.Millisecond)
		hosts, cores := n.processes()
		if victims := append(hosts, cores...); len(victims) > 0 {
			_ = syscall.Kill(victims[rng.IntN(len(victims))], syscall.SIGKILL) // it may have ended just now
		}
	}
	eventually(t, "the network records again after the kills", func(ctx context.Context) error {
		_, err := c.Submit(ctx, entryTx(t, c, n.key, chain, "after"))
		return err
	})
	stop()
	load.Wait()
	if len(acknowledged) < 100 {
		t.Fatalf("only %d transactions were acknowledged: the load was too small to show anything", len(acknowledged))
	}
	sameChain(t, n)
	for i := range n.Validators {
		one := n.dial(i)
		for id, height := range acknowledged {
			eventually(t, fmt.Sprintf("validator %d on acknowledged transaction %s", i+1, id), func(ctx context.Context) error {
				st, err := one.Status(ctx, id)
				if err == nil && (st.State != client.Committed || st.Height != height) {
					t.Fatalf("validator %d says %s at %d of transaction %s, acknowledged at %d", i+1, st.State, st.Height, id, height)
				}
				return err
			})
		}
	}
	t.Logf("%d acknowledged transactions, all kept by all validators", len(acknowledged))
}

// sameChain waits until every validator has the same newest header; its parent
// links make all earlier ones the same.
func sameChain(t *testing.T, n *network) {
	t.Helper()
	eventually(t, "all validators agree", func(ctx context.Context) error {
		var heads []wire.Hash
		var heights []uint64
		for i := range n.Validators {
			c := n.dial(i)
			light := client.NewLight(c.Trust())
			if err := c.Follow(ctx, light); err != nil {
				return err
			}
			h, hash := light.Head()
			heads, heights = append(heads, hash), append(heights, h.Height)
		}
		for i := range heads {
			if heights[i] == heights[0] && heads[i] != heads[0] {
				t.Fatalf("two blocks at height %d: %v", heights[0], heads)
			}
			if heads[i] != heads[0] {
				return fmt.Errorf("heights %v", heights)
			}
		}
		return nil
	})
}

func createChain(t *testing.T, c *client.Client, key wire.PrivateKey, name string) wire.Hash {
	t.Helper()
	e := factom.Entry{ExtIDs: [][]byte{[]byte("scenario"), []byte(name)}}
	e.ChainID = factom.ChainID(e.ExtIDs)
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "create a chain", func(ctx context.Context) error {
		_, err := c.CreateChain(ctx, key, b)
		if wire.CodeOf(err) == wire.ErrChainExists {
			return nil
		}
		return err
	})
	return e.ChainID
}

func entryTx(t *testing.T, c *client.Client, key wire.PrivateKey, chain wire.Hash, content string) *wire.Tx {
	t.Helper()
	b, err := (&factom.Entry{ChainID: chain, Content: []byte(content)}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := c.EntryTx(context.Background(), key, b)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}
