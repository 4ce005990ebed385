package anchor

import (
	"cmp"
	"slices"

	"cloister/wire/bitcoin"
)

// maxInputs bounds a transaction.
const maxInputs = 20

// rebuild makes a version for every height that has to be sent and has none that
// can be mined: parents first, so that children find their change.
func (m *machine) rebuild() error {
	tried := map[uint32]bool{}
	v := m.view()
	var ensure func(a *anchor) error
	ensure = func(a *anchor) error {
		if tried[a.Height] || a.Mined != nil {
			return nil
		}
		tried[a.Height] = true
		if len(a.Versions) > 0 {
			for _, in := range a.last().tx.Inputs {
				if by, ours := v.made[in.Prev.Tx]; ours {
					if err := ensure(by.a); err != nil {
						return err
					}
				}
			}
		}
		if !a.Due || a.Recorded != nil || v.current(a) >= 0 {
			return nil
		}
		built, err := m.build(v, a)
		if built {
			v = m.view()
		}
		return err
	}
	for i := range m.Anchors {
		if m.short > 0 {
			return nil // older heights first
		}
		if err := ensure(&m.Anchors[i]); err != nil {
			return err
		}
	}
	return nil
}

// build makes the first version of an anchor, or one on what is left of the
// money of the version before.
func (m *machine) build(v *view, a *anchor) (bool, error) {
	p := payment{rate: m.rate}
	if len(a.Versions) > 0 {
		p.inputs = v.inherited(a)
	}
	if !m.fund(v, a, &p) {
		// Change that is on its way counts as money: it only has to be mined.
		if len(v.made) == 0 {
			m.short = p.missing
		}
		return false, nil
	}
	return true, m.add(a, &p)
}

// inherited are the inputs of an anchor's last version as far as they are there.
func (v *view) inherited(a *anchor) (inputs []funds) {
	for _, in := range a.last().tx.Inputs {
		if value, ok := v.value(in.Prev); ok {
			inputs = append(inputs, funds{in.Prev, value})
			continue
		}
		if f, ok := v.heir(in.Prev); ok && v.free(f.out, a) {
			inputs = append(inputs, f)
		}
	}
	return inputs
}

// free reports whether no other anchor spends an output.
func (v *view) free(out bitcoin.Outpoint, a *anchor) bool {
	by, taken := v.taken[out]
	return !taken || by == a.Height
}

// replace makes a version with a higher fee for the oldest height that waits too
// long, if the ceiling allows. One at a time: what hangs on it follows.
func (m *machine) replace() (bool, error) {
	v := m.view()
	for i := range m.Anchors {
		a := &m.Anchors[i]
		if a.Mined != nil || len(a.Versions) == 0 || len(a.Versions) >= maxVersions {
			continue
		}
		now := v.current(a)
		if now < 0 {
			continue
		}
		old := &a.Versions[now]
		if !m.cheap[old.tx.ID()] && m.Tip.Height-min(old.Since, m.Tip.Height) < m.rules.fees.After {
			continue
		}
		p, ok := m.replacement(v, a, old)
		if !ok {
			continue
		}
		return true, m.add(a, &p)
	}
	return false, nil
}

// replacement is what would replace a version by the rules of BIP 125: it pays
// more than each transaction that it throws out, more than all of them together,
// and adds no unconfirmed inputs.
func (m *machine) replacement(v *view, a *anchor, old *version) (payment, bool) {
	gone := append(v.descendants(a), old)
	p := payment{rate: m.rate, confirmed: true, keepChange: len(gone) > 1, ceiling: m.rules.fees.Ceiling}
	for _, g := range gone {
		was := g.Fee/uint64(g.tx.VirtualSize()) + 1
		p.rate = max(p.rate, was)
		p.replaces += g.Fee
	}
	oldRate := old.Fee / uint64(old.tx.VirtualSize())
	p.rate = max(p.rate, min(oldRate*(100+m.rules.fees.Raise)/100, m.rules.fees.Ceiling))
	for i, in := range old.tx.Inputs {
		p.inputs = append(p.inputs, funds{in.Prev, old.Values[i]})
	}
	return p, p.rate <= m.rules.fees.Ceiling && m.fund(v, a, &p)
}

// add signs a payment as the newest version.
func (m *machine) add(a *anchor, p *payment) error {
	tx, err := m.key.sign(p.inputs, a.script(), p.change)
	if err != nil {
		return err
	}
	if len(a.Versions) == maxVersions {
		a.Versions = slices.Delete(a.Versions, 0, 1)
	}
	values := make([]uint64, len(p.inputs))
	for i, in := range p.inputs {
		values[i] = in.value
	}
	a.Versions = append(a.Versions, version{Raw: tx.Bytes(), Values: values, Fee: p.fee, Since: m.Tip.Height, tx: tx})
	m.dirty = true
	return nil
}

// payment is a transaction in the making.
type payment struct {
	rate       uint64 // satoshi per virtual byte, at least
	replaces   uint64 // fees of what it throws out
	ceiling    uint64 // rate that must not be exceeded; 0: rate itself is in bounds
	confirmed  bool   // add confirmed inputs only
	keepChange bool   // others spend the change

	inputs  []funds
	fee     uint64
	change  uint64
	missing uint64 // if there is too little money
}

// cost is the fee for so many virtual bytes.
func (p *payment) cost(size uint64) uint64 {
	fee := p.rate * size
	if p.replaces > 0 {
		fee = max(fee, p.replaces+relayRate*size)
	}
	return fee
}

// fund adds inputs until the fee is paid, and sets fee and change.
func (m *machine) fund(v *view, a *anchor, p *payment) bool {
	var total uint64
	for _, in := range p.inputs {
		total += in.value
	}
	for {
		n := len(p.inputs)
		full, bare := m.key.size(n, true), m.key.size(n, false)
		switch {
		case n > 0 && total >= p.cost(full)+m.key.dust():
			p.fee = p.cost(full)
			p.change = total - p.fee
			return p.ceiling == 0 || p.fee <= p.ceiling*full
		case n > 0 && !p.keepChange && total >= p.cost(bare) && p.replaces == 0:
			p.fee, p.change = total, 0
			return true
		}
		need := p.cost(m.key.size(n+1, true)) + m.key.dust() - total
		next, ok := m.choose(v, a, p, need)
		if !ok || n == maxInputs {
			p.missing = need
			return false
		}
		p.inputs = append(p.inputs, next)
		total += next.value
	}
}

// choose finds one more input: the smallest confirmed coin that is enough, else
// change of an unconfirmed anchor, else the largest coin.
func (m *machine) choose(v *view, a *anchor, p *payment, need uint64) (funds, bool) {
	worth := m.key.inputSize() * p.rate // below it a coin costs more than it brings
	var coins []funds
	for i := range m.Coins {
		c := &m.Coins[i]
		f := funds{c.Out, c.Value}
		if v.ready(c) && c.Value > worth && v.free(c.Out, a) && !slices.Contains(p.inputs, f) {
			coins = append(coins, f)
		}
	}
	slices.SortStableFunc(coins, func(a, b funds) int { return cmp.Compare(a.value, b.value) })
	if i, _ := slices.BinarySearchFunc(coins, need, func(f funds, n uint64) int { return cmp.Compare(f.value, n) }); i < len(coins) {
		return coins[i], true
	}
	if len(p.inputs) == 0 && !p.confirmed {
		if f, ok := m.chooseChange(v, a, need); ok {
			return f, true
		}
	}
	if len(coins) == 0 {
		return funds{}, false
	}
	return coins[len(coins)-1], true
}

// chooseChange finds unconfirmed change that is enough, on the shortest chain.
func (m *machine) chooseChange(v *view, a *anchor, need uint64) (best funds, ok bool) {
	least := m.rules.maxChain + 1
	for i := range m.Anchors {
		b := &m.Anchors[i]
		if b.Mined != nil || b == a || v.current(b) < 0 {
			continue
		}
		tx := b.Versions[v.current(b)].tx
		out := bitcoin.Outpoint{Tx: tx.ID(), Index: changeIndex}
		value, has := change(tx)
		if !has || value < need || !v.free(out, a) {
			continue
		}
		above := map[uint32]bool{}
		v.ancestors(out, above)
		if len(above) < least && !above[a.Height] {
			best, least, ok = funds{out, value}, len(above), true
		}
	}
	return best, ok
}
