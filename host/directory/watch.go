package directory

import "cloister/host/api/factom"

type watcher struct{ f func(factom.Ordered) }

// Watch calls f for every ledger block from then on, in order and one call at a
// time, when reads show what it ordered. f must return quickly and must call neither
// stop nor a method of the index that waits. stop ends the calls and returns when none is running.
func (x *Index) Watch(f func(factom.Ordered)) (stop func()) {
	w := &watcher{f}
	x.watching.Lock()
	defer x.watching.Unlock()
	x.watchers[w] = struct{}{}
	return func() {
		x.watching.Lock()
		defer x.watching.Unlock()
		delete(x.watchers, w)
	}
}

// show gives what a block ordered to the watchers. It holds the lock while they
// run, so that stop waits for them.
func (x *Index) show(o factom.Ordered) {
	x.watching.Lock()
	defer x.watching.Unlock()
	for w := range x.watchers {
		w.f(o)
	}
}
