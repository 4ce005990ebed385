package directory

import (
	"encoding/binary"
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// Unproved state of the family. A row's key ends in the ledger height and a
// number within the block, so that the order of keys is the order of events; its
// value begins with the minute.
const (
	rowEntry   = 'e' // period ‖ chain ‖ height ‖ number: minute ‖ entry hash
	rowCredit  = 'k' // period ‖ height ‖ number: minute ‖ object of the entry credit block
	rowFactoid = 'f' // period ‖ height ‖ number: minute ‖ factoid transaction
	rowAdmin   = 'a' // period ‖ height ‖ number: minute ‖ admin message
	rowPair    = 'p' // period ‖ chain: key of its entry block
	rowLink    = 'l' // chain: link
	rowSigned  = 'g' // period ‖ public key: 1, a server has signed its directory block
	keyTail    = "t" // Tail
	keyClosing = "z" // closing
	keyNumber  = "q" // number
)

func periodKey(table byte, period uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 64), table), period)
}

func signedKey(period uint32) []byte { return periodKey(rowSigned, period) }

// Signed reports whether a server's signature of a directory block is recorded.
func Signed(st ledger.State, period uint32, server wire.PublicKey) (bool, error) {
	b, err := st.Aside().Get(append(signedKey(period), server[:]...))
	return b != nil, err
}

// SetSigned says that it is.
func SetSigned(st ledger.State, period uint32, server wire.PublicKey) error {
	return st.Aside().Set(append(signedKey(period), server[:]...), []byte{1})
}

// Open is the period in progress.
type Open struct {
	record.Progress
	Minute uint8 // of the block in hand
}

// Start sets the state a chain starts with.
func Start(st ledger.State, p *record.Params, timeMs uint64) error {
	return ledger.Save(st, record.ProgressKey, record.Progress{
		PeriodMs: p.PeriodMs, Network: p.NetworkID, OpenedMs: record.Period(timeMs, p.PeriodMs),
	})
}

// Current is the period in progress; ok is false on a chain without the record family.
func Current(st ledger.State, timeMs uint64) (o Open, ok bool, err error) {
	if o.Progress, ok, err = ledger.Load[record.Progress](st, record.ProgressKey); err != nil || !ok {
		return o, ok, err
	}
	o.Minute = record.Minute(max(timeMs, o.OpenedMs), o.OpenedMs, o.PeriodMs)
	return o, true, nil
}

// Turn ends the period in progress and opens that of a block time, if it is time
// for it and the one before is closed. It reports whether a period was opened;
// then Progress.First is height, and what is added to it belongs to its first
// minute. The very first block opens period 0.
func Turn(st ledger.State, height, timeMs uint64) (o Open, opened bool, err error) {
	o, ok, err := Current(st, timeMs)
	if err == nil && !ok {
		err = fmt.Errorf("record: no progress in state")
	}
	if err != nil {
		return o, false, err
	}
	first := o.First == 0
	if !first && (o.Closed < o.Height || record.Period(timeMs, o.PeriodMs) <= o.OpenedMs) {
		return o, false, nil
	}
	if !first {
		c := closing{Height: o.Height, OpenedMs: o.OpenedMs, First: o.First, Last: height - 1, Rate: o.Rate}
		if err := c.save(st); err != nil {
			return o, false, err
		}
		o.Height++
	}
	o.OpenedMs, o.First = record.Period(timeMs, o.PeriodMs), height
	o.Minute = 1 // of what is due at the opening, the coinbase first, however late the block
	return o, true, ledger.Save(st, record.ProgressKey, o.Progress)
}

// SetRates says what an entry credit costs in the period in progress, and what
// it will.
func SetRates(st ledger.State, now, coming uint64) error {
	p, ok, err := ledger.Load[record.Progress](st, record.ProgressKey)
	if err != nil || !ok {
		return err
	}
	p.Rate, p.Coming = now, coming
	return ledger.Save(st, record.ProgressKey, p)
}

// Due is when the next block is wanted: at once while a period is being closed,
// else when the one in progress is over.
func Due(st ledger.State) (uint64, error) {
	p, ok, err := ledger.Load[record.Progress](st, record.ProgressKey)
	switch {
	case err != nil || !ok || p.First == 0:
		return 0, err
	case p.Closed < p.Height:
		return 1, nil
	}
	return p.OpenedMs + p.PeriodMs, nil
}

// AddEntry puts an entry at the end of its chain's block.
func (o *Open) AddEntry(st ledger.State, height uint64, chain, entry wire.Hash) error {
	key := append(periodKey(rowEntry, o.Height), chain[:]...)
	return o.add(st, key, height, append([]byte{o.Minute}, entry[:]...))
}

// AddCredit puts a commit or a balance increase into the entry credit block.
func (o *Open) AddCredit(st ledger.State, height uint64, object factom.ECObject) error {
	return o.add(st, periodKey(rowCredit, o.Height), height, object.Append([]byte{o.Minute}))
}

// AddFactoid puts a transaction into the factoid block.
func (o *Open) AddFactoid(st ledger.State, height uint64, transaction []byte) error {
	return o.add(st, periodKey(rowFactoid, o.Height), height, append([]byte{o.Minute}, transaction...))
}

// AddAdmin puts an act into the admin block.
func (o *Open) AddAdmin(st ledger.State, height uint64, message factom.AdminMessage) error {
	return o.add(st, periodKey(rowAdmin, o.Height), height, factom.AppendAdmin([]byte{o.Minute}, message))
}

// number counts rows within a block.
type number struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Next   uint32
}

// add puts a row behind those before it.
func (o *Open) add(st ledger.State, key []byte, height uint64, value []byte) error {
	st = st.Aside()
	n, _, err := ledger.Load[number](st, []byte(keyNumber))
	if err != nil {
		return err
	}
	if n.Height != height {
		n = number{Height: height}
	}
	key = binary.BigEndian.AppendUint64(key, height)
	key = binary.BigEndian.AppendUint32(key, n.Next)
	n.Next++
	if err := ledger.Save(st, []byte(keyNumber), n); err != nil {
		return err
	}
	return st.Add(key, value)
}

// link is where a chain's newest closed block left off.
type link struct {
	_        struct{} `cbor:",toarray"`
	Next     uint32   // sequence of the next block
	KeyMR    wire.Hash
	FullHash wire.Hash
}

func linkKey(chain wire.Hash) []byte { return append([]byte{rowLink}, chain[:]...) }

// Tail is what the blocks of a period refer to in those before them.
type Tail struct {
	_             struct{} `cbor:",toarray"`
	Directory     wire.Hash
	DirectoryFull wire.Hash
	Header        []byte    // of the directory block: what servers sign
	Admin         wire.Hash // back reference
	Credit        wire.Hash
	CreditFull    wire.Hash
	Factoid       wire.Hash
	FactoidLedger wire.Hash
}

// LoadTail is what the newest closed period left.
func LoadTail(st ledger.State) (*Tail, error) {
	t := new(Tail)
	b, err := st.Aside().Get([]byte(keyTail))
	if err != nil || b == nil {
		return t, err
	}
	if err := wire.Unmarshal(b, t, 1024); err != nil {
		return nil, fmt.Errorf("tail of the data layer: %w", err)
	}
	return t, nil
}

func (t *Tail) save(st ledger.State) error { return st.Aside().Set([]byte(keyTail), wire.Marshal(t)) }
