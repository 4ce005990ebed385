package token

import (
	"encoding/binary"
	"fmt"

	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// Unproved state of the family.
var (
	coinbaseKey = []byte("c") // token.Coinbase
	openingKey  = []byte("g") // opening
	comingKey   = []byte("r") // token.Rate that is decided and not in force
)

// opening is what the first period begins with: what the genesis allocated.
type opening struct {
	_       struct{} `cbor:",toarray"`
	Outputs []output
	Credits []credit
}

type output struct {
	_      struct{} `cbor:",toarray"`
	To     wire.Account
	Amount uint64
}

type credit struct {
	_      struct{} `cbor:",toarray"`
	To     wire.PublicKey
	Amount uint64
}

// note takes an allocation over. Credits of who is known by an account alone
// have no place in entry credit blocks, which name keys.
func (o *opening) note(a token.Allocation, account wire.Account) {
	if a.Factoshis > 0 {
		o.Outputs = append(o.Outputs, output{To: account, Amount: a.Factoshis})
	}
	if kind, key, err := wire.ParseAddress(a.Address); err == nil && kind == wire.CreditAddressKind && a.Credits > 0 {
		o.Credits = append(o.Credits, credit{To: key, Amount: a.Credits})
	}
}

func (o *opening) save(st ledger.State) error { return st.Aside().Set(openingKey, wire.Marshal(o)) }

func loadOpening(st ledger.State) (*opening, error) {
	o := new(opening)
	b, err := st.Aside().Get(openingKey)
	if err != nil {
		return nil, err
	}
	if err := wire.Unmarshal(b, o, ledger.MaxValue); err != nil {
		return nil, fmt.Errorf("token: genesis allocations in state: %w", err)
	}
	return o, nil
}

// descriptor is a promise to pay servers, under its directory height.
type descriptor struct {
	_       struct{} `cbor:",toarray"`
	Outputs []output // Amount 0: cancelled
}

func descriptorKey(height uint32) []byte { return binary.BigEndian.AppendUint32([]byte("j"), height) }

func loadDescriptor(st ledger.State, height uint32) (*descriptor, error) {
	b, err := st.Aside().Get(descriptorKey(height))
	if err != nil || b == nil {
		return nil, err
	}
	d := new(descriptor)
	if err := wire.Unmarshal(b, d, ledger.MaxValue); err != nil {
		return nil, fmt.Errorf("token: coinbase descriptor %d in state: %w", height, err)
	}
	return d, nil
}

// OpenPeriod does what is due when a period begins: the rate that comes into
// force, the coinbase transaction, and every so often the promise of the next one.
// servers are who orders blocks, in the order of their slots.
func OpenPeriod(e *ledger.End, period *directory.Open, servers []wire.PublicKey) error {
	st, data := e.State(token.Name), e.State(record.Name)
	if err := turnRate(st, data, period.Height); err != nil {
		return err
	}
	outputs, err := payout(st, period.Height)
	if err != nil {
		return err
	}
	base := factom.Transaction{TimestampMs: period.OpenedMs}
	for _, o := range outputs {
		base.AddOutput(o.Amount, o.To)
	}
	if err := period.AddFactoid(data, e.Height, base.Bytes()); err != nil {
		return err
	}
	if period.Height == 0 {
		return openingCredits(st, data, e.Height, period, base.TXID())
	}
	return promise(st, data, e.Height, period, servers)
}

func openingCredits(st, data ledger.State, height uint64, period *directory.Open, txid wire.Hash) error {
	o, err := loadOpening(st)
	if err != nil {
		return err
	}
	for i, c := range o.Credits {
		increase := &factom.BalanceIncrease{Key: c.To, TXID: txid, Index: uint64(i), Credits: c.Amount}
		if err := period.AddCredit(data, height, factom.IncreaseObject(increase)); err != nil {
			return err
		}
	}
	return nil
}

// payout is what the coinbase of a period pays, already given: the genesis's
// allocations in the first, later what a descriptor promised.
func payout(st ledger.State, height uint32) ([]output, error) {
	if height == 0 {
		o, err := loadOpening(st)
		if err != nil {
			return nil, err
		}
		return o.Outputs, nil
	}
	c, ok, err := ledger.Load[token.Coinbase](st.Aside(), coinbaseKey)
	if err != nil || !ok || height <= c.Delay {
		return nil, err
	}
	d, err := loadDescriptor(st, height-c.Delay)
	if err != nil || d == nil {
		return nil, err
	}
	s, err := supply(st)
	if err != nil {
		return nil, err
	}
	var paid []output
	for _, o := range d.Outputs {
		if o.Amount == 0 || o.Amount > token.MaxAmount-s.Factoshis {
			continue // cancelled, or more than there may be
		}
		paid = append(paid, o)
		s.Factoshis += o.Amount
		s.Minted += o.Amount
		if err := give(st, o.To, o.Amount, 0); err != nil {
			return nil, err
		}
	}
	if err := st.Aside().Delete(descriptorKey(height - c.Delay)); err != nil {
		return nil, err
	}
	return paid, ledger.Save(st, token.SupplyKey, s)
}

// promise records a descriptor: the same for every server.
func promise(st, data ledger.State, height uint64, period *directory.Open, servers []wire.PublicKey) error {
	c, ok, err := ledger.Load[token.Coinbase](st.Aside(), coinbaseKey)
	if err != nil || !ok || period.Height%c.Every != 0 {
		return err
	}
	d, message := new(descriptor), new(factom.CoinbaseDescriptor)
	for _, s := range servers {
		d.Outputs = append(d.Outputs, output{To: wire.AccountOf(s), Amount: c.Factoshis})
		message.Outputs = append(message.Outputs, factom.TransAddress{Amount: c.Factoshis, Address: wire.Hash(wire.AccountOf(s))})
	}
	if len(d.Outputs) > 0 {
		if err := st.Aside().Set(descriptorKey(period.Height), wire.Marshal(d)); err != nil {
			return err
		}
	}
	return period.AddAdmin(data, height, message)
}

// turnRate puts a rate in force whose time has come.
func turnRate(st, data ledger.State, height uint32) error {
	s, err := supply(st)
	if err != nil {
		return err
	}
	next, waiting, err := ledger.Load[token.Rate](st.Aside(), comingKey)
	if err != nil {
		return err
	}
	if waiting && next.From <= height {
		s.Rate, waiting = next.Factoshis, false
		if err := ledger.Save(st, token.SupplyKey, s); err != nil {
			return err
		}
		if err := st.Aside().Delete(comingKey); err != nil {
			return err
		}
	}
	pending := uint64(0)
	if waiting {
		pending = next.Factoshis
	}
	return directory.SetRates(data, s.Rate, pending)
}
