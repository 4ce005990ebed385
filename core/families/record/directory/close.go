package directory

import (
	"bytes"
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// limits bound what one block does to close a period. They say how many blocks it
// takes, never what comes out.
type limits struct {
	rows   int // read
	bytes  int // of rows read
	blocks int // entry blocks finished
	body   int // bytes of an entry block that is hashed in one pass
}

// usual are the limits of a node.
var usual = limits{rows: 8192, bytes: 2 << 20, blocks: 1024, body: 256 << 10}

// closing is a period that is over, and how far its blocks are computed. From and
// Work go on where the block before stopped.
type closing struct {
	_           struct{} `cbor:",toarray"`
	Height      uint32
	OpenedMs    uint64
	First, Last uint64 // ledger blocks in it
	Rate        uint64

	Phase phase
	From  []byte // the first row that is not taken in yet; empty: the phase begins
	Work  []byte // what the phase has computed so far
	Apart []byte // header of a block whose whole is hashed in a second pass

	Credit, CreditFull     wire.Hash
	Factoid, FactoidLedger wire.Hash
	Admin                  wire.Hash
	AdminRef               wire.Hash
	Directory              wire.Hash
	Header                 []byte // of the directory block
	Coinbase               []byte
	AdminBlock             []byte
}

// phase is one walk over rows. Blocks whose full hash begins with a header that
// only the whole body gives are walked twice.
type phase uint8

const (
	phaseCredit phase = iota
	phaseCreditFull
	phaseFactoid
	phaseAdmin
	phaseEntries
	phaseDirectory
	phaseDirectoryFull
)

func loadClosing(st ledger.State) (*closing, error) {
	b, err := st.Aside().Get([]byte(keyClosing))
	if err != nil || b == nil {
		return nil, err
	}
	c := new(closing)
	if err := wire.Unmarshal(b, c, ledger.MaxValue); err != nil {
		return nil, fmt.Errorf("record: closing of a period in state: %w", err)
	}
	return c, nil
}

func (c *closing) save(st ledger.State) error {
	return st.Aside().Set([]byte(keyClosing), wire.Marshal(c))
}

// Close goes on with the period that is over, if one is, by a bounded piece.
func Close(e *ledger.End) error { return closeWithin(e, usual) }

func closeWithin(e *ledger.End, most limits) error {
	st := e.State(record.Name)
	c, err := loadClosing(st)
	if err != nil || c == nil {
		return err
	}
	tail, err := LoadTail(st)
	if err != nil {
		return err
	}
	w := &walk{closing: c, most: most, end: e, st: st, aside: st.Aside(), tail: tail}
	done := false
	for !done && w.room() {
		if done, err = w.step(); err != nil {
			return fmt.Errorf("record: closing period %d: %w", c.Height, err)
		}
	}
	if done {
		return w.finish()
	}
	return c.save(st)
}

// walk is one block's piece of work.
type walk struct {
	*closing
	most   limits
	end    *ledger.End
	st     ledger.State
	aside  ledger.State
	tail   *Tail
	rows   int
	bytes  int
	blocks int
}

func (w *walk) room() bool {
	return w.rows < w.most.rows && w.bytes < w.most.bytes && w.blocks < w.most.blocks
}

// step takes in rows of the phase until it is over or the room is used up; done
// says that the last phase is over.
func (w *walk) step() (done bool, err error) {
	switch w.Phase {
	case phaseCredit:
		return false, w.credit()
	case phaseCreditFull:
		return false, w.creditFull()
	case phaseFactoid:
		return false, w.factoid()
	case phaseAdmin:
		return false, w.admin()
	case phaseEntries:
		return false, w.entries()
	case phaseDirectory:
		return false, w.directory()
	}
	return w.directoryFull()
}

func (w *walk) next() {
	w.Phase++
	w.From, w.Work, w.Apart = nil, nil, nil
}

// row is one row of the walk, its key without what all rows of the walk share.
type row struct {
	key   []byte
	value []byte
}

// scan gives rows of a table of the period to take, in order, until there are no
// more (over), take says to stop before a row, or the room is used up. From is
// moved behind what was taken.
func (w *walk) scan(table byte, take func(row) (more bool, err error)) (over bool, err error) {
	from, prefix := w.From, periodKey(table, w.Height)
	if len(from) == 0 {
		from = prefix
	}
	over = true
	scanErr := w.aside.Scan(from, after(prefix), func(key, value []byte) bool {
		if !w.room() {
			w.From, over = bytes.Clone(key), false
			return false
		}
		var more bool
		if more, err = take(row{key[len(prefix):], value}); err != nil || !more {
			w.From, over = bytes.Clone(key), false
			return false
		}
		w.rows++
		w.bytes += len(key) + len(value)
		return true
	})
	if scanErr != nil {
		return false, scanErr
	}
	return over && err == nil, err
}

// after is the first key behind all that begin with a prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// resumeFull gives the hash over a whole block, begun with its header, and the
// state of what is walked again.
func (w *walk) resumeFull() (whole *factom.Digest, again []byte, err error) {
	if len(w.Work) == 0 {
		return factom.NewDigest(w.Apart), nil, nil
	}
	parts, err := wire.DecodeList(w.Work, 2, ledger.MaxValue)
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("%d parts of an unfinished hash", len(parts))
	}
	if err != nil {
		return nil, nil, err
	}
	whole, err = factom.ParseDigest(parts[0])
	return whole, parts[1], err
}

func (w *walk) saveFull(whole *factom.Digest, again []byte) {
	w.Work = wire.EncodeList([][]byte{whole.AppendBinary(nil), again})
}

// finish records the period as closed and forgets its rows.
func (w *walk) finish() error {
	t := &Tail{
		Directory: w.Directory, DirectoryFull: w.tail.DirectoryFull, Header: w.Header, Admin: w.AdminRef,
		Credit: w.Credit, CreditFull: w.CreditFull, Factoid: w.Factoid, FactoidLedger: w.FactoidLedger,
	}
	if err := t.save(w.st); err != nil {
		return err
	}
	d := record.Directory{
		Height: w.Height, OpenedMs: w.OpenedMs, First: w.First, Last: w.Last, Rate: w.Rate,
		KeyMR: t.Directory, FullHash: t.DirectoryFull, Admin: w.Admin, Credit: w.Credit, Factoid: w.Factoid,
		Coinbase: w.Coinbase, AdminBlock: w.AdminBlock,
	}
	if err := w.st.Set(record.DirectoryKey(w.Height), wire.Marshal(d)); err != nil {
		return err
	}
	if err := w.aside.Delete([]byte(keyClosing)); err != nil {
		return err
	}
	for _, table := range []byte{rowEntry, rowCredit, rowFactoid, rowAdmin, rowPair} {
		prefix := periodKey(table, w.Height)
		w.end.Drop(record.Name, prefix, after(prefix))
	}
	w.end.Drop(record.Name, signedKey(0), signedKey(w.Height))
	p, _, err := ledger.Load[record.Progress](w.st, record.ProgressKey)
	if err != nil {
		return err
	}
	p.Closed = w.Height + 1
	return ledger.Save(w.st, record.ProgressKey, p)
}
