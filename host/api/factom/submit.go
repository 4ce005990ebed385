package factom

import (
	"net/netip"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// kind is what a message is.
type kind uint8

const (
	entryCommit kind = iota + 1
	chainCommit
	reveal
	factoids
)

// message is one that a client sent, checked as far as that is possible
// without the ledger: its form and signatures.
type message struct {
	kind    kind
	payload []byte // for the core; never changed
	remote  netip.Prefix

	id          wire.Hash // TXID, of reveals the entry hash
	entry       wire.Hash // the entry that is paid for or revealed
	chain       wire.Hash // of reveals
	payer       wire.Account
	timestampMs uint64 // as signed; 0 for reveals
}

func (m *message) family() string {
	if m.kind == factoids {
		return token.Name
	}
	return record.Name
}

func (s *Server) commitChain(c *call) *failure { return s.commit(c, chainCommit, errCommitChain) }
func (s *Server) commitEntry(c *call) *failure { return s.commit(c, entryCommit, errCommitEntry) }

func (s *Server) commit(c *call, kind kind, bad *failure) *failure {
	raw, f := c.params.bytes("message", bad)
	if f != nil {
		return f
	}
	k, err := factom.ParseCommit(raw)
	if err != nil || k.Chain != (kind == chainCommit) {
		return bad
	}
	if signed := k.Signed(); !signed.Verify() {
		return bad
	}
	m := &message{
		kind: kind, payload: record.Commit(raw), remote: remoteOf(c.remote),
		id: k.TXID(), entry: k.EntryHash, payer: wire.AccountOf(k.Payer), timestampMs: k.TimestampMs,
	}
	if f := s.submit(c, m, bad); f != nil {
		return f
	}
	if kind == chainCommit {
		c.out = appendHex(c.out, `{"message":"Chain Commit Success","txid":`, m.id[:])
		c.out = appendHex(c.out, `,"entryhash":`, m.entry[:])
		c.out = append(appendHex(c.out, `,"chainidhash":`, k.ChainIDHash[:]), '}')
		return nil
	}
	c.out = appendHex(c.out, `{"message":"Entry Commit Success","txid":`, m.id[:])
	c.out = append(appendHex(c.out, `,"entryhash":`, m.entry[:]), '}')
	return nil
}

// reveal serves first entries and further ones: their bytes do not say which
// they are, the commit does.
func (s *Server) reveal(c *call) *failure {
	raw, f := c.params.bytes("entry", errEntry)
	if f != nil {
		return f
	}
	e, err := factom.ParseEntry(raw)
	if err != nil {
		return errEntry
	}
	hash := factom.EntryHash(raw)
	m := &message{
		kind: reveal, payload: record.Reveal(raw), remote: remoteOf(c.remote),
		id: hash, entry: hash, chain: e.ChainID,
	}
	if f := s.submit(c, m, errEntry); f != nil {
		return f
	}
	c.out = appendHex(c.out, `{"message":"Entry Reveal Success","entryhash":`, hash[:])
	c.out = append(appendHex(c.out, `,"chainid":`, e.ChainID[:]), '}')
	return nil
}

func (s *Server) factoidSubmit(c *call) *failure {
	raw, f := c.params.bytes("transaction", errUndecodable)
	if f != nil {
		return f
	}
	t, rest, err := factom.ParseTransaction(raw)
	if err != nil || len(rest) > 0 {
		return errUndecodable
	}
	for _, signed := range t.Signed() {
		if !signed.Verify() {
			return errTransaction
		}
	}
	m := &message{kind: factoids, payload: raw, remote: remoteOf(c.remote), id: t.TXID(), timestampMs: t.TimestampMs}
	if f := s.submit(c, m, errTransaction); f != nil {
		return f
	}
	c.out = appendHex(c.out, `{"message":"Successfully submitted the transaction","txid":`, m.id[:])
	c.out = append(c.out, '}')
	return nil
}

// submit has the core admit a message, or holds it if it is only too early. bad
// is the failure for what the ledger's rules refuse.
func (s *Server) submit(c *call, m *message, bad *failure) *failure {
	seen := s.held.events()
	err := s.offer(c, m)
	switch code := wire.CodeOf(err); {
	case code == wire.OK:
		s.fates.add(m, s.held.blockTime())
		return nil
	case code == wire.ErrReplayed && m.kind != entryCommit && m.kind != chainCommit:
		return nil // it is on its way or recorded; sending it again changes nothing
	case code == wire.ErrRepeatedCommit, code == wire.ErrReplayed:
		return repeatedCommit(m.entry)
	case waitsFor(m, code) != wait{}:
		if err := s.held.add(m, waitsFor(m, code), seen); err != nil {
			return s.trouble(err)
		}
		s.fates.add(m, s.held.blockTime())
		return nil
	case refusedByRules(code):
		return bad
	}
	return s.trouble(err)
}

// offer hands a message to the core, a few times if it is busy.
func (s *Server) offer(c *call, m *message) (err error) {
	pause := busyPause
	for try := range busyTries {
		if try > 0 {
			if s.pause(c.ctx, pause) != nil {
				return err
			}
			pause *= 2
		}
		err = s.state.Submit(c.ctx, m.family(), m.payload)
		if !busy(wire.CodeOf(err)) {
			return err
		}
	}
	return err
}

// busy reports whether the same message may be welcome a moment later.
func busy(code wire.Code) bool {
	return code == wire.ErrBusy || code == wire.ErrNotReady || code == wire.ErrUnavailable
}

// refusedByRules reports whether a code says that this message will never do.
// What the message cannot be blamed for is trouble of this node's.
func refusedByRules(code wire.Code) bool {
	http := code.Info().HTTP
	return 400 <= http && http < 500 && code != wire.ErrBusy && code != wire.ErrUnknownFamily
}

// remoteOf is whom a message counts for: an IPv4 address, or what one
// subscriber usually has of IPv6. Addresses that cannot be read count together.
func remoteOf(addressPort string) netip.Prefix {
	a, err := netip.ParseAddrPort(addressPort)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := a.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // the bits fit, there is no other error
	return p
}
