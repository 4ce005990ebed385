package anchor

import (
	"cloister/wire/bitcoin"
)

// made says which version of which anchor a transaction is.
type made struct {
	a *anchor
	i int
}

// unmined are the versions of all anchors that are not mined, by id.
func (m *machine) unmined() map[bitcoin.Hash]made {
	all := map[bitcoin.Hash]made{}
	for i := range m.Anchors {
		a := &m.Anchors[i]
		if a.Mined != nil {
			continue
		}
		for j := range a.Versions {
			all[a.Versions[j].tx.ID()] = made{a, j}
		}
	}
	return all
}

// view is the state as the building of transactions needs it. It holds until a
// version is added.
type view struct {
	m     *machine
	coins map[bitcoin.Outpoint]*Coin
	made  map[bitcoin.Hash]made
	// taken are the outputs that any version of an unmined anchor spends: another
	// anchor that spent one could lose it.
	taken map[bitcoin.Outpoint]uint32
	index map[uint32]int // memory of current
}

func (m *machine) view() *view {
	v := &view{
		m: m, coins: map[bitcoin.Outpoint]*Coin{}, made: m.unmined(),
		taken: map[bitcoin.Outpoint]uint32{}, index: map[uint32]int{},
	}
	for i := range m.Coins {
		v.coins[m.Coins[i].Out] = &m.Coins[i]
	}
	for _, made := range v.made { //deterministic: a set is collected
		for _, in := range made.a.Versions[made.i].tx.Inputs {
			v.taken[in.Prev] = made.a.Height
		}
	}
	return v
}

// current is the version of an unmined anchor that can be mined now: the newest
// whose inputs are all there. -1: none.
func (v *view) current(a *anchor) int {
	if i, ok := v.index[a.Height]; ok {
		return i
	}
	v.index[a.Height] = -1
	for i := len(a.Versions) - 1; i >= 0; i-- {
		if v.complete(a.Versions[i].tx) {
			v.index[a.Height] = i
			return i
		}
	}
	return -1
}

func (v *view) complete(tx *bitcoin.Tx) bool {
	for _, in := range tx.Inputs {
		if _, ok := v.value(in.Prev); !ok {
			return false
		}
	}
	return true
}

// value is what an output is worth to a transaction of the next block; ok is
// false if it cannot be spent: it is spent already, immature, or never seen, or
// the change of a transaction that is not current.
func (v *view) value(out bitcoin.Outpoint) (satoshi uint64, ok bool) {
	if c, confirmed := v.coins[out]; confirmed {
		return c.Value, c.Spent == 0 && v.mature(c)
	}
	by, ours := v.made[out.Tx]
	if !ours || out.Index != changeIndex || v.current(by.a) != by.i {
		return 0, false
	}
	return change(by.a.Versions[by.i].tx)
}

// ready reports whether a coin can be put into a new transaction.
func (v *view) ready(c *Coin) bool { return c.Spent == 0 && c.Undone == 0 && v.mature(c) }

func (v *view) mature(c *Coin) bool {
	return !c.Coinbase || v.m.depth(c.Born) >= coinbaseMaturity
}

// change is the value of an anchor's change; ok is false if it has none.
func change(tx *bitcoin.Tx) (satoshi uint64, ok bool) {
	if len(tx.Outputs) <= changeIndex {
		return 0, false
	}
	return tx.Outputs[changeIndex].Value, true
}

// heir is the change that stands now in the place of a lost one: that of the
// version that is mined or current.
func (v *view) heir(out bitcoin.Outpoint) (f funds, ok bool) {
	for i := range v.m.Anchors {
		a := &v.m.Anchors[i]
		for j := range a.Versions {
			if a.Versions[j].tx.ID() != out.Tx {
				continue
			}
			now := len(a.Versions) - 1
			if a.Mined == nil {
				now = v.current(a)
			}
			if now < 0 {
				return funds{}, false
			}
			f.out = bitcoin.Outpoint{Tx: a.Versions[now].tx.ID(), Index: changeIndex}
			f.value, ok = v.value(f.out)
			return f, ok
		}
	}
	return funds{}, false
}

// ancestors adds the unmined anchors that an output hangs on.
func (v *view) ancestors(out bitcoin.Outpoint, into map[uint32]bool) {
	by, ours := v.made[out.Tx]
	if !ours || into[by.a.Height] {
		return
	}
	into[by.a.Height] = true
	for _, in := range by.a.Versions[by.i].tx.Inputs {
		v.ancestors(in.Prev, into)
	}
}

// descendants are the unmined anchors whose current version hangs on one.
func (v *view) descendants(a *anchor) (list []*version) {
	for i := range v.m.Anchors {
		d := &v.m.Anchors[i]
		if d.Mined != nil || d == a || v.current(d) < 0 {
			continue
		}
		now := &d.Versions[v.current(d)]
		above := map[uint32]bool{}
		for _, in := range now.tx.Inputs {
			v.ancestors(in.Prev, above)
		}
		if above[a.Height] {
			list = append(list, now)
		}
	}
	return list
}

// ordered are the current versions of all unmined anchors, parents first.
func (v *view) ordered() (list []*bitcoin.Tx) {
	done := map[uint32]bool{}
	var add func(a *anchor)
	add = func(a *anchor) {
		if done[a.Height] {
			return
		}
		done[a.Height] = true
		i := v.current(a)
		if i < 0 {
			return
		}
		for _, in := range a.Versions[i].tx.Inputs {
			if by, ours := v.made[in.Prev.Tx]; ours {
				add(by.a)
			}
		}
		list = append(list, a.Versions[i].tx)
	}
	for i := range v.m.Anchors {
		if a := &v.m.Anchors[i]; a.Mined == nil {
			add(a)
		}
	}
	return list
}
