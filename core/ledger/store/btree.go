package store

import (
	"bytes"
	"slices"
)

// btree is an ordered map whose past states stay readable at no cost: a node
// belongs to the edition of the tree that made it, and a later edition copies a
// node before it changes it. Leaves hold the pairs. A leaf is dropped when it is
// empty and never merged, which keeps deletion simple and costs only room.
type btree struct {
	root    *node
	edition uint64
}

// fanout is the most pairs in a leaf and the most children of an inner node.
const fanout = 64

type node struct {
	edition uint64
	keys    [][]byte // leaf: of the pairs; inner: keys[i] is a lower bound of kids[i+1], above all of kids[i]
	vals    [][]byte // leaf only
	kids    []*node  // inner only, one more than keys
}

// freeze ends the edition and returns its root, which nothing changes any more.
func (t *btree) freeze() *node {
	t.edition++
	return t.root
}

// own returns n if this edition may change it, else a copy of it that it may.
func (t *btree) own(n *node) *node {
	if n.edition == t.edition {
		return n
	}
	// Room for a split's worth of growth, so that most insertions do not
	// allocate again.
	c := &node{edition: t.edition, keys: append(make([][]byte, 0, fanout+1), n.keys...)}
	if n.kids != nil {
		c.kids = append(make([]*node, 0, fanout+1), n.kids...)
	} else {
		c.vals = append(make([][]byte, 0, fanout+1), n.vals...)
	}
	return c
}

// kid is the index of the child that has or would have a key.
func (n *node) kid(key []byte) int {
	i, exact := slices.BinarySearchFunc(n.keys, key, bytes.Compare)
	if exact {
		i++
	}
	return i
}

func (n *node) get(key []byte) []byte {
	if n == nil {
		return nil
	}
	for n.kids != nil {
		n = n.kids[n.kid(key)]
	}
	if i, ok := slices.BinarySearchFunc(n.keys, key, bytes.Compare); ok {
		return n.vals[i]
	}
	return nil
}

// ascend visits the pairs of [lo, hi), an empty hi being the end, and reports
// whether fn asked for more throughout.
func (n *node) ascend(lo, hi []byte, fn func(key, value []byte) bool) bool {
	if n == nil {
		return true
	}
	inside := func(key []byte) bool { return len(hi) == 0 || bytes.Compare(key, hi) < 0 }
	if n.kids != nil {
		first := n.kid(lo)
		for i := first; i < len(n.kids); i++ {
			if i > first && !inside(n.keys[i-1]) {
				return true
			}
			if !n.kids[i].ascend(lo, hi, fn) {
				return false
			}
		}
		return true
	}
	i, _ := slices.BinarySearchFunc(n.keys, lo, bytes.Compare)
	for ; i < len(n.keys) && inside(n.keys[i]); i++ {
		if !fn(n.keys[i], n.vals[i]) {
			return false
		}
	}
	return true
}

// set keeps key and value.
func (t *btree) set(key, value []byte) {
	if t.root == nil {
		t.root = &node{edition: t.edition, keys: [][]byte{key}, vals: [][]byte{value}}
		return
	}
	root, bound, right := t.insert(t.root, key, value)
	if right != nil {
		root = &node{edition: t.edition, keys: [][]byte{bound}, kids: []*node{root, right}}
	}
	t.root = root
}

// insert returns what n becomes, and its new right neighbour with its lower
// bound if it had to be split.
func (t *btree) insert(n *node, key, value []byte) (left *node, bound []byte, right *node) {
	n = t.own(n)
	if n.kids == nil {
		i, ok := slices.BinarySearchFunc(n.keys, key, bytes.Compare)
		if ok {
			n.vals[i] = value
			return n, nil, nil
		}
		n.keys, n.vals = slices.Insert(n.keys, i, key), slices.Insert(n.vals, i, value)
		if len(n.keys) <= fanout {
			return n, nil, nil
		}
		const half = fanout / 2
		right = &node{edition: t.edition, keys: slices.Clone(n.keys[half:]), vals: slices.Clone(n.vals[half:])}
		n.keys, n.vals = cut(n.keys, half), cut(n.vals, half)
		return n, right.keys[0], right
	}
	i := n.kid(key)
	child, childBound, added := t.insert(n.kids[i], key, value)
	n.kids[i] = child
	if added == nil {
		return n, nil, nil
	}
	n.keys, n.kids = slices.Insert(n.keys, i, childBound), slices.Insert(n.kids, i+1, added)
	if len(n.kids) <= fanout {
		return n, nil, nil
	}
	const half = fanout / 2
	bound = n.keys[half-1]
	right = &node{edition: t.edition, keys: slices.Clone(n.keys[half:]), kids: slices.Clone(n.kids[half:])}
	n.keys, n.kids = cut(n.keys, half-1), cut(n.kids, half)
	return n, bound, right
}

// cut shortens a slice and forgets what is cut off, so that it can be freed.
func cut[T any](s []T, n int) []T {
	clear(s[n:])
	return s[:n]
}

func (t *btree) delete(key []byte) {
	if t.root.get(key) == nil {
		return
	}
	t.root = t.remove(t.root, key)
	for t.root != nil && len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
}

// remove returns what n becomes without a key it has, nil if nothing is left.
func (t *btree) remove(n *node, key []byte) *node {
	n = t.own(n)
	if n.kids == nil {
		i, _ := slices.BinarySearchFunc(n.keys, key, bytes.Compare)
		n.keys, n.vals = slices.Delete(n.keys, i, i+1), slices.Delete(n.vals, i, i+1)
		if len(n.keys) == 0 {
			return nil
		}
		return n
	}
	i := n.kid(key)
	if child := t.remove(n.kids[i], key); child != nil {
		n.kids[i] = child
		return n
	}
	n.kids = slices.Delete(n.kids, i, i+1)
	if len(n.kids) == 0 {
		return nil
	}
	// The bound that kept the dropped child apart from a neighbour goes with it.
	bound := max(i-1, 0)
	n.keys = slices.Delete(n.keys, bound, bound+1)
	return n
}

func (t *btree) deleteRange(lo, hi []byte) {
	var doomed [][]byte
	t.root.ascend(lo, hi, func(key, _ []byte) bool {
		doomed = append(doomed, key)
		return true
	})
	for _, key := range doomed {
		t.delete(key)
	}
}
