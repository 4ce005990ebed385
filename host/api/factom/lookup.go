package factom

import (
	"cloister/wire"
	"cloister/wire/factom"
)

// object is whatever a hash may name; exactly one is set.
type object struct {
	commit      *Commit
	transaction *Transaction
	entry       *Entry
	block       *Block
}

// find looks for a hash where factomd does, in its order: commits and factoid
// transactions by TXID, entries, and, if they are wanted, blocks of every kind.
func (s *Server) find(hash wire.Hash, blocks bool) (o object, f *failure) {
	var err error
	if o.commit, err = s.source.Commit(hash); err == nil {
		return o, nil
	}
	o.commit = nil
	if f := s.missing(err, nil); f != nil {
		return o, f
	}
	if o.transaction, err = s.source.Transaction(hash); err == nil {
		return o, nil
	}
	o.transaction = nil
	if f := s.missing(err, nil); f != nil {
		return o, f
	}
	if o.entry, err = s.source.Entry(hash); err == nil {
		return o, nil
	}
	o.entry = nil
	if f := s.missing(err, nil); f != nil || !blocks {
		return o, f
	}
	if o.block, err = s.source.Block(hash); err == nil {
		return o, nil
	}
	o.block = nil
	return o, s.missing(err, nil)
}

// place is where a commit, transaction or entry stands, nil for blocks and nothing.
func (o *object) place() *Place {
	switch {
	case o.commit != nil:
		return &o.commit.Place
	case o.transaction != nil:
		return &o.transaction.Place
	case o.entry != nil:
		return &o.entry.Place
	}
	return nil
}

func (s *Server) rawData(c *call) *failure {
	hash, f := c.params.hash("hash")
	if f != nil {
		return f
	}
	o, f := s.find(hash, true)
	if f != nil {
		return f
	}
	var raw []byte
	switch {
	case o.commit != nil:
		raw = o.commit.Raw
	case o.transaction != nil:
		raw = o.transaction.Raw
	case o.entry != nil:
		raw = o.entry.Raw
	case o.block != nil:
		if f := s.reserve(c, o.block); f != nil {
			return f
		}
		raw = o.block.Raw
	default:
		return errNoObject
	}
	c.out = append(appendHex(c.out, `{"data":`, raw), '}')
	return nil
}

func (s *Server) receipt(c *call) *failure {
	hash, f := c.params.hash("hash")
	if f != nil {
		return f
	}
	withRaw, f := c.params.flag("includerawentry")
	if f != nil {
		return f
	}
	r, err := s.source.Receipt(hash)
	if err != nil {
		switch wire.CodeOf(err) {
		case wire.ErrNotFound, wire.ErrNotCovered, wire.ErrUnknownChain:
			return errReceipt
		}
		return s.missing(err, errReceipt)
	}
	shown := *r // the source keeps its own
	if !withRaw {
		shown.Entry.Raw = nil
	}
	c.out = appendJSON(c.out, struct {
		Receipt *factom.Receipt `json:"receipt"`
	}{&shown})
	return nil
}

// anchorsJSON has false where there is no anchor, as clients expect.
type anchorsJSON struct {
	Height   uint32    `json:"directoryblockheight"`
	KeyMR    wire.Hash `json:"directoryblockkeymr"`
	Bitcoin  any       `json:"bitcoin"`
	Ethereum any       `json:"ethereum"`
}

// anchors finds the anchor of a directory block by its height or by what it holds.
func (s *Server) anchors(c *call) *failure {
	height, given, f := c.params.height()
	if f != nil {
		return f
	}
	if !given {
		if height, f = s.heightOf(c); f != nil {
			return f
		}
	}
	d, err := s.source.Directory(height)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	record, err := s.source.Anchor(height)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	a := anchorsJSON{Height: height, KeyMR: d.KeyMR, Bitcoin: false, Ethereum: false}
	if record != nil && record.Bitcoin != nil {
		// Network and proof are more than factomd says.
		a.Bitcoin = struct {
			Transaction string   `json:"transactionhash"`
			Block       string   `json:"blockhash"`
			Network     string   `json:"network,omitempty"`
			Proof       wire.Hex `json:"proof,omitempty"`
		}{record.Bitcoin.TXID, record.Bitcoin.BlockHash, record.Bitcoin.Network, record.Bitcoin.Proof}
	}
	c.out = appendJSON(c.out, a)
	return nil
}

// heightOf is the directory height of whatever the parameter hash names, closed
// or not.
func (s *Server) heightOf(c *call) (uint32, *failure) {
	text, f := c.params.text("hash")
	if f != nil {
		return 0, f
	}
	if len(text) == 0 {
		return 0, errParams
	}
	hash, f := c.params.hash("hash")
	if f != nil {
		return 0, f
	}
	o, f := s.find(hash, true)
	switch {
	case f != nil:
		return 0, f
	case o.block != nil:
		return o.block.Height, nil
	case o.place() == nil:
		return 0, errNoObject
	}
	return o.place().Height, nil
}

// transaction shows a commit, a factoid transaction or an entry. Nothing under
// the hash is no error, but an answer without any of them.
func (s *Server) transaction(c *call) *failure {
	hash, f := c.params.hash("hash")
	if f != nil {
		return f
	}
	o, f := s.find(hash, false)
	if f != nil {
		return f
	}
	b := append(c.out, '{')
	switch {
	case o.commit != nil:
		b = append(appendCommit(append(b, `"ectransaction":`...), o.commit.Parsed), ',')
	case o.transaction != nil:
		b = append(appendTransaction(append(b, `"factoidtransaction":`...), o.transaction.Parsed, o.transaction.Height), ',')
	case o.entry != nil:
		e, err := factom.ParseEntry(o.entry.Raw)
		if err != nil {
			return s.missing(err, errNoEntry)
		}
		b = append(appendEntry(append(b, `"entry":{"version":0,`...), e), ',')
	}
	p := o.place()
	if p == nil || !p.Closed {
		c.out = append(b, `"includedintransactionblock":"","includedindirectoryblock":"","includedindirectoryblockheight":-1}`...)
		return nil
	}
	b = appendHex(b, `"includedintransactionblock":`, p.Block[:])
	b = appendHex(b, `,"includedindirectoryblock":`, p.Directory[:])
	c.out = append(appendNumber(b, `,"includedindirectoryblockheight":`, uint64(p.Height)), '}')
	return nil
}
