package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// shelf is a family that does with its state what the payload's words say; see do.
// With begin and end it does so at each block's beginning and end.
type shelf struct {
	name       string
	begin, end string
	needs      []string
}

var (
	_ ledger.Beginner  = shelf{}
	_ ledger.Ender     = shelf{}
	_ ledger.Timed     = shelf{}
	_ ledger.Dependent = shelf{}
)

func (s shelf) Name() string                              { return s.name }
func (shelf) Genesis(ledger.State, json.RawMessage) error { return nil }
func (shelf) Check(tx *wire.Tx) (any, error)              { return string(tx.Payload), nil }
func (shelf) Price(*ledger.Call) (ledger.Price, error)    { return ledger.Price{}, nil }
func (shelf) Admit(*ledger.Call) error                    { return nil }
func (s shelf) Needs() []string                           { return s.needs }

func (s shelf) Execute(c *ledger.Call) ([]byte, error) {
	return do(c.State(s.name), nil, c.Payload.(string))
}

func (s shelf) BeginBlock(e *ledger.End) error {
	_, err := do(e.State(s.name), e, s.begin)
	return err
}

func (s shelf) EndBlock(e *ledger.End) error {
	_, err := do(e.State(s.name), e, s.end)
	return err
}

// DueMs is the number under "due".
func (s shelf) DueMs(st ledger.State) (due uint64, err error) {
	b, err := st.Aside().Get([]byte("due"))
	if err == nil && b != nil {
		_, err = fmt.Sscan(string(b), &due)
	}
	return due, err
}

// do carries out words in order: "key+value" adds, "key=value" sets, "key=" deletes, "/key=value" does
// so in unproved state; "a..b" lists keys and values from a to b, "/a..b" unproved
// ones; "-a..b" drops unproved ones; "?key" reads, "busy" refuses, "big*n" sets n
// unproved values of a KiB.
func do(st ledger.State, e *ledger.End, words string) (out []byte, err error) {
	for _, word := range strings.Fields(words) {
		in := st
		if strings.HasPrefix(word, "/") {
			in, word = st.Aside(), word[1:]
		}
		key, value, sets := strings.Cut(word, "=")
		name, added, adds := strings.Cut(word, "+")
		lo, hi, ranges := strings.Cut(strings.TrimPrefix(word, "-"), "..")
		n := 0
		switch {
		case word == "busy":
			err = wire.ErrBusy
		case word[0] == '?':
			var b []byte
			b, err = in.Get([]byte(word[1:]))
			out = append(out, b...)
		case adds:
			err = in.Add([]byte(name), []byte(added))
		case sets && value == "":
			err = in.Delete([]byte(key))
		case sets:
			err = in.Set([]byte(key), []byte(value))
		case ranges && word[0] == '-':
			e.Drop("shelf", []byte(lo), []byte(hi))
		case ranges:
			err = in.Scan([]byte(lo), []byte(hi), func(k, v []byte) bool {
				out = fmt.Appendf(out, "%s=%s ", k, v)
				n++
				return n < 3
			})
		case strings.HasPrefix(word, "big*"):
			_, err = fmt.Sscanf(word, "big*%d", &n)
			for i := range n {
				err = errors.Join(err, in.Set(fmt.Appendf(nil, "big%08d", i), make([]byte, 1024)))
			}
		default:
			err = fmt.Errorf("what is %q", word)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func withShelf(t testing.TB, s store.Store, families ...shelf) *ledgertest.Chain {
	if len(families) == 0 {
		families = []shelf{{name: "shelf"}}
	}
	var named []wire.FamilyGenesis
	var all []ledger.Family
	for _, f := range families {
		named, all = append(named, wire.FamilyGenesis{Name: f.name}), append(all, f)
	}
	return ledgertest.New(t, s, ledgertest.GenesisOf(named...), all)
}

func eachShelf(t *testing.T, test func(t *testing.T, c *ledgertest.Chain, says func(words, want string))) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			c := withShelf(t, open(t))
			test(t, c, func(words, want string) {
				t.Helper()
				if r := c.One(c.Tx(ledgertest.Alice, "shelf", []byte(words))); r.Code != wire.OK || string(r.Output) != want {
					t.Fatalf("%s: %s, %q; want %q", words, r.Code, r.Output, want)
				}
			})
		})
	}
}

// Unproved state is no part of what headers commit to, and otherwise state.
func TestAsideIsStateWithoutProof(t *testing.T) {
	eachShelf(t, func(t *testing.T, c *ledgertest.Chain, says func(words, want string)) {
		says("k=proved", "")
		root := c.Ledger.Tip().Exec.StateRoot
		says("/k=aside ?k /?k", "provedaside")
		says("/gone=x", "")
		says("/gone= /?gone", "")
		if got := c.Ledger.Tip().Exec.StateRoot; got != root {
			t.Fatal("a root commits to unproved state")
		}
		c.Open(c.Store)
		says("?k /?k /?gone", "provedaside")
		c.View(func(v *ledger.View) {
			value, _, err := v.Prove(v.Height(), "shelf", []byte("k"))
			if err != nil || string(value) != "proved" {
				t.Errorf("%q, %v", value, err)
			}
			if b, err := v.State("shelf").Aside().Get([]byte("k")); err != nil || string(b) != "aside" {
				t.Errorf("a view has %q, %v", b, err)
			}
		})
		// No older value of it is kept.
		n := 0
		if err := c.Store.Iter([]byte{'u'}, []byte{'v'}, func(_, _ []byte) bool { n++; return true }); err != nil || n != 1 {
			t.Errorf("%d undo entries, want that of the proved key, %v", n, err)
		}
	})
}

func TestAsideIsRolledBackWithTheTransaction(t *testing.T) {
	eachShelf(t, func(t *testing.T, c *ledgertest.Chain, says func(words, want string)) {
		says("/k=before /other=x", "")
		done := c.Run(c.Tx(ledgertest.Alice, "shelf", []byte("/k=during /other= /new=x busy")), c.Tx(ledgertest.Alice, "shelf", []byte("/?k /?other /?new")))
		if r := c.Result(done, 0); r.Code != wire.ErrBusy {
			t.Fatal(r.Code)
		}
		if r := c.Result(done, 1); string(r.Output) != "beforex" {
			t.Fatalf("the next transaction sees %q", r.Output)
		}
		says("/?k /?other /?new", "beforex")
	})
}

func TestAsideKeepsTheBoundsOfState(t *testing.T) {
	for name, words := range map[string]string{
		"key":   "/" + strings.Repeat("k", ledger.MaxKey+1) + "=x",
		"value": "/k=" + strings.Repeat("v", ledger.MaxValue+1),
	} {
		c := withShelf(t, store.NewMemory(), shelf{name: "shelf", end: words})
		if _, err := c.Ledger.Execute(c.Block(c.NextMs())); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := withShelf(t, store.NewMemory(), shelf{name: "shelf", end: "/" + strings.Repeat("k", ledger.MaxKey) + "=" + strings.Repeat("v", ledger.MaxValue)})
	c.Run()
}

// A scan sees what the blocks before this one left, in order, and no neighbour's.
func TestScanSeesTheBlocksBefore(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			c := withShelf(t, open(t), shelf{name: "shelf"}, shelf{name: "shelf2"}, shelf{name: "she"})
			says := func(family, words, want string) {
				t.Helper()
				if r := c.One(c.Tx(ledgertest.Alice, family, []byte(words))); r.Code != wire.OK || string(r.Output) != want {
					t.Fatalf("%s: %s, %q; want %q", words, r.Code, r.Output, want)
				}
			}
			says("shelf", "b=2 a=1 d=4 c=3 /b=y /a=x", "")
			says("shelf2", "a=other /a=other", "")
			says("she", "a=other /a=other", "")
			says("shelf", "a..c", "a=1 b=2 ")
			says("shelf", "/a..z", "a=x b=y ")
			says("shelf", "a..z", "a=1 b=2 c=3 ") // until told to stop
			says("shelf", "a=9 b= bb=5 a..c", "a=1 b=2 ")
			says("shelf", "a..c", "a=9 bb=5 ")
			says("shelf", "x..z", "")
		})
	}
}

// Drop removes a range of unproved state, and nothing else.
func TestDropForgetsARangeOfAside(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			families := []shelf{{name: "shelf"}, {name: "shelf2"}}
			c := withShelf(t, open(t), families...)
			for _, f := range families {
				c.OK(c.Tx(ledgertest.Alice, f.name, []byte("a=1 b=2 /a=1 /b=2 /bb=3 /c=4")))
			}
			root := c.Ledger.Tip().Exec.StateRoot
			c.Families = []ledger.Family{shelf{name: "shelf", end: "-b..c"}, shelf{name: "shelf2"}}
			c.Open(c.Store)
			done := c.OK(c.Tx(ledgertest.Alice, "shelf", []byte("/a..z")), c.Tx(ledgertest.Alice, "shelf", []byte("a..z")))
			if got := string(c.Result(done, 0).Output); got != "a=1 b=2 bb=3 " {
				t.Fatalf("before the drop %q", got)
			}
			done = c.OK(c.Tx(ledgertest.Alice, "shelf", []byte("/a..z /?b")), c.Tx(ledgertest.Alice, "shelf", []byte("a..z")), c.Tx(ledgertest.Alice, "shelf2", []byte("/a..z")))
			for i, want := range []string{"a=1 c=4 ", "a=1 b=2 ", "a=1 b=2 bb=3 "} {
				if got := string(c.Result(done, i).Output); got != want {
					t.Errorf("%d: %q, want %q", i, got, want)
				}
			}
			if got := c.Ledger.Tip().Exec.StateRoot; got != root {
				t.Error("the root moved")
			}
		})
	}
}

// What is written in the same block as its range is dropped stays.
func TestDropComesBeforeWhatTheBlockWrites(t *testing.T) {
	c := withShelf(t, store.NewMemory(), shelf{name: "shelf", end: "-a..z"})
	c.OK(c.Tx(ledgertest.Alice, "shelf", []byte("/b=2")))
	if r := c.One(c.Tx(ledgertest.Alice, "shelf", []byte("/?b"))); string(r.Output) != "2" {
		t.Errorf("%q", r.Output)
	}
	if r := c.One(c.Tx(ledgertest.Alice, "shelf", []byte("/?b"))); string(r.Output) != "" {
		t.Errorf("%q a block later", r.Output)
	}
}

func TestTheBeginningComesBeforeTheFirstTransaction(t *testing.T) {
	c := withShelf(t, store.NewMemory(), shelf{name: "shelf", begin: "k=begun", end: "k=ended"})
	done := c.OK(c.Tx(ledgertest.Alice, "shelf", []byte("?k k=during")), c.Tx(ledgertest.Alice, "shelf", []byte("?k")))
	if a, b := string(c.Result(done, 0).Output), string(c.Result(done, 1).Output); a != "begun" || b != "during" {
		t.Errorf("transactions see %q and %q", a, b)
	}
	c.View(func(v *ledger.View) {
		if b, err := v.Get("shelf", []byte("k")); err != nil || string(b) != "ended" {
			t.Errorf("afterwards %q, %v", b, err)
		}
	})
	// A beginning without transactions counts as well.
	c.Run()
}

// What families write at a block's beginning has its own bound, together.
func TestTheBeginningOfABlockIsBounded(t *testing.T) {
	const each = 128 + len("big00000000") + 1024
	most := ledger.MaxBeginWrites / each
	for name, x := range map[string]struct {
		families []shelf
		fits     bool
	}{
		"as much as fits":    {[]shelf{{name: "shelf", begin: fmt.Sprintf("/big*%d", most)}}, true},
		"one more":           {[]shelf{{name: "shelf", begin: fmt.Sprintf("/big*%d", most+1)}}, false},
		"shared by families": {[]shelf{{name: "shelf", begin: fmt.Sprintf("/big*%d", most)}, {name: "shelf2", begin: "/big*1"}}, false},
		"an error":           {[]shelf{{name: "shelf", begin: "nonsense"}}, false},
		"a refusal":          {[]shelf{{name: "shelf", begin: "busy"}}, false},
	} {
		c := withShelf(t, store.NewMemory(), x.families...)
		_, err := c.Ledger.Execute(c.Block(c.NextMs()))
		if (err == nil) != x.fits || err != nil && !strings.Contains(err.Error(), "beginning of block") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			continue
		}
		c.Open(c.Store)
		if c.Ledger.Height() != 0 {
			t.Errorf("%s: the store moved", name)
		}
	}
}

// The tip says when the next block is wanted: the earliest that any family
// wants, also after a restart.
func TestTheNextBlockIsDueWhenTheFirstFamilyWantsIt(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			c := withShelf(t, open(t), shelf{name: "shelf"}, shelf{name: "shelf2"})
			due := func(want uint64) {
				t.Helper()
				if got := c.Ledger.Tip().DueMs; got != want {
					t.Fatalf("due at %d, want %d", got, want)
				}
			}
			due(0)
			for _, x := range []struct {
				family, words string
				want          uint64
			}{{"shelf", "/due=70", 70}, {"shelf2", "/due=80", 70}, {"shelf2", "/due=60", 60}, {"shelf2", "/due=", 70}, {"shelf", "/due=0", 0}} {
				done := c.OK(c.Tx(ledgertest.Alice, x.family, []byte(x.words)))
				if done.DueMs != x.want {
					t.Fatalf("%s: due at %d, want %d", x.words, done.DueMs, x.want)
				}
				due(x.want)
				c.Open(c.Store)
				due(x.want)
			}
		})
	}
}

// writer is a family that changes state when asked for a time.
type writer struct{ shelf }

func (w writer) DueMs(st ledger.State) (uint64, error) { return 0, st.Set([]byte("k"), []byte("v")) }

func TestAskingForATimeChangesNothing(t *testing.T) {
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: "shelf"})
	if _, err := ledger.Open(store.NewMemory(), g, []ledger.Family{writer{shelf{name: "shelf"}}}); err == nil {
		t.Error("a family wrote when it was asked for a time")
	}
}

// A family that needs another is enabled with it, in whichever order.
func TestFamiliesAreEnabledWithWhatTheyNeed(t *testing.T) {
	a, b := shelf{name: "a", needs: []string{"b"}}, shelf{name: "b"}
	for name, x := range map[string]struct {
		enabled []string
		ok      bool
	}{"both": {[]string{"a", "b"}, true}, "both the other way": {[]string{"b", "a"}, true}, "alone": {[]string{"a"}, false}, "without": {[]string{"b"}, true}} {
		var named []wire.FamilyGenesis
		for _, n := range x.enabled {
			named = append(named, wire.FamilyGenesis{Name: n})
		}
		if _, err := ledger.Enabled(ledgertest.GenesisOf(named...), []ledger.Family{a, b}); (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Adding spares a look into the store and is otherwise setting.
func TestWhatIsAddedIsThereAndIsTakenBackWithTheTransaction(t *testing.T) {
	eachShelf(t, func(t *testing.T, c *ledgertest.Chain, says func(words, want string)) {
		says("/new+value /?new", "value")
		says("proved+value /?new ?proved", "valuevalue")
		c.Open(c.Store)
		says("/?new ?proved", "valuevalue")
		done := c.Run(c.Tx(ledgertest.Alice, "shelf", []byte("/lost+x busy")), c.Tx(ledgertest.Alice, "shelf", []byte("/?lost /lost+y /lost=z /?lost")))
		if r := c.Result(done, 1); r.Code != wire.OK || string(r.Output) != "z" {
			t.Fatalf("%+v", r)
		}
		says("/?lost", "z")
	})
}
