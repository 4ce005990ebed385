package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/wire"
)

// gated is a host that answers a batch only when told to.
type gated struct {
	cloisterv1connect.UnimplementedLedgerHandler
	arrived chan int      // size of each batch
	release chan struct{} // one value, or closed, lets answers go
}

func (g *gated) Submit(ctx context.Context, r *connect.Request[pb.SubmitRequest]) (*connect.Response[pb.SubmitResponse], error) {
	g.arrived <- len(r.Msg.Txs)
	<-g.release
	res := new(pb.SubmitResponse)
	for range r.Msg.Txs {
		res.Items = append(res.Items, &pb.TransactionStatus{State: pb.State_STATE_PENDING})
	}
	return connect.NewResponse(res), nil
}

func gatedClient(t *testing.T, queue int) (*Client, *gated) {
	g := &gated{arrived: make(chan int, 1000), release: make(chan struct{}, 1000)}
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(g))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	genesis := &wire.Genesis{Version: 1, Name: "t", Engine: "solo", Restart: "trust-disk", TEE: "none"}
	c, err := Dial([]string{server.URL}, genesis, Options{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		server.Close()
	})
	return c, g
}

// put queues n transactions without waiting for answers.
func put(t *testing.T, c *Client, n int) []*waitingItem {
	t.Helper()
	out := make([]*waitingItem, n)
	for i := range out {
		tx := &wire.Tx{Family: "t", Payload: []byte{1}}
		out[i] = &waitingItem{item: *newItem(tx), done: make(chan struct{})}
		if err := c.pooling.enqueue(out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestABatchLeavesWhenFullOrWhenFewAreUnderWay(t *testing.T) {
	c, g := gatedClient(t, 0)
	var all []*waitingItem
	for range eager {
		all = append(all, put(t, c, 1)...)
		if n := <-g.arrived; n != 1 {
			t.Fatalf("a lone transaction left with %d others", n-1)
		}
	}
	all = append(all, put(t, c, fullBatch-1)...)
	if c.pooling.flying != eager || len(c.pooling.queue) != fullBatch-1 {
		t.Fatalf("%d batches under way and %d transactions queued", c.pooling.flying, len(c.pooling.queue))
	}
	all = append(all, put(t, c, 1)...)
	if n := <-g.arrived; n != fullBatch {
		t.Fatalf("a full batch has %d", n)
	}
	all = append(all, put(t, c, 10)...)
	for range 2 { // below eager again: the ten go
		g.release <- struct{}{}
	}
	if n := <-g.arrived; n != 10 {
		t.Fatalf("after returns, %d left together", n)
	}
	close(g.release)
	for _, w := range all {
		<-w.done
		if w.err != nil || w.status.State != Pending {
			t.Fatal(w.status, w.err)
		}
	}
}

func TestBatchesNeverExceedTheirBounds(t *testing.T) {
	c, g := gatedClient(t, 0)
	all := put(t, c, mostFlying*fullBatch+3*MaxBatch)
	c.pooling.mu.Lock()
	flying, queued := c.pooling.flying, len(c.pooling.queue)
	c.pooling.mu.Unlock()
	if flying != mostFlying || queued == 0 {
		t.Fatalf("%d batches under way, %d transactions queued", flying, queued)
	}
	close(g.release)
	for _, w := range all {
		<-w.done
	}
	sum := 0
	for sum < len(all) {
		n := <-g.arrived
		if n > MaxBatch {
			t.Fatalf("a batch of %d", n)
		}
		sum += n
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	c, g := gatedClient(t, 5)
	put(t, c, eager)
	put(t, c, 5)
	if _, err := c.SubmitAsync(context.Background(), &wire.Tx{Family: "t"}); !errors.Is(err, wire.ErrBusy) {
		t.Error(err)
	}
	close(g.release)
}

func TestACallerWhoLeftBeforeTheBatchIsNotSubmitted(t *testing.T) {
	c, g := gatedClient(t, 0)
	put(t, c, eager)
	for range eager {
		<-g.arrived
	}
	gone := put(t, c, 3)
	for _, w := range gone {
		w.left.Store(true)
	}
	last := put(t, c, 1)[0]
	close(g.release)
	<-last.done
	if n := <-g.arrived; n != 1 {
		t.Errorf("%d left together, the others' callers are gone", n)
	}
}

func TestConcurrentSubmitsAreEachAnswered(t *testing.T) {
	c, g := gatedClient(t, 0)
	close(g.release)
	var all sync.WaitGroup
	for range 400 {
		all.Add(1)
		go func() {
			defer all.Done()
			if st, err := c.SubmitAsync(context.Background(), &wire.Tx{Family: "t"}); err != nil || st.State != Pending {
				t.Error(st, err)
			}
		}()
	}
	all.Wait()
}

func TestAHostsTextIsHarmless(t *testing.T) {
	got := printable("plain\x1b[2Jé\x00" + string([]byte{0xff}) + "\u202e" + string(make([]byte, 2*maxDetail)))
	if len(got) > 2*maxDetail || got[:11] != "plain?[2Jé"[:11] {
		t.Errorf("%q", got)
	}
	for _, r := range got {
		if r < ' ' || r == '\u202e' {
			t.Errorf("%q is left in %q", r, got)
		}
	}
}

func TestThePauseDoublesAfterEachRoundOfEndpoints(t *testing.T) {
	r := Retry{Attempts: 100, Pause: 100, Longest: 1000}
	for _, c := range []struct {
		attempt, endpoints int
		least, most        int64
	}{
		{1, 3, 0, 0}, {2, 3, 0, 0}, {3, 3, 50, 100}, {6, 3, 100, 200}, {9, 3, 200, 400}, {30, 3, 500, 1000}, {99, 1, 500, 1000},
	} {
		if d := int64(r.pause(c.attempt, c.endpoints)); d < c.least || d > c.most {
			t.Errorf("attempt %d of %d endpoints pauses %d, %d to %d", c.attempt, c.endpoints, d, c.least, c.most)
		}
	}
}
