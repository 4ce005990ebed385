package anchor

import "slices"

// recallFrom is the lowest block below a new beginning that may hold what was
// sent; ok is false if nothing was.
func (m *machine) recallFrom(tip uint32) (height uint32, ok bool) {
	height = tip
	for i := range m.Anchors {
		for _, v := range m.Anchors[i].Versions {
			// A reorganisation can put it lower than where it was sent.
			height, ok = min(height, v.Since-min(v.Since, patience)), true
		}
	}
	return max(height, tip-min(tip, trailLength-1)), ok
}

// recall takes note of what was mined before the wallet began, and of what that
// spent, so that it can be undone.
func (m *machine) recall(e recalled) {
	if e.at.Height < m.Tip.Height {
		m.Trail = slices.Insert(m.Trail, 0, e.at.Hash)
	}
	ours := m.unmined()
	for _, p := range e.found {
		v, ok := ours[p.id]
		if !ok {
			continue
		}
		v.mined(e.at, p.offset)
		won := v.a.last()
		for i, in := range won.tx.Inputs {
			m.addCoin(Coin{Out: in.Prev, Value: won.Values[i], Spent: e.at.Height})
		}
	}
}
