package sim

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"testing/cryptotest"

	"cloister/core/consensus/raft"
)

var (
	seeds = flag.Int("seeds", 200, "how many seeds each suite runs")
	first = flag.Uint64("first", 1, "the first seed")
)

// simulate makes one run repeatable: raft draws election timeouts from
// crypto/rand.
func simulate(t *testing.T, o Options) (n *Network, err error) {
	t.Helper()
	t.Run(fmt.Sprint("seed", o.Seed), func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, o.Seed)
		n = New(o)
		err = n.Run()
	})
	return n, err
}

func everySeed(t *testing.T, o Options) {
	t.Helper()
	recorded := 0
	for i := range *seeds {
		o.Seed = *first + uint64(i)
		n, err := simulate(t, o)
		if err != nil {
			t.Fatalf("%v\nrepeat with: go test ./sim -run '^%s$' -args -seeds 1 -first %d", err, t.Name(), o.Seed)
		}
		recorded += n.Recorded()
	}
	if recorded < 20**seeds {
		t.Errorf("only %d transactions were recorded in %d runs: the simulation tests little", recorded, *seeds)
	}
}

func TestRaftKeepsItsPromisesUnderFaults(t *testing.T) {
	everySeed(t, Options{Load: 8, Faults: true})
}

// TestRaftKeepsItsPromisesInFigure8 is the honest engine in the story in which a
// seal from an old term would be found out.
func TestRaftKeepsItsPromisesInFigure8(t *testing.T) {
	everySeed(t, Options{Load: 30, Figure8: true})
}

func TestSoloKeepsItsPromisesUnderFaults(t *testing.T) {
	everySeed(t, Options{Engine: "solo", Nodes: 1, Load: 8, Faults: true})
}

func TestRaftOfFiveKeepsItsPromises(t *testing.T) {
	if *seeds > 20 && !testing.Verbose() {
		defer func(n int) { *seeds = n }(*seeds)
		*seeds = 20
	}
	everySeed(t, Options{Nodes: 5, Load: 8, Faults: true})
}

// TestMembersChangeUnderFaults has nodes join, get the vote and leave all the
// time, leaders among them, while everything else happens too.
func TestMembersChangeUnderFaults(t *testing.T) {
	defer func(n int) { *seeds = n }(*seeds)
	*seeds = min(*seeds, 120)
	epochs := uint64(0)
	o := Options{Spares: 2, Load: 12, Faults: true}
	for i := range *seeds {
		o.Seed = *first + uint64(i)
		n, err := simulate(t, o)
		if err != nil {
			t.Fatalf("%v\nrepeat with: go test ./sim -run '^%s$' -args -seeds 1 -first %d", err, t.Name(), o.Seed)
		}
		epochs += n.Epochs() - 1
	}
	if epochs < 2*uint64(*seeds) {
		t.Errorf("only %d changes in %d runs: the simulation tests little", epochs, *seeds)
	}
}

// TestLyingArchivesHarmNobodyElse has hosts answer with forged blocks whenever a node
// catches up: nothing of them may come into state, and no good block be refused for them.
func TestLyingArchivesHarmNobodyElse(t *testing.T) {
	defer func(n int) { *seeds = n }(*seeds)
	*seeds = min(*seeds, 40)
	everySeed(t, Options{Spares: 1, Load: 12, Faults: true, Lies: true})
}

// TestARolledBackDiskIsCaught puts one node's disk back to an earlier state: it has to
// notice before it votes or acknowledges, whenever it had promised anything since.
func TestARolledBackDiskIsCaught(t *testing.T) {
	everyRollback(t, min(*seeds, 40), Options{Load: 12, Rollback: true})
}

// TestADiskFromBeforeItsNodeJoinedIsCaught puts back a disk that says nothing of
// the slot its node votes in: that slot is not as good as new.
func TestADiskFromBeforeItsNodeJoinedIsCaught(t *testing.T) {
	everyRollback(t, min(*seeds, 12), Options{Load: 20, Spares: 1, Rollback: true})
}

func everyRollback(t *testing.T, seeds int, o Options) {
	t.Helper()
	happened := 0
	for i := range seeds {
		o.Seed = *first + uint64(i)
		n, err := simulate(t, o)
		if err != nil {
			t.Fatal(err)
		}
		if n.PutBack() {
			happened++
		}
		if n.PutBack() != n.Caught() {
			t.Errorf("seed %d: not caught", o.Seed)
		}
	}
	if happened < seeds/2 {
		t.Errorf("a disk was put back in %d runs only: the simulation tests little", happened)
	}
}

// TestSameSeedSameTrace also across numbers of processors.
func TestSameSeedSameTrace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, o := range []Options{{Seed: 7, Load: 3, Faults: true}, {Seed: 8, Engine: "solo", Nodes: 1, Load: 3, Faults: true}} {
		var want string
		for i := range 20 {
			runtime.GOMAXPROCS([]int{1, 2, 8}[i%3])
			n, err := simulate(t, o)
			if err != nil {
				t.Fatal(err)
			}
			hash, steps := n.Trace()
			got := fmt.Sprint(hash, steps)
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("run %d of seed %d gave trace %s, the first %s", i, o.Seed, got, want)
			}
		}
	}
}

// TestPlantedFaultsAreFound plants a fault, and demands that some seed shows
// it and that the seed shows it again at the same step.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, plant := range []struct {
		name string
		Options
	}{
		{"acknowledge before sync", Options{Load: 10, Faults: true, Raft: raft.Trial{Unsynced: true}}},
		{"order in an epoch that ended", Options{Spares: 2, Load: 12, Faults: true, Raft: raft.Trial{OldEpoch: true}}},
		{"seal from an old term", Options{Load: 30, Figure8: true, Raft: raft.Trial{OldTerm: true}}},
	} {
		t.Run(plant.name, func(t *testing.T) {
			o := plant.Options
			for seed := uint64(1); seed <= 200; seed++ {
				o.Seed = seed
				_, err := simulate(t, o)
				if err == nil {
					continue
				}
				_, again := simulate(t, o)
				if again == nil || again.Error() != err.Error() {
					t.Fatalf("found: %v\nagain: %v", err, again)
				}
				t.Logf("found at seed %d: %v", seed, err)
				return
			}
			t.Fatal("200 seeds did not show it")
		})
	}
}
