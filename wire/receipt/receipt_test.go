package receipt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/consensus/rules"
	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/receipt"
	"cloister/wire/record"
	"cloister/wire/token"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestReceiptsProveWhatTheLedgerHolds(t *testing.T) {
	c := newChain("alpha")
	for height := uint64(1); height <= chainHeight; height++ {
		for index := range uint64(len(c.txs[height])) {
			tx, err := wire.DecodeTx(c.txs[height][index])
			if err != nil {
				t.Fatal(err)
			}
			for sealed := height; sealed <= chainHeight; sealed += 3 {
				v := mustVerify(t, c, c.ordered(height, index, sealed))
				if v.Kind != receipt.Ordered || v.TxID != tx.ID() || v.Height != height || uint64(v.Index) != index ||
					v.TimeMs != c.headers[height].TimeMs || v.Block != c.headers[height].Hash() || v.Family != tx.Family ||
					v.SealedHeight != sealed || v.Signatures != 2 || v.Voters != 3 || v.Result != nil ||
					v.Entry != nil && v.Entry.Recorded {
					t.Fatalf("transaction %d of height %d: %+v", index, height, v)
				}
				for committed := height + execLag; committed <= sealed; committed++ {
					v := mustVerify(t, c, c.executed(height, index, committed, sealed))
					want, err := wire.DecodeResult(c.results[height][index])
					if err != nil {
						t.Fatal(err)
					}
					if v.Kind != receipt.Executed || v.Result.Code != want.Code || v.Result.Credits != want.Credits ||
						v.Result.ProvedAt != committed || v.Result.ExecHeight != committed-execLag || v.Entry != nil && v.Entry.Recorded != (want.Code == wire.OK) {
						t.Fatalf("result %d of height %d: %+v", index, height, v)
					}
				}
			}
		}
	}
}

// What is said of a transaction's signers is what its kind has: its payer, the
// payer of the commit, every input of a factoid transaction, nobody.
func TestSignersAreThoseOfTheMessage(t *testing.T) {
	c := newChain("alpha")
	payer, other := key(7).Public(), key(8).Public()
	seen := map[int]bool{}
	const height = chainHeight - execLag
	for index := range uint64(len(c.txs[height])) {
		v := mustVerify(t, c, c.executed(height, index, chainHeight, chainHeight))
		kind := kindOf(index)
		seen[kind] = true
		want := []wire.PublicKey{payer}
		switch kind {
		case reveal:
			want = nil
		case payment:
			want = append(want, other)
		}
		if !slices.Equal(v.Signers, want) {
			t.Errorf("kind %d: signers %v, want %v", kind, v.Signers, want)
		}
		if named := v.Payer != nil && *v.Payer == payer && v.Address == wire.FactoidAddress(wire.AccountOf(payer)); named == (kind == reveal) {
			t.Errorf("kind %d: payer %v, %q", kind, v.Payer, v.Address)
		}
		if shows := kind == chainPair || kind == entryPair || kind == reveal; shows != (v.Entry != nil) || shows && v.Entry.Recorded != (v.Result.Code == wire.OK) {
			t.Errorf("kind %d: entry %+v", kind, v.Entry)
		}
		if pays := kind == chainPair || kind == entryPair || kind == commit; pays != (v.Commit != nil) || pays && (v.Commit.Credits == 0 || v.Commit.Chain != (kind == chainPair)) {
			t.Errorf("kind %d: commit %+v", kind, v.Commit)
		}
		if v.Commit != nil && v.Entry != nil && v.Commit.Entry != v.Entry.Hash {
			t.Errorf("kind %d: it pays for %s and shows %s", kind, v.Commit.Entry, v.Entry.Hash)
		}
	}
	if len(seen) != kinds {
		t.Errorf("only kinds %v were there", seen)
	}
}

// Zeros are a signature by ZIP-215's rules, under a key that is nobody's.
func TestUnsignedTransactionsAreRefused(t *testing.T) {
	c := newChain("alpha")
	pair, err := wire.DecodeTx(c.txs[3][2])
	if err != nil {
		t.Fatal(err)
	}
	sign, err := wire.DecodeTx(c.txs[7][7])
	if err != nil || kindOf(7) != signature {
		t.Fatal(err)
	}
	for name, tx := range map[string]*wire.Tx{
		"of a family that carries nothing": wire.Carry(c.genesis.ChainID(), "hardware", []byte{1}),
		"of a message that is none":        wire.Carry(c.genesis.ChainID(), record.Name, []byte{9}),
		"of factoids that are none":        wire.Carry(c.genesis.ChainID(), token.Name, []byte{2}),
		"of a server's signature":          wire.Carry(c.genesis.ChainID(), record.Name, sign.Payload),
		"signed twice":                     func() *wire.Tx { tx := *pair; tx.Sign(key(7)); return &tx }(),
		"with a time":                      func() *wire.Tx { tx := *pair; tx.NotAfterMs = 1; return &tx }(),
		"with a nonce":                     func() *wire.Tx { tx := *pair; tx.Nonce[0] = 1; return &tx }(),
	} {
		r := c.ordered(3, 2, 3)
		r.Tx = tx.Bytes()
		if _, err := receipt.Verify(r, c.genesis, rules.All); wire.CodeOf(err) != wire.ErrBadSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
	for index := range uint64(len(c.txs[chainHeight])) {
		if kindOf(index) == reveal {
			continue
		}
		tx, err := wire.DecodeTx(c.txs[chainHeight][index])
		if err != nil {
			t.Fatal(err)
		}
		forge(tx)
		r := c.ordered(chainHeight, index, chainHeight)
		r.Tx = tx.Bytes()
		if _, err := receipt.Verify(r, c.genesis, rules.All); wire.CodeOf(err) != wire.ErrBadSignature {
			t.Errorf("kind %d, forged: %v", kindOf(index), err)
		}
	}
}

// forge spoils the newest signature of a transaction, or of what it carries.
func forge(tx *wire.Tx) {
	switch p, err := record.Decode(tx.Payload); {
	case !tx.Carries():
		tx.Signature[40] ^= 1
	case tx.Family == record.Name && err == nil:
		tx.Payload[len(p.Paid)] ^= 1 // the commit begins at 1 and ends with its signature
	default:
		tx.Payload[len(tx.Payload)-1] ^= 1
	}
}

func TestFactsSayWhatIsProvedAndWhatIsNot(t *testing.T) {
	c := newChain("alpha")
	for _, x := range []struct {
		r         *receipt.Receipt
		want, not []string
	}{
		{c.ordered(3, 2, 3), []string{"position 2 of block 3", "2 of 3 voters signed that block", "2023-11-14 22:13:20.750 UTC", "Not proved", "no trusted hardware"}, []string{"Executing it"}},
		{c.ordered(3, 2, 8), []string{"signed block 8, whose history"}, []string{"Executing it"}},
		{c.executed(3, 2, 6, 6), []string{"Executing it succeeded", "11 entry credits", "is recorded in chain"}, []string{"Not proved"}},
		{c.executed(3, 1, 6, 6), []string{"refused with ErrChainExists"}, []string{"succeeded", "is recorded"}},
		{c.executed(5, 5, 8, 8), []string{"Nobody signed it", "is recorded in chain"}, []string{"signed by"}},
		{c.executed(5, 4, 8, 8), []string{"commit of 1 entry credits", "signed by"}, []string{"is recorded in chain"}},
		{c.ordered(5, 6, 8), []string{"carries the factoid transaction"}, []string{"entry"}},
	} {
		facts := strings.Join(mustVerify(t, c, x.r).Facts, "\n")
		for _, w := range x.want {
			if !strings.Contains(facts, w) {
				t.Errorf("%q is missing in:\n%s", w, facts)
			}
		}
		for _, n := range x.not {
			if strings.Contains(facts, n) {
				t.Errorf("%q is claimed in:\n%s", n, facts)
			}
		}
	}
}

// TestEveryChangedBitIsRefused is the promise of the format: no byte of a
// receipt may change.
func TestEveryChangedBitIsRefused(t *testing.T) {
	for name, sample := range shapes() {
		c, r := sample.chain, sample.receipt
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, seal := receipt.Encode(r), remembering(rules.All)
			if _, err := verifyFile(c, file, seal); err != nil {
				t.Fatal(err)
			}
			for i := range file {
				for bit := range 8 {
					file[i] ^= 1 << bit
					if _, err := verifyFile(c, file, seal); err == nil {
						t.Fatalf("accepted with bit %d of byte %d changed:\n%s", bit, i, around(file, i))
					}
					file[i] ^= 1 << bit
				}
			}
		})
	}
}

func TestEveryReplacedCharacterIsRefused(t *testing.T) {
	for name, sample := range shapes() {
		c, r := sample.chain, sample.receipt
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, seal, rng := receipt.Encode(r), remembering(rules.All), rand.New(rand.NewSource(1))
			for range 60 {
				i := rng.Intn(len(file))
				was := file[i]
				for ch := byte(' '); ch <= '~'; ch++ {
					if ch == was || ch == ' ' && was == '\n' {
						continue
					}
					file[i] = ch
					if _, err := verifyFile(c, file, seal); err == nil {
						t.Fatalf("accepted with %q instead of %q:\n%s", ch, was, around(file, i))
					}
				}
				file[i] = was
			}
		})
	}
}

type shape struct {
	chain   *chain
	receipt *receipt.Receipt
}

// shapes are the samples of a chain whose members stayed and of one whose did not.
func shapes() map[string]shape {
	all := map[string]shape{}
	for _, c := range []*chain{newChain("alpha"), handedOver("beta")} {
		for name, r := range c.samples() {
			all[name] = shape{c, r}
		}
	}
	return all
}

func TestLaterMembersAreBelievedOnlyThroughHandovers(t *testing.T) {
	c := handedOver("beta")
	base := func() *receipt.Receipt { return c.samples()["sealed-by-later-members"] }
	v := mustVerify(t, c, base())
	if v.Voters != 4 || v.Signatures != 3 || v.SealedHeight != 8 {
		t.Fatalf("%+v", v)
	}
	handover := func(change func(h *wire.Handover)) []wire.Hex {
		h, err := wire.DecodeHandover(c.handover())
		if err != nil {
			t.Fatal(err)
		}
		change(h)
		return []wire.Hex{wire.Marshal(h)}
	}
	for name, lie := range map[string]func(r *receipt.Receipt){
		"none":                 func(r *receipt.Receipt) { r.Handovers = nil },
		"twice":                func(r *receipt.Receipt) { r.Handovers = append(r.Handovers, c.handover()) },
		"more than needed":     func(r *receipt.Receipt) { r.Cover, r.Seal, r.Execution = nil, c.seal(3, 1, 2), nil },
		"sealed by one":        func(r *receipt.Receipt) { r.Handovers = handover(func(h *wire.Handover) { h.Seal = c.seal(4, 1) }) },
		"sealed by the joiner": func(r *receipt.Receipt) { r.Handovers = handover(func(h *wire.Handover) { h.Seal = c.seal(4, 1, 4) }) },
		"another block's seal": func(r *receipt.Receipt) { r.Handovers = handover(func(h *wire.Handover) { h.Seal = c.seal(3, 1, 2) }) },
		"other members": func(r *receipt.Receipt) {
			r.Handovers = handover(func(h *wire.Handover) { h.Next.Members[3].Key = key(9).Public() })
		},
		"epoch left out": func(r *receipt.Receipt) { r.Handovers = handover(func(h *wire.Handover) { h.Next.Epoch = 3 }) },
		"no handover": func(r *receipt.Receipt) {
			r.Handovers = handover(func(h *wire.Handover) { h.Header, h.Seal = c.headers[3], c.seal(3, 1, 2) })
		},
		"half of the new": func(r *receipt.Receipt) { r.Seal = c.seal(8, 1, 4) },
	} {
		r := base()
		lie(r)
		if _, err := verifyFile(c, receipt.Encode(r), rules.All); err == nil || wire.CodeOf(err) == wire.ErrInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func around(file []byte, i int) []byte { return file[max(0, i-40):min(len(file), i+40)] }

func TestWhiteSpaceIsFree(t *testing.T) {
	for _, r := range newChain("alpha").samples() {
		file := receipt.Encode(r)
		var compact, wide bytes.Buffer
		if err := errors.Join(json.Compact(&compact, file), json.Indent(&wide, file, "\t", "\r\n \t")); err != nil {
			t.Fatal(err)
		}
		for _, other := range [][]byte{compact.Bytes(), wide.Bytes()} {
			again, err := receipt.Decode(other)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(receipt.Encode(again), file) {
				t.Fatal("white space changed the receipt")
			}
		}
	}
}

func TestOtherSpellingsAreRefused(t *testing.T) {
	file := string(receipt.Encode(newChain("alpha").executed(3, 2, 5, 8)))
	for name, change := range map[string][2]string{
		"upper-case hex":     {"8db42a71", "8DB42A71"},
		"key in other case":  {`"seal"`, `"Seal"`},
		"repeated key":       {`"version": 1,`, `"version": 1, "version": 1,`},
		"unknown key":        {`"version": 1,`, `"version": 1, "note": "",`},
		"escape":             {`"raft"`, `"\u0072aft"`},
		"other number":       {`"version": 1,`, `"version": 1.0,`},
		"exponent":           {`"version": 1,`, `"version": 1e0,`},
		"number as text":     {`"version": 1,`, `"version": "1",`},
		"missing key":        {`"version": 1,`, ``},
		"version":            {`"version": 1,`, `"version": 2,`},
		"null for a path":    {`"path": [`, `"path": null, "x": [`},
		"second document":    {"\n}\n", "\n}\n{}"},
		"something after it": {"\n}\n", "\n} x"},
		"byte order mark":    {"{\n  \"version\"", "\ufeff{\n  \"version\""},
		"comment":            {`"version": 1,`, `"version": 1, // one`},
	} {
		changed := strings.Replace(file, change[0], change[1], 1)
		if changed == file {
			t.Errorf("%s: nothing to change", name)
		}
		if _, err := receipt.Decode([]byte(changed)); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
	moved := strings.Replace(file, `  "version": 1,`+"\n", "", 1)
	moved = strings.Replace(moved, "\n}\n", ",\n  \"version\": 1\n}\n", 1)
	if _, err := receipt.Decode([]byte(moved)); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("reordered key: %v", err)
	}
}

func TestOverlongFilesAndPathsAreRefused(t *testing.T) {
	c := newChain("alpha")
	if _, err := receipt.Decode(append(receipt.Encode(c.ordered(3, 2, 3)), bytes.Repeat([]byte{' '}, receipt.MaxFile)...)); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("file: %v", err)
	}
	long := make([]wire.Hash, merkle.MaxPath+1)
	for i, lengthen := range []func(*receipt.Receipt){
		func(r *receipt.Receipt) { r.TxPath = long },
		func(r *receipt.Receipt) { r.Cover.Path = long },
		func(r *receipt.Receipt) { r.Execution.ResultPath = long },
		func(r *receipt.Receipt) { r.Execution.BlockPath = long },
		func(r *receipt.Receipt) { r.Execution.Commitment.Path = long },
	} {
		r := c.executed(3, 2, 5, 8)
		lengthen(r)
		if _, err := receipt.Decode(receipt.Encode(r)); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("path %d: %v", i, err)
		}
	}
}

func TestWellFormedLiesAreRefused(t *testing.T) {
	c, other := newChain("alpha"), newChain("beta")
	base := func() *receipt.Receipt { return c.executed(3, 2, 5, 8) }
	for name, x := range map[string]struct {
		lie  func(r *receipt.Receipt)
		code wire.Code
	}{
		"receipt of another chain": {func(r *receipt.Receipt) { *r = *other.executed(3, 2, 5, 8) }, wire.ErrForeignChain},
		"body of another chain": {func(r *receipt.Receipt) {
			*r = *other.executed(3, 2, 5, 8)
			r.ChainID = c.genesis.ChainID()
		}, wire.ErrForeignChain},
		"transaction of another chain":   {func(r *receipt.Receipt) { r.Tx = other.txs[3][2] }, wire.ErrForeignChain},
		"better hardware":                {func(r *receipt.Receipt) { r.Policy.TEE = "sgx" }, wire.ErrProof},
		"other restart rule":             {func(r *receipt.Receipt) { r.Policy.Restart = "quorum" }, wire.ErrProof},
		"unknown version":                {func(r *receipt.Receipt) { r.Version = 2 }, wire.ErrProof},
		"neighbouring transaction":       {func(r *receipt.Receipt) { r.Tx = c.txs[3][3] }, wire.ErrProof},
		"neighbouring index":             {func(r *receipt.Receipt) { r.Index = 3 }, wire.ErrProof},
		"index beyond the block":         {func(r *receipt.Receipt) { r.Index = 5 }, wire.ErrProof},
		"forged signature":               {func(r *receipt.Receipt) { r.Tx = forged(r.Tx) }, wire.ErrBadSignature},
		"neighbouring block":             {func(r *receipt.Receipt) { r.Header = wire.Marshal(c.headers[4]) }, wire.ErrProof},
		"cover below the block":          {func(r *receipt.Receipt) { *r = *c.ordered(3, 2, 3); r.Cover = cover(c, 2); r.Seal = c.seal(2, 1, 2) }, wire.ErrProof},
		"cover is the block":             {func(r *receipt.Receipt) { *r = *c.ordered(3, 2, 3); r.Cover = cover(c, 3) }, wire.ErrProof},
		"seal of the block on the cover": {func(r *receipt.Receipt) { r.Seal = c.seal(3, 1, 2) }, wire.ErrSealInvalid},
		"seal of a minority":             {func(r *receipt.Receipt) { r.Seal = c.seal(8, 2) }, wire.ErrSealInvalid},
		"seal of nobody":                 {func(r *receipt.Receipt) { r.Seal = nil }, wire.ErrSealInvalid},
		"execution without cover": {func(r *receipt.Receipt) {
			x := r.Execution
			*r = *c.ordered(3, 2, 3)
			r.Execution = x
		}, wire.ErrProof},
		"commitment is the cover": {func(r *receipt.Receipt) {
			r.Execution.Commitment.Header = r.Cover.Header
		}, wire.ErrProof},
		"commitment is missing":  {func(r *receipt.Receipt) { r.Execution.Commitment = nil }, wire.ErrProof},
		"result of a neighbour":  {func(r *receipt.Receipt) { r.Execution.Result = c.results[3][3] }, wire.ErrProof},
		"better result":          {func(r *receipt.Receipt) { r.Execution.Result = recoded(r.Execution.Result, wire.ErrBusy) }, wire.ErrProof},
		"results of other block": {func(r *receipt.Receipt) { r.Execution.BlockRoot = merkle.Root(leaves(c.results[2])) }, wire.ErrProof},
		"other state":            {func(r *receipt.Receipt) { r.Execution.Exec.StateRoot[0] ^= 1 }, wire.ErrProof},
		"execution not yet there": {func(r *receipt.Receipt) {
			r.Execution.Exec = receipt.Exec{Height: c.execs[2].Height, StateRoot: c.execs[2].StateRoot, ResultsRoot: c.execs[2].ResultsRoot}
			r.Execution.Commitment = &receipt.Commitment{Header: wire.Marshal(c.headers[4]), Path: c.historyPath(4, 8)}
		}, wire.ErrProof},
	} {
		r := base()
		x.lie(r)
		if _, err := receipt.Verify(r, c.genesis, rules.All); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	mustVerify(t, c, base())
}

// TestHeadersTheGenesisDoesNotExplainAreRefused has a quorum that seals them.
func TestHeadersTheGenesisDoesNotExplainAreRefused(t *testing.T) {
	for name, change := range map[string]func(h *wire.Header){
		"other epoch":          func(h *wire.Header) { h.Epoch = 2 },
		"other members":        func(h *wire.Header) { h.MembersHash[0] ^= 1 },
		"other engine":         func(h *wire.Header) { h.EngineKind = wire.EngineSolo },
		"execution from ahead": func(h *wire.Header) { h.Height = h.ExecHeight },
		"no transactions":      func(h *wire.Header) { h.TxCount = 0 },
		"other header version": func(h *wire.Header) { h.Version = 2 },
	} {
		c := newChain("alpha")
		for _, at := range []uint64{3, 6} {
			r := c.executed(3, 2, 6, 6)
			h := *c.headers[at]
			change(&h)
			if at == 3 {
				r.Header = wire.Marshal(&h)
			} else {
				r.Cover.Header = wire.Marshal(&h)
			}
			anySeal := rules.All
			anySeal.Seal = func(*wire.MemberSet, *wire.Header, wire.Hash, []byte) error { return nil }
			if name == "no transactions" && at == 6 {
				continue // says nothing about the block
			}
			if _, err := receipt.Verify(r, c.genesis, anySeal); wire.CodeOf(err) != wire.ErrProof {
				t.Errorf("%s at height %d: %v", name, at, err)
			}
		}
	}
}

func TestHostileFieldsAreErrorsNotPanics(t *testing.T) {
	c := newChain("alpha")
	rapid.Check(t, func(t *rapid.T) {
		r := c.executed(3, 2, 5, 8)
		junk := rapid.SliceOf(rapid.Byte()).Draw(t, "junk")
		hashes := make([]wire.Hash, rapid.IntRange(0, 100).Draw(t, "hashes"))
		for _, spoil := range []func(){
			func() { r.Tx = junk }, func() { r.Header = junk }, func() { r.Seal = junk }, func() { r.Cover.Header = junk },
			func() { r.TxPath = hashes }, func() { r.Cover.Path = hashes }, func() { r.Execution.BlockPath = hashes },
			func() { r.Execution.ResultPath = hashes }, func() { r.Execution.Commitment.Header = junk },
			func() { r.Execution.Result = junk }, func() { r.Execution.Exec.Height = rapid.Uint64Range(4, 1<<64-1).Draw(t, "height") },
		} {
			r = c.executed(3, 2, 5, 8)
			spoil()
			if _, err := receipt.Verify(r, c.genesis, rules.All); err == nil {
				t.Fatal("accepted")
			}
		}
	})
}

// TestFormatIsPinned compares with files that programs of users may hold.
func TestFormatIsPinned(t *testing.T) {
	c := newChain("alpha")
	files := map[string][]byte{"genesis.json": c.genesis.File()}
	for name, r := range c.samples() {
		files[name+".json"] = receipt.Encode(r)
	}
	for name, got := range files {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what this version writes", path)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c := newChain("alpha")
	for _, r := range c.samples() {
		f.Add(receipt.Encode(r))
	}
	seal := remembering(rules.All)
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := receipt.Decode(file)
		if err != nil {
			return
		}
		var given, own bytes.Buffer
		if err := errors.Join(json.Compact(&given, file), json.Compact(&own, receipt.Encode(r))); err != nil || given.String() != own.String() {
			t.Fatalf("accepted a second form: %v", err)
		}
		if _, err := receipt.Verify(r, c.genesis, seal); wire.CodeOf(err) == wire.ErrInternal {
			t.Fatalf("%v carries no code", err)
		}
	})
}

func BenchmarkVerifyExecuted(b *testing.B) {
	c := newChain("alpha")
	file := receipt.Encode(c.executed(3, 2, 5, 8))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifyFile(c, file, rules.All); err != nil {
			b.Fatal(err)
		}
	}
}

func cover(c *chain, h uint64) *receipt.Cover {
	return &receipt.Cover{Header: wire.Marshal(c.headers[h]), Path: c.historyPath(min(h, 1), h)}
}

func forged(b []byte) []byte {
	tx, err := wire.DecodeTx(b)
	if err != nil {
		panic(err)
	}
	forge(tx)
	return tx.Bytes()
}

func recoded(b []byte, code wire.Code) []byte {
	r, err := wire.DecodeResult(b)
	if err != nil {
		panic(err)
	}
	r.Code = code
	return r.Bytes()
}
