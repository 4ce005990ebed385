package anchor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// world is a Bitcoin with one node and a ledger, as far as the machine's order of
// events depends on them: blocks, a pool with the rules of replacement, records.
type world struct {
	key    *Key
	chain  []*bitcoin.Block // from height 0
	pool   map[bitcoin.Hash]*bitcoin.Tx
	serial uint32 // makes every made-up transaction another

	spent   map[bitcoin.Outpoint]bool // memory of unspent
	spentAt bitcoin.Hash              // tip it holds for

	keyMRs  []wire.Hash // of the ledger's heights
	records map[uint32]Place
	seen    map[uint32]wire.Hash // KeyMR of every transaction sent for a height
	wrong   string               // what broke a rule
}

func simnet() *bitcoin.Network {
	n, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		panic(err)
	}
	return n
}

func testKey(kind string) *Key {
	k, err := ParseKey("0101010101010101010101010101010101010101010101010101010101010101", kind, simnet())
	if err != nil {
		panic(err)
	}
	return k
}

func newWorld(k *Key) *world {
	w := &world{key: k, pool: map[bitcoin.Hash]*bitcoin.Tx{}, records: map[uint32]Place{}, seen: map[uint32]wire.Hash{}}
	w.mine(nil)
	return w
}

func parse(tx *btc.MsgTx) *bitcoin.Tx {
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		panic(err)
	}
	t, err := bitcoin.ParseTx(b.Bytes())
	if err != nil {
		panic(err)
	}
	return t
}

// madeUp is a transaction of somebody else that spends and pays.
func (w *world) madeUp(from bitcoin.Outpoint, to []byte, value int64) *bitcoin.Tx {
	w.serial++
	tx := btc.NewMsgTx(2)
	tx.LockTime = w.serial
	tx.AddTxIn(btc.NewTxIn(&btc.OutPoint{Hash: chainhash.Hash(from.Tx), Index: from.Index}, []byte{1, 2, 3}, nil))
	tx.AddTxOut(btc.NewTxOut(value, to))
	return parse(tx)
}

// fund pays the key in the pool.
func (w *world) fund(value int64) {
	tx := w.madeUp(bitcoin.Outpoint{Tx: bitcoin.Hash{0xfe}, Index: w.serial}, w.key.script, value)
	w.pool[tx.ID()] = tx
}

// mine makes a block of pool transactions that choose takes (nil: all), parents
// first.
func (w *world) mine(choose func() bool) {
	height := uint32(len(w.chain))
	first := w.madeUp(bitcoin.Outpoint{Index: 1<<32 - 1}, []byte{0x51}, 50)
	b := &bitcoin.Block{Txs: []*bitcoin.Tx{first}}
	for grown := true; grown; {
		grown = false
		spent := w.unspent()
		for _, id := range w.poolIDs() {
			tx := w.pool[id]
			if w.fits(tx, spent, b.Txs) && (choose == nil || choose()) {
				b.Txs, grown = append(b.Txs, tx), true
				delete(w.pool, id)
			}
		}
	}
	if height > 0 {
		b.Prev = w.chain[height-1].Hash()
	}
	root, err := bitcoin.MerkleRoot(b.IDs())
	if err != nil {
		panic(err)
	}
	b.Root, b.Time = root, height
	w.chain = append(w.chain, b)
	w.purge()
}

func (w *world) poolIDs() []bitcoin.Hash {
	ids := make([]bitcoin.Hash, 0, len(w.pool))
	for id := range w.pool {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b bitcoin.Hash) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// has reports whether a block is in the chain.
func (w *world) has(at Place) bool {
	return int(at.Height) < len(w.chain) && w.chain[at.Height].Hash() == at.Hash
}

// unspent are all outputs that the chain made or spent, and whether they can be
// spent now.
func (w *world) unspent() map[bitcoin.Outpoint]bool {
	if tip := w.tip(); w.spentAt == tip {
		return w.spent
	}
	all := map[bitcoin.Outpoint]bool{}
	defer func() { w.spent, w.spentAt = all, w.tip() }()
	for _, b := range w.chain {
		for _, tx := range b.Txs {
			for _, in := range tx.Inputs {
				all[in.Prev] = false
			}
			for i := range tx.Outputs {
				all[bitcoin.Outpoint{Tx: tx.ID(), Index: uint32(i)}] = true
			}
		}
	}
	return all
}

// scan is what a node says of the key's coins.
func (w *world) scan() Unspent {
	u := Unspent{Tip: Place{Height: uint32(len(w.chain) - 1), Hash: w.tip()}}
	unspent := w.unspent()
	for height, b := range w.chain {
		for _, tx := range b.Txs {
			for i, out := range tx.Outputs {
				at := bitcoin.Outpoint{Tx: tx.ID(), Index: uint32(i)}
				if unspent[at] && bytes.Equal(out.Script, w.key.script) {
					u.Coins = append(u.Coins, Coin{Out: at, Value: out.Value, Born: uint32(height)})
				}
			}
		}
	}
	return u
}

func (w *world) tip() bitcoin.Hash {
	if len(w.chain) == 0 {
		return bitcoin.Hash{}
	}
	return w.chain[len(w.chain)-1].Hash()
}

// outside marks made-up money, which comes from nowhere.
func outside(out bitcoin.Outpoint) bool { return out.Tx == bitcoin.Hash{0xfe} }

// fits reports whether a transaction can follow others in the next block.
func (w *world) fits(tx *bitcoin.Tx, unspent map[bitcoin.Outpoint]bool, before []*bitcoin.Tx) bool {
	for _, in := range tx.Inputs {
		ok := unspent[in.Prev]
		if _, known := unspent[in.Prev]; outside(in.Prev) && !known {
			ok = true
		}
		for _, b := range before {
			if b.ID() == in.Prev.Tx {
				ok = true
			}
		}
		for _, b := range before {
			for _, other := range b.Inputs {
				ok = ok && other.Prev != in.Prev
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// purge drops from the pool what the chain made impossible.
func (w *world) purge() {
	for gone := true; gone; {
		gone = false
		for id, tx := range w.pool {
			if w.orphan(tx) {
				delete(w.pool, id)
				gone = true
			}
		}
	}
}

func (w *world) orphan(tx *bitcoin.Tx) bool {
	unspent := w.unspent()
	for _, in := range tx.Inputs {
		there, known := unspent[in.Prev]
		_, pooled := w.pool[in.Prev.Tx]
		if !there && !pooled && (known || !outside(in.Prev)) {
			return true
		}
	}
	return false
}

// reorg replaces n blocks by n+1. What was in them is in the pool again, if keep.
func (w *world) reorg(n int, keep bool, choose func() bool) {
	gone := w.chain[len(w.chain)-n:]
	w.chain = w.chain[:len(w.chain)-n]
	for _, b := range gone {
		for _, tx := range b.Txs[1:] {
			if keep || !w.isAnchor(tx) {
				w.pool[tx.ID()] = tx
			}
		}
	}
	w.purge()
	for range n + 1 {
		w.mine(choose)
	}
}

func (w *world) isAnchor(tx *bitcoin.Tx) bool {
	_, _, err := factom.ParseAnchorScript(tx.Outputs[0].Script)
	return err == nil
}

// send is what a node does with a transaction.
func (w *world) send(tx *bitcoin.Tx) *Refused {
	w.witness(tx)
	if w.pool[tx.ID()] != nil || w.inChain(tx.ID()) {
		return nil
	}
	if w.orphan(tx) {
		return &Refused{Reason: "missing inputs"}
	}
	gone := w.conflicts(tx)
	var fees uint64
	for _, g := range gone {
		fees += w.fee(g)
		if w.fee(tx)*uint64(g.VirtualSize()) <= w.fee(g)*uint64(tx.VirtualSize()) {
			return &Refused{Reason: "replacement: fee rate", Fee: true}
		}
		for _, in := range tx.Inputs {
			if in.Prev.Tx == g.ID() {
				return &Refused{Reason: "replacement spends what it replaces"}
			}
		}
	}
	if len(gone) > 0 && w.fee(tx) < fees+uint64(tx.VirtualSize()) {
		return &Refused{Reason: "replacement: fee", Fee: true}
	}
	if w.fee(tx) < uint64(tx.VirtualSize()) {
		return &Refused{Reason: "relay fee", Fee: true}
	}
	for _, g := range gone {
		delete(w.pool, g.ID())
	}
	w.pool[tx.ID()] = tx
	return nil
}

// conflicts are the pool's transactions that spend the same, and what hangs on
// them.
func (w *world) conflicts(tx *bitcoin.Tx) (list []*bitcoin.Tx) {
	bad := map[bitcoin.Hash]bool{}
	for grown := true; grown; {
		grown = false
		for id, other := range w.pool {
			for _, in := range other.Inputs {
				hit := bad[in.Prev.Tx]
				for _, mine := range tx.Inputs {
					hit = hit || mine.Prev == in.Prev
				}
				if hit && !bad[id] {
					bad[id], grown = true, true
					list = append(list, other)
				}
			}
		}
	}
	return list
}

func (w *world) inChain(id bitcoin.Hash) bool {
	for _, b := range w.chain {
		for _, tx := range b.Txs {
			if tx.ID() == id {
				return true
			}
		}
	}
	return false
}

func (w *world) fee(tx *bitcoin.Tx) uint64 {
	if !w.isAnchor(tx) {
		return 1 << 40 // others pay what it takes
	}
	var in, out uint64
	for _, i := range tx.Inputs {
		in += w.value(i.Prev)
	}
	for _, o := range tx.Outputs {
		out += o.Value
	}
	return in - out
}

func (w *world) value(out bitcoin.Outpoint) uint64 {
	if tx := w.pool[out.Tx]; tx != nil {
		return tx.Outputs[out.Index].Value
	}
	for _, b := range w.chain {
		for _, tx := range b.Txs {
			if tx.ID() == out.Tx {
				return tx.Outputs[out.Index].Value
			}
		}
	}
	return 0
}

// witness holds every transaction that is sent against the rules that never
// break.
func (w *world) witness(tx *bitcoin.Tx) {
	height, keyMR, err := factom.ParseAnchorScript(tx.Outputs[0].Script)
	if err != nil {
		w.wrong = "sent no anchor"
		return
	}
	if before, again := w.seen[height]; again && before != keyMR {
		w.wrong = fmt.Sprintf("two KeyMRs sent for height %d", height)
	}
	w.seen[height] = keyMR
	if keyMR != w.keyMRs[height] {
		w.wrong = fmt.Sprintf("height %d sent with another KeyMR than the ledger's", height)
	}
	if len(tx.Outputs) > 2 || len(tx.Outputs) == 2 && (!bytes.Equal(tx.Outputs[1].Script, w.key.script) || tx.Outputs[1].Value < w.key.dust()) {
		w.wrong = "change is dust, or goes elsewhere"
	}
	if most := w.key.size(len(tx.Inputs), len(tx.Outputs) == 2); uint64(tx.VirtualSize()) > most {
		w.wrong = fmt.Sprintf("%d virtual bytes, counted as %d", tx.VirtualSize(), most)
	}
}

// close closes a directory block.
func (w *world) close() {
	var h wire.Hash
	binary.BigEndian.PutUint32(h[:], uint32(len(w.keyMRs)+1))
	w.keyMRs = append(w.keyMRs, h)
}

// onePerHeight looks for two transactions of one height in the pool or the chain.
func (w *world) onePerHeight() string {
	count := map[uint32]int{}
	add := func(tx *bitcoin.Tx) {
		if height, _, err := factom.ParseAnchorScript(tx.Outputs[0].Script); err == nil {
			count[height]++
		}
	}
	for _, tx := range w.pool {
		add(tx)
	}
	for _, b := range w.chain {
		for _, tx := range b.Txs {
			add(tx)
		}
	}
	for height, n := range count {
		if n > 1 {
			return fmt.Sprintf("%d transactions of height %d", n, height)
		}
	}
	return ""
}
