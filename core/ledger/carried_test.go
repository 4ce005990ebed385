package ledger_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// mail is a family whose payloads have signatures of their own: any number of key
// and signature, then a letter, which they sign.
//
//	number(1) ‖ (key(32) ‖ signature(64))* ‖ letter
//
// A letter is what to do(1) ‖ id(1) ‖ until when to remember the id, ms(8).
type mail struct{}

const mailName = "mail"

// What a letter makes the family do with its id.
const (
	delivers = 'd' // count it, if it is new
	returns  = 'r' // the same, then refuse
	signs    = 's' // is signed as usual
)

var (
	delivered = []byte("delivered")
	postage   = ledger.Price{Credits: 3, Fee: 4}
)

type parcel struct {
	signed []wire.Signed
	letter []byte
}

var _ ledger.Carrier = mail{}

func (mail) Name() string                                { return mailName }
func (mail) Genesis(ledger.State, json.RawMessage) error { return nil }
func (mail) Price(*ledger.Call) (ledger.Price, error)    { return ledger.Price{Credits: 1}, nil }
func (mail) Admit(c *ledger.Call) error                  { _, err := open(c); return err }

func (mail) Check(tx *wire.Tx) (any, error) {
	const one = 32 + 64
	b := tx.Payload
	if len(b) < 1 || len(b) != 1+int(b[0])*one+10 {
		return nil, wire.Faultf(wire.ErrMalformed, "%d bytes", len(b))
	}
	p := &parcel{letter: b[1+int(b[0])*one:]}
	for i := range int(b[0]) {
		at := b[1+i*one:]
		p.signed = append(p.signed, wire.Signed{Key: wire.PublicKey(at[:32]), Signature: wire.Signature(at[32:one]), Message: p.letter})
	}
	return p, nil
}

func (mail) Signed(payload any) ([]wire.Signed, bool) {
	p := payload.(*parcel)
	return p.signed, p.letter[0] != signs
}

func open(c *ledger.Call) (*parcel, error) {
	p := c.Payload.(*parcel)
	fresh, err := c.Once(wire.TH("test/letter", p.letter[1:]), binary.BigEndian.Uint64(p.letter[2:]))
	if err == nil && !fresh {
		err = wire.ErrReplayed
	}
	return p, err
}

func (mail) Execute(c *ledger.Call) ([]byte, error) {
	p, err := open(c)
	if err != nil {
		return nil, err
	}
	c.Charged(postage)
	c.Record(p.letter)
	for _, st := range []ledger.State{c.State(mailName), c.State(mailName).Aside()} {
		b, err := st.Get(delivered)
		if err != nil {
			return nil, err
		}
		if err := st.Set(delivered, append(bytes.Clone(b), p.letter[1])); err != nil {
			return nil, err
		}
	}
	if p.letter[0] == returns {
		return nil, wire.ErrBusy
	}
	return p.letter[1:2], nil
}

func withMail(t testing.TB) *ledgertest.Chain {
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: mailName})
	return ledgertest.New(t, store.NewMemory(), g, []ledger.Family{mail{}})
}

// letter is remembered for a minute.
func letter(c *ledgertest.Chain, do, id byte) []byte {
	return binary.BigEndian.AppendUint64([]byte{do, id}, c.NextMs()+60_000)
}

// post carries a letter that keys have signed.
func post(c *ledgertest.Chain, letter []byte, keys ...wire.PrivateKey) *wire.Tx {
	payload := []byte{byte(len(keys))}
	for _, k := range keys {
		key, sig := k.Public(), k.SignMessage(letter)
		payload = append(append(payload, key[:]...), sig[:]...)
	}
	return c.Carry(mailName, append(payload, letter...))
}

// box is what was delivered, as proved and unproved state have it.
func box(c *ledgertest.Chain) (proved, aside string) {
	c.View(func(v *ledger.View) {
		for at, st := range map[*string]ledger.State{&proved: v.State(mailName), &aside: v.State(mailName).Aside()} {
			b, err := st.Get(delivered)
			if err != nil {
				c.Fatal(err)
			}
			*at = string(b)
		}
	})
	return proved, aside
}

func boxIs(c *ledgertest.Chain, want string) {
	c.Helper()
	if proved, aside := box(c); proved != want || aside != want {
		c.Fatalf("delivered %q and %q, want %q", proved, aside, want)
	}
}

// One message has one encoding and one id, or whoever carries it could give it
// another.
func TestACarriedMessageHasOneEncoding(t *testing.T) {
	c := withMail(t)
	good := post(c, letter(c, delivers, 'a'), ledgertest.Alice)
	if got := c.Check(good); got.Code != wire.OK || !got.Carried {
		t.Fatalf("%+v", got)
	}
	for name, spoil := range map[string]func(*wire.Tx){
		"time":      func(tx *wire.Tx) { tx.NotAfterMs = c.NextMs() },
		"nonce":     func(tx *wire.Tx) { tx.Nonce[11] = 1 },
		"payer":     func(tx *wire.Tx) { tx.Payer = ledgertest.Alice.Public() },
		"signature": func(tx *wire.Tx) { tx.Signature[63] = 1 },
		"all":       func(tx *wire.Tx) { tx.NotAfterMs = c.NextMs(); tx.Sign(ledgertest.Alice) },
	} {
		tx := *good
		spoil(&tx)
		if got := c.Check(&tx); got.Code != wire.ErrMalformed {
			t.Errorf("%s: %s", name, got.Code)
		}
		if r := c.One(&tx); r.Code != wire.ErrMalformed {
			t.Errorf("%s: %s in a block", name, r.Code)
		}
	}
	c.OK(good)
}

// Leaving the signature out is no way around it, in a family that carries
// messages or in another.
func TestOnlyCarriedMessagesComeUnsigned(t *testing.T) {
	c := withMail(t)
	unsigned := post(c, letter(c, signs, 'a'), ledgertest.Alice)
	if got := c.Check(unsigned); got.Code != wire.ErrBadSignature {
		t.Errorf("%s", got.Code)
	}
	if r := c.One(unsigned); r.Code != wire.ErrBadSignature {
		t.Errorf("%s in a block", r.Code)
	}
	c.OK(c.Tx(ledgertest.Alice, mailName, unsigned.Payload))
	d := withCounter(t)
	if got := d.Check(d.Carry(counterName, []byte{adds})); got.Code != wire.ErrBadSignature {
		t.Errorf("another family: %s", got.Code)
	}
}

// All signatures of all messages are verified together, and a bad one costs its
// own message only.
func TestEverySignatureOfACarriedMessageCounts(t *testing.T) {
	c := withMail(t)
	var raws [][]byte
	var want []wire.Code
	add := func(code wire.Code, forged int, keys ...wire.PrivateKey) {
		tx := post(c, letter(c, delivers, byte(len(raws))), keys...)
		if forged >= 0 {
			tx.Payload[1+forged*96+40] ^= 1
		}
		raws, want = append(raws, tx.Bytes()), append(want, code)
	}
	add(wire.OK, -1, ledgertest.Alice)
	add(wire.OK, -1)
	add(wire.OK, -1, ledgertest.Alice, ledgertest.Bob, ledgertest.Carol)
	add(wire.ErrBadSignature, 0, ledgertest.Alice, ledgertest.Bob)
	add(wire.ErrBadSignature, 1, ledgertest.Alice, ledgertest.Bob)
	add(wire.OK, -1, ledgertest.Bob)
	verified := ledger.NewVerified(64)
	for round := range 2 { // the second time from memory
		for i, got := range ledger.CheckTxs(raws, c.Genesis.ChainID(), c.Ledger.Families(), verified) {
			if got.Code != want[i] {
				t.Errorf("round %d, message %d: %s, want %s", round, i, got.Code, want[i])
			}
		}
	}
}

// Nobody is charged for a carried message but whom it names, and only the family
// knows it again.
func TestTheLedgerNeitherChargesNorRemembersACarriedMessage(t *testing.T) {
	c := withMail(t)
	first := c.OK(post(c, letter(c, delivers, 'a')))
	if r := c.Result(first, 0); r.Credits != postage.Credits || r.Fee != postage.Fee || string(r.Output) != "a" {
		t.Fatalf("%+v, want what the family says it cost", r)
	}
	if n := remembered(c); n != 1 {
		t.Fatalf("%d ids are remembered, want the family's one", n)
	}
	refused := c.One(post(c, letter(c, returns, 'b')))
	if refused.Code != wire.ErrBusy || refused.Credits != 0 || refused.Fee != 0 {
		t.Fatalf("a refused message cost %+v", refused)
	}
	boxIs(c, "a")
}

func TestOnceIsWithinABlockAndAcrossBlocks(t *testing.T) {
	eachMail(t, func(t *testing.T, c *ledgertest.Chain) {
		x := letter(c, delivers, 'a')
		until := binary.BigEndian.Uint64(x[2:])
		tx, other := post(c, x, ledgertest.Alice), post(c, x, ledgertest.Bob) // two messages, one id
		codes := func(timeMs uint64, want ...wire.Code) {
			t.Helper()
			done := c.RunAt(timeMs, tx, other)
			for i := range want {
				if r := c.Result(done, i); r.Code != want[i] {
					t.Fatalf("message %d: %s, want %s", i, r.Code, want[i])
				}
			}
		}
		for range 2 { // admission remembers nothing
			if code := c.Admit(tx); code != wire.OK {
				t.Fatal(code)
			}
		}
		codes(c.NextMs(), wire.OK, wire.ErrReplayed)
		if code := c.Admit(other); code != wire.ErrReplayed {
			t.Fatalf("admission: %s", code)
		}
		codes(c.NextMs(), wire.ErrReplayed, wire.ErrReplayed)
		c.Open(c.Store)
		codes(until-1, wire.ErrReplayed, wire.ErrReplayed)
		codes(until, wire.ErrReplayed, wire.ErrReplayed)
		// Afterwards nothing is remembered, and nothing is new.
		codes(until+1, wire.ErrReplayed, wire.ErrReplayed)
		codes(until+120_000, wire.ErrReplayed, wire.ErrReplayed)
		codes(until+180_000, wire.ErrReplayed, wire.ErrReplayed)
		if n := remembered(c); n != 0 {
			t.Fatalf("%d ids are remembered after their time", n)
		}
		boxIs(c, "a")
	})
}

func TestWhatARefusedMessageHadRememberedIsForgotten(t *testing.T) {
	eachMail(t, func(t *testing.T, c *ledgertest.Chain) {
		refused := letter(c, returns, 'a')
		x := append([]byte{delivers}, refused[1:]...)
		done := c.Run(post(c, refused), post(c, refused), post(c, x), post(c, refused))
		for i, want := range []wire.Code{wire.ErrBusy, wire.ErrBusy, wire.OK, wire.ErrReplayed} {
			if r := c.Result(done, i); r.Code != want {
				t.Errorf("message %d: %s, want %s", i, r.Code, want)
			}
		}
		boxIs(c, "a")
		if len(done.Entries) != 1 || remembered(c) != 1 {
			t.Errorf("%d leaves, %d ids", len(done.Entries), remembered(c))
		}
	})
}

// eachMail runs a test on every driver.
func eachMail(t *testing.T, test func(t *testing.T, c *ledgertest.Chain)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: mailName})
			test(t, ledgertest.New(t, open(t), g, []ledger.Family{mail{}}))
		})
	}
}
