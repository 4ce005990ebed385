package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cloister/bench"
)

// TestAnOlderStoreIsNoticed: whoever puts back an older copy of a validator's
// store makes it forget what it promised. It must not vote then; the others go on.
func TestAnOlderStoreIsNoticed(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial(0, 1)
	chain := createChain(t, c, n.key, "older")
	third := n.retire(2)
	store, old := filepath.Join(third.folder, "store"), filepath.Join(third.folder, "older")

	t.Run("from an earlier run", func(t *testing.T) {
		copyFolder(t, store, old)
		third.start()
		third.becomes(t, "voter")
		submit(t, c, n, chain, "in a later run")
		third.stop()
		kept := swap(t, store, old)
		ready := third.starts()
		third.start()
		if err := third.ends(); err == nil || third.starts() != ready {
			t.Errorf("it ended with %v after %d starts", err, third.starts()-ready)
		}
		if !third.logged("the store is from an earlier run") {
			t.Error("its log does not say why")
		}
		submit(t, c, n, chain, "without the third")
		swap(t, store, kept)
		third.start() // the newest store is as good as before
		third.becomes(t, "voter")
		n.connected(t, third, true)
	})
	t.Run("from the same run", func(t *testing.T) {
		third.frozen(func() { copyFolder(t, store, old) })
		first := n.retire(0) // so that every seal needs the third
		last := uint64(0)
		for i := range 10 {
			last = submit(t, n.dial(1), n, chain, fmt.Sprint("promised-", i))
		}
		third.stop()
		swap(t, store, old)
		third.start()
		if err := third.ends(); err == nil {
			t.Error("its host ended as if all were well")
		}
		// Its engine finds it out by the others' word, or by being told of blocks
		// that it had acknowledged and does not have.
		if !third.logged("raft.rolled_back") && !third.logged("raft.broken") {
			t.Error("its log does not say why")
		}
		first.start()
		if after := submit(t, n.dial(0, 1), n, chain, "the others go on"); after <= last {
			t.Errorf("block %d after block %d", after, last)
		}
	})
}

// TestOfTwoCopiesOfANodeAtMostOneRemains: a second copy of a validator on the same
// machine. Their numbers of runs tell them apart. The others go on, and no two
// blocks contradict.
func TestOfTwoCopiesOfANodeAtMostOneRemains(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial(1, 2)
	chain := createChain(t, c, n.key, "copies")
	// The first is the one that opens its channels itself: its copy needs nobody
	// to know where it is.
	original := n.retire(0)
	original.follow(n.Validators[1].Endpoint) // who gets no channel any more still hears why
	original.start()
	original.becomes(t, "voter")
	n.connected(t, original, true)
	clone := &home{n: n, folder: filepath.Join(n.home, "clone"), api: freeAddress(t), peer: freeAddress(t)}
	original.frozen(func() { copyFolder(t, original.folder, clone.folder) })
	clone.edit(`(?s)(\[api\]\s+listen = )\S+`, `${1}"`+clone.api+`"`)
	clone.edit(`(?s)(\[peer\]\s+listen = )\S+`, `${1}"`+clone.peer+`"`)
	clone.start()

	load := 0
	eventually(t, "one of the copies ends", func(context.Context) error {
		load++
		submit(t, c, n, chain, fmt.Sprint("meanwhile-", load))
		if len(original.exit)+len(clone.exit) == 0 {
			return errors.New("both go on")
		}
		return nil
	})
	remains := original
	if len(original.exit) > 0 {
		remains = clone
	}
	// The copy that came later may have forgotten what the other one promised, and
	// ends too when that is found out.
	eventually(t, "the other one votes, or has ended", func(ctx context.Context) error {
		if len(remains.exit) > 0 {
			return nil
		}
		s, err := remains.dial().HostStatus(ctx)
		if err == nil && (s.GetCore().GetRole() != "voter" || s.Core.Leader == "") {
			err = fmt.Errorf("role %q, leader %q", s.GetCore().GetRole(), s.GetCore().GetLeader())
		}
		return err
	})
	submit(t, c, n, chain, "afterwards")
	n.Validators = n.Validators[1:]
	sameChain(t, n)
}

// swap puts another folder in the place of one, and returns where that is now.
func swap(t *testing.T, folder, other string) (kept string) {
	t.Helper()
	kept = folder + fmt.Sprint("-", time.Now().UnixNano())
	if err := errors.Join(os.Rename(folder, kept), os.Rename(other, folder)); err != nil {
		t.Fatal(err)
	}
	return kept
}

// frozen stops a home's processes while f works on what they have on disk.
func (h *home) frozen(f func()) {
	h.n.t.Helper()
	all := bench.Family([]int{h.pid})
	signalAll(all, syscall.SIGSTOP)
	defer signalAll(all, syscall.SIGCONT)
	eventually(h.n.t, "its processes stop", func(context.Context) error {
		for _, pid := range all {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			var state string
			if _, scanErr := fmt.Sscanf(afterName(string(b)), "%s", &state); err != nil || scanErr != nil || state != "T" {
				return fmt.Errorf("process %d is in state %q, %v", pid, state, err)
			}
		}
		return nil
	})
	f()
}

// afterName is what follows the name of a process in its line of /proc.
func afterName(stat string) string {
	for i := len(stat) - 1; i >= 0; i-- {
		if stat[i] == ')' {
			return stat[i+1:]
		}
	}
	return ""
}
