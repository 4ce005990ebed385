package anchor

import (
	"testing"

	"pgregory.net/rapid"
)

var testRules = rules{depth: 3, settle: 12, queue: 8, maxChain: 5,
	fees: Fees{Floor: 2, Ceiling: 400, Target: 6, After: 2, Raise: 50}}

// host drives a machine against a world as Anchorer does.
type host struct {
	w     *world
	m     *machine
	saved []byte
	birth uint32
	scans bool            // the node looks up unspent outputs
	other map[uint32]bool // heights whose turn is somebody else's
}

func newHost(w *world) *host {
	h := &host{w: w, birth: 1, other: map[uint32]bool{}}
	h.m = newMachine(&state{Version: stateVersion, Script: w.key.script}, testRules, w.key)
	h.save()
	return h
}

func (h *host) save() { h.saved = h.m.encode() }

// crash forgets all but what is durable.
func (h *host) crash() error {
	s, err := decodeState(h.saved)
	if err != nil {
		return err
	}
	h.m = newMachine(s, testRules, h.w.key)
	return nil
}

// follow brings the machine to the world's tip.
func (h *host) follow() error {
	for {
		if !h.m.Begun {
			if err := h.begin(); err != nil {
				return err
			}
		}
		tip := h.m.Tip
		switch {
		case int(tip.Height) >= len(h.w.chain) || h.w.chain[tip.Height].Hash() != tip.Hash:
			if _, err := h.m.step(disconnected{}); err != nil {
				return err
			}
		case int(tip.Height) == len(h.w.chain)-1:
			return nil
		default:
			if _, err := h.m.step(connected{h.w.chain[tip.Height+1]}); err != nil {
				return err
			}
		}
	}
}

// begin is what the loop does with either kind of node.
func (h *host) begin() error {
	if !h.scans {
		_, err := h.m.step(begun{Unspent{Tip: Place{Height: h.birth - 1, Hash: h.w.chain[h.birth-1].Hash()}}})
		return err
	}
	u := h.w.scan()
	from, sent := h.m.recallFrom(u.Tip.Height)
	if _, err := h.m.step(begun{u}); err != nil || !sent {
		return err
	}
	for height := u.Tip.Height; ; height-- {
		e := recalled{at: Place{Height: height, Hash: h.w.chain[height].Hash()}}
		for i, tx := range h.w.chain[height].Txs {
			e.found = append(e.found, placed{tx.ID(), i})
		}
		if _, err := h.m.step(e); err != nil || height == from {
			return err
		}
	}
}

// learn is what the ledger tells.
func (h *host) learn(height uint32) error {
	at, ok := h.w.records[height]
	if !ok {
		return nil
	}
	_, err := h.m.step(recorded{height: height, keyMR: h.w.keyMRs[height], at: at, inChain: h.w.has(at)})
	return err
}

// turn is one round; each of works says whether the next thing outside succeeds.
func (h *host) turn(works func() bool) error {
	for h.m.room() && int(h.m.Next) < len(h.w.keyMRs) {
		if _, err := h.m.step(closed{h.w.keyMRs[h.m.Next]}); err != nil {
			return err
		}
	}
	if err := h.follow(); err != nil {
		return err
	}
	for _, height := range h.m.asks() {
		if err := h.learn(height); err != nil {
			return err
		}
		if !h.other[height] {
			if _, err := h.m.step(due{height}); err != nil {
				return err
			}
		}
	}
	do, err := h.m.step(look{})
	if err != nil {
		return err
	}
	h.save()
	for _, tx := range do.send {
		if !works() {
			if _, err := h.m.step(lost{}); err != nil {
				return err
			}
			return nil
		}
		if no := h.w.send(tx); no != nil {
			if _, err := h.m.step(refused{tx.ID(), no.Fee}); err != nil {
				return err
			}
		}
	}
	for _, height := range do.record {
		if err := h.learn(height); err != nil {
			return err
		}
		if x := h.m.find(height); x.Recorded == nil && works() {
			h.w.records[height] = x.Mined.At
			if works() { // else the answer is lost
				if err := h.learn(height); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Whatever happens in whatever order: never two KeyMRs for a height, at most one
// lineage of a height unconfirmed, and once the world is quiet every height is
// recorded with a block of the best chain.
func TestEveryOrderOfEventsEndsAnchored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(testKey(rapid.SampledFrom([]string{P2WPKH, P2PKH}).Draw(t, "kind")))
		h := newHost(w)
		h.scans = rapid.Bool().Draw(t, "scans")
		coin := func(name string) func() bool {
			return func() bool { return rapid.Bool().Draw(t, name) }
		}
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			if w.wrong != "" {
				t.Fatal(w.wrong)
			}
		}
		foreign := false
		t.Repeat(map[string]func(*rapid.T){
			"close": func(t *rapid.T) {
				if len(w.keyMRs) < 20 {
					w.close()
				}
			},
			"close for another": func(t *rapid.T) {
				if len(w.keyMRs) < 20 {
					h.other[uint32(len(w.keyMRs))] = true
					w.close()
				}
			},
			"another misses its turn": func(t *rapid.T) { clear(h.other) },
			"another records": func(t *rapid.T) {
				if len(w.keyMRs) > 0 {
					height := rapid.Uint32Range(0, uint32(len(w.keyMRs)-1)).Draw(t, "height")
					at := rapid.IntRange(0, len(w.chain)-1).Draw(t, "block")
					if old, ok := w.records[height]; !ok || !w.has(old) {
						w.records[height] = Place{Height: uint32(at), Hash: w.chain[at].Hash()}
					}
				}
			},
			"fund": func(t *rapid.T) { w.fund(rapid.Int64Range(300, 200_000).Draw(t, "satoshi")) },
			"mine": func(t *rapid.T) { w.mine(coin("take")) },
			"reorg": func(t *rapid.T) {
				if n := rapid.IntRange(1, 6).Draw(t, "blocks"); n < len(w.chain) {
					w.reorg(n, coin("keep")(), coin("take"))
				}
			},
			"node forgets its pool": func(t *rapid.T) { clear(w.pool) },
			"money is spent elsewhere": func(t *rapid.T) {
				i := rapid.IntRange(0, max(len(h.m.Coins)-1, 0)).Draw(t, "coin")
				if i < len(h.m.Coins) && h.m.Coins[i].Spent == 0 && w.unspent()[h.m.Coins[i].Out] {
					tx := w.madeUp(h.m.Coins[i].Out, []byte{0x51}, 1)
					for _, gone := range w.conflicts(tx) {
						delete(w.pool, gone.ID())
					}
					w.pool[tx.ID()] = tx
					w.mine(nil)
					foreign = true
				}
			},
			"fees change": func(t *rapid.T) {
				_, err := h.m.step(rated{rapid.Uint64Range(0, 60).Draw(t, "rate")})
				must(err)
			},
			"crash": func(t *rapid.T) { must(h.crash()) },
			"round": func(t *rapid.T) { must(h.turn(coin("works"))) },
			"": func(t *rapid.T) {
				if wrong := w.onePerHeight(); wrong != "" && !foreign {
					t.Fatal(wrong)
				}
			},
		})
		// A quiet world with money.
		clear(h.other)
		for range 60 {
			w.fund(100_000)
			must(h.turn(func() bool { return true }))
			w.mine(nil)
		}
		must(h.turn(func() bool { return true }))
		for height := range w.keyMRs {
			at, ok := w.records[uint32(height)]
			if !ok {
				t.Fatalf("height %d is not recorded: %+v", height, h.m.find(uint32(height)))
			}
			if !w.has(at) {
				t.Fatalf("height %d is recorded in a block that was left behind", height)
			}
		}
		if wrong := w.onePerHeight(); wrong != "" && !foreign {
			t.Fatal(wrong)
		}
		if len(h.m.Anchors) != 0 {
			t.Fatalf("%d heights are still watched: %+v", len(h.m.Anchors), h.m.status())
		}
	})
}
