package bitcoin_test

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	btc "github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

func code(t *testing.T, err error, want wire.Code) {
	t.Helper()
	if wire.CodeOf(err) != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

var params = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams, "testnet3": &chaincfg.TestNet3Params, "testnet4": &chaincfg.TestNet4Params,
	"signet": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams, "simnet": &chaincfg.SimNetParams,
}

// The genesis headers exercise fields, hash, limit and work at once.
func TestNetworksAreThoseOfTheOracle(t *testing.T) {
	for name, p := range params {
		n := network(name)
		h := header(t, &p.GenesisBlock.Header)
		if h.Hash() != n.Genesis || n.Genesis.String() != p.GenesisHash.String() {
			t.Errorf("%s: genesis %s", name, h.Hash())
		}
		if err := h.CheckWork(n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n.LimitBits != p.PowLimitBits || n.PubKeyHash != p.PubKeyHashAddrID || n.ScriptHash != p.ScriptHashAddrID ||
			n.Witness != p.Bech32HRPSegwit || n.PrivateKey != p.PrivateKeyID {
			t.Errorf("%s: %+v", name, n)
		}
		if b := h.Bytes(); bitcoin.Sum(b[:]) != h.Hash() {
			t.Errorf("%s: bytes do not hash to the hash", name)
		}
	}
	_, err := bitcoin.NetworkNamed("moon")
	code(t, err, wire.ErrBadRequest)
}

func TestHashIsShownLastByteFirst(t *testing.T) {
	h := bitcoin.Hash{31: 0xab}
	if s := h.String(); s[:2] != "ab" {
		t.Fatal(s)
	}
	text, err := h.MarshalText()
	var back bitcoin.Hash
	if err != nil || back.UnmarshalText(text) != nil || back != h {
		t.Fatalf("%s does not come back: %s", h, back)
	}
	for _, s := range []string{"", "ab", string(bytes.Repeat([]byte("g"), 64)), string(text) + "00"} {
		_, err := bitcoin.ParseHash(s)
		code(t, err, wire.ErrMalformed)
	}
}

func TestTargetsAndWorkAreThoseOfTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint32Range(0, 0x2200ffff).Draw(t, "bits")
		target, err := bitcoin.Target(bits)
		want := blockchain.CompactToBig(bits)
		if none := want.Sign() <= 0 || want.BitLen() > 256; none != (err != nil) {
			t.Fatalf("target %08x: %v, oracle %s", bits, err, want)
		}
		if err != nil {
			return
		}
		work, err := bitcoin.Work(bits)
		if err != nil || target.Cmp(want) != 0 || work.Cmp(blockchain.CalcWork(bits)) != 0 {
			t.Fatalf("target %08x: %s, oracle %s; work %s", bits, target, want, work)
		}
	})
}

// chainOf mines n headers of simnet, ten minutes apart, from its genesis.
func chainOf(t testing.TB, n int) []bitcoin.Header {
	headers := []bitcoin.Header{header(t, &chaincfg.SimNetParams.GenesisBlock.Header)}
	prev := *chaincfg.SimNetParams.GenesisHash
	for i := range n {
		b := mine(t, prev, int64(i+1))
		headers, prev = append(headers, header(t, &b.Header)), b.BlockHash()
	}
	return headers
}

func TestChainCountsDepthAndWork(t *testing.T) {
	headers := chainOf(t, 20)
	c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), headers)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := bitcoin.Work(simnet.LimitBits)
	if c.Height() != 20 || c.Tip() != headers[20].Hash() || c.Depth(20) != 1 || c.Depth(15) != 6 || c.Depth(21) != 0 ||
		c.Work().Cmp(new(big.Int).Mul(one, big.NewInt(21))) != 0 {
		t.Fatalf("height %d, depth %d, work %s", c.Height(), c.Depth(15), c.Work())
	}
	// From a later checkpoint the same headers hold.
	later, err := bitcoin.CheckChain(simnet, bitcoin.Checkpoint{Height: 7, Hash: headers[7].Hash()}, headers[7:])
	if err != nil || later.Depth(6) != 0 || later.Depth(7) != 14 {
		t.Fatal(later, err)
	}
	if h, ok := later.At(9); !ok || h != headers[9] {
		t.Fatal("the chain lost a header")
	}
}

func TestChainRefusesWhatDoesNotFollow(t *testing.T) {
	headers := chainOf(t, 20)
	spoil := func(change func(h *bitcoin.Header)) []bitcoin.Header {
		bad := append([]bitcoin.Header(nil), headers...)
		change(&bad[15])
		return bad
	}
	for name, bad := range map[string][]bitcoin.Header{
		"nothing":         {},
		"wrong start":     headers[1:],
		"gap":             append(append([]bitcoin.Header(nil), headers[:9]...), headers[10:]...),
		"other bytes":     spoil(func(h *bitcoin.Header) { h.Version++ }),
		"easier":          spoil(func(h *bitcoin.Header) { h.Bits = 0x2100ffff }),
		"harder":          spoil(func(h *bitcoin.Header) { h.Bits = 0x1d00ffff }),
		"negative target": spoil(func(h *bitcoin.Header) { h.Bits |= 0x00800000 }),
		"no work": spoil(func(h *bitcoin.Header) {
			for h.Hash()[31] <= 0x7f {
				h.Nonce++
			}
		})[:16],
	} {
		_, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), bad)
		if wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChainRefusesTimeThatStands(t *testing.T) {
	headers := chainOf(t, 20)
	prev := chainhash.Hash(headers[20].Hash())
	next := btc.NewBlockHeader(4, &prev, &chainhash.Hash{}, simnet.LimitBits, 0)
	for _, then := range []struct {
		as    int
		works bool
	}{{15, false}, {16, true}} {
		next.Timestamp = btcTime(headers[then.as].Time)
		solve(next)
		c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), headers)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Append(header(t, next)); (err == nil) != then.works {
			t.Errorf("a header as old as that of height %d: %v", then.as, err)
		}
	}
}

func TestFileOfHeadersHasTwoForms(t *testing.T) {
	headers := chainOf(t, 5)
	var binary, text []byte
	for _, h := range headers {
		b := h.Bytes()
		binary = append(binary, b[:]...)
		text = append(hex.AppendEncode(text, b[:]), '\n')
	}
	for _, file := range [][]byte{binary, text, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), text[:len(text)-1]} {
		got, err := bitcoin.ParseHeaders(file)
		if err != nil || len(got) != len(headers) || got[5] != headers[5] {
			t.Fatalf("%d headers, %v", len(got), err)
		}
	}
	for _, file := range [][]byte{nil, binary[1:], text[:len(text)-3], append(text, '\n'), append(text, "zz\n"...)} {
		_, err := bitcoin.ParseHeaders(file)
		code(t, err, wire.ErrMalformed)
	}
}
