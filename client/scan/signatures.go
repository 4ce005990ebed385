package scan

import (
	"context"
	"errors"

	"cloister/wire"
	"cloister/wire/factom"
)

// signedLater is how many blocks after its own a signature of a header may be
// recorded in: servers sign the newest closed block until the next is closed, which
// is while the one after that is open.
const signedLater = 2

// majority says whether more than half of the servers of a block signed it. It is
// not settled as long as signatures may still come.
//
// A header holds the one before, so whoever signs a later one vouches for this one,
// too. Where MaxUnsigned allows it, that counts as long as the servers are the same:
// others may owe their place to the block in question.
func (b *branch) majority(ctx context.Context, h uint32, a *authority, found *notes) (settled bool, err error) {
	settled, err = b.signedBy(ctx, h, a, found)
	if b.options.MaxUnsigned == 0 || !isUnsigned(err) {
		return settled, err
	}
	unsigned, later := err, a.clone()
	for g := h + 1; g <= h+b.options.MaxUnsigned; g++ {
		if g >= uint32(len(b.keys)) {
			return false, nil
		}
		s, err := b.set(ctx, g)
		if err != nil {
			return false, at(g, err)
		}
		later.payout(g, b.network.Coinbase)
		if err := later.apply(g, s.admin, b.network, new(notes)); err != nil {
			return false, at(g, err)
		}
		if !sameServers(a, later) {
			return false, unsigned
		}
		settled, err := b.signedBy(ctx, g, later, new(notes))
		if isUnsigned(err) {
			continue
		}
		if settled {
			found.add(SignedThrough, h, "no majority signed it; one signed block %d, which follows from it", g)
		}
		return settled, err
	}
	return false, unsigned
}

func isUnsigned(err error) bool {
	f := (*Finding)(nil)
	return errors.As(err, &f) && f.Code == Unsigned
}

// signedBy looks for signatures of one header in the admin blocks after it, by the
// servers in force with its own block, each once. Errors are the context's, a fault
// Unsigned if no more can come, or another.
func (b *branch) signedBy(ctx context.Context, h uint32, a *authority, found *notes) (settled bool, err error) {
	blocks, err := b.set(ctx, h)
	if err != nil {
		return false, at(h, err)
	}
	servers, signers := len(a.federated()), map[wire.Hash]bool{}
	if servers == 0 {
		return false, broken(Unsigned, "no server is in force that could sign it")
	}
	header := blocks.directory.Header.Bytes()
	for later := h + 1; later <= h+signedLater; later++ {
		if later >= uint32(len(b.keys)) {
			return false, nil
		}
		s, err := b.set(ctx, later)
		if err != nil {
			return false, at(later, err)
		}
		for _, m := range s.admin.Body {
			if x, ok := m.(*factom.BlockSignature); ok {
				b.count(x, h, header, a, signers, later == h+1, found)
			}
		}
		if 2*len(signers) > servers {
			return true, nil
		}
	}
	return false, broken(Unsigned, "%d of %d servers signed it, and no more are to come", len(signers), servers)
}

// count takes one signature. due: it stands in the next block; in a later one those
// of that block stand, too, and are none of this one's concern.
func (b *branch) count(x *factom.BlockSignature, h uint32, header []byte, a *authority, signers map[wire.Hash]bool, due bool, found *notes) {
	i, known := a.server(x.Identity)
	switch {
	case !known || a.Servers[i].Role != federated || a.Servers[i].Key != x.Key:
		if due {
			found.add(ForeignSignature, h, "server %s was none of those to sign it, or with another key", x.Identity)
		}
	case !signers[x.Identity] && x.Key.VerifyMessage(header, x.Signature):
		signers[x.Identity] = true
	case due && !x.Key.VerifyMessage(b.state.tail.Header, x.Signature): // else a late one of the block before
		found.add(VoidSignature, h, "the signature of server %s does not hold, or counts already", x.Identity)
	}
}
