package factom

import (
	"encoding/hex"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
)

// Statuses of a message. factomd's clients know a fifth, 1Minute, which it never
// gives: some wait for exactly TransactionACK, so that one lasts until the block
// is closed.
const (
	statusUnknown      = "Unknown"
	statusNotConfirmed = "NotConfirmed"
	statusOrdered      = "TransactionACK"
	statusClosed       = "DBlockConfirmed"
	statusInvalid      = "Invalid"
)

func (p *Place) status() string {
	if p.Closed {
		return statusClosed
	}
	return statusOrdered
}

func (f *fate) status() string {
	if f.invalid {
		return statusInvalid
	}
	return statusNotConfirmed
}

// ackJSON is the state of one message. Dates are seconds for commits and entries
// and milliseconds for factoid transactions, as in factomd; their texts are UTC.
type ackJSON struct {
	Date      uint64 `json:"transactiondate,omitempty"`
	DateText  string `json:"transactiondatestring,omitempty"`
	Block     uint64 `json:"blockdate,omitempty"`
	BlockText string `json:"blockdatestring,omitempty"`
	Status    string `json:"status"`
}

// entryAckJSON is the state of a commit and of the entry it pays for.
type entryAckJSON struct {
	CommitTXID string  `json:"committxid"`
	EntryHash  string  `json:"entryhash"`
	Commit     ackJSON `json:"commitdata"`
	Entry      ackJSON `json:"entrydata"`
}

// stateOf is the state of a message with a time of its own in units of ms.
func stateOf(timeMs, ms uint64, p *Place) ackJSON {
	a := ackJSON{Status: statusNotConfirmed}
	if timeMs > 0 {
		a.Date, a.DateText = timeMs/ms, dateText(timeMs)
	}
	if p != nil {
		if a.Status = p.status(); p.Closed {
			a.Block, a.BlockText = p.OpenedMs/ms, dateText(p.OpenedMs)
		}
	}
	return a
}

func dateText(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02 15:04:05")
}

// ack takes a chain as the kind of the hash: c, f, or any other for an entry,
// which is not compared.
func (s *Server) ack(c *call) *failure {
	chainText, f := c.params.text("chainid")
	if f != nil {
		return f
	}
	hashText, f := c.params.text("hash")
	if f != nil {
		return f
	}
	full, f := c.params.text("fulltransaction")
	if f != nil {
		return f
	}
	var chain wire.Hash
	switch string(chainText) {
	case "c":
		chain = factom.EntryCreditChain
	case "f":
		chain = factom.FactoidChain
	default:
		if !decodeHash(&chain, chainText) {
			return errAckChain
		}
	}
	if chain == factom.AdminChain {
		return errAckAdmin
	}
	txid, entry := wire.Hash{}, wire.Hash{}
	switch {
	case len(hashText) > 0 || len(full) == 0:
		if !decodeHash(&txid, hashText) {
			return errAckHash
		}
		entry = txid
	case chain == factom.FactoidChain:
		if txid, f = transactionID(full); f != nil {
			return f
		}
	default:
		if txid, entry, f = messageIDs(full); f != nil {
			return f
		}
		if chain == factom.EntryCreditChain && txid.IsZero() {
			return errAckHash // an entry has no TXID
		}
	}
	switch chain {
	case factom.FactoidChain:
		return s.ackTransaction(c, txid)
	case factom.EntryCreditChain:
		return s.ackCommit(c, txid)
	}
	return s.ackEntry(c, entry)
}

// entryAck is the older form: the hash may be a commit's or an entry's.
func (s *Server) entryAck(c *call) *failure {
	txid, full, f := ackParams(c)
	if f != nil {
		return f
	}
	var hash wire.Hash
	if len(txid) > 0 {
		if !decodeHash(&hash, txid) {
			return errParams
		}
	} else if _, hash, f = messageIDs(full); f != nil {
		return f
	}
	entry, f := s.entryPaidBy(hash)
	if f != nil {
		return f
	}
	if entry.IsZero() {
		entry = hash
	}
	a, f := s.entryAckOf(entry)
	if f != nil {
		return f
	}
	if a.Commit.Status == statusUnknown && a.Entry.Status == statusUnknown {
		a.EntryHash = "" // nobody knows whether it is one
	}
	c.out = appendJSON(c.out, a)
	return nil
}

// entryPaidBy is the entry of a commit, zero if the hash is no commit's.
func (s *Server) entryPaidBy(txid wire.Hash) (wire.Hash, *failure) {
	k, err := s.source.Commit(txid)
	if err == nil {
		return k.Parsed.EntryHash, nil
	}
	if f := s.missing(err, nil); f != nil {
		return wire.Hash{}, f
	}
	if f, ok := s.fates.find(byTXID, txid); ok && f.kind != factoids {
		return f.entry, nil
	}
	return wire.Hash{}, nil
}

// factoidAck is the older form of ack for factoid transactions.
func (s *Server) factoidAck(c *call) *failure {
	text, full, f := ackParams(c)
	if f != nil {
		return f
	}
	var txid wire.Hash
	if len(text) > 0 {
		if !decodeHash(&txid, text) {
			return errParams
		}
	} else if txid, f = transactionID(full); f != nil {
		return f
	}
	return s.ackTransaction(c, txid)
}

// ackParams are those of the older forms: one of the two must be given.
func ackParams(c *call) (txid, full []byte, f *failure) {
	if txid, f = c.params.text("txid"); f != nil {
		return nil, nil, f
	}
	if full, f = c.params.text("fulltransaction"); f != nil {
		return nil, nil, f
	}
	if len(txid) == 0 && len(full) == 0 {
		return nil, nil, errParams
	}
	return txid, full, nil
}

// transactionID derives the TXID of a factoid transaction's hex digits.
func transactionID(full []byte) (txid wire.Hash, f *failure) {
	raw := make([]byte, hex.DecodedLen(len(full)))
	if _, err := hex.Decode(raw, full); err != nil {
		return txid, errUndecodable
	}
	t, rest, err := factom.ParseTransaction(raw)
	if err != nil || len(rest) > 0 {
		return txid, errUndecodable
	}
	return t.TXID(), nil
}

// messageIDs derives the TXID, which entries have none of, and the entry hash of
// a commit's or an entry's hex digits. The lengths of commits decide: an entry
// of such a length would have to be a commit's bytes to be taken for one.
func messageIDs(full []byte) (txid, entry wire.Hash, f *failure) {
	raw := make([]byte, hex.DecodedLen(len(full)))
	if _, err := hex.Decode(raw, full); err != nil {
		return txid, entry, errUndecodable
	}
	if k, err := factom.ParseCommit(raw); err == nil {
		if signed := k.Signed(); signed.Verify() {
			return k.TXID(), k.EntryHash, nil
		}
	}
	if _, err := factom.ParseEntry(raw); err != nil {
		return txid, entry, errUndecodable
	}
	return txid, factom.EntryHash(raw), nil
}

func (s *Server) ackCommit(c *call, txid wire.Hash) *failure {
	a := entryAckJSON{CommitTXID: txid.String(), Commit: ackJSON{Status: statusUnknown}, Entry: ackJSON{Status: statusUnknown}}
	var entry wire.Hash
	k, err := s.source.Commit(txid)
	if err == nil {
		entry, a.Commit = k.Parsed.EntryHash, stateOf(k.Parsed.TimestampMs, 1000, &k.Place)
	} else if f := s.missing(err, nil); f != nil {
		return f
	} else if f, ok := s.fates.find(byTXID, txid); ok && f.kind != factoids {
		entry, a.Commit = f.entry, stateOf(f.timestampMs, 1000, nil)
		a.Commit.Status = f.status()
	}
	if a.Commit.Status != statusUnknown {
		a.EntryHash = entry.String()
		var f *failure
		if a.Entry, f = s.entryState(entry); f != nil {
			return f
		}
	}
	c.out = appendJSON(c.out, a)
	return nil
}

func (s *Server) ackEntry(c *call, hash wire.Hash) *failure {
	a, f := s.entryAckOf(hash)
	if f != nil {
		return f
	}
	c.out = appendJSON(c.out, a)
	return nil
}

// entryAckOf is the state of an entry and of the newest commit to it.
func (s *Server) entryAckOf(hash wire.Hash) (a entryAckJSON, f *failure) {
	a = entryAckJSON{EntryHash: hash.String(), Commit: ackJSON{Status: statusUnknown}}
	if a.Entry, f = s.entryState(hash); f != nil {
		return a, f
	}
	k, err := s.source.CommitOf(hash)
	if err == nil {
		a.CommitTXID, a.Commit = k.Parsed.TXID().String(), stateOf(k.Parsed.TimestampMs, 1000, &k.Place)
	} else if f := s.missing(err, nil); f != nil {
		return a, f
	} else if f, ok := s.fates.find(byPaidFor, hash); ok {
		a.CommitTXID, a.Commit = f.id.String(), stateOf(f.timestampMs, 1000, nil)
		a.Commit.Status = f.status()
	}
	return a, nil
}

// entryState is an entry's. Entries have no time of their own, so it is that of
// the block which ordered it.
func (s *Server) entryState(hash wire.Hash) (ackJSON, *failure) {
	e, err := s.source.Entry(hash)
	if err == nil {
		return stateOf(e.OrderedMs, 1000, &e.Place), nil
	}
	if f := s.missing(err, nil); f != nil {
		return ackJSON{}, f
	}
	if f, ok := s.fates.find(byEntry, hash); ok {
		return ackJSON{Status: f.status()}, nil
	}
	return ackJSON{Status: statusUnknown}, nil
}

func (s *Server) ackTransaction(c *call, txid wire.Hash) *failure {
	a := ackJSON{Status: statusUnknown}
	t, err := s.source.Transaction(txid)
	if err == nil {
		a = stateOf(t.Parsed.TimestampMs, 1, &t.Place)
	} else if f := s.missing(err, nil); f != nil {
		return f
	} else if f, ok := s.fates.find(byTXID, txid); ok && f.kind == factoids {
		a = stateOf(f.timestampMs, 1, nil)
		a.Status = f.status()
	}
	c.out = appendJSON(c.out, struct {
		TXID wire.Hash `json:"txid"`
		ackJSON
	}{txid, a})
	return nil
}
