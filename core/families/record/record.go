package record

import (
	"encoding/json"
	"fmt"

	"cloister/core/families/record/directory"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	money "cloister/wire/token"
)

// Family implements ledger.Family and the interfaces named below.
type Family struct{}

var (
	_ ledger.Carrier  = Family{}
	_ ledger.Dated    = Family{}
	_ ledger.Beginner = Family{}
	_ ledger.Ender    = Family{}
	_ ledger.Timed    = Family{}
	_ ledger.Governed = Family{}

	_ ledger.Dependent = Family{}
)

// Name implements ledger.Family.
func (Family) Name() string { return record.Name }

// Needs implements ledger.Dependent: entries are paid for.
func (Family) Needs() []string { return []string{money.Name} }

// Genesis implements ledger.Family; see GenesisAt.
func (Family) Genesis(ledger.State, json.RawMessage) error {
	return fmt.Errorf("record: a genesis has a time")
}

// GenesisAt implements ledger.Dated; params is a record.Params, or nothing.
func (Family) GenesisAt(st ledger.State, params json.RawMessage, timeMs uint64) error {
	p, err := record.ParseParams(params)
	if err != nil {
		return err
	}
	if err := directory.Start(st, p, timeMs); err != nil {
		return err
	}
	for i := range p.AnchorKeys {
		if err := st.Aside().Set(anchorKey(&p.AnchorKeys[i]), wire.Marshal(p.AnchorKeys[i])); err != nil {
			return err
		}
	}
	return nil
}

// Check implements ledger.Family; the payload is a *record.Payload.
func (Family) Check(tx *wire.Tx) (any, error) { return record.Decode(tx.Payload) }

// Signed implements ledger.Carrier: a commit is signed by who pays. A reveal
// needs no signature: nobody is charged for it.
func (Family) Signed(payload any) ([]wire.Signed, bool) {
	p := payload.(*record.Payload)
	switch {
	case p.Sign != nil:
		return nil, false
	case p.Commit != nil:
		return []wire.Signed{p.Commit.Signed()}, true
	}
	return nil, true
}

// Price is asked for signatures of directory blocks alone: nothing for who is to
// sign, one credit for everybody else, to be told so.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	if server, err := isServer(c); err != nil || server {
		return ledger.Price{}, err
	}
	return ledger.Price{Credits: 1}, nil
}

// Admit implements ledger.Family.
func (Family) Admit(c *ledger.Call) error {
	_, err := judge(c)
	return err
}

// Execute carries the message out. The output is the TXID of a commit, the hash
// of an entry.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	do, err := judge(c)
	if err != nil {
		return nil, err
	}
	return do()
}

// effect is what a message does once nothing speaks against it.
type effect func() (output []byte, err error)

// judge says why a message has no effect, or which it has. It only reads.
func judge(c *ledger.Call) (effect, error) {
	p := c.Payload.(*record.Payload)
	period, ok, err := directory.Current(c.State(record.Name), c.TimeMs)
	if err == nil && !ok {
		err = fmt.Errorf("record: no progress in state")
	}
	if err != nil {
		return nil, err
	}
	m := &message{Payload: p, call: c, st: c.State(record.Name), period: &period}
	switch p.Kind {
	case record.KindCommit:
		return m.commit()
	case record.KindReveal:
		return m.reveal()
	case record.KindSign:
		return m.sign()
	}
	return m.pair()
}

// message is one message on its way.
type message struct {
	*record.Payload
	call   *ledger.Call
	st     ledger.State
	period *directory.Open
}

// commit pays now for what is revealed later.
func (m *message) commit() (effect, error) {
	if err := m.payable(); err != nil {
		return nil, err
	}
	c := m.Commit
	waiting, ok, err := m.unused(unusedKey(c))
	switch {
	case err != nil:
		return nil, err
	case ok && waiting.Credits >= c.Credits:
		return nil, wire.Faultf(wire.ErrRepeatedCommit, "entry %s is paid for with %d credits", c.EntryHash, waiting.Credits)
	}
	return func() ([]byte, error) {
		if err := m.pay(); err != nil {
			return nil, err
		}
		txid := c.TXID()
		if c.Chain {
			if err := m.hold(); err != nil {
				return nil, err
			}
		}
		return txid[:], m.keepUnused()
	}, nil
}

// reveal shows an entry that a commit paid for: as the first of its chain, if a
// commit to the chain waits for it, else as a further one.
func (m *message) reveal() (effect, error) {
	first := &factom.Commit{Chain: true, EntryHash: m.Hash, ChainIDHash: factom.ChainIDHash(m.Entry.ChainID), Weld: factom.Weld(m.Hash, m.Entry.ChainID)}
	further := &factom.Commit{EntryHash: m.Hash}
	likely := []*factom.Commit{first, further}
	if _, exists, err := ledger.Load[record.Chain](m.st, record.ChainKey(m.Entry.ChainID)); err != nil {
		return nil, err
	} else if exists {
		likely = []*factom.Commit{further, first}
	}
	var why error
	for _, paid := range likely {
		key := unusedKey(paid)
		waiting, ok, err := m.unused(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		paid.Credits = waiting.Credits
		chain, err := m.revealed(paid)
		if err == nil {
			return func() ([]byte, error) {
				if err := m.dropUnused(key); err != nil {
					return nil, err
				}
				return m.append(chain)
			}, nil
		}
		if !refuses(err) {
			return nil, err
		}
		if why == nil {
			why = err
		}
	}
	if why == nil {
		why = wire.Faultf(wire.ErrNoCommit, "nothing pays for entry %s in chain %s", m.Hash, m.Entry.ChainID)
	}
	return nil, why
}

// revealed is the chain that the entry goes to if this commit pays for it.
func (m *message) revealed(paid *factom.Commit) (record.Chain, error) {
	if err := m.PaidBy(paid); err != nil {
		return record.Chain{}, err
	}
	return m.chainFor(paid.Chain)
}

// refuses tells an answer to the sender from a defect.
func refuses(err error) bool { return wire.CodeOf(err) != wire.ErrInternal }

// pair pays for an entry and shows it.
func (m *message) pair() (effect, error) {
	if err := m.payable(); err != nil {
		return nil, err
	}
	chain, err := m.chainFor(m.Commit.Chain)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		if err := m.pay(); err != nil {
			return nil, err
		}
		return m.append(chain)
	}, nil
}

// payable says why a commit cannot be taken, whatever it pays for. That it was
// taken before comes first: whoever sends it again learns that it arrived.
func (m *message) payable() error {
	c := m.Commit
	if err := token.Window(c.TimestampMs, m.period.OpenedMs); err != nil {
		return err
	}
	// One commit per key and millisecond, which also knows each again.
	once := wire.TH("cloister/commit/v1", c.Payer[:], wire.U64(c.TimestampMs))
	fresh, err := m.call.Once(once, c.TimestampMs+2*token.WindowMs)
	if err == nil && !fresh {
		err = wire.Faultf(wire.ErrReplayed, "a commit of this key and millisecond")
	}
	if err != nil {
		return err
	}
	if c.Chain {
		exists, err := m.st.Aside().Get(nameKey(c.ChainIDHash))
		if err == nil && exists != nil {
			err = wire.Faultf(wire.ErrChainExists, "chain id hash %s", c.ChainIDHash)
		}
		if err != nil {
			return err
		}
	}
	return token.Affords(m.call.State(money.Name), wire.AccountOf(c.Payer), uint64(c.Credits))
}

// pay charges the commit and puts it into the entry credit block.
func (m *message) pay() error {
	price := ledger.Price{Credits: uint64(m.Commit.Credits)}
	if err := (token.Family{}).Charge(m.call.State(money.Name), wire.AccountOf(m.Commit.Payer), price); err != nil {
		return err
	}
	m.call.Charged(price)
	return m.period.AddCredit(m.st, m.call.Height, factom.CommitObject(m.Commit))
}

// chainFor finds the chain the entry goes to, as its first entry or a further
// one, or says why it cannot.
func (m *message) chainFor(first bool) (record.Chain, error) {
	id := m.Entry.ChainID
	chain, exists, err := ledger.Load[record.Chain](m.st, record.ChainKey(id))
	switch {
	case err != nil:
		return chain, err
	case first && exists:
		return chain, wire.Faultf(wire.ErrChainExists, "chain %s", id)
	case first:
		return record.Chain{Created: m.call.Height, CreatedAtMs: m.call.TimeMs}, m.nameFree()
	case !exists:
		return chain, wire.Faultf(wire.ErrUnknownChain, "chain %s", id)
	}
	return chain, nil
}

// append records the entry as the newest of its chain.
func (m *message) append(chain record.Chain) ([]byte, error) {
	id := m.Entry.ChainID
	if chain.Entries == 0 {
		if err := m.takeName(); err != nil {
			return nil, err
		}
	}
	chain.Head = record.NextHead(chain.Head, chain.Entries, m.Hash)
	chain.Entries++
	chain.Updated, chain.UpdatedAtMs = m.call.Height, m.call.TimeMs
	m.call.Record(record.Leaf(id, m.Hash))
	if err := m.period.AddEntry(m.st, m.call.Height, id, m.Hash); err != nil {
		return nil, err
	}
	return m.Hash[:], ledger.Save(m.st, record.ChainKey(id), chain)
}

// BeginBlock implements ledger.Beginner: a new period begins with the first block
// of its time.
func (Family) BeginBlock(e *ledger.End) error {
	st := e.State(record.Name)
	period, opened, err := directory.Turn(st, e.Height, e.TimeMs)
	if err != nil || !opened {
		return err
	}
	roster, err := e.Roster()
	if err != nil {
		return err
	}
	if period.Height == 0 {
		if err := announceFirst(st, e.Height, &period, roster); err != nil {
			return err
		}
	}
	return token.OpenPeriod(e, &period, serverKeys(roster))
}

// EndBlock implements ledger.Ender.
func (Family) EndBlock(e *ledger.End) error {
	if err := announceChanges(e); err != nil {
		return err
	}
	if err := sweep(e.State(record.Name), e.TimeMs); err != nil {
		return err
	}
	return directory.Close(e)
}

// DueMs implements ledger.Timed.
func (Family) DueMs(st ledger.State) (uint64, error) { return directory.Due(st) }
