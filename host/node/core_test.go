package node

import (
	"fmt"
	"os"
	"time"

	"cloister/gate"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/query"
)

// The test binary is also the core: started with a gate in its environment, it
// publishes two blocks and takes every transaction.
type player struct {
	gate *gate.Core
	exit chan int
}

// breaking is the family whose transactions break the played core down.
const breaking = "breaking"

func play(variable string) int {
	c, err := gate.Open(variable)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return gate.ExitCode(err)
	}
	p := &player{gate: c, exit: make(chan int, 1)}
	c.Handle(p)
	select {
	case code := <-p.exit:
		c.Close()
		return code
	case <-c.Done():
		return gate.ExitCode(c.Err())
	}
}

// chain is what the played core publishes; the test makes the same.
func chain() *archivetest.Chain {
	c := archivetest.New("node", 1)
	c.Add(archivetest.Block{Txs: []*wire.Tx{c.CreateChain("diary", []byte("first"))}, Sealed: true})
	c.Add(archivetest.Block{Sealed: true})
	return c
}

func (p *player) Start(s gate.Start, r *gate.Reply[gate.Ready]) {
	key := wire.NewPrivateKey(wire.TH("test/node", s.Options.DevSealKey)).Public()
	ready := gate.Ready{Key: key, Node: wire.NodeIDOf(key), Mode: "new", Simulated: true}
	if len(s.Config) == 0 {
		r.Answer(ready)
		return
	}
	c := chain()
	ready.ChainID = c.Genesis.ChainID()
	r.Answer(ready)
	go func() {
		for _, f := range c.Finals[s.Options.Archived:] {
			if p.gate.Final(*f) != nil {
				return
			}
		}
	}()
}

func (p *player) Submit(txs [][]byte, r *gate.Reply[[]gate.SubmitResult]) {
	out := make([]gate.SubmitResult, len(txs))
	for i, b := range txs {
		tx, err := wire.DecodeTx(b)
		switch {
		case err != nil:
			out[i].Code = uint32(wire.CodeOf(err))
			continue
		case tx.Family == breaking:
			go p.gate.Fatal(gate.Fatal{Code: gate.ExitQuarantine})
			return
		}
		out[i].TxID = tx.ID()
	}
	r.Answer(out)
}

func (p *player) Query(kind uint16, _ []byte, r *gate.Reply[[]byte]) {
	if kind != query.KindStatus {
		r.Answer(query.EncodeReply(nil, wire.Faultf(wire.ErrNotFound, "played core")))
		return
	}
	s := query.Status{Version: "played", ChainID: chain().Genesis.ChainID()}
	r.Answer(query.EncodeReply(s.Encode(), nil))
}

func (p *player) Status(r *gate.Reply[[]byte]) { r.Fail(gate.ErrNotFound) }

func (p *player) Archived(uint64) {}

func (p *player) Stop(_ time.Duration, r *gate.Reply[struct{}]) {
	r.Answer(struct{}{})
	p.exit <- gate.ExitOK
}
