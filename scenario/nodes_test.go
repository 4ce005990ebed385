package scenario

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/record"
)

// TestANewNodeJoinsVotesAndLeaves: a host outside follows the public blocks, its
// operator registers its core, the authority admits it, the voters promote it;
// then the network needs its vote. Later it is removed again.
func TestANewNodeJoinsVotesAndLeaves(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial()
	chain := createChain(t, c, n.key, "joining")
	n.history(t, chain, 300) // more than the cores keep for their hosts
	fourth := n.newcomer("fourth", "sgx", "../hardware/cloister-core")
	fourth.start()
	own := fourth.dial()
	last := submit(t, c, n, chain, "while it follows")
	eventually(t, "the newcomer follows", func(ctx context.Context) error {
		s, err := own.HostStatus(ctx)
		if err != nil {
			return err
		}
		if s.Core.GetRole() != "observer" || s.Core.GetExecuted() < last || !s.Following.GetActive() {
			return fmt.Errorf("role %q, executed %d of %d, follows %v", s.Core.GetRole(), s.Core.GetExecuted(), last, s.Following)
		}
		return nil
	})
	id := fourth.register(t, node.VoterRole).String()
	eventually(t, "the authority admits it", func(context.Context) error {
		return n.command(nil, "node", "admit", id, "--as", "voter") // once the registration is proved
	})
	fourth.becomes(t, "voter")

	gone := n.retire(0) // three of four are a quorum: now its vote is needed
	proved := n.dial(1, 2)
	last = submit(t, proved, n, chain, "with its vote")
	eventually(t, "the newcomer has it too", func(ctx context.Context) error {
		b, err := own.Latest(ctx)
		if err == nil && b.Header.Height < last {
			err = fmt.Errorf("block %d of %d", b.Header.Height, last)
		}
		return err
	})
	// It comes back without its archive, which others fill again.
	if err := os.RemoveAll(filepath.Join(gone.folder, "archive")); err != nil {
		t.Fatal(err)
	}
	gone.follow(n.Validators[1].Endpoint)
	gone.start()
	sameChain(t, n)
	if !gone.logged("follow.began") {
		t.Error("nobody filled the archive")
	}
	n.must(nil, "node", "remove", id)
	fourth.becomes(t, "observer")
	submit(t, proved, n, chain, "without it")
	sameChain(t, n)
}

// history records entries until the chain has so many blocks.
func (n *network) history(t *testing.T, chain wire.Hash, blocks uint64) {
	t.Helper()
	var load sync.WaitGroup
	c := n.dial() // one for all: it signs each message with a time of its own
	for w := range 4 {
		load.Go(func() {
			for i := 0; ; i++ {
				st, err := c.Submit(context.Background(), entryTx(t, c, n.key, chain, fmt.Sprintf("history-%d-%d", w, i)))
				if err != nil {
					t.Error(err)
					return
				}
				if st.Height >= blocks {
					return
				}
			}
		})
	}
	load.Wait()
}

// TestOnlyApprovedCodeOnSoundHardwareTakesPart: a program that nobody approved, a
// core under a debugger, and one whose approval is taken back.
func TestOnlyApprovedCodeOnSoundHardwareTakesPart(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial()
	chain := createChain(t, c, n.key, "approved")
	n.otherCore()

	intruder := n.newcomer("intruder", "sgx", "../hardware/other-core")
	intruder.start()
	if id, err := intruder.tryRegister(t, node.VoterRole); wire.CodeOf(err) != wire.ErrEvidenceCode {
		t.Errorf("a program nobody approved, node %s: %v, want ErrEvidenceCode", id, err)
	}
	debugged := n.newcomer("debugged", "snp", "../hardware/cloister-core")
	debugged.start()
	debugged.id(t)
	n.suffer("of-debugged", map[string]any{"do": "debug", "on": true})
	if id, err := debugged.tryRegister(t, node.VoterRole); wire.CodeOf(err) != wire.ErrEvidenceDebug {
		t.Errorf("a core under a debugger, node %s: %v, want ErrEvidenceDebug", id, err)
	}
	n.suffer("of-debugged", map[string]any{"do": "debug", "on": false})
	debugged.register(t, node.WorkerRole) // it was the debugger alone

	t.Run("another program cannot open a validator's store", func(t *testing.T) {
		third := n.retire(2)
		starts := third.starts()
		third.edit(`hardware/cloister-core`, "hardware/other-core")
		third.start()
		if err := third.ends(); err == nil {
			t.Error("its host ended as if all were well")
		}
		if third.starts() != starts {
			t.Errorf("its core got ready")
		}
		submit(t, n.dial(0, 1), n, chain, "without the third")
		third.edit(`hardware/other-core`, "hardware/cloister-core")
		third.start() // nothing was lost
		third.becomes(t, "voter")
		if third.starts() != starts+1 {
			t.Errorf("the approved core did not get ready")
		}
		n.connected(t, third, true)
	})
	t.Run("nobody votes on code whose approval was taken back", func(t *testing.T) {
		second := n.retire(1) // the one on SNP
		second.follow(n.Validators[0].Endpoint)
		second.start() // it hears of its own removal from others
		second.becomes(t, "voter")
		n.connected(t, second, true)
		id := wire.NodeID(hash(t, second.id(t)))
		height := n.revokeCode(t, "snp")
		eventually(t, "the revocation acts", func(ctx context.Context) error {
			at, barred := n.standing(ctx, t, id)
			if at >= height && !barred {
				t.Fatalf("after block %d the node still stands; its code is revoked from block %d on", at, height)
			}
			if at < height {
				return fmt.Errorf("state after block %d, the revocation acts at %d", at, height)
			}
			return nil
		})
		submit(t, n.dial(0), n, chain, "without the second")
		second.becomes(t, "observer")
		n.connected(t, second, false)
		if _, err := n.newcomer("late", "snp", "../hardware/cloister-core").started().tryRegister(t, node.VoterRole); wire.CodeOf(err) != wire.ErrEvidenceCode {
			t.Errorf("a newcomer with revoked code: %v, want ErrEvidenceCode", err)
		}
	})
}

// revokeCode takes back the approval of the code on a vendor's machines and
// returns the height from which that acts.
func (n *network) revokeCode(t *testing.T, vendor string) (height uint64) {
	t.Helper()
	var approved struct {
		Measurements []struct {
			ID      string `json:"id"`
			Version string `json:"version"`
		} `json:"measurements"`
	}
	n.must(&approved, "hardware", "measurements", "list")
	id := ""
	for _, m := range approved.Measurements {
		if strings.HasSuffix(m.Version, vendor) {
			id = m.ID
		}
	}
	eventually(t, "the authority revokes the code", func(ctx context.Context) error {
		b, err := n.dial().Latest(ctx)
		if err != nil {
			return err
		}
		height = b.Header.Height + 5
		return n.command(nil, "hardware", "measurements", "revoke", id, "--reason", "it leaks", "--height", fmt.Sprint(height), "--force")
	})
	return height
}

// standing is whether a node is kept from voting, as proved after some block.
func (n *network) standing(ctx context.Context, t *testing.T, id wire.NodeID) (at uint64, barred bool) {
	t.Helper()
	s, _, err := n.dial().StateProof(ctx, node.Name, node.RosterKey)
	if err != nil {
		return 0, false
	}
	r, err := node.RosterOf(func([]byte) ([]byte, error) { return s.Value, nil })
	if err != nil || r == nil {
		t.Fatalf("roster %v, %v", r, err)
	}
	return s.Exec.Height, !node.MayVote(r, id)
}

// connected waits until the other validators have a channel to one, or none.
func (n *network) connected(t *testing.T, to *home, want bool) {
	t.Helper()
	id := to.id(t)
	eventually(t, fmt.Sprintf("channels to %s: %t", filepath.Base(to.folder), want), func(ctx context.Context) error {
		for i := range n.Validators {
			if n.Validators[i].Endpoint == to.endpoint() {
				continue
			}
			s, err := n.dial(i).HostStatus(ctx)
			if err != nil {
				return err
			}
			found := false
			for _, p := range s.GetCore().GetPeers() {
				found = found || p.NodeId == id && p.Connected
			}
			if found != want {
				return fmt.Errorf("validator %d: %t", i+1, found)
			}
		}
		return nil
	})
}

// register has the operator, the development key, register the home's core, and
// returns its node id.
func (h *home) register(t *testing.T, roles node.Roles) wire.NodeID {
	t.Helper()
	id, err := h.tryRegister(t, roles)
	if err != nil {
		t.Fatalf("registering %s: %v", filepath.Base(h.folder), err)
	}
	return id
}

// tryRegister is register for what the ledger may refuse: the core makes the
// evidence, the network's members are given the transaction.
func (h *home) tryRegister(t *testing.T, roles node.Roles) (wire.NodeID, error) {
	t.Helper()
	app := &node.Application{
		Operator: wire.AccountOf(h.n.key.Public()), Roles: roles, Name: filepath.Base(h.folder), Endpoint: h.peer,
	}
	var payload []byte
	var id wire.NodeID
	eventually(t, "the core makes its registration", func(ctx context.Context) error {
		r, claims, err := h.dial().Registration(ctx, app)
		if err == nil {
			payload, id = r.Bytes(), wire.NodeIDOf(claims.Identity)
		}
		return err
	})
	c := h.n.dial()
	_, err := c.Submit(context.Background(), c.Trust().NewTx(h.n.key, node.Name, payload, time.Minute))
	return id, err
}

// becomes waits until the home's core says that it plays a part.
func (h *home) becomes(t *testing.T, role string) {
	t.Helper()
	eventually(t, filepath.Base(h.folder)+" becomes "+role, func(ctx context.Context) error {
		s, err := h.dial().HostStatus(ctx)
		if err == nil && s.Core.GetRole() != role {
			err = fmt.Errorf("it is %q, %s", s.Core.GetRole(), s.NotReady)
		}
		return err
	})
}

// started starts the home.
func (h *home) started() *home {
	h.n.t.Helper()
	h.start()
	return h
}

// id waits for the core of a home and returns its node id.
func (h *home) id(t *testing.T) (id string) {
	t.Helper()
	eventually(t, "the core says who it is", func(ctx context.Context) error {
		s, err := h.dial().HostStatus(ctx)
		if id = s.GetCore().GetNodeId(); err == nil && id == "" {
			err = fmt.Errorf("%s", s.GetNotReady())
		}
		return err
	})
	return id
}

// starts counts how often a core got ready in the home.
func (h *home) starts() int {
	b, _ := os.ReadFile(h.log())
	return bytes.Count(b, []byte("core.ready"))
}

func hash(t *testing.T, text string) wire.Hash {
	t.Helper()
	h, err := wire.ParseHash(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// submit records an entry, verifies its receipt offline, with the genesis file
// alone, and returns the height.
func submit(t *testing.T, c *client.Client, n *network, chain wire.Hash, content string) (height uint64) {
	t.Helper()
	tx := entryTx(t, c, n.key, chain, content)
	if tx.Family != record.Name {
		t.Fatalf("family %s", tx.Family)
	}
	eventually(t, "record "+content, func(ctx context.Context) error {
		_, file, err := c.SubmitProved(ctx, tx)
		if err != nil {
			return err
		}
		v, err := client.VerifyReceiptFile(n.genesis, file)
		if err != nil || v.TxID != tx.ID() {
			t.Fatalf("receipt of %s: %v, %v", content, v, err)
		}
		height = v.Height
		return nil
	})
	return height
}

// otherCore makes a program that behaves like the trusted one and is not it.
func (n *network) otherCore() string {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join(n.home, "hardware", "cloister-core"))
	if err != nil {
		n.t.Fatal(err)
	}
	name := filepath.Join(n.home, "hardware", "other-core")
	if err := os.WriteFile(name, append(b, 0), 0o755); err != nil {
		n.t.Fatal(err)
	}
	return name
}
