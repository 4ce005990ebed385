package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"cloister/gate"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/query"
)

// The test binary is also the core: started with a gate in its environment, it
// plays the part that the genesis file's name asks for.

// Events of the played core.
const (
	playedPid     gate.EventID = 0x1000 // numbers: process id
	playedCheck   gate.EventID = 0x1001 // numbers: 1 if what was tried came out right
	playedFetched gate.EventID = 0x1002 // numbers: height that was fetched and is right
)

const storedObject = 7 // of the identity part: exists after the first start

type player struct {
	gate    *gate.Core
	control net.Conn
	chain   *archivetest.Chain
	exit    chan int

	mu       sync.Mutex
	archived uint64
	grown    *sync.Cond
}

// play is the main function of the core; it returns the exit code.
func play(variable string) int {
	lanes, err := inherited(variable)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return gate.ExitLanes
	}
	c, err := gate.NewCore(lanes, gate.Token{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return gate.ExitCode(err)
	}
	p := &player{gate: c, control: lanes[0], exit: make(chan int, 1)}
	p.grown = sync.NewCond(&p.mu)
	c.Handle(p)
	select {
	case code := <-p.exit:
		c.Close()
		return code
	case <-c.Done():
		if p.chain != nil && p.chain.Genesis.Name == "deaf" {
			select {}
		}
		return gate.ExitCode(c.Err())
	}
}

// inherited opens the lanes like gate.Open does, and keeps them in reach.
func inherited(variable string) (lanes [3]net.Conn, err error) {
	var fds [3]uintptr
	if _, err := fmt.Sscanf(variable, "fd:%d,%d,%d", &fds[0], &fds[1], &fds[2]); err != nil {
		return lanes, fmt.Errorf("%q: %w", variable, err)
	}
	for i, fd := range fds {
		f := os.NewFile(fd, "lane")
		if lanes[i], err = net.FileConn(f); err != nil {
			return lanes, err
		}
		f.Close()
	}
	return lanes, nil
}

func (p *player) leave(code int) { p.exit <- code }

func (p *player) Start(s gate.Start, r *gate.Reply[gate.Ready]) { go p.start(s, r) }

func (p *player) start(s gate.Start, r *gate.Reply[gate.Ready]) {
	if len(s.Config) == 0 {
		r.Answer(p.identity(s))
		return
	}
	g, err := wire.DecodeGenesis(s.Config)
	if err != nil {
		r.Fail(gate.ErrRefused)
		p.leave(gate.ExitQuarantine)
		return
	}
	p.chain = archivetest.New(g.Name, len(g.Members))
	p.archived = s.Options.Archived
	ready := gate.Ready{ChainID: g.ChainID(), Mode: "new", Simulated: true, Height: s.Options.Archived}
	switch g.Name {
	case "refuse":
		r.Fail(&gate.Failure{Err: gate.ErrRefused, Text: "not my genesis"})
		p.leave(gate.ExitQuarantine)
		return
	case "foreign":
		ready.ChainID = wire.Hash{1}
	case "silent":
		return
	}
	r.Answer(ready)
	p.event(playedPid, uint64(os.Getpid()))
	p.act(g.Name, s)
}

// act plays a part after Ready.
func (p *player) act(part string, s gate.Start) {
	if code, ok := strings.CutPrefix(part, "exit "); ok {
		n := 0
		_, _ = fmt.Sscan(code, &n)
		p.leave(n)
		return
	}
	if part == "fatal" { // and then it exits as if the host had gone
		p.gate.Fatal(gate.Fatal{Code: gate.ExitQuarantine, Event: 0x0018})
		return
	}
	for range 4 {
		p.chain.Add(archivetest.Block{Txs: []*wire.Tx{p.chain.AddEntry("c", []byte("x"))}})
	}
	p.chain.Add(archivetest.Block{Sealed: true})
	switch part {
	case "steady", "stubborn", "once":
		p.publish(p.chain.Finals[s.Options.Archived:])
		p.await(5)
		p.fetch()
		if part == "once" && s.Options.Archived == 0 {
			p.leave(1)
		}
	case "environment":
		env := os.Environ()
		right := len(env) == 1 && strings.HasPrefix(env[0], gate.Variable+"=") && len(os.Args) == 1 &&
			s.Options.MemoryMiB == 77 && bytes.Equal(s.Options.DevSealKey, []byte("seal key of this test's hardware"))
		p.check(right)
	case "garbage":
		p.publish([]*gate.Final{{Height: 1, Header: []byte("junk"), Body: []byte{0xff}, Seal: bytes.Repeat([]byte{1}, 9000)}})
	case "gap":
		p.publish(p.chain.Finals[1:2])
	case "ahead": // its host has lost the blocks before
		p.publish(p.chain.Finals[2:])
		p.await(5)
		p.check(true)
	case "late": // others have filled the archive before it publishes the same
		for {
			if _, err := p.gate.FetchHeight(context.Background(), 5); err == nil {
				break
			}
		}
		p.publish(p.chain.Finals)
		p.await(5)
		p.check(true)
	case "fork":
		p.publish(p.chain.Finals[:1]) // the test has stored another one
	case "undo":
		p.publish(p.chain.Finals[:2])
		if err := p.gate.Undo(gate.Undo{ToHeight: 1}); err != nil {
			p.leave(8)
		}
	case "junk":
		// Behind the gate's back: bytes that are no frame.
		_, _ = p.control.Write(bytes.Repeat([]byte{0xee}, 64))
	case "dial":
		p.dial()
	case "listen":
		p.listen()
	}
}

func (p *player) event(id gate.EventID, numbers ...uint64) {
	p.gate.Event(gate.Event{ID: id, Numbers: numbers})
}

func (p *player) check(right bool) {
	n := uint64(0)
	if right {
		n = 1
	}
	p.event(playedCheck, n)
}

func (p *player) publish(finals []*gate.Final) {
	for _, f := range finals {
		if p.gate.Final(*f) != nil {
			return // the host has had enough
		}
	}
}

// await waits until the host says it has a height.
func (p *player) await(height uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.archived < height {
		p.grown.Wait()
	}
}

// fetch asks for a block it published, one that does not exist, and an entry.
func (p *player) fetch() {
	ctx := context.Background()
	want := p.chain.Finals[2]
	raw, err := p.gate.FetchHeight(ctx, 3)
	b, bad := archived.Decode(raw)
	if err != nil || bad != nil || !bytes.Equal(b.Header, want.Header) || !bytes.Equal(b.Body, want.Body) || !bytes.Equal(b.Outcome, want.Results) {
		return
	}
	if _, err := p.gate.FetchHeight(ctx, 99); !errors.Is(err, gate.ErrNotFound) {
		return
	}
	entry := archivetest.EntryHash("c", []byte("x"))
	if e, err := p.gate.Fetch(ctx, gate.FetchEntry, entry[:]); err != nil || len(e) == 0 {
		return
	}
	if _, err := p.gate.Fetch(ctx, gate.FetchBlock, []byte("short")); !errors.Is(err, gate.ErrBadRequest) {
		return
	}
	if _, err := p.gate.Fetch(ctx, gate.FetchCollateral, nil); !errors.Is(err, gate.ErrNotFound) {
		return
	}
	p.event(playedFetched, 3)
}

// knownPeer is in the table of the dial test, lostPeer is not.
var knownPeer, lostPeer = wire.TH("test/known"), wire.TH("test/lost")

// dial talks to an echo behind a node id and tries what must not work.
func (p *player) dial() {
	ctx := context.Background()
	s, err := p.gate.Streams().Dial(ctx, knownPeer.String())
	if err != nil {
		p.check(false)
		return
	}
	_, sent := s.Write([]byte("hello peer"))
	shut := s.CloseWrite()
	got, err := io.ReadAll(s)
	right := errors.Join(sent, shut, err) == nil && string(got) == "hello peer"
	for _, addr := range []string{lostPeer.String(), "127.0.0.1:1", "localhost"} {
		_, err := p.gate.Streams().Dial(ctx, addr)
		right = right && err != nil
	}
	p.check(right)
}

// listen answers one stream in capitals.
func (p *player) listen() {
	p.event(playedCheck, 1)
	s, _, err := p.gate.Streams().Accept(context.Background())
	if err != nil {
		return
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(s, b); err == nil {
		_, _ = s.Write(bytes.ToUpper(b))
	}
	_ = s.Close()
}

// identity keeps its key in the host's store, like a real core does.
func (p *player) identity(s gate.Start) gate.Ready {
	objects := p.gate.Objects()
	list, err := objects.List()
	mode := "new"
	if err == nil && slices.ContainsFunc(list, func(o gate.ObjectInfo) bool { return o.ID == storedObject }) {
		mode = "reopened"
	} else {
		if errors.Join(objects.Create(storedObject, gate.ClassLog, 0), objects.Append(storedObject, 0, []byte("key")), objects.Sync(storedObject)) != nil {
			mode = "lost"
		}
	}
	key := playedKey(s.Options.DevSealKey)
	return gate.Ready{Key: key, Node: wire.NodeIDOf(key), Mode: mode}
}

func playedKey(seal []byte) wire.PublicKey {
	return wire.NewPrivateKey(wire.TH("test/core", seal)).Public()
}

func (p *player) Submit(txs [][]byte, r *gate.Reply[[]gate.SubmitResult]) {
	out := make([]gate.SubmitResult, len(txs))
	for i, tx := range txs {
		out[i].TxID = wire.TH("test/tx", tx)
		if len(tx) == 0 {
			out[i].Code = uint32(wire.ErrMalformed)
		}
	}
	if len(txs) == 3 {
		r.Fail(gate.ErrBusy)
		return
	}
	r.Answer(out)
}

func (p *player) Query(kind uint16, body []byte, r *gate.Reply[[]byte]) {
	if kind == 404 {
		r.Answer(query.EncodeReply(nil, wire.Faultf(wire.ErrNotFound, "no such thing")))
		return
	}
	if kind == 500 {
		r.Answer([]byte("not a reply"))
		return
	}
	r.Answer(query.EncodeReply(append([]byte{byte(kind)}, body...), nil))
}

func (p *player) Status(r *gate.Reply[[]byte]) {
	s := query.Status{Version: "played", Height: 5}
	r.Answer(s.Encode())
}

func (p *player) Archived(height uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.archived = height
	p.grown.Broadcast()
}

func (p *player) Stop(_ time.Duration, r *gate.Reply[struct{}]) {
	if p.chain != nil && p.chain.Genesis.Name == "stubborn" {
		return
	}
	r.Answer(struct{}{})
	p.leave(gate.ExitOK)
}
