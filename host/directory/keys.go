package directory

import (
	"encoding/binary"

	"cloister/wire"
)

// The index. A key is one byte for the table, then its parts, integers in
// big-endian, so that the order of keys is the order of events. Dated tables hold
// what is not in a block yet; a period's rows go when it is closed.
//
//	table          key                               value
//	tablePosition  -                                 position: how far the fold is
//	tableSettled   -                                 settled: how far closing is
//
//	tableEntry     entry hash                        spot of its newest recording
//	tableCommit    TXID                              spot of the newest commit that has it
//	tablePaid      entry hash                        spot of the newest commit for it
//	tableUsed      entry hash                        moment: when it was last revealed
//	tableFactoid   TXID                              spot of the factoid transaction
//	tableCoinbase  TXID                              period of the coinbase
//
//	tablePeriod    period                            closed
//	tableBlock     key of a block                    blockRow
//	tableBody      period, chain, n                  piece n of a block's body
//	tableRoots     period, chain                     roots over the pieces of a body
//	tableHead      chain                             head: its newest entry block
//	tableLink      chain, period                     key of its entry block
//	tableAnchor    period                            entry with the anchor record of its directory block
//
//	datedCredit    period, height, n                 block time, object of the entry credit block
//	datedFactoid   period, height, n                 block time, factoid transaction
//	datedMember    period, chain, height, n          member: entry of a chain
//	datedEntry     period, height, n                 entries in the order of events: chain, member
//	datedDelta     period, account, height           delta: what a block did to a balance
const (
	tablePosition byte = 'p'
	tableSettled  byte = 's'

	tableEntry    byte = 'e'
	tableCommit   byte = 'c'
	tablePaid     byte = 'h'
	tableUsed     byte = 'u'
	tableFactoid  byte = 'f'
	tableCoinbase byte = 'z'

	tablePeriod byte = 'd'
	tableBlock  byte = 'b'
	tableBody   byte = 'r'
	tableRoots  byte = 'm'
	tableHead   byte = 'i'
	tableLink   byte = 'l'
	tableAnchor byte = 'a'

	datedCredit  byte = 'C'
	datedFactoid byte = 'F'
	datedMember  byte = 'M'
	datedEntry   byte = 'E'
	datedDelta   byte = 'V'
)

// dated are all tables whose rows go with their period.
var dated = [...]byte{datedCredit, datedFactoid, datedMember, datedEntry, datedDelta}

func hashKey(table byte, h wire.Hash) []byte {
	return append(append(make([]byte, 0, 33), table), h[:]...)
}

func periodKey(table byte, period uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 64), table), period)
}

// periodHashKey begins the rows of one chain or account in a period.
func periodHashKey(table byte, period uint32, h wire.Hash) []byte {
	return append(periodKey(table, period), h[:]...)
}

func linkKey(chain wire.Hash, period uint32) []byte {
	return binary.BigEndian.AppendUint32(hashKey(tableLink, chain), period)
}

func bodyKey(period uint32, chain wire.Hash, n uint32) []byte {
	return binary.BigEndian.AppendUint32(periodHashKey(tableBody, period, chain), n)
}

// moment is the place of an event in the order of all: ledger height and a number
// within its block.
type moment struct {
	height uint64
	number uint32
}

func (m moment) before(n moment) bool {
	return m.height < n.height || m.height == n.height && m.number < n.number
}

// at ends a key with a moment.
func (m moment) at(key []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(key, m.height), m.number)
}

// momentOf reads the moment a key ends with.
func momentOf(key []byte) (moment, error) {
	if len(key) < 12 {
		return moment{}, corrupt("a key of %d bytes in the index", len(key))
	}
	end := key[len(key)-12:]
	return moment{binary.BigEndian.Uint64(end), binary.BigEndian.Uint32(end[8:])}, nil
}
