package gate

import "sync"

// objectOp is one storage operation waiting for a worker.
type objectOp struct {
	typ    Type
	id     uint64 // of the request
	obj    uint64 // the object; for List the object to begin after
	class  Class
	hint   uint64
	off    uint64
	buf    []byte // pooled buffer of an Append; data is its end
	data   []byte
	ranges []Range
	total  int

	queues []*objectQueue // where it stands
	ahead  int            // queues in which it is not first yet
	taken  bool           // a worker has it
}

// objectQueue is what waits for one object; the first may be running.
type objectQueue struct {
	obj uint64
	ops []*objectOp
}

// objectQueues orders the storage operations. Those of one object run in the
// order sent, those of different objects in parallel. An operation on several
// objects stands in all their queues and runs when it is first in each. One
// goroutine adds, so all queues have such operations in the same order and none
// waits for another in a circle.
type objectQueues struct {
	mu     sync.Mutex
	change *sync.Cond // something became ready or ended
	queues map[uint64]*objectQueue
	ready  []*objectOp // first in all their queues, oldest first
	count  int         // operations not ended
	closed bool
}

func newObjectQueues() *objectQueues {
	q := &objectQueues{queues: map[uint64]*objectQueue{}}
	q.change = sync.NewCond(&q.mu)
	return q
}

// add queues o behind everything earlier on objs; without objs it may run at
// once. Only at maxQueuedOps it waits for the workers: appends are merged and
// bounded by credit, requests by their number, so what remains is a core that
// creates and deletes without end, and it only stops itself.
func (q *objectQueues) add(o *objectOp, objs ...uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count >= maxQueuedOps {
		q.change.Wait()
	}
	q.enqueue(o, objs)
}

// addBehindAll queues o behind everything that is queued now.
func (q *objectQueues) addBehindAll(o *objectOp) {
	q.mu.Lock()
	defer q.mu.Unlock()
	objs := make([]uint64, 0, len(q.queues))
	for obj := range q.queues {
		objs = append(objs, obj)
	}
	q.enqueue(o, objs)
}

func (q *objectQueues) enqueue(o *objectOp, objs []uint64) {
	q.count++
	for _, obj := range objs {
		oq := q.queues[obj]
		if oq == nil {
			oq = &objectQueue{obj: obj}
			q.queues[obj] = oq
		}
		if len(oq.ops) > 0 {
			o.ahead++
		}
		oq.ops = append(oq.ops, o)
		o.queues = append(o.queues, oq)
	}
	q.readyIf(o)
}

func (q *objectQueues) readyIf(o *objectOp) {
	if o.ahead == 0 {
		q.ready = append(q.ready, o)
		q.change.Broadcast()
	}
}

// merge adds the data of o to the append before it, if that has not been taken,
// ends where o begins, and has room in its buffer. So a core that appends bytes
// one by one costs the host no more memory than one that does not.
func (q *objectQueues) merge(o *objectOp) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	oq := q.queues[o.obj]
	if oq == nil {
		return false
	}
	last := oq.ops[len(oq.ops)-1]
	if last.typ != typeAppend || last.taken || last.off+uint64(len(last.data)) != o.off ||
		len(last.data)+len(o.data) > MaxAppend || cap(last.data)-len(last.data) < len(o.data) {
		return false
	}
	last.data = append(last.data, o.data...)
	return true
}

// has reports whether something is queued or running for obj.
func (q *objectQueues) has(obj uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queues[obj] != nil
}

// next waits for an operation to run; nil means the lane is gone.
func (q *objectQueues) next() *objectOp {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) == 0 && !q.closed {
		q.change.Wait()
	}
	if q.closed {
		return nil
	}
	o := q.ready[0]
	q.ready = q.ready[1:]
	o.taken = true
	return o
}

// done ends an operation and lets those behind it move up.
func (q *objectQueues) done(o *objectOp) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count--
	for _, oq := range o.queues {
		oq.ops = oq.ops[1:]
		if len(oq.ops) == 0 {
			delete(q.queues, oq.obj)
			continue
		}
		oq.ops[0].ahead--
		q.readyIf(oq.ops[0])
	}
	q.change.Broadcast()
}

// close ends the workers. What is queued is dropped: nothing was promised for
// it, and an append not yet made is as if the core had not sent it.
func (q *objectQueues) close() {
	q.mu.Lock()
	q.closed = true
	q.change.Broadcast()
	q.mu.Unlock()
}
