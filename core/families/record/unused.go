package record

import (
	"bytes"
	"encoding/binary"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
)

// Deadlines of commits, in ms of block time from when they are ordered.
const (
	usableMs = 24 * 60 * 60 * 1000 // a commit whose entry is not revealed is void after it
	holdMs   = 60 * 60 * 1000      // a chain commit keeps others from its chain's name
)

// maxSwept bounds the deadlines looked at in one block.
const maxSwept = 256

// Unproved state of the family besides that of package directory.
const (
	rowUnused   = 'u' // entry hash, of a chain commit also chain id hash ‖ weld: unused
	rowHold     = 'h' // chain id hash: hold
	rowName     = 'n' // chain id hash: 1, the chain exists
	rowDeadline = 'x' // ms of block time ‖ key of an unused or hold: 1, look at it then
	rowAnchor   = 'b' // node ‖ priority: record.AnchorKey
	keyServers  = "s" // servers
)

// unusedKey is where a commit waits. All that says which reveal it serves is in
// it, so that nobody's commit gets in the way of another's by naming its entry.
func unusedKey(c *factom.Commit) []byte {
	key := append([]byte{rowUnused}, c.EntryHash[:]...)
	if c.Chain {
		key = append(append(key, c.ChainIDHash[:]...), c.Weld[:]...)
	}
	return key
}

func holdKey(name wire.Hash) []byte { return append([]byte{rowHold}, name[:]...) }
func nameKey(name wire.Hash) []byte { return append([]byte{rowName}, name[:]...) }

func deadlineKey(timeMs uint64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{rowDeadline}, timeMs), key...)
}

// unused is a commit that waits for its entry.
type unused struct {
	_         struct{} `cbor:",toarray"`
	OrderedMs uint64
	Credits   uint8
}

// hold is who may create a chain of a name: whoever shows this entry.
type hold struct {
	_       struct{} `cbor:",toarray"`
	Entry   wire.Hash
	Payer   wire.PublicKey
	SinceMs uint64
}

func (h *hold) over(timeMs uint64) bool { return timeMs >= h.SinceMs+holdMs }

// unused finds the commit that waits under a key.
func (m *message) unused(key []byte) (u unused, waiting bool, err error) {
	u, ok, err := ledger.Load[unused](m.st.Aside(), key)
	return u, ok && m.call.TimeMs < u.OrderedMs+usableMs, err
}

// keepUnused remembers the commit until its entry is shown. It takes the place
// of a lower one.
func (m *message) keepUnused() error {
	st, key := m.st.Aside(), unusedKey(m.Commit)
	if err := m.dropUnused(key); err != nil {
		return err
	}
	u := unused{OrderedMs: m.call.TimeMs, Credits: m.Commit.Credits}
	if err := ledger.Save(st, key, u); err != nil {
		return err
	}
	return st.Add(deadlineKey(u.OrderedMs+usableMs, key), []byte{1})
}

// dropUnused forgets the commit that waits under a key, if there is one.
func (m *message) dropUnused(key []byte) error {
	st := m.st.Aside()
	u, ok, err := ledger.Load[unused](st, key)
	if err != nil || !ok {
		return err
	}
	if err := st.Delete(deadlineKey(u.OrderedMs+usableMs, key)); err != nil {
		return err
	}
	return st.Delete(key)
}

// hold gives the chain commit's payer an hour in which nobody else can create
// the chain, unless somebody has it. The same commitment again extends nothing.
func (m *message) hold() error {
	c, st, key := m.Commit, m.st.Aside(), holdKey(m.Commit.ChainIDHash)
	h, held, err := ledger.Load[hold](st, key)
	switch {
	case err != nil:
		return err
	case held && (!h.over(m.call.TimeMs) || h.Entry == c.EntryHash && h.Payer == c.Payer):
		return nil
	case held:
		if err := st.Delete(deadlineKey(h.SinceMs+usableMs, key)); err != nil {
			return err
		}
	}
	h = hold{Entry: c.EntryHash, Payer: c.Payer, SinceMs: m.call.TimeMs}
	if err := ledger.Save(st, key, h); err != nil {
		return err
	}
	return st.Set(deadlineKey(h.SinceMs+usableMs, key), []byte{1})
}

// nameFree refuses a new chain whose name another commit holds.
func (m *message) nameFree() error {
	name := factom.ChainIDHash(m.Entry.ChainID)
	h, held, err := ledger.Load[hold](m.st.Aside(), holdKey(name))
	if err == nil && held && !h.over(m.call.TimeMs) && h.Entry != m.Hash {
		err = wire.Faultf(wire.ErrChainHeld, "until block time %d", h.SinceMs+holdMs)
	}
	return err
}

// takeName makes the chain exist for those who know only its id's hash.
func (m *message) takeName() error {
	st, name := m.st.Aside(), factom.ChainIDHash(m.Entry.ChainID)
	h, held, err := ledger.Load[hold](st, holdKey(name))
	if err != nil {
		return err
	}
	if held {
		if err := st.Delete(deadlineKey(h.SinceMs+usableMs, holdKey(name))); err != nil {
			return err
		}
		if err := st.Delete(holdKey(name)); err != nil {
			return err
		}
	}
	return st.Set(nameKey(name), []byte{1})
}

// sweep forgets what nobody revealed in time.
func sweep(st ledger.State, timeMs uint64) error {
	aside := st.Aside()
	var due [][]byte
	err := aside.Scan([]byte{rowDeadline}, deadlineKey(timeMs, nil), func(key, _ []byte) bool {
		due = append(due, bytes.Clone(key))
		return len(due) < maxSwept
	})
	if err != nil {
		return err
	}
	for _, d := range due {
		// A row this block replaced was deleted with its deadline, so what is
		// here is the row of this deadline, unless it is gone.
		here, err := aside.Get(d)
		if err != nil {
			return err
		}
		if here == nil {
			continue
		}
		if err := aside.Delete(d[1+8:]); err != nil {
			return err
		}
		if err := aside.Delete(d); err != nil {
			return err
		}
	}
	return nil
}
