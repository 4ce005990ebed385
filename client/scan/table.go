package scan

// table is a map whose changes since the last commit can be taken back: the
// changes of one directory block, which counts as a whole or not at all.
type table[K comparable, V any] struct {
	rows map[K]V
	undo []before[K, V]
}

// before is what a row was when it changed.
type before[K comparable, V any] struct {
	key   K
	value V
	was   bool
}

func newTable[K comparable, V any]() table[K, V] { return table[K, V]{rows: map[K]V{}} }

func (t *table[K, V]) get(k K) (V, bool) {
	v, ok := t.rows[k]
	return v, ok
}

func (t *table[K, V]) note(k K) {
	v, was := t.rows[k]
	t.undo = append(t.undo, before[K, V]{k, v, was})
}

func (t *table[K, V]) set(k K, v V) {
	t.note(k)
	t.rows[k] = v
}

func (t *table[K, V]) delete(k K) {
	t.note(k)
	delete(t.rows, k)
}

func (t *table[K, V]) commit() { t.undo = nil }

func (t *table[K, V]) rollback() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		if b := t.undo[i]; b.was {
			t.rows[b.key] = b.value
		} else {
			delete(t.rows, b.key)
		}
	}
	t.undo = nil
}
