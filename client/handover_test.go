package client

import (
	"context"
	"net"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/wire"
)

// believing takes any handover that follows: who signed it is not what these
// tests are about.
var believing = wire.SealRules{
	Seal:   func(*wire.MemberSet, *wire.Header, wire.Hash, []byte) error { return nil },
	Follow: func(_ *wire.MemberSet, h *wire.Handover) (*wire.MemberSet, error) { return h.Next, nil },
}

// talker is a host that answers the question for handovers with any number of
// the first one.
type talker struct {
	cloisterv1connect.UnimplementedLedgerHandler
	handover []byte
	times    int
	asked    int
}

func (t *talker) Handovers(context.Context, *connect.Request[pb.HandoversRequest]) (*connect.Response[pb.HandoversResponse], error) {
	t.asked++
	res := new(pb.HandoversResponse)
	for range t.times {
		res.Handovers = append(res.Handovers, t.handover)
	}
	return connect.NewResponse(res), nil
}

// young is a client that knows the first epoch, its one host, and a handover
// from it.
func young(t *testing.T, times int) (*Client, *talker, *wire.Handover) {
	t.Helper()
	key := wire.NewPrivateKey([32]byte{1})
	g := &wire.Genesis{
		Version: 1, Name: "young", TimeMs: 1_700_000_000_000, Engine: "raft", Restart: "trust-disk", TEE: "none", Limits: wire.DefaultLimits,
		Members: []wire.GenesisMember{{Name: "one", Key: key.Public()}}, Families: []wire.FamilyGenesis{{Name: "record"}},
	}
	next := *g.MemberSet()
	next.Epoch = 2
	h := &wire.Handover{Header: g.Header(), Seal: []byte{1}, Next: &next}
	h.Header.ChainID, h.Header.Epoch = g.ChainID(), 1
	host := &talker{handover: wire.Marshal(h), times: times}
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(host))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: protocols}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	c, err := Dial([]string{l.Addr().String()}, g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.trust.epochs = wire.NewEpochs(g, believing)
	return c, host, h
}

var errLater = wire.Faultf(wire.ErrUnknownEpoch, "a later one")

func TestWhoMeetsALaterEpochLearnsOfItAndAsksAgain(t *testing.T) {
	c, host, _ := young(t, 1)
	calls := 0
	err := c.attempt(t.Context(), &c.endpoints[0], func(context.Context, *endpoint) error {
		if calls++; calls == 1 {
			return errLater
		}
		return nil
	})
	if err != nil || calls != 2 || c.trust.epochs.Newest() != 2 || host.asked != 2 {
		t.Errorf("%v after %d calls, epoch %d, %d questions", err, calls, c.trust.epochs.Newest(), host.asked)
	}
}

func TestWhatAnotherRequestLearnedCounts(t *testing.T) {
	c, _, h := young(t, 0)
	calls := 0
	err := c.attempt(t.Context(), &c.endpoints[0], func(context.Context, *endpoint) error {
		if calls++; calls == 1 {
			if err := c.trust.epochs.Learn(h); err != nil { // as a request beside this one does
				t.Fatal(err)
			}
			return errLater
		}
		return nil
	})
	if err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestAHostThatRepeatsAHandoverIsNotListenedTo(t *testing.T) {
	c, host, _ := young(t, 1000)
	follows := 0
	c.trust.epochs = wire.NewEpochs(c.trust.genesis, wire.SealRules{Seal: believing.Seal, Follow: func(s *wire.MemberSet, h *wire.Handover) (*wire.MemberSet, error) {
		follows++
		return believing.Follow(s, h)
	}})
	if newest := c.learn(t.Context(), &c.endpoints[0]); newest != 2 || follows > 2*host.asked || host.asked != 2 {
		t.Errorf("epoch %d, %d handovers judged in %d answers", newest, follows, host.asked)
	}
}
