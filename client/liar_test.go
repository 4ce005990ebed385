package client_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"cloister/client"
	pb "cloister/gen/cloister/v1"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/query"
	"cloister/wire/receipt"
	"cloister/wire/token"
)

// on makes a change of one kind of answer out of a change of any.
func on[M proto.Message](change func(M)) func(proto.Message) {
	return func(m proto.Message) {
		if x, ok := m.(M); ok {
			change(x)
		}
	}
}

// rewrite changes a state proof inside an answer.
func rewrite(proof *[]byte, change func(*query.State)) {
	s, err := query.DecodeState(*proof)
	if err != nil {
		panic(err)
	}
	change(s)
	*proof = s.Encode()
}

// reheader changes the header inside an encoded one.
func reheader(b *[]byte, change func(*wire.Header)) {
	h, err := wire.DecodeHeader(*b)
	if err != nil {
		panic(err)
	}
	change(h)
	*b = wire.Marshal(h)
}

func reads() map[string]func(*client.Client) error {
	return map[string]func(*client.Client) error{
		"account": func(c *client.Client) error { _, err := c.Account(bg, alice); return err },
		"chain":   func(c *client.Client) error { _, err := c.Chain(bg, books); return err },
		"state": func(c *client.Client) error {
			_, _, err := c.StateProof(bg, token.Name, token.BalanceKey(alice))
			return err
		},
		"entry": func(c *client.Client) error { _, err := c.Entry(bg, entryHash("entry 1")); return err },
		"entries": func(c *client.Client) error {
			for _, err := range c.Entries(bg, books, 0) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"verified entries": func(c *client.Client) error {
			list, err := c.VerifiedEntries(bg, books)
			if err != nil {
				return err
			}
			for _, err := range list.Entries(bg) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"ordered receipt": func(c *client.Client) error {
			_, _, err := c.EntryReceipt(bg, entryHash("entry 1"), receipt.Ordered)
			return err
		},
		"executed receipt": func(c *client.Client) error {
			_, _, err := c.EntryReceipt(bg, entryHash("entry 1"), receipt.Executed)
			return err
		},
		"block":   func(c *client.Client) error { _, err := c.Block(bg, 3); return err },
		"covered": func(c *client.Client) error { _, err := c.Block(bg, 4); return err },
		"blocks": func(c *client.Client) error {
			for b, err := range c.Blocks(bg, 1) {
				if err != nil {
					return err
				}
				if b.Header.Height == 6 {
					break
				}
			}
			return nil
		},
		"follow": func(c *client.Client) error { return c.Follow(bg, client.NewLight(c.Trust())) },
		"consistent": func(c *client.Client) error {
			a, err := c.Block(bg, 3)
			if err != nil {
				return err
			}
			b, err := c.Block(bg, 9)
			if err != nil {
				return err
			}
			return c.Consistent(bg, a.Header, b.Header)
		},
	}
}

func entryHash(content string) wire.Hash { return hashOf("books", content) }

func hashOf(chain, content string) wire.Hash {
	return factom.EntryHash(apitest.Entry(chain, []byte(content)))
}

// Answers that hold, to other questions than the liar is asked.
type truths struct{ otherReceipt, orderedReceipt, otherProof []byte }

func gather(t *testing.T, c *client.Client) (out truths) {
	t.Helper()
	var err error
	if _, out.otherReceipt, err = c.EntryReceipt(bg, entryHash("entry 2"), receipt.Ordered); err != nil {
		t.Fatal(err)
	}
	if _, out.orderedReceipt, err = c.EntryReceipt(bg, entryHash("entry 1"), receipt.Ordered); err != nil {
		t.Fatal(err)
	}
	s, _, err := c.StateProof(bg, token.Name, token.BalanceKey(wire.Account{9}))
	if err != nil {
		t.Fatal(err)
	}
	out.otherProof = s.Encode()
	return out
}

// alter replaces text in a receipt file, which must be there.
func alter(m *pb.ReceiptResponse, old, new string) {
	if !bytes.Contains(m.File, []byte(old)) {
		panic("the receipt has no " + old)
	}
	m.File = bytes.Replace(m.File, []byte(old), []byte(new), 1)
}

// TestNoLieIsBelieved: every altered answer is refused with the code of an
// unproven one; and with an honest host beside the liar, the client gets the
// truth.
func TestNoLieIsBelieved(t *testing.T) {
	l := library(t)
	honest := host(t, l, nil)
	fixtures := gather(t, dial(t, l, client.Options{}, honest))
	proofs := map[string]func(*query.State){
		"altered value":    func(s *query.State) { s.Value[len(s.Value)-1] ^= 1 },
		"value left out":   func(s *query.State) { s.Present, s.Value = false, nil },
		"other state":      func(s *query.State) { s.Exec.StateRoot[0] ^= 1 },
		"no seal":          func(s *query.State) { s.At.Seal = nil },
		"altered seal":     func(s *query.State) { s.At.Seal[len(s.At.Seal)-1] ^= 1 },
		"altered header":   func(s *query.State) { reheader(&s.At.Header, func(h *wire.Header) { h.TimeMs++ }) },
		"an epoch to come": func(s *query.State) { reheader(&s.At.Header, func(h *wire.Header) { h.Epoch = 9 }) },
		"proof of noise":   func(s *query.State) { s.Proof = []byte{1} },
		"header of noise":  func(s *query.State) { s.At.Header = []byte{1} },
		"header as a lone": func(s *query.State) { s.At.Cover = &query.Cover{Header: s.At.Header} },
	}
	type lie struct {
		read   string
		change func(proto.Message)
	}
	lies := map[string]lie{
		"entry: altered bytes": {"entry", on(func(m *pb.EntryResponse) { m.Entry.Raw[40] ^= 1 })},
		"entry: nothing":       {"entry", on(func(m *pb.EntryResponse) { m.Entry = nil })},
		"entry: another one": {"entry", on(func(m *pb.EntryResponse) {
			m.Entry.Raw = apitest.Entry("books", []byte("another"))
		})},
		"entries: altered bytes": {"entries", on(func(m *pb.EntriesResponse) { m.Entries[2].Raw[40] ^= 1 })},
		"entries: of another chain": {"entries", on(func(m *pb.EntriesResponse) {
			m.Entries[2].Raw = apitest.Entry("others", nil)
			m.Entries[2].Hash = hashOf("others", "").String()
		})},
		"entries: no hash": {"entries", on(func(m *pb.EntriesResponse) { m.Entries[2].Hash = "" })},
		"verified: one missing": {"verified entries", on(func(m *pb.EntriesResponse) {
			if len(m.Entries) == 6 {
				m.Entries = append(m.Entries[:2], m.Entries[3:]...)
			}
		})},
		"verified: none": {"verified entries", on(func(m *pb.EntriesResponse) { m.Entries = nil })},
		"verified: one added": {"verified entries", on(func(m *pb.EntriesResponse) {
			m.Entries = append(m.Entries[:5], m.Entries[4:]...)
		})},
		"verified: two exchanged": {"verified entries", on(func(m *pb.EntriesResponse) {
			m.Entries[1], m.Entries[2] = m.Entries[2], m.Entries[1]
		})},
		"verified: bytes of another": {"verified entries", on(func(m *pb.EntriesResponse) {
			if len(m.Entries[3].Raw) > 0 {
				m.Entries[3].Raw, m.Entries[3].Hash = m.Entries[2].Raw, m.Entries[2].Hash
			}
		})},
		"verified: bytes missing at the end": {"verified entries", on(func(m *pb.EntriesResponse) {
			if len(m.Entries[0].Raw) > 0 {
				m.Entries = nil
			}
		})},
		"receipt: altered":    {"ordered receipt", on(func(m *pb.ReceiptResponse) { alter(m, `"index": 0`, `"index": 1`) })},
		"receipt: noise":      {"ordered receipt", on(func(m *pb.ReceiptResponse) { m.File = []byte("{}") })},
		"receipt: of another": {"ordered receipt", on(func(m *pb.ReceiptResponse) { m.File = fixtures.otherReceipt })},
		"receipt: less than asked": {"executed receipt", on(func(m *pb.ReceiptResponse) {
			m.File = fixtures.orderedReceipt
		})},
		"receipt: other result":       {"executed receipt", on(func(m *pb.ReceiptResponse) { alter(m, `"state_root": "`, `"state_root": "0`) })},
		"block: no header":            {"block", on(func(m *pb.BlockResponse) { m.Header = nil })},
		"block: no seal":              {"block", on(func(m *pb.BlockResponse) { m.Header.Seal = nil })},
		"block: altered seal":         {"block", on(func(m *pb.BlockResponse) { m.Header.Seal[20] ^= 1 })},
		"block: altered header":       {"block", on(func(m *pb.BlockResponse) { reheader(&m.Header.Header, func(h *wire.Header) { h.TimeMs++ }) })},
		"block: an epoch to come":     {"block", on(func(m *pb.BlockResponse) { reheader(&m.Header.Header, func(h *wire.Header) { h.Epoch = 9 }) })},
		"block: header of noise":      {"block", on(func(m *pb.BlockResponse) { m.Header.Header = []byte{1} })},
		"block: body of noise":        {"block", on(func(m *pb.BlockResponse) { m.Body = []byte{1} })},
		"block: transaction left out": {"block", on(func(m *pb.BlockResponse) { m.Body = wire.EncodeList(nil) })},
		"block: altered body":         {"block", on(func(m *pb.BlockResponse) { m.Body[9] ^= 1 })},
		"block: path too short":       {"covered", on(func(m *pb.BlockResponse) { m.Header.Cover.Path = m.Header.Cover.Path[1:] })},
		"block: path of odd hashes":   {"covered", on(func(m *pb.BlockResponse) { m.Header.Cover.Path[0] = []byte{1} })},
		"block: altered cover": {"covered", on(func(m *pb.BlockResponse) {
			reheader(&m.Header.Cover.Header, func(h *wire.Header) { h.HistoryRoot[0] ^= 1 })
		})},
		"block: cover left out": {"covered", on(func(m *pb.BlockResponse) { m.Header.Cover = nil })},
		"blocks: altered body": {"blocks", on(func(m *pb.BlocksResponse) {
			if m.Block.Header.Height == 3 {
				m.Block.Body[9] ^= 1
			}
		})},
		"blocks: nothing": {"blocks", on(func(m *pb.BlocksResponse) { m.Block = nil })},
		"follow: an epoch to come": {"follow", on(func(m *pb.HeadersResponse) {
			reheader(&m.Headers[len(m.Headers)-1].Header, func(h *wire.Header) { h.Epoch = 9 })
		})},
		"follow: header of noise": {"follow", on(func(m *pb.HeadersResponse) { m.Headers[1].Header, m.Headers[1].Seal = []byte{1}, nil })},
		"follow: one missing": {"follow", on(func(m *pb.HeadersResponse) {
			m.Headers = append(m.Headers[:3], m.Headers[4:]...)
		})},
		"follow: altered header": {"follow", on(func(m *pb.HeadersResponse) {
			reheader(&m.Headers[3].Header, func(h *wire.Header) { h.DataRoot[0] ^= 1 })
		})},
		"follow: altered seal in between": {"follow", on(func(m *pb.HeadersResponse) { m.Headers[2].Seal[20] ^= 1 })},
		"follow: end without seal":        {"follow", on(func(m *pb.HeadersResponse) { m.Headers = m.Headers[:4] })},
		"follow: nothing":                 {"follow", on(func(m *pb.HeadersResponse) { m.Headers = nil })},
		"consistency: other path":         {"consistent", on(func(m *pb.ConsistencyResponse) { m.Path[0][0] ^= 1 })},
		"consistency: no path":            {"consistent", on(func(m *pb.ConsistencyResponse) { m.Path = nil })},
	}
	for name, change := range proofs {
		lies["account: "+name] = lie{"account", on(func(m *pb.AccountResponse) { rewrite(&m.Proof, change) })}
		lies["chain: "+name] = lie{"chain", on(func(m *pb.ChainResponse) { rewrite(&m.Proof, change) })}
		lies["state: "+name] = lie{"state", on(func(m *pb.StateProofResponse) { rewrite(&m.Proof, change) })}
	}
	lies["account: noise"] = lie{"account", on(func(m *pb.AccountResponse) { m.Proof = []byte{1} })}
	lies["account: of another"] = lie{"account", on(func(m *pb.AccountResponse) { m.Proof = fixtures.otherProof })}

	all := reads()
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			var told atomic.Bool
			liar := lying(t, honest, func(m proto.Message) { told.Store(true); lie.change(m) })
			read := all[lie.read]
			err := read(dial(t, l, client.Options{}, liar))
			if !told.Load() {
				t.Fatal("the lie was never told")
			}
			switch wire.CodeOf(err) {
			case wire.ErrProof, wire.ErrSealInvalid, wire.ErrNotCovered, wire.ErrForeignChain, wire.ErrUnknownEpoch:
			default:
				t.Errorf("believed, or refused for another reason: %v", err)
			}
			if err := read(dial(t, l, client.Options{}, liar, honest)); err != nil {
				t.Errorf("with an honest host beside the liar: %v", err)
			}
		})
	}
	for name, read := range all {
		if err := read(dial(t, l, client.Options{}, honest)); err != nil {
			t.Errorf("%s from an honest host: %v", name, err)
		}
	}
}

// TestAFreeFieldChangesNothing: fields beside a proof are not looked at.
func TestAFreeFieldChangesNothing(t *testing.T) {
	l := library(t)
	c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), on(func(m *pb.AccountResponse) {
		m.Factoshis, m.Credits, m.Height = 1<<40, 7, 99
	})))
	if a, err := c.Account(bg, alice); err != nil || a.Factoshis != 42 || a.Credits != 0 || a.Height != 8 {
		t.Errorf("%+v %v", a, err)
	}
}

// TestAnOldStateIsNotShownAsNew: a proof of old state is as well made as any.
func TestAnOldStateIsNotShownAsNew(t *testing.T) {
	l := apitest.New(3)
	honest := host(t, l, nil)
	c := dial(t, l, client.Options{}, honest)
	if _, err := c.Submit(bg, l.Pay(alice, 1, 1)); err != nil {
		t.Fatal(err)
	}
	l.Append(true)
	var old []byte
	c2 := dial(t, l, client.Options{}, lying(t, honest, on(func(m *pb.AccountResponse) {
		if old == nil {
			old = m.Proof
		}
		m.Proof = old
	})))
	if a, err := c2.Account(bg, alice); err != nil || a.Factoshis != 1 {
		t.Fatal(a, err)
	}
	if _, err := c2.Submit(bg, l.Pay(alice, 1, 2)); err != nil {
		t.Fatal(err)
	}
	l.Append(true)
	if a, err := c2.Account(bg, alice); !errors.Is(err, wire.ErrNotCovered) {
		t.Errorf("the balance before the payment is shown after it: %+v %v", a, err)
	}
}

// TestAForkEndsTrust: a majority that signs two blocks of one height.
func TestAForkEndsTrust(t *testing.T) {
	l := library(t)
	twin := func(m *pb.BlockResponse) {
		reheader(&m.Header.Header, func(h *wire.Header) {
			h.TimeMs++
			m.Header.Seal = l.Seal(h, h.Hash())
		})
	}
	asked := 0
	c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), on(func(m *pb.BlockResponse) {
		if asked++; asked > 1 {
			twin(m)
		}
	})))
	if _, err := c.Block(bg, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Block(bg, 9); !errors.Is(err, wire.ErrProof) {
		t.Errorf("two sealed blocks of one height: %v", err)
	}
}

func TestALightClientTakesAllHeadersOrNone(t *testing.T) {
	l := library(t)
	if err := l.Settle(9); err != nil {
		t.Fatal(err)
	}
	trust := client.NewTrust(l.Genesis)
	list := func(change func([]*query.SealedHeader) []*query.SealedHeader) []*query.SealedHeader {
		var out []*query.SealedHeader
		for height := uint64(1); height <= 6; height++ {
			h, err := l.Header(height)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, &query.SealedHeader{Header: h.Header, Seal: h.Seal})
		}
		return change(out)
	}
	// resealed makes a header that its members really sign, but that no chain has.
	resealed := func(s *query.SealedHeader, change func(*wire.Header)) {
		reheader(&s.Header, func(h *wire.Header) {
			change(h)
			s.Seal = l.Seal(h, h.Hash())
		})
	}
	for name, c := range map[string]struct {
		want   wire.Code
		change func([]*query.SealedHeader) []*query.SealedHeader
	}{
		"all":              {wire.OK, func(s []*query.SealedHeader) []*query.SealedHeader { return s }},
		"gap":              {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader { return append(s[:1], s[2:]...) }},
		"end without seal": {wire.ErrNotCovered, func(s []*query.SealedHeader) []*query.SealedHeader { return s[:4] }},
		"other history, sealed": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.HistoryRoot[0] ^= 1 })
			return s
		}},
		"other parent, sealed": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.Parent[0] ^= 1 })
			return s
		}},
		"time stands still": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.TimeMs -= 10 })
			return s
		}},
		"state of the future": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.ExecHeight = 6 })
			return s
		}},
		"state goes back": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.ExecHeight = 3 })
			return s
		}},
		"another chain": {wire.ErrForeignChain, func(s []*query.SealedHeader) []*query.SealedHeader {
			resealed(s[5], func(h *wire.Header) { h.ChainID[0] ^= 1 })
			return s
		}},
		"another chain between": {wire.ErrForeignChain, func(s []*query.SealedHeader) []*query.SealedHeader {
			reheader(&s[3].Header, func(h *wire.Header) { h.ChainID[0] ^= 1 })
			return s
		}},
		"noise": {wire.ErrProof, func(s []*query.SealedHeader) []*query.SealedHeader { s[3].Header = []byte{1}; return s }},
	} {
		light := client.NewLight(trust)
		err := light.Extend(list(c.change))
		head, _ := light.Head()
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && head.Height != 0 {
			t.Errorf("%s: refused, and %d headers kept", name, head.Height)
		}
		if err == nil && head.Height != 6 {
			t.Errorf("%s: head is %d", name, head.Height)
		}
	}
}

// TestAFalseBeginningIsRefused: block 0 carries no seal, so it must be the
// genesis file's.
func TestAFalseBeginningIsRefused(t *testing.T) {
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), on(func(m *pb.BlockResponse) {
		reheader(&m.Header.Header, func(h *wire.Header) { h.TimeMs++ })
	})))
	if _, err := c.Latest(context.Background()); !errors.Is(err, wire.ErrForeignChain) {
		t.Error(err)
	}
}
