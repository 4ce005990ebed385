package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"cloister/wire"
	"cloister/wire/factom"
)

// Bounds of what admin blocks can make a client remember.
const (
	maxServers     = 1024
	maxChanges     = 4096  // that are not in force yet
	maxAnchorKeys  = 4096  // assigned
	maxAllowances  = 32768 // ever
	maxDescriptors = 4096  // not paid yet
	maxPromised    = 255   // of one descriptor: more outputs no coinbase has
)

// authority is what admin blocks say of the servers, after a block. Lists are
// sorted and never changed in place, so that copies may share them.
type authority struct {
	_           struct{} `cbor:",toarray"`
	Servers     []server // by identity
	Pending     []change // not in force yet, in the order they were recorded
	Assigned    []assigned
	Allowed     []allowance
	Descriptors []descriptor // by height
}

// server is one in force, or one whose signing key came before it.
type server struct {
	_    struct{} `cbor:",toarray"`
	ID   wire.Hash
	Role role
	Key  wire.PublicKey // block signing key; zero: none is known
}

// role is what a server does.
type role uint8

const (
	noServer role = iota
	federated
	audit
)

// change is one that comes into force with the block of a height.
type change struct {
	_      struct{} `cbor:",toarray"`
	Height uint32
	Type   factom.AdminType
	ID     wire.Hash
	Key    wire.PublicKey // of signing keys
}

// assigned is the Bitcoin key of a server and priority.
type assigned struct {
	_        struct{} `cbor:",toarray"`
	ID       wire.Hash
	Priority uint8
	Key      Spender
}

// allowance is from which height on, and below which, a key may anchor. Below 0
// stands for one that still may.
type allowance struct {
	_     struct{} `cbor:",toarray"`
	Key   Spender
	From  uint32
	Below uint32
}

// descriptor promises the outputs of a coinbase.
type descriptor struct {
	_       struct{} `cbor:",toarray"`
	Height  uint32
	Outputs []promised
}

type promised struct {
	_         struct{} `cbor:",toarray"`
	Amount    uint64
	Address   wire.Hash
	Cancelled bool
}

func newAuthority(n *Network) *authority {
	a := &authority{}
	for _, s := range n.Servers {
		a.setServer(server{ID: s.Identity, Role: federated, Key: s.Key})
	}
	return a
}

// clone is a copy to change.
func (a *authority) clone() *authority {
	c := *a
	c.Servers, c.Pending, c.Assigned = slices.Clone(a.Servers), slices.Clone(a.Pending), slices.Clone(a.Assigned)
	c.Allowed, c.Descriptors = slices.Clone(a.Allowed), slices.Clone(a.Descriptors)
	return &c
}

func (a *authority) server(id wire.Hash) (int, bool) {
	return slices.BinarySearchFunc(a.Servers, id, func(s server, id wire.Hash) int { return bytes.Compare(s.ID[:], id[:]) })
}

func (a *authority) setServer(s server) {
	if i, ok := a.server(s.ID); ok {
		a.Servers[i] = s
	} else {
		a.Servers = slices.Insert(a.Servers, i, s)
	}
}

// federated are those whose majority signs.
func (a *authority) federated() (list []server) {
	for _, s := range a.Servers {
		if s.Role == federated {
			list = append(list, s)
		}
	}
	return list
}

// take puts a change in force.
func (a *authority) take(c change) {
	i, here := a.server(c.ID)
	s := server{ID: c.ID}
	if here {
		s = a.Servers[i]
	}
	switch c.Type {
	case factom.AdminAddFederated:
		s.Role = federated
	case factom.AdminAddAudit:
		s.Role = audit
	case factom.AdminSigningKey:
		s.Key = c.Key
	case factom.AdminRemoveServer:
		if here {
			a.Servers = slices.Delete(a.Servers, i, i+1)
		}
		return
	}
	a.setServer(s)
}

// turn puts in force what is due with the block of a height, before its own messages.
func (a *authority) turn(height uint32) {
	later := a.Pending[:0:0]
	for _, c := range a.Pending {
		if c.Height > height {
			later = append(later, c)
			continue
		}
		a.take(c)
	}
	a.Pending = later
}

// apply takes the messages of a block. Errors are faults.
func (a *authority) apply(height uint32, b *factom.AdminBlock, n *Network, found *notes) error {
	before := a.federated()
	a.turn(height)
	for _, m := range b.Body {
		if err := a.message(height, m, n, found); err != nil {
			return err
		}
	}
	if len(a.Servers) > maxServers || len(a.Pending) > maxChanges || len(a.Assigned) > maxAnchorKeys || len(a.Descriptors) > maxDescriptors {
		return broken(TooMuch, "%d servers, %d changes to come, %d anchor keys, %d unpaid descriptors", len(a.Servers), len(a.Pending), len(a.Assigned), len(a.Descriptors))
	}
	if now := a.federated(); height > 0 && !slices.Equal(before, now) {
		found.add(ServersChanged, height, "%d servers sign, or with other keys than before; %d did", len(now), len(before))
	}
	return a.allow(height)
}

func (a *authority) message(height uint32, m factom.AdminMessage, n *Network, found *notes) error {
	var c change
	switch m := m.(type) {
	case *factom.ServerChange:
		c = change{Height: m.Height, Type: m.Kind, ID: m.Identity}
	case *factom.SigningKey:
		if !m.Key.Valid() {
			return broken(AdminRefused, "the signing key of server %s is none: anybody could sign with it", m.Identity)
		}
		c = change{Height: m.Height, Type: factom.AdminSigningKey, ID: m.Identity, Key: m.Key}
	case *factom.BitcoinKey:
		a.assign(assigned{ID: m.Identity, Priority: m.Priority, Key: Spender{Type: m.Script, Hash160: m.Hash160}})
		return nil
	case *factom.CoinbaseDescriptor:
		return a.promise(height, m, n.Coinbase)
	case *factom.CoinbaseCancel:
		if !a.cancel(m) {
			found.add(CancelUnknown, height, "output %d of the descriptor of height %d is cancelled, and was not promised", m.Index, m.Height)
		}
		return nil
	default:
		return nil
	}
	if c.Height > height {
		a.Pending = append(a.Pending, c)
		return nil
	}
	a.take(c)
	return nil
}

// assign replaces the server's key of a priority.
func (a *authority) assign(k assigned) {
	i := slices.IndexFunc(a.Assigned, func(x assigned) bool { return x.ID == k.ID && x.Priority == k.Priority })
	if i >= 0 {
		a.Assigned[i] = k
		return
	}
	a.Assigned = append(a.Assigned, k)
}

// allow writes down which keys may anchor the next block: those assigned to
// servers now. Those of the genesis block may anchor it, too.
func (a *authority) allow(height uint32) error {
	var now []Spender
	for _, k := range a.Assigned {
		if i, ok := a.server(k.ID); ok && a.Servers[i].Role != noServer && !slices.Contains(now, k.Key) {
			now = append(now, k.Key)
		}
	}
	next := height + 1
	for i := range a.Allowed {
		x := &a.Allowed[i]
		if x.Below != 0 {
			continue
		}
		if at := slices.Index(now, x.Key); at >= 0 {
			now = slices.Delete(now, at, at+1)
		} else {
			x.Below = next
		}
	}
	from := next
	if height == 0 {
		from = 0
	}
	for _, k := range now {
		a.Allowed = append(a.Allowed, allowance{Key: k, From: from})
	}
	if len(a.Allowed) > maxAllowances {
		return broken(TooMuch, "anchor keys changed %d times", len(a.Allowed))
	}
	return nil
}

// allows reports whether a key could anchor the block of a height.
func (a *authority) allows(k Spender, height uint32) bool {
	return slices.ContainsFunc(a.Allowed, func(x allowance) bool {
		return x.Key == k && x.From <= height && (x.Below == 0 || height < x.Below)
	})
}

// promise takes a coinbase descriptor.
func (a *authority) promise(height uint32, m *factom.CoinbaseDescriptor, rule *Coinbase) error {
	switch {
	case len(m.Outputs) == 0:
		return nil
	case len(m.Outputs) > maxPromised:
		return broken(CoinbaseRefused, "%d payments to servers are promised, at most %d can be made", len(m.Outputs), maxPromised)
	case rule == nil || height%rule.Every != 0:
		return broken(CoinbaseRefused, "payments to servers are promised where none may be")
	case len(a.Descriptors) > 0 && a.Descriptors[len(a.Descriptors)-1].Height == height:
		return broken(CoinbaseRefused, "payments to servers are promised twice")
	}
	d := descriptor{Height: height}
	for _, o := range m.Outputs {
		d.Outputs = append(d.Outputs, promised{Amount: o.Amount, Address: o.Address})
	}
	a.Descriptors = append(a.Descriptors, d)
	return nil
}

// cancel takes one promised output back.
func (a *authority) cancel(m *factom.CoinbaseCancel) bool {
	for i, d := range a.Descriptors {
		if uint64(d.Height) != m.Height {
			continue
		}
		if m.Index >= uint64(len(d.Outputs)) || d.Outputs[m.Index].Cancelled {
			return false
		}
		outputs := slices.Clone(d.Outputs)
		outputs[m.Index].Cancelled = true
		a.Descriptors[i].Outputs = outputs
		return true
	}
	return false
}

// payout takes the payments due at a height out of what is promised.
func (a *authority) payout(height uint32, rule *Coinbase) (due []factom.TransAddress) {
	if rule == nil || height < rule.Delay || len(a.Descriptors) == 0 || a.Descriptors[0].Height != height-rule.Delay {
		return nil
	}
	for _, o := range a.Descriptors[0].Outputs {
		if !o.Cancelled {
			due = append(due, factom.TransAddress{Amount: o.Amount, Address: o.Address})
		}
	}
	a.Descriptors = a.Descriptors[1:]
	return due
}

// check judges what was read from a file: what searches rely on.
func (a *authority) check() error {
	switch {
	case len(a.Servers) > maxServers || len(a.Pending) > maxChanges || len(a.Assigned) > maxAnchorKeys || len(a.Allowed) > maxAllowances || len(a.Descriptors) > maxDescriptors:
		return fmt.Errorf("more servers, keys or promises than there may be")
	case !ascending(a.Servers, func(x, y server) int { return bytes.Compare(x.ID[:], y.ID[:]) }):
		return fmt.Errorf("servers out of order")
	case !ascending(a.Descriptors, func(x, y descriptor) int { return cmp.Compare(x.Height, y.Height) }):
		return fmt.Errorf("descriptors out of order")
	}
	return nil
}

func ascending[T any](list []T, order func(x, y T) int) bool {
	for i := 1; i < len(list); i++ {
		if order(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}
