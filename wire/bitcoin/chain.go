package bitcoin

import (
	"math/big"
	"slices"
)

// medianSpan is how many headers a header's time must be past the middle of.
const medianSpan = 11

// Checkpoint is a block that the caller trusts to be in Bitcoin's chain.
type Checkpoint struct {
	Height uint32
	Hash   Hash
}

// Chain is headers that follow one another from a checkpoint on, each with the
// work that the network's rules demand.
//
// Rules that reach back before the checkpoint cannot be applied in full: up to
// the first change of the target after 2016 headers, a new target is held
// against the one before by the fourfold that it may change at most.
type Chain struct {
	network *Network
	first   uint32 // height of headers[0]
	headers []Header
	tip     Hash
	work    *big.Int
}

// NewChain begins a chain at a checkpoint; first must be its header. Errors carry
// ErrProof.
func NewChain(n *Network, from Checkpoint, first Header) (*Chain, error) {
	if hash := first.Hash(); hash != from.Hash {
		return nil, unproven("the first header is that of block %s, not of checkpoint %s", hash, from.Hash)
	}
	if err := first.CheckWork(n); err != nil {
		return nil, err
	}
	work, err := Work(first.Bits)
	if err != nil {
		return nil, err
	}
	return &Chain{network: n, first: from.Height, headers: []Header{first}, tip: from.Hash, work: work}, nil
}

// CheckChain is NewChain and Append for all headers of a file, at least one.
// Errors carry ErrProof and say which height is wrong.
func CheckChain(n *Network, from Checkpoint, headers []Header) (*Chain, error) {
	if len(headers) == 0 {
		return nil, unproven("no headers")
	}
	c, err := NewChain(n, from, headers[0])
	for i := 1; err == nil && i < len(headers); i++ {
		err = c.Append(headers[i])
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Append takes the next header. Errors carry ErrProof and leave the chain as it
// was.
func (c *Chain) Append(h Header) error {
	height := c.Height() + 1
	if h.Prev != c.tip {
		return unproven("header %d does not build on the one before it, %s", height, c.tip)
	}
	if height < c.first {
		return unproven("header above any height")
	}
	if err := c.checkTarget(h); err != nil {
		return err
	}
	if err := h.CheckWork(c.network); err != nil {
		return err
	}
	if err := c.checkTime(h); err != nil {
		return err
	}
	work, err := Work(h.Bits)
	if err != nil {
		return err
	}
	c.headers, c.tip, c.work = append(c.headers, h), h.Hash(), c.work.Add(c.work, work)
	return nil
}

// Height is that of the newest header.
func (c *Chain) Height() uint32 { return c.first + uint32(len(c.headers)-1) }

// Tip is the hash of the newest header.
func (c *Chain) Tip() Hash { return c.tip }

// Work is the sum of the headers' work. Of two chains from one checkpoint, the
// one with more is Bitcoin's.
func (c *Chain) Work() *big.Int { return new(big.Int).Set(c.work) }

// At returns the header of a height, if the chain has it.
func (c *Chain) At(height uint32) (Header, bool) {
	if height < c.first || height > c.Height() {
		return Header{}, false
	}
	return c.headers[height-c.first], true
}

// Depth is how many headers of the chain confirm the block of a height, its own
// among them; 0 if the chain does not have it.
func (c *Chain) Depth(height uint32) uint32 {
	if _, ok := c.At(height); !ok {
		return 0
	}
	return c.Height() - height + 1
}

// checkTime demands that time passes: a header's is after the middle one of the
// eleven before it. Else a miner could stretch time to lower the target.
func (c *Chain) checkTime(h Header) error {
	if len(c.headers) < medianSpan {
		return nil
	}
	var times [medianSpan]uint32
	for i, old := range c.headers[len(c.headers)-medianSpan:] {
		times[i] = old.Time
	}
	slices.Sort(times[:])
	if h.Time <= times[medianSpan/2] {
		return unproven("header %d is older than those before it", c.Height()+1)
	}
	return nil
}

// checkTarget demands the target that the rules give for the next header.
func (c *Chain) checkTarget(h Header) error {
	last, next := c.headers[len(c.headers)-1], c.Height()+1
	want, known := uint32(0), true
	switch {
	case c.network.fixed:
		want = c.network.LimitBits
	case next%retargetBlocks == 0:
		want, known = c.retarget()
		if !known {
			return c.checkRange(h, last)
		}
	case c.network.gap == 0:
		want = last.Bits
	case uint64(h.Time) > uint64(last.Time)+uint64(c.network.gap):
		want = c.network.LimitBits
	default:
		want, known = c.lastHard()
	}
	if known && h.Bits != want {
		return unproven("header %d has target %08x, the rules demand %08x", next, h.Bits, want)
	}
	return nil
}

// retarget computes the target after 2016 headers; not known if the chain does
// not reach so far back.
func (c *Chain) retarget() (bits uint32, known bool) {
	if len(c.headers) < retargetBlocks {
		return 0, false
	}
	first, last := c.headers[len(c.headers)-retargetBlocks], c.headers[len(c.headers)-1]
	took := min(max(int64(last.Time)-int64(first.Time), retargetSeconds/retargetFactor), retargetSeconds*retargetFactor)
	from := last.Bits
	if c.network.fromFirst {
		from = first.Bits
	}
	target, err := Target(from)
	if err != nil {
		return 0, false
	}
	target.Mul(target, big.NewInt(took))
	target.Div(target, big.NewInt(retargetSeconds))
	if target.Cmp(c.network.limit()) > 0 {
		return c.network.LimitBits, true
	}
	return compact(target), true
}

// checkRange holds a new target against the last one where no more can be said.
// On networks with a gap the last one says nothing.
func (c *Chain) checkRange(h, last Header) error {
	if c.network.gap > 0 {
		return nil
	}
	target, err := Target(h.Bits)
	if err != nil {
		return err
	}
	old, err := Target(last.Bits)
	if err != nil {
		return err
	}
	factor := big.NewInt(retargetFactor)
	most := new(big.Int).Mul(old, factor)
	least, err := Target(compact(old.Div(old, factor)))
	if err != nil {
		return err
	}
	if target.Cmp(most) > 0 || target.Cmp(least) < 0 {
		return unproven("header %d changes the target more than fourfold", c.Height()+1)
	}
	return nil
}

// lastHard is the target of the newest header that did not have the easiest one
// by gap; not known if it is before the checkpoint.
func (c *Chain) lastHard() (bits uint32, known bool) {
	for i := len(c.headers) - 1; i >= 0; i-- {
		h := c.headers[i]
		if h.Bits != c.network.LimitBits || (c.first+uint32(i))%retargetBlocks == 0 {
			return h.Bits, true
		}
	}
	return 0, false
}
