package governance

import (
	"fmt"

	"cloister/wire"
)

// Name is the family's name in transactions.
const Name = "governance"

// Bounds.
const (
	MaxAuthorities = 32
	MaxOpen        = 64       // proposals open at a time; each authority has its share
	MaxOrder       = 15 << 10 // bytes of an order
	MaxResult      = 768      // bytes of what an order's family answers

	DefaultLifetimeMs = 7 * 24 * 3600 * 1000
	MaxLifetimeMs     = 90 * 24 * 3600 * 1000

	maxProposal  = MaxOrder + MaxAuthorities*34 + 256
	maxAuthority = MaxAuthorities*34 + 64
)

// Threshold is the part of the authorities that more than which must agree:
// Num/Den.
type Threshold struct {
	_   struct{} `cbor:",toarray"`
	Num uint8    `json:"num"`
	Den uint8    `json:"den"`
}

// DefaultThreshold is the hardware registry specification's.
var DefaultThreshold = Threshold{Num: 2, Den: 3}

// Met reports whether so many of all are more than the threshold.
func (t Threshold) Met(approvals, all int) bool {
	return approvals*int(t.Den) > all*int(t.Num)
}

// Valid reports whether the threshold is at least one half and below one, so
// that two different majorities meet and unanimity is never more than needed.
func (t Threshold) Valid() bool { return t.Den > 0 && 2*int(t.Num) >= int(t.Den) && t.Num < t.Den }

// Authorities is who decides, stored under AuthoritiesKey.
type Authorities struct {
	_         struct{} `cbor:",toarray"`
	Accounts  []wire.Account
	Threshold Threshold
	// LifetimeMs is how long a proposal that names no time stays open, and the
	// longest it may.
	LifetimeMs uint64
}

// Has reports whether an account is an authority.
func (a *Authorities) Has(account wire.Account) bool { return holds(a.Accounts, account) }

// Check judges the form. Errors carry ErrAuthorities.
func (a *Authorities) Check() error {
	if n := len(a.Accounts); n == 0 || n > MaxAuthorities || !a.Threshold.Valid() {
		return wire.Faultf(wire.ErrAuthorities, "%d authorities and threshold %d/%d", n, a.Threshold.Num, a.Threshold.Den)
	}
	for i, account := range a.Accounts {
		if account == (wire.Account{}) || holds(a.Accounts[:i], account) {
			return wire.Faultf(wire.ErrAuthorities, "authority %s is nobody's account, or named twice", account)
		}
	}
	if a.LifetimeMs == 0 || a.LifetimeMs > MaxLifetimeMs {
		return wire.Faultf(wire.ErrProposalLifetime, "proposals may stay open for 1 to %d ms, not %d", uint64(MaxLifetimeMs), a.LifetimeMs)
	}
	return nil
}

func holds(accounts []wire.Account, account wire.Account) bool {
	for i := range accounts {
		if accounts[i] == account {
			return true
		}
	}
	return false
}

// Proposal is an order that waits for approvals, stored under ProposalKey.
type Proposal struct {
	_         struct{} `cbor:",toarray"`
	Family    string
	Order     []byte
	Unanimous bool // waits for every authority
	Proposer  wire.Account
	Approvals []wire.Account // in the order given; those of former authorities no longer count
	Height    uint64
	ExpiresMs uint64 // block time
}

// Counted is how many of the present authorities approved.
func (p *Proposal) Counted(a *Authorities) (n int) {
	for _, account := range p.Approvals {
		if a.Has(account) {
			n++
		}
	}
	return n
}

// Passes reports whether enough of the present authorities approved.
func (p *Proposal) Passes(a *Authorities) bool {
	n := p.Counted(a)
	if p.Unanimous {
		return n == len(a.Accounts)
	}
	return a.Threshold.Met(n, len(a.Accounts))
}

// Open is one entry of the list of open proposals, stored under OpenKey in the
// order they were made.
type Open struct {
	_         struct{} `cbor:",toarray"`
	ID        wire.Hash
	Proposer  wire.Account
	ExpiresMs uint64
}

// Ending is how a proposal ended.
type Ending uint8

// Endings. Wire values, never reused.
const (
	Executed  Ending = 1
	Withdrawn Ending = 2
	Expired   Ending = 3
)

// Decision is what became of a proposal, stored under DecisionKey for ever.
type Decision struct {
	_         struct{} `cbor:",toarray"`
	Ending    Ending
	Family    string
	Order     wire.Hash // OrderHash
	Height    uint64
	TimeMs    uint64
	Approvals uint8
	All       uint8 // authorities there were
}

// OrderHash is what a decision knows an order by.
func OrderHash(family string, order []byte) wire.Hash {
	return wire.TH("cloister/order/v1", []byte(family), order)
}

// ProposalID names the proposal that a transaction makes.
func ProposalID(chain, tx wire.Hash) wire.Hash {
	return wire.TH("cloister/proposal/v1", chain[:], tx[:])
}

// State keys within the family.
var (
	AuthoritiesKey = []byte("a")
	OpenKey        = []byte("o") // []Open; absent if none is open
)

// ProposalKey is the state key of an open proposal.
func ProposalKey(id wire.Hash) []byte { return append([]byte("p"), id[:]...) }

// DecisionKey is the state key of a proposal that ended.
func DecisionKey(id wire.Hash) []byte { return append([]byte("d"), id[:]...) }

// Reader returns the value of a key of the family's state, nil if there is none.
type Reader func(key []byte) ([]byte, error)

func read[T any](get Reader, key []byte, limit int) (v *T, err error) {
	b, err := get(key)
	if err != nil || b == nil {
		return nil, err
	}
	v = new(T)
	if err := wire.Unmarshal(b, v, limit); err != nil {
		return nil, fmt.Errorf("state of governance under %q: %w", key, err)
	}
	return v, nil
}

// AuthoritiesOf returns who decides, nil if the chain has no such state.
func AuthoritiesOf(get Reader) (*Authorities, error) {
	return read[Authorities](get, AuthoritiesKey, maxAuthority)
}

// ProposalOf returns an open proposal, nil if none has this id.
func ProposalOf(get Reader, id wire.Hash) (*Proposal, error) {
	return read[Proposal](get, ProposalKey(id), maxProposal)
}

// DecisionOf returns what became of a proposal, nil if it is open or unknown.
func DecisionOf(get Reader, id wire.Hash) (*Decision, error) {
	return read[Decision](get, DecisionKey(id), 256)
}

// List returns the open proposals, oldest first.
func List(get Reader) ([]Open, error) {
	l, err := read[[]Open](get, OpenKey, MaxOpen*96)
	if l == nil {
		return nil, err
	}
	return *l, err
}
