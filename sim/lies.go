package sim

import (
	"cloister/wire"
	"cloister/wire/archived"
)

// lies reports whether the next answer of an archive is to be a lie. Hosts tell
// the truth once the time for harm is over.
func (n *Network) lies() bool {
	return n.opts.Lies && n.now < int64(n.opts.Load)*second && n.rng.IntN(3) == 0
}

// forge makes a lie of a block: the body of another one under the good header and
// seal, or a header nobody decided.
func (n *Network) forge(at *node, b *archived.Block) {
	other := at.archive.at(1 + n.rng.Uint64N(at.archive.height()))
	if n.rng.IntN(2) == 0 {
		b.Body = other.Body
		return
	}
	h, err := wire.DecodeHeader(b.Header)
	if err != nil {
		n.fail("archive of node %d: %v", at.index, err)
		return
	}
	h.TimeMs++
	b.Header, b.Seal = wire.Marshal(h), nil
}
