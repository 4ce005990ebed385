package factom

import (
	"cloister/wire"
)

// unit is one of the two kinds of money, by the addresses that hold it.
type unit struct {
	kind  wire.AddressKind
	empty string // what an empty address is called in a list
	of    func(b Balance) (now, saved uint64)
}

var (
	creditUnit  = unit{wire.CreditAddressKind, "No EC addresses", func(b Balance) (uint64, uint64) { return b.Credits, b.SavedCredits }}
	factoidUnit = unit{wire.FactoidAddressKind, "No FCT addresses", func(b Balance) (uint64, uint64) { return b.Factoshis, b.SavedFactoshis }}
)

// account reads an address of the unit's kind, or the 64 hex digits of its
// payload; the other kind's text is an error.
func (u unit) account(t []byte) (a wire.Account, ok bool) {
	var payload wire.Hash
	if !decodeHash(&payload, t) {
		kind, p, err := wire.ParseAddress(string(t))
		if err != nil || kind != u.kind {
			return a, false
		}
		payload = p
	}
	if u.kind == wire.CreditAddressKind {
		return wire.AccountOf(wire.PublicKey(payload)), true
	}
	return wire.Account(payload), true
}

func (s *Server) creditBalance(c *call) *failure   { return s.balance(c, creditUnit) }
func (s *Server) factoidBalance(c *call) *failure  { return s.balance(c, factoidUnit) }
func (s *Server) creditBalances(c *call) *failure  { return s.balances(c, creditUnit) }
func (s *Server) factoidBalances(c *call) *failure { return s.balances(c, factoidUnit) }

func (s *Server) balance(c *call, u unit) *failure {
	t, f := c.params.text("address")
	if f != nil {
		return f
	}
	account, ok := u.account(t)
	if !ok {
		return errAddress
	}
	list, f := s.balancesOf(c, []wire.Account{account})
	if f != nil {
		return f
	}
	now, _ := u.of(list[0])
	c.out = append(appendNumber(c.out, `{"balance":`, now), '}')
	return nil
}

// balancesOf asks the core, and does not believe it to answer for every account.
func (s *Server) balancesOf(c *call, accounts []wire.Account) ([]Balance, *failure) {
	if len(accounts) == 0 {
		return nil, nil
	}
	list, err := s.state.Balances(c.ctx, accounts)
	if err == nil && len(list) != len(accounts) {
		err = wire.Faultf(wire.ErrInternal, "%d balances for %d accounts", len(list), len(accounts))
	}
	if err != nil {
		return nil, s.trouble(err)
	}
	return list, nil
}

type balanceJSON struct {
	Now   uint64 `json:"ack"`
	Saved uint64 `json:"saved"`
	Error string `json:"err"`
}

// balances answers for many addresses at once; one that is none gets zeros and
// a word of its own.
func (s *Server) balances(c *call, u unit) *failure {
	value, ok := c.params.field("addresses")
	if !ok || value == nil {
		return errAddresses
	}
	list, ok := parseArray(value)
	if !ok {
		return errAddresses
	}
	shown, accounts, places := []balanceJSON{}, []wire.Account{}, []int{}
	for {
		element, more := list.next()
		if !more {
			break
		}
		t, ok := text(element)
		if !ok {
			return errAddresses
		}
		account, ok := u.account(t)
		switch {
		case len(t) == 0:
			shown = append(shown, balanceJSON{Error: u.empty})
		case !ok:
			shown = append(shown, balanceJSON{Error: "Error decoding address"})
		default:
			accounts, places = append(accounts, account), append(places, len(shown))
			shown = append(shown, balanceJSON{})
		}
	}
	found, f := s.balancesOf(c, accounts)
	if f != nil {
		return f
	}
	for i, b := range found {
		shown[places[i]].Now, shown[places[i]].Saved = u.of(b)
	}
	now := s.source.Now()
	c.out = appendJSON(c.out, struct {
		Height   uint32        `json:"currentheight"`
		Saved    uint32        `json:"lastsavedheight"`
		Balances []balanceJSON `json:"balances"`
	}{now.Height, now.Saved, shown})
	return nil
}

// creditRate is the higher of the rate in force and the one decided to come, so
// that who buys just before a change does not pay too little.
func (s *Server) creditRate(c *call) *failure {
	now, pending, err := s.state.Rate(c.ctx)
	if err != nil {
		return s.trouble(err)
	}
	c.out = append(appendNumber(c.out, `{"rate":`, max(now, pending)), '}')
	return nil
}
