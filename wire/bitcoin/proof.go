package bitcoin

import (
	"bytes"
	"fmt"

	"cloister/wire"
)

// Bounds of a proof.
const (
	MaxProof     = 256 << 10 // bytes
	MaxFollowing = 144       // headers after the block: about a day
)

// proofVersion is the first field of a proof's encoding.
const proofVersion = 1

// Proof shows that a transaction is in a block, and what work is on top of it.
//
// A branch alone shows less than it seems: an inner node of 64 bytes can be made
// to read as a transaction, so that a forged one hangs below a leaf
// (CVE-2017-12842). So the proof has the block's coinbase with its own branch
// too. All leaves of the tree are equally deep, the way to the coinbase cannot
// be made longer, and so a transaction as deep as it is a leaf. The coinbase
// also says the block's height (BIP 34), which a header does not.
type Proof struct {
	Tx       []byte // the transaction as nodes send it, at most MaxTx bytes
	Branch   Branch
	Coinbase []byte // as Tx, the first transaction of the block
	First    []Hash // siblings of the coinbase's branch
	Header   Header // of the block
	Height   uint32 // of the block
	// Following are headers after the block's, oldest first; none are needed where
	// the verifier has headers of its own.
	Following []Header
}

// proofForm is what is encoded.
type proofForm struct {
	_         struct{} `cbor:",toarray"`
	Version   uint8
	Tx        []byte
	Branch    Branch
	Coinbase  []byte
	First     []Hash
	Header    [HeaderSize]byte
	Height    uint32
	Following [][HeaderSize]byte
}

// Anchored is where a verified transaction is.
type Anchored struct {
	TxID   Hash
	Block  Hash
	Height uint32 // of the block
	Offset uint32 // of the transaction in the block
	Depth  uint32 // headers that confirm it, the block's own among them
}

// NewProof joins a block's transaction with its place in the block. raw is the
// block as ParseBlock takes it. Errors carry ErrMalformed.
func NewProof(raw []byte, height uint32, id Hash) (*Proof, error) {
	block, err := ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	ids := block.IDs()
	for i := range ids {
		if ids[i] != id {
			continue
		}
		branch, _, err := NewBranch(ids, i)
		if err != nil {
			return nil, err
		}
		first, _, err := NewBranch(ids, 0)
		if err != nil {
			return nil, err
		}
		return &Proof{
			Tx: bytes.Clone(block.Txs[i].raw), Branch: branch,
			Coinbase: bytes.Clone(block.Txs[0].raw), First: first.Siblings,
			Header: block.Header, Height: height,
		}, nil
	}
	return nil, malformed("block %s has no transaction %s", block.Hash(), id)
}

// Encode is the proof's bytes: deterministic CBOR, at most MaxProof if each part
// keeps its bound.
func (p *Proof) Encode() []byte {
	form := proofForm{
		Version: proofVersion, Tx: p.Tx, Branch: p.Branch, Coinbase: p.Coinbase, First: p.First,
		Header: p.Header.Bytes(), Height: p.Height, Following: make([][HeaderSize]byte, len(p.Following)),
	}
	for i, h := range p.Following {
		form.Following[i] = h.Bytes()
	}
	return wire.Marshal(&form)
}

// ParseProof is the strict inverse of Encode. Errors carry ErrMalformed.
func ParseProof(b []byte) (*Proof, error) {
	var form proofForm
	if err := wire.Unmarshal(b, &form, MaxProof); err != nil {
		return nil, fmt.Errorf("bitcoin: proof: %w", err)
	}
	if form.Version != proofVersion {
		return nil, malformed("proof of version %d, this program knows version %d", form.Version, proofVersion)
	}
	if len(form.Following) > MaxFollowing {
		return nil, malformed("proof with %d following headers, at most %d", len(form.Following), MaxFollowing)
	}
	p := &Proof{Tx: form.Tx, Branch: form.Branch, Coinbase: form.Coinbase, First: form.First, Height: form.Height}
	var err error
	if p.Header, err = ParseHeader(form.Header[:]); err != nil {
		return nil, err
	}
	for i := range form.Following {
		h, err := ParseHeader(form.Following[i][:])
		if err != nil {
			return nil, err
		}
		p.Following = append(p.Following, h)
	}
	return p, nil
}

// Verify checks that a transaction with exactly one output of this script is in
// a block of the network, and counts the work on top of it from the proof's own
// headers. What it cannot know is whether Bitcoin went on with these headers:
// their work says what a lie costs, VerifyIn compares. Errors carry ErrMalformed
// or ErrProof.
func (p *Proof) Verify(n *Network, script []byte) (Anchored, error) {
	at, err := p.inBlock(script)
	if err != nil {
		return Anchored{}, err
	}
	chain, err := NewChain(n, Checkpoint{Height: p.Height, Hash: at.Block}, p.Header)
	if err != nil {
		return Anchored{}, err
	}
	for _, h := range p.Following {
		if err := chain.Append(h); err != nil {
			return Anchored{}, err
		}
	}
	at.Depth = chain.Depth(p.Height)
	return at, nil
}

// VerifyIn is Verify against a chain that the verifier trusts: the block must be
// in it at least depth headers deep. Errors carry ErrMalformed, ErrProof, or
// ErrNotCovered where the chain ends too early to tell.
func (p *Proof) VerifyIn(c *Chain, script []byte, depth uint32) (Anchored, error) {
	at, err := p.Verify(c.network, script)
	if err != nil {
		return Anchored{}, err
	}
	h, ok := c.At(p.Height)
	switch {
	case !ok && p.Height < c.first:
		return Anchored{}, wire.Faultf(wire.ErrNotCovered, "bitcoin: the headers begin at height %d, the block has %d: use an earlier checkpoint", c.first, p.Height)
	case !ok:
		return Anchored{}, wire.Faultf(wire.ErrNotCovered, "bitcoin: the headers end at height %d, the block has %d", c.Height(), p.Height)
	case h != p.Header:
		return Anchored{}, unproven("block %s is not in the chain, which has %s at height %d", at.Block, h.Hash(), p.Height)
	}
	if at.Depth = c.Depth(p.Height); at.Depth < depth {
		return Anchored{}, wire.Faultf(wire.ErrNotCovered, "bitcoin: block %s is %d deep, %d are asked for", at.Block, at.Depth, depth)
	}
	return at, nil
}

// inBlock checks all that the header's root commits to.
func (p *Proof) inBlock(script []byte) (Anchored, error) {
	if len(p.Following) > MaxFollowing {
		return Anchored{}, malformed("proof with %d following headers, at most %d", len(p.Following), MaxFollowing)
	}
	t, err := ParseTx(p.Tx)
	if err != nil {
		return Anchored{}, err
	}
	if n := t.count(script); n != 1 {
		return Anchored{}, unproven("transaction %s has %d outputs of the script, not 1", t.ID(), n)
	}
	if root, err := p.Branch.Root(t); err != nil {
		return Anchored{}, err
	} else if root != p.Header.Root {
		return Anchored{}, unproven("transaction %s is not in block %s", t.ID(), p.Header.Hash())
	}
	if err := p.checkCoinbase(); err != nil {
		return Anchored{}, err
	}
	return Anchored{TxID: t.ID(), Block: p.Header.Hash(), Height: p.Height, Offset: p.Branch.Index}, nil
}

// checkCoinbase holds the depth of the tree and the height against the block's
// first transaction.
func (p *Proof) checkCoinbase() error {
	first, err := ParseTx(p.Coinbase)
	if err != nil {
		return err
	}
	root, err := Branch{Siblings: p.First}.Root(first)
	switch {
	case err != nil:
		return err
	case !first.IsCoinbase() || root != p.Header.Root:
		return unproven("transaction %s is not the first of block %s", first.ID(), p.Header.Hash())
	case len(p.First) != len(p.Branch.Siblings):
		return unproven("the transaction is at depth %d of the tree, the first one at %d", len(p.Branch.Siblings), len(p.First))
	case p.Header.Version < heightVersion:
		return unproven("block %s is too old to say its height", p.Header.Hash())
	}
	if height, ok := coinbaseHeight(first.Inputs[0].Script); !ok || height != p.Height {
		return unproven("block %s does not say that it has height %d", p.Header.Hash(), p.Height)
	}
	return nil
}

// count counts the outputs of a script.
func (t *Tx) count(script []byte) (n int) {
	for _, out := range t.Outputs {
		if bytes.Equal(out.Script, script) {
			n++
		}
	}
	return n
}

// heightVersion is the version of blocks from which on coinbases begin with the
// height (BIP 34).
const heightVersion = 2

// Opcodes that push small numbers.
const (
	opZero    = 0x00
	opOne     = 0x51
	opSixteen = 0x60
)

// coinbaseHeight reads the height at the start of a coinbase's script: a script
// number in its shortest form.
func coinbaseHeight(script []byte) (height uint32, ok bool) {
	if len(script) == 0 {
		return 0, false
	}
	switch n := script[0]; {
	case n == opZero:
		return 0, true
	case n >= opOne && n <= opSixteen:
		return uint32(n-opOne) + 1, true
	case n > 5 || len(script) < 1+int(n):
		return 0, false
	default:
		var v uint64
		digits := script[1 : 1+n]
		for i, d := range digits {
			v |= uint64(d) << (8 * i)
		}
		last := digits[n-1]
		short := last != 0 || (n > 1 && digits[n-2]&0x80 != 0) // a zero only keeps the sign away
		return uint32(v), last&0x80 == 0 && short && v <= 1<<32-1
	}
}
