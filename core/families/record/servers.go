package record

import (
	"bytes"
	"errors"
	"fmt"

	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// Servers are the voters of the member set. The admin block names them by node
// id, with their identity keys as block signing keys.

// server is one as the admin blocks have named it.
type server struct {
	_   struct{} `cbor:",toarray"`
	ID  wire.NodeID
	Key wire.PublicKey
}

func voters(r *wire.Roster) (list []server) {
	for i := range r.Set.Members {
		if m := &r.Set.Members[i]; m.Role == wire.Voter {
			list = append(list, server{ID: m.ID, Key: m.Key})
		}
	}
	return list
}

func serverKeys(r *wire.Roster) (keys []wire.PublicKey) {
	for _, s := range voters(r) {
		keys = append(keys, s.Key)
	}
	return keys
}

func isServer(c *ledger.Call) (bool, error) {
	r, err := c.Roster()
	if err != nil {
		return false, err
	}
	for _, s := range voters(r) {
		if s.Key == c.Tx.Payer {
			return true, nil
		}
	}
	return false, nil
}

// announceFirst says in the first admin block who the servers are and which keys
// may anchor.
func announceFirst(st ledger.State, height uint64, period *directory.Open, r *wire.Roster) error {
	if err := announce(st, height, period, nil, voters(r)); err != nil {
		return err
	}
	return announceAnchors(st.Aside(), func(m factom.AdminMessage) error { return period.AddAdmin(st, height, m) })
}

// announceChanges says in the admin block of the period in progress which servers
// came and went, as it happens: whoever orders when a period ends signs its
// directory block, and its admin block says so.
func announceChanges(e *ledger.End) error {
	st := e.State(record.Name)
	b, err := st.Aside().Get([]byte(keyServers))
	if err != nil || b == nil {
		return err
	}
	roster, err := e.Roster()
	if err != nil {
		return err
	}
	now := voters(roster)
	if bytes.Equal(b, wire.Marshal(now)) {
		return nil
	}
	var before []server
	if err := wire.Unmarshal(b, &before, ledger.MaxValue); err != nil {
		return fmt.Errorf("record: servers in state: %w", err)
	}
	period, _, err := directory.Current(st, e.TimeMs)
	if err != nil {
		return err
	}
	return announce(st, e.Height, &period, before, now)
}

func announce(st ledger.State, height uint64, period *directory.Open, before, now []server) error {
	say := func(m factom.AdminMessage) error { return period.AddAdmin(st, height, m) }
	for _, s := range missing(before, now) {
		if err := say(&factom.ServerChange{Kind: factom.AdminRemoveServer, Identity: s.ID, Height: period.Height}); err != nil {
			return err
		}
	}
	for _, s := range missing(now, before) {
		if err := say(&factom.ServerChange{Kind: factom.AdminAddFederated, Identity: s.ID, Height: period.Height}); err != nil {
			return err
		}
		if err := say(&factom.SigningKey{Identity: s.ID, Key: s.Key, Height: period.Height}); err != nil {
			return err
		}
	}
	return st.Aside().Set([]byte(keyServers), wire.Marshal(now))
}

func announceAnchors(aside ledger.State, say func(factom.AdminMessage) error) error {
	var keys []record.AnchorKey
	var failed error
	err := aside.Scan([]byte{rowAnchor}, []byte{rowAnchor + 1}, func(_, v []byte) bool {
		var k record.AnchorKey
		failed = wire.Unmarshal(v, &k, ledger.MaxSaved)
		keys = append(keys, k)
		return failed == nil
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("record: anchor keys in state: %w", err)
	}
	for i := range keys {
		if err := say(anchorMessage(&keys[i])); err != nil {
			return err
		}
	}
	return nil
}

func anchorKey(k *record.AnchorKey) []byte {
	return append(append([]byte{rowAnchor}, k.Node[:]...), k.Priority)
}

func anchorMessage(k *record.AnchorKey) factom.AdminMessage {
	return &factom.BitcoinKey{Identity: k.Node, Priority: k.Priority, Script: k.Type, Hash160: k.Key}
}

// missing are those of a that are not in b.
func missing(a, b []server) (list []server) {
	for _, x := range a {
		found := false
		for _, y := range b {
			found = found || x == y
		}
		if !found {
			list = append(list, x)
		}
	}
	return list
}

// sign takes a server's signature of the newest closed directory block into the
// admin block in progress.
func (m *message) sign() (effect, error) {
	server, err := isServer(m.call)
	if err != nil {
		return nil, err
	}
	if !server {
		return nil, wire.Faultf(wire.ErrNotVoter, "only voters sign directory blocks")
	}
	tail, err := directory.LoadTail(m.st)
	if err != nil {
		return nil, err
	}
	signed, err := directory.Signed(m.st, m.Sign.Height, m.call.Tx.Payer)
	switch {
	case err != nil:
		return nil, err
	case m.period.Closed == 0 || m.Sign.Height != m.period.Closed-1:
		return nil, wire.Faultf(wire.ErrNotFound, "directory block %d is not the newest closed one", m.Sign.Height)
	case signed:
		return nil, wire.Faultf(wire.ErrReplayed, "this server has signed directory block %d", m.Sign.Height)
	case !m.call.Tx.Payer.VerifyMessage(tail.Header, m.Sign.Signature):
		return nil, wire.Faultf(wire.ErrBadSignature, "it is not over the header of directory block %d", m.Sign.Height)
	}
	return func() ([]byte, error) {
		if err := directory.SetSigned(m.st, m.Sign.Height, m.call.Tx.Payer); err != nil {
			return nil, err
		}
		id := wire.NodeIDOf(m.call.Tx.Payer)
		return nil, m.period.AddAdmin(m.st, m.call.Height, &factom.BlockSignature{Identity: id, Key: m.call.Tx.Payer, Signature: m.Sign.Signature})
	}, nil
}

// CheckOrder implements ledger.Governed.
func (Family) CheckOrder(order []byte) error {
	_, err := record.DecodeOrder(order)
	return err
}

// Govern implements ledger.Governed: a key may anchor.
func (Family) Govern(c *ledger.Call, order []byte, _ bool) ([]byte, error) {
	o, err := record.DecodeOrder(order)
	if err != nil {
		return nil, err
	}
	st := c.State(record.Name)
	period, ok, err := directory.Current(st, c.TimeMs)
	if err == nil && !ok {
		err = fmt.Errorf("record: no progress in state")
	}
	if err != nil {
		return nil, err
	}
	key := anchorKey(o.AnchorKey)
	before, err := st.Aside().Get(key)
	if err != nil {
		return nil, err
	}
	value := wire.Marshal(*o.AnchorKey)
	if bytes.Equal(before, value) {
		return nil, wire.Faultf(wire.ErrReplayed, "this key may anchor already")
	}
	if err := st.Aside().Set(key, value); err != nil {
		return nil, err
	}
	return nil, period.AddAdmin(st, c.Height, anchorMessage(o.AnchorKey))
}
