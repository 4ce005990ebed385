package factom

import (
	"cloister/wire/factom"
)

// entry is written without encoding/json: it is what clients call most.
func (s *Server) entry(c *call) *failure {
	hash, f := c.params.hash("hash")
	if f != nil {
		return f
	}
	e, err := s.source.Entry(hash)
	if err != nil {
		return s.missing(err, errNoEntry)
	}
	parsed, err := factom.ParseEntry(e.Raw)
	if err != nil {
		return s.missing(err, errNoEntry)
	}
	c.out = appendEntry(append(c.out, '{'), parsed)
	return nil
}

// appendEntry appends an entry's members and the end of its object.
func appendEntry(b []byte, e *factom.Entry) []byte {
	b = appendHex(b, `"chainid":`, e.ChainID[:])
	b = appendHex(b, `,"content":`, e.Content)
	if len(e.ExtIDs) == 0 {
		return append(b, `,"extids":null}`...)
	}
	before := `,"extids":[`
	for _, x := range e.ExtIDs {
		b = appendHex(b, before, x)
		before = ","
	}
	return append(b, `]}`...)
}

func (s *Server) chainHead(c *call) *failure {
	chain, f := c.params.hash("chainid")
	if f != nil {
		return f
	}
	head, pending, err := s.source.ChainHead(chain)
	switch {
	case err != nil:
		return s.missing(err, errChainHead)
	case head.IsZero() && !pending:
		return errChainHead
	case head.IsZero(): // the chain is new, its first block is not closed
		c.out = append(c.out, `{"chainhead":"","chaininprocesslist":true}`...)
		return nil
	}
	c.out = appendHex(c.out, `{"chainhead":`, head[:])
	if pending {
		c.out = append(c.out, `,"chaininprocesslist":true}`...)
	} else {
		c.out = append(c.out, `,"chaininprocesslist":false}`...)
	}
	return nil
}
