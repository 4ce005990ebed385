package bitcoin_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

func btcTime(seconds uint32) time.Time { return time.Unix(int64(seconds), 0) }

// node is one header of the oracle's chain, as its difficulty rule wants it.
type node struct {
	headers []bitcoin.Header
	height  int32
}

func (n node) Height() int32    { return n.height }
func (n node) Bits() uint32     { return n.headers[n.height].Bits }
func (n node) Timestamp() int64 { return int64(n.headers[n.height].Time) }
func (n node) Parent() blockchain.HeaderCtx {
	return n.RelativeAncestorCtx(1)
}
func (n node) RelativeAncestorCtx(distance int32) blockchain.HeaderCtx {
	if n.height < distance {
		return nil
	}
	return node{n.headers, n.height - distance}
}

// rules are a network as the oracle's difficulty rule wants it.
type rules struct{ *chaincfg.Params }

func (r rules) ChainParams() *chaincfg.Params                { return r.Params }
func (r rules) BlocksPerRetarget() int32                     { return 2016 }
func (r rules) MinRetargetTimespan() int64                   { return 14 * 24 * 3600 / 4 }
func (r rules) MaxRetargetTimespan() int64                   { return 14 * 24 * 3600 * 4 }
func (r rules) VerifyCheckpoint(int32, *chainhash.Hash) bool { return true }
func (r rules) FindPreviousCheckpoint() (blockchain.HeaderCtx, error) {
	return nil, nil
}

// Simnet's work is easy enough to follow its targets up and down over three
// changes; the rule is that of testnet3.
func TestTargetFollowsTheOraclesRule(t *testing.T) {
	headers := []bitcoin.Header{header(t, &chaincfg.SimNetParams.GenesisBlock.Header)}
	c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), headers)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	now := headers[0].Time
	for height := 1; height <= 3*2016+20; height++ {
		switch {
		case height%500 == 0:
			now += 1201 // the gap that allows the easiest target
		case height < 2*2016:
			now += 500 // faster than planned
		default:
			now += 900
		}
		last := node{headers, int32(height - 1)}
		bits := expected(t, last, now)
		seen[bits] = true
		prev := chainhash.Hash(headers[height-1].Hash())
		h := btc.NewBlockHeader(4, &prev, &chainhash.Hash{}, bits, 0)
		h.Timestamp = btcTime(now)
		for target := blockchain.CompactToBig(bits); hashNumber(h).Cmp(target) > 0; {
			h.Nonce++
		}
		next := header(t, h)
		if err := c.Append(next); err != nil {
			t.Fatal(err)
		}
		headers = append(headers, next)
	}
	if len(seen) < 3 {
		t.Fatalf("targets seen: %v", seen)
	}
}

// expected is the target that the oracle demands; it says so when it refuses another.
func expected(t *testing.T, last node, now uint32) (bits uint32) {
	err := blockchain.CheckBlockHeaderContext(&btc.BlockHeader{Timestamp: btcTime(now)}, last, blockchain.BFNone, rules{&chaincfg.SimNetParams}, true)
	if err == nil {
		t.Fatal("the oracle takes a block without a target")
	}
	if _, scan := fmt.Sscanf(err.Error(), "block difficulty of 0 is not the expected value of %d", &bits); scan != nil {
		t.Fatal(err)
	}
	return bits
}

func hashNumber(h *btc.BlockHeader) *big.Int {
	hash := h.BlockHash()
	return blockchain.HashToBig(&hash)
}
