package directory

import (
	"errors"
	"slices"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

// server is a validator as the admin blocks have named it.
type server struct {
	_       struct{} `cbor:",toarray"`
	ID      wire.NodeID
	Key     wire.PublicKey // block signing key
	Anchors []anchorKey
}

type anchorKey struct {
	_              struct{} `cbor:",toarray"`
	Priority, Type uint8
	Hash160        [20]byte
}

// serversAfter are the servers as of an admin block that follows.
func serversAfter(before []server, b *wirefactom.AdminBlock) []server {
	now := slices.Clone(before) // views share it
	of := func(id wire.NodeID) *server {
		for i := range now {
			if now[i].ID == id {
				return &now[i]
			}
		}
		return nil
	}
	for _, m := range b.Body {
		switch m := m.(type) {
		case *wirefactom.ServerChange:
			switch s := of(m.Identity); {
			case m.Kind == wirefactom.AdminRemoveServer:
				now = slices.DeleteFunc(now, func(s server) bool { return s.ID == m.Identity })
			case s == nil && len(now) < maxServers:
				now = append(now, server{ID: m.Identity})
			}
		case *wirefactom.SigningKey:
			if s := of(m.Identity); s != nil {
				s.Key = m.Key
			}
		case *wirefactom.BitcoinKey:
			if s := of(m.Identity); s != nil {
				s.Anchors = withKey(s.Anchors, anchorKey{Priority: m.Priority, Type: m.Script, Hash160: m.Hash160})
			}
		}
	}
	return now
}

// maxAnchors bounds the keys of one server: levels 1 to 4 and some more.
const maxAnchors = 8

// withKey replaces the key of the same priority.
func withKey(keys []anchorKey, k anchorKey) []anchorKey {
	keys = slices.DeleteFunc(slices.Clone(keys), func(old anchorKey) bool { return old.Priority == k.Priority })
	if len(keys) == maxAnchors {
		keys = keys[1:]
	}
	return append(keys, k)
}

// anchors takes the period's anchor records in. One counts if a server of the
// period signed it and it names the directory block that the ledger has; the
// newest for a height counts.
func (p *period) anchors() error {
	keys := make([]wire.PublicKey, 0, len(p.servers))
	for i := range p.servers {
		keys = append(keys, p.servers[i].Key)
	}
	chain := periodHashKey(datedMember, p.height(), wirefactom.BitcoinAnchorChain)
	return p.x.store.under(chain, func(key, value []byte) (bool, error) {
		if p.ctx.Err() != nil {
			return false, p.ctx.Err()
		}
		at, err := momentOf(key)
		if err != nil {
			return false, err
		}
		m, err := decodeMember(value)
		if err != nil {
			return false, err
		}
		raw, err := p.x.entryBytes(at.height, m.from, m.n, m.entry)
		if err != nil {
			return false, err
		}
		return true, p.anchor(raw, keys)
	})
}

// anchor takes one entry of the anchor chain in, which anybody may have written.
func (p *period) anchor(raw []byte, keys []wire.PublicKey) error {
	e, err := wirefactom.ParseEntry(raw)
	if err != nil {
		return corrupt("a recorded entry: %v", err)
	}
	r, _, err := wirefactom.VerifyAnchorRecord(e, keys)
	if err != nil || r.DBHeight >= p.height() {
		return nil // it does not count, which is nobody's fault here
	}
	d, err := p.x.periods.of(r.DBHeight)
	if err != nil {
		return err
	}
	if d.KeyMR != r.KeyMR {
		return nil
	}
	return p.out.set(periodKey(tableAnchor, r.DBHeight), raw)
}

// Anchor implements factom.Source.
func (x *Index) Anchor(height uint32) (*wirefactom.AnchorRecord, error) {
	v, err := x.view()
	if err != nil || height >= v.Count {
		return nil, err
	}
	raw, found, err := x.store.Get(periodKey(tableAnchor, height))
	if err != nil || !found {
		return nil, err
	}
	e, err := wirefactom.ParseEntry(raw)
	if err == nil {
		var r *wirefactom.AnchorRecord
		if r, _, err = wirefactom.ParseAnchorRecord(e); err == nil {
			return r, nil
		}
	}
	return nil, errors.Join(ErrCorrupt, err)
}

// anchorKeys are a server's in the form of the interface.
func (s *server) anchorKeys() (list []factom.AnchorKey) {
	for _, k := range s.Anchors {
		list = append(list, factom.AnchorKey{Level: k.Priority, Type: k.Type, Key: k.Hash160})
	}
	return list
}
