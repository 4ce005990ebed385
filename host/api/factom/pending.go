package factom

import (
	"cloister/wire"
	"cloister/wire/factom"
)

// pendingEntries lists the entries ordered in the period in progress, the
// commits whose entry is not shown yet, and what this host holds. What a commit
// pays for is nobody's business, so its chain is null.
func (s *Server) pendingEntries(c *call) *failure {
	commits, entries, _, err := s.source.Pending(MaxPending)
	if err != nil {
		return s.missing(err, errNoObject)
	}
	list := pendingList{b: append(c.out, '[')}
	for _, e := range entries {
		list.entry(e.Hash, &e.Chain, e.status())
	}
	for _, k := range commits {
		if !k.Used {
			list.entry(k.Parsed.EntryHash, nil, k.status())
		}
	}
	for _, f := range s.fates.waiting(MaxPending, reveal, entryCommit, chainCommit) {
		if f.kind == reveal {
			list.entry(f.entry, &f.chain, statusNotConfirmed)
		} else {
			list.entry(f.entry, nil, statusNotConfirmed)
		}
	}
	c.out = append(list.b, ']')
	return nil
}

type pendingList struct {
	b []byte
	n int
}

func (l *pendingList) entry(hash wire.Hash, chain *wire.Hash, status string) {
	l.b = appendHex(l.b, comma(l.n)+`{"entryhash":`, hash[:])
	if chain == nil {
		l.b = append(l.b, `,"chainid":null`...)
	} else {
		l.b = appendHex(l.b, `,"chainid":`, chain[:])
	}
	l.b = append(append(append(l.b, `,"status":"`...), status...), `"}`...)
	l.n++
}

// pendingTransactions lists the factoid transactions ordered in the period in
// progress, of one address if it is given.
func (s *Server) pendingTransactions(c *call) *failure {
	t, f := c.params.text("address")
	if f != nil {
		return f
	}
	var touches func(*factom.Transaction) bool
	if len(t) > 0 {
		if touches = touching(t); touches == nil {
			return errAddress
		}
	}
	_, _, list, err := s.source.Pending(MaxPending)
	if err != nil {
		return s.missing(err, errNoObject)
	}
	b, n := append(c.out, '['), 0
	for _, x := range list {
		if touches != nil && !touches(x.Parsed) {
			continue
		}
		txid := x.Parsed.TXID()
		b = appendHex(b, comma(n)+`{"transactionid":`, txid[:])
		b = appendNumber(b, `,"dbheight":`, uint64(x.Height))
		b = append(append(append(b, `,"status":"`...), x.status()...), '"')
		b = appendSums(append(b, `,"inputs":`...), x.Parsed.Inputs, factoidText)
		b = appendSums(append(b, `,"outputs":`...), x.Parsed.Outputs, factoidText)
		b = appendSums(append(b, `,"ecoutputs":`...), x.Parsed.ECOutputs, creditText)
		b = append(appendNumber(b, `,"fees":`, burnt(x.Parsed)), '}')
		n++
	}
	c.out = append(b, ']')
	return nil
}

// burnt is what a transaction's inputs exceed its outputs by; a coinbase, which
// has no inputs, burns nothing.
func burnt(t *factom.Transaction) uint64 {
	in, out := t.TotalInputs(), t.TotalOutputs()+t.TotalECOutputs()
	if in < out {
		return 0
	}
	return in - out
}

// touching makes a filter of an address: FA, EC, or the hex digits of either's
// payload. It is nil if it is none.
func touching(text []byte) func(*factom.Transaction) bool {
	var payload wire.Hash
	credits, factoids := true, true
	if !decodeHash(&payload, text) {
		kind, p, err := wire.ParseAddress(string(text))
		if err != nil || kind.Secret() {
			return nil
		}
		payload, credits, factoids = p, kind == wire.CreditAddressKind, kind == wire.FactoidAddressKind
	}
	in := func(list []factom.TransAddress) bool {
		for _, a := range list {
			if a.Address == payload {
				return true
			}
		}
		return false
	}
	return func(t *factom.Transaction) bool {
		return factoids && (in(t.Inputs) || in(t.Outputs)) || credits && in(t.ECOutputs)
	}
}
