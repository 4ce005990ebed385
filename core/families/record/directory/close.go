package directory

import (
	"bytes"
	"encoding/binary"
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

// closing is a period that is over, and how far its blocks are computed. Key and
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

func (w *walk) credit() error {
	body, err := resumeCredit(w.Work)
	if err != nil {
		return err
	}
	over, err := w.scan(rowCredit, func(r row) (bool, error) {
		_, err := appendCredit(body, r)
		return true, err
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	body.Close()
	h := w.creditHeader()
	body.Fill(h)
	w.Credit = h.Hash()
	w.next()
	w.Apart = h.Bytes()
	return nil
}

func (w *walk) creditHeader() *factom.ECBlockHeader {
	return &factom.ECBlockHeader{PrevHeaderHash: w.tail.Credit, PrevFullHash: w.tail.CreditFull, Height: w.Height}
}

func resumeCredit(work []byte) (*factom.ECBody, error) {
	if len(work) == 0 {
		return factom.NewECBody(), nil
	}
	return factom.ParseECBody(work)
}

func appendCredit(body *factom.ECBody, r row) ([]byte, error) {
	object, rest, err := factom.ParseECObject(r.value[1:])
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind an object", len(rest))
	}
	if err != nil {
		return nil, err
	}
	return body.Append(r.value[0], object)
}

// creditFull is the second pass: the body again, which says where markers are,
// and the hash over header and body.
func (w *walk) creditFull() error {
	whole, again, err := w.resumeFull()
	if err != nil {
		return err
	}
	body, err := resumeCredit(again)
	if err != nil {
		return err
	}
	over, err := w.scan(rowCredit, func(r row) (bool, error) {
		added, err := appendCredit(body, r)
		whole.Write(added)
		return true, err
	})
	if err != nil || !over {
		w.saveFull(whole, body.AppendBinary(nil))
		return err
	}
	whole.Write(body.Close())
	w.CreditFull = whole.Sum()
	w.next()
	return nil
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

func (w *walk) factoid() error {
	body := new(factom.FactoidBody)
	if len(w.Work) > 0 {
		var err error
		if body, err = factom.ParseFactoidBody(w.Work); err != nil {
			return err
		}
	}
	first := len(w.From) == 0
	over, err := w.scan(rowFactoid, func(r row) (bool, error) {
		parse := factom.ParseTransaction
		if first {
			parse = factom.ParseCoinbase
			w.Coinbase, first = bytes.Clone(r.value[1:]), false
		}
		t, _, err := parse(r.value[1:])
		if err != nil {
			return false, err
		}
		_, err = body.Append(r.value[0], t)
		return true, err
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	body.Close()
	h := &factom.FactoidBlockHeader{
		PrevKeyMR: w.tail.Factoid, PrevLedgerKeyMR: w.tail.FactoidLedger, Rate: w.Rate, Height: w.Height,
	}
	if err := body.Fill(h); err != nil {
		return err
	}
	w.Factoid, w.FactoidLedger = h.KeyMR(), h.LedgerKeyMR(body.LedgerRoot())
	w.next()
	return nil
}

// maxAdmin bounds the body of an admin block in bytes. There are a few messages per
// server; what came beyond it would stay out.
const maxAdmin = 32 << 10

func (w *walk) admin() error {
	h := &factom.AdminBlockHeader{PrevBackRefHash: w.tail.Admin, Height: w.Height}
	body := bytes.Clone(w.Work)
	if len(body) >= 4 {
		h.MessageCount = binary.BigEndian.Uint32(body)
		body = body[4:]
	}
	over, err := w.scan(rowAdmin, func(r row) (bool, error) {
		if len(body)+len(r.value)-1 <= maxAdmin {
			body = append(body, r.value[1:]...)
			h.MessageCount++
		}
		return true, nil
	})
	if err != nil || !over {
		w.Work = append(binary.BigEndian.AppendUint32(nil, h.MessageCount), body...)
		return err
	}
	h.BodySize = uint32(len(body))
	block, err := factom.ParseAdminBlock(append(h.Bytes(), body...))
	if err != nil {
		return err
	}
	w.AdminBlock = block.Bytes()
	w.Admin, w.AdminRef = block.LookupHash(), block.BackRefHash()
	w.next()
	return nil
}

// entries finishes the entry blocks of the period's chains, in the order of their
// ids. Work is a block begun: its chain and state; Apart a block whose body was
// too large to keep, walked a second time for its full hash.
func (w *walk) entries() error {
	if len(w.Apart) > 0 {
		return w.entriesFull()
	}
	b := &entryBlock{walk: w}
	if err := b.resume(); err != nil {
		return err
	}
	over, err := w.scan(rowEntry, b.take)
	if err != nil {
		return err
	}
	if !over { // for want of room, or because a second pass comes first
		b.suspend()
		return nil
	}
	if b.open {
		if err := b.finish(); err != nil || b.large != nil {
			return err
		}
	}
	w.next()
	w.blocks = w.most.blocks // the pairs of this block can be scanned from the next on
	return nil
}

// entryBlock is the block of the chain in hand.
type entryBlock struct {
	*walk
	open  bool
	chain wire.Hash
	body  *factom.EntryBody
	whole []byte // the body's bytes so far, while they are all here and not too many
	all   bool   // they are
	large *factom.EntryBlockHeader
}

func (b *entryBlock) resume() (err error) {
	if len(b.Work) == 0 {
		return nil
	}
	if len(b.Work) < 32 {
		return fmt.Errorf("an unfinished entry block of %d bytes", len(b.Work))
	}
	b.open, b.chain = true, wire.Hash(b.Work[:32])
	b.body, err = factom.ParseEntryBody(b.Work[32:])
	return err
}

func (b *entryBlock) suspend() {
	b.Work = nil
	if b.open {
		b.Work = b.body.AppendBinary(bytes.Clone(b.chain[:]))
	}
}

// take adds one row, after finishing the block of the chain before.
func (b *entryBlock) take(r row) (bool, error) {
	chain := wire.Hash(r.key[:32])
	if b.open && chain != b.chain {
		if err := b.finish(); err != nil || b.large != nil {
			return false, err
		}
		if b.blocks >= b.most.blocks {
			return false, nil
		}
	}
	if !b.open {
		b.open, b.chain, b.body, b.whole, b.all = true, chain, new(factom.EntryBody), nil, true
	}
	objects, err := b.body.Append(r.value[0], wire.Hash(r.value[1:]))
	b.keep(objects)
	return true, err
}

func (b *entryBlock) keep(objects []wire.Hash) {
	if !b.all {
		return
	}
	for i := range objects {
		b.whole = append(b.whole, objects[i][:]...)
	}
	if len(b.whole) > b.most.body {
		b.whole, b.all = nil, false
	}
}

// finish closes the block in hand, if its whole body is at hand; else it
// arranges for the second pass.
func (b *entryBlock) finish() error {
	b.keep(b.body.Close())
	link, _, err := ledger.Load[link](b.aside, linkKey(b.chain))
	if err != nil {
		return err
	}
	h := &factom.EntryBlockHeader{
		ChainID: b.chain, BodyMR: b.body.Root(), PrevKeyMR: link.KeyMR, PrevFullHash: link.FullHash,
		Sequence: link.Next, Height: b.Height, Count: uint32(b.body.Count()),
	}
	b.open = false
	if b.all {
		return b.closed(h, factom.NewDigest(h.Bytes(), b.whole).Sum())
	}
	b.large, b.Work = h, nil
	b.Apart = h.Bytes()
	return nil
}

// closed records a finished entry block.
func (w *walk) closed(h *factom.EntryBlockHeader, full wire.Hash) error {
	key := h.KeyMR()
	w.blocks++
	next := link{Next: h.Sequence + 1, KeyMR: key, FullHash: full}
	if err := ledger.Save(w.aside, linkKey(h.ChainID), next); err != nil {
		return err
	}
	return w.aside.Set(append(periodKey(rowPair, w.Height), h.ChainID[:]...), key[:])
}

// entriesFull is the second pass over one large entry block.
func (w *walk) entriesFull() error {
	h, err := factom.ParseEntryBlockHeader(w.Apart)
	if err != nil {
		return err
	}
	// From, meanwhile, is the first row of this chain or where the pass stopped;
	// it ends with the chain.
	whole, again, err := w.resumeFull()
	if err != nil {
		return err
	}
	body := new(factom.EntryBody)
	if len(again) > 0 {
		if body, err = factom.ParseEntryBody(again); err != nil {
			return err
		}
	} else {
		w.From = append(periodKey(rowEntry, w.Height), h.ChainID[:]...)
	}
	write := func(objects []wire.Hash) {
		for i := range objects {
			whole.Write(objects[i][:])
		}
	}
	ended := false
	over, err := w.scan(rowEntry, func(r row) (bool, error) {
		if ended = wire.Hash(r.key[:32]) != h.ChainID; ended {
			return false, nil
		}
		objects, err := body.Append(r.value[0], wire.Hash(r.value[1:]))
		write(objects)
		return true, err
	})
	if err != nil {
		return err
	}
	if !over && !ended {
		w.saveFull(whole, body.AppendBinary(nil))
		return nil
	}
	write(body.Close())
	if over {
		w.From = after(periodKey(rowEntry, w.Height))
	}
	w.Apart, w.Work = nil, nil
	return w.closed(h, whole.Sum())
}

func (w *walk) directory() error {
	body := new(factom.DirectoryBody)
	if len(w.Work) == 0 {
		for _, p := range w.fixed() {
			if err := body.Append(p); err != nil {
				return err
			}
		}
	} else {
		var err error
		if body, err = factom.ParseDirectoryBody(w.Work); err != nil {
			return err
		}
	}
	over, err := w.scan(rowPair, func(r row) (bool, error) {
		return true, body.Append(pairOf(r))
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	h := &factom.DirectoryBlockHeader{
		BodyMR: body.Root(), PrevKeyMR: w.tail.Directory, PrevFullHash: w.tail.DirectoryFull,
		Minutes: uint32(w.OpenedMs / 60_000), Height: w.Height, Count: uint32(body.Count()),
	}
	if h.NetworkID, err = network(w.st); err != nil {
		return err
	}
	w.Directory, w.Header = h.KeyMR(), h.Bytes()
	w.next()
	return nil
}

func network(st ledger.State) (uint32, error) {
	p, _, err := ledger.Load[record.Progress](st, record.ProgressKey)
	return p.Network, err
}

// fixed are the pairs every directory block begins with.
func (w *walk) fixed() []factom.Pair {
	return []factom.Pair{
		{ChainID: factom.AdminChain, Key: w.Admin},
		{ChainID: factom.EntryCreditChain, Key: w.Credit},
		{ChainID: factom.FactoidChain, Key: w.Factoid},
	}
}

func pairOf(r row) factom.Pair {
	return factom.Pair{ChainID: wire.Hash(r.key), Key: wire.Hash(r.value)}
}

func (w *walk) directoryFull() (done bool, err error) {
	whole := factom.NewDigest(w.Header)
	if len(w.Work) > 0 {
		if whole, err = factom.ParseDigest(w.Work); err != nil {
			return false, err
		}
	} else {
		for _, p := range w.fixed() {
			whole.Write(p.Bytes())
		}
	}
	over, err := w.scan(rowPair, func(r row) (bool, error) {
		p := pairOf(r)
		whole.Write(p.Bytes())
		return true, nil
	})
	if err != nil || !over {
		w.Work = whole.AppendBinary(nil)
		return false, err
	}
	w.tail.DirectoryFull = whole.Sum()
	return true, nil
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
