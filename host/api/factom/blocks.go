package factom

import (
	"cloister/wire"
	"cloister/wire/factom"
)

// rendering appends a block as factomd shows it: a member and its value. block
// has been checked to be of the kind.
type rendering func(b []byte, block *Block) ([]byte, error)

// byKey answers with the block of a kind that has a key.
func byKey(kind Kind, render rendering) method {
	return func(s *Server, c *call) *failure {
		key, f := c.params.hash("keymr")
		if f != nil {
			return f
		}
		b, f := s.block(kind, key)
		if f != nil {
			return f
		}
		return s.render(c, b, render)
	}
}

// byHeight answers with the block of a kind of a closed period.
func byHeight(kind Kind, render rendering) method {
	return func(s *Server, c *call) *failure {
		height, _, f := c.params.height()
		if f != nil {
			return f
		}
		d, err := s.source.Directory(height)
		if err != nil {
			return s.missing(err, errNoBlock)
		}
		b := d.special(kind)
		if b.Raw == nil {
			if b, f = s.block(kind, b.Key); f != nil {
				return f
			}
		}
		return s.render(c, b, render)
	}
}

// special is one of the period's four special blocks, perhaps without its bytes.
func (d *Directory) special(kind Kind) *Block {
	b := &Block{Kind: kind, Height: d.Height, OpenedMs: d.OpenedMs}
	switch kind {
	case DirectoryBlock:
		b.Key, b.Raw = d.KeyMR, d.Block
	case AdminBlock:
		b.Key, b.Raw = d.AdminKey, d.Admin
	case CreditBlock:
		b.Key, b.Raw = d.CreditKey, d.Credit
	case FactoidBlock:
		b.Key, b.Raw = d.FactKey, d.Factoid
	}
	return b
}

// block finds a block of a kind; one of another kind is not found.
func (s *Server) block(kind Kind, key wire.Hash) (*Block, *failure) {
	b, err := s.source.Block(key)
	switch {
	case err != nil:
		return nil, s.missing(err, errNoBlock)
	case b.Kind != kind:
		return nil, errNoBlock
	}
	return b, nil
}

// render appends {"…block":{…},"rawdata":"…"}, without the latter if the client
// does not want it.
func (s *Server) render(c *call, block *Block, render rendering) *failure {
	noRaw, f := c.params.flag("noraw")
	if f != nil {
		return f
	}
	if f := s.reserve(c, block); f != nil {
		return f
	}
	out, err := render(append(c.out, '{'), block)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	if !noRaw {
		out = appendHex(out, `,"rawdata":`, block.Raw)
	}
	c.out = append(out, '}')
	return nil
}

// reserve takes one of the few places for large answers, until this one is
// sent: some hundred of them at a time would exhaust the host's memory.
func (s *Server) reserve(c *call, block *Block) *failure {
	switch {
	case len(block.Raw) > MaxBlock:
		return internal(tooLargeBlock)
	case len(block.Raw) <= largeBlock || c.release != nil:
		return nil
	}
	select {
	case s.large <- struct{}{}:
		c.release = func() { <-s.large }
		return nil
	case <-c.ctx.Done():
	case <-s.ctx.Done():
	}
	return internal("the node has too many large blocks to send; ask again later")
}

func appendDirectoryBlock(b []byte, block *Block) ([]byte, error) {
	d, err := factom.ParseDirectoryBlock(block.Raw)
	if err != nil {
		return nil, err
	}
	header, key, full := d.Header.Hash(), d.KeyMR(), d.FullHash()
	b = appendHex(b, `"dblock":{"dbhash":`, full[:])
	b = appendHex(b, `,"keymr":`, key[:])
	b = appendHex(b, `,"headerhash":`, header[:])
	b = appendNumber(b, `,"header":{"version":0,"networkid":`, uint64(d.Header.NetworkID))
	b = appendHex(b, `,"bodymr":`, d.Header.BodyMR[:])
	b = appendHex(b, `,"prevkeymr":`, d.Header.PrevKeyMR[:])
	b = appendHex(b, `,"prevfullhash":`, d.Header.PrevFullHash[:])
	b = appendNumber(b, `,"timestamp":`, uint64(d.Header.Minutes))
	b = appendNumber(b, `,"dbheight":`, uint64(d.Header.Height))
	b = appendNumber(b, `,"blockcount":`, uint64(d.Header.Count))
	b = appendHex(b, `,"chainid":`, factom.DirectoryChain[:])
	b = appendPairs(append(b, `},"dbentries":`...), d.Body)
	return append(b, '}'), nil
}

func appendPairs(b []byte, pairs []factom.Pair) []byte {
	before := `[{"chainid":`
	for _, p := range pairs {
		b = append(appendHex(appendHex(b, before, p.ChainID[:]), `,"keymr":`, p.Key[:]), '}')
		before = `,{"chainid":`
	}
	return append(b, ']')
}

func (s *Server) directoryBlockHead(c *call) *failure {
	head, _, err := s.source.ChainHead(factom.DirectoryChain)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	if head.IsZero() {
		return errNoBlock
	}
	c.out = append(appendHex(c.out, `{"keymr":`, head[:]), '}')
	return nil
}

// directoryBlock is the older form: time in seconds, the pairs in a list of
// another name.
func (s *Server) directoryBlock(c *call) *failure {
	key, f := c.params.hash("keymr")
	if f != nil {
		return f
	}
	block, f := s.block(DirectoryBlock, key)
	if f != nil {
		return f
	}
	if f := s.reserve(c, block); f != nil {
		return f
	}
	d, err := factom.ParseDirectoryBlock(block.Raw)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	b := appendHex(c.out, `{"header":{"prevblockkeymr":`, d.Header.PrevKeyMR[:])
	b = appendNumber(b, `,"sequencenumber":`, uint64(d.Header.Height))
	b = appendNumber(b, `,"timestamp":`, 60*uint64(d.Header.Minutes))
	c.out = append(appendPairs(append(b, `},"entryblocklist":`...), d.Body), '}')
	return nil
}

// entryBlock shows an entry's time as the end of its minute, of 60 s as in
// factomd whatever the period is. Markers are not listed.
func (s *Server) entryBlock(c *call) *failure {
	key, f := c.params.hash("keymr")
	if f != nil {
		return f
	}
	block, f := s.block(EntryBlock, key)
	if f != nil {
		return f
	}
	if f := s.reserve(c, block); f != nil {
		return f
	}
	e, err := factom.ParseEntryBlock(block.Raw)
	if err != nil {
		return s.missing(err, errNoBlock)
	}
	opened := block.OpenedMs / 1000
	b := appendNumber(c.out, `{"header":{"blocksequencenumber":`, uint64(e.Header.Sequence))
	b = appendHex(b, `,"chainid":`, e.Header.ChainID[:])
	b = appendHex(b, `,"prevkeymr":`, e.Header.PrevKeyMR[:])
	b = appendNumber(b, `,"timestamp":`, opened)
	b = appendNumber(b, `,"dbheight":`, uint64(e.Header.Height))
	before := `},"entrylist":[{"entryhash":`
	for _, x := range e.Entries() {
		b = appendHex(b, before, x.Hash[:])
		b = append(appendNumber(b, `,"timestamp":`, opened+60*uint64(x.Minute)), '}')
		before = `,{"entryhash":`
	}
	c.out = append(b, `]}`...)
	return nil
}

// tooLargeBlock is what to do about a block that is not shown.
const tooLargeBlock = "the block is too large for this interface; take its entries one by one, or the block from the ledger's own interface"
