package node

import (
	"unicode/utf8"

	"cloister/wire"
)

// Kinds of payload, the first byte; the CBOR of the structure of that name
// follows.
const (
	KindRegister byte = 1
	KindRenew    byte = 2
	KindBoot     byte = 3
	KindRetire   byte = 4
	KindPromote  byte = 5
)

// Attestation is what a core shows of itself. The transaction is paid by the
// operator the claims name, or by the account of the identity key.
type Attestation struct {
	_         struct{}       `cbor:",toarray"`
	Claims    []byte         // evidence.Claims, encoded
	Evidence  []byte         // evidence.Evidence, encoded; made for these claims
	Boots     uint64         // number of this run of the core, counted from 1
	Endpoint  string         // where it is reached; may be empty
	Signature wire.Signature // of the identity key, over the digest of the payload's kind
}

// Register makes a core known for roles. Claims have purpose register.
type Register struct {
	_     struct{} `cbor:",toarray"`
	Shown Attestation
	Roles Roles
	Name  string
}

// Renew prolongs a registration by new evidence of the same run. Claims have
// purpose renew.
type Renew struct {
	_     struct{} `cbor:",toarray"`
	Shown Attestation
}

// Boot registers a new run of a registered core: its number must be above every
// earlier one, so a core that was started from an older copy of its files, or
// twice, is found out here. Claims have purpose renew and the run's boot id.
type Boot struct {
	_     struct{} `cbor:",toarray"`
	Shown Attestation
}

// Retire ends a registration; the operator signs. A member leaves the set first.
type Retire struct {
	_    struct{} `cbor:",toarray"`
	Node wire.NodeID
}

// Promote makes a learner a voter; a voter signs with its identity key when it
// sees that the learner has caught up.
type Promote struct {
	_    struct{} `cbor:",toarray"`
	Node wire.NodeID
}

// Digest is what the core signs.
func (r *Register) Digest(chain wire.Hash) wire.Hash {
	return r.Shown.digest("cloister/node/register/v1", chain, []byte{byte(r.Roles)}, []byte(r.Name))
}

// Digest is what the core signs.
func (r *Renew) Digest(chain wire.Hash) wire.Hash {
	return r.Shown.digest("cloister/node/renew/v1", chain)
}

// Digest is what the core signs.
func (b *Boot) Digest(chain wire.Hash) wire.Hash {
	return b.Shown.digest("cloister/node/boot/v1", chain)
}

func (a *Attestation) digest(label string, chain wire.Hash, more ...[]byte) wire.Hash {
	parts := [][]byte{chain[:], a.Claims, wire.U64(a.Boots), []byte(a.Endpoint)}
	return wire.TH(label, append(parts, more...)...)
}

// Bytes is the payload.
func (r *Register) Bytes() []byte { return payload(KindRegister, r) }

// Bytes is the payload.
func (r *Renew) Bytes() []byte { return payload(KindRenew, r) }

// Bytes is the payload.
func (b *Boot) Bytes() []byte { return payload(KindBoot, b) }

// Bytes is the payload.
func (r *Retire) Bytes() []byte { return payload(KindRetire, r) }

// Bytes is the payload.
func (p *Promote) Bytes() []byte { return payload(KindPromote, p) }

func payload(kind byte, v any) []byte { return append([]byte{kind}, wire.Marshal(v)...) }

// Decode reads a payload strictly, into a *Register, *Renew, *Boot, *Retire or
// *Promote. Errors carry ErrMalformed.
func Decode(b []byte) (any, error) {
	if len(b) == 0 || len(b) > wire.MaxPayload {
		return nil, wire.Faultf(wire.ErrMalformed, "node payload of %d bytes, 1 to %d", len(b), wire.MaxPayload)
	}
	kind, rest := b[0], b[1:]
	switch kind {
	case KindRegister:
		return fill(rest, new(Register))
	case KindRenew:
		return fill(rest, new(Renew))
	case KindBoot:
		return fill(rest, new(Boot))
	case KindRetire:
		return fill(rest, new(Retire))
	case KindPromote:
		return fill(rest, new(Promote))
	}
	return nil, wire.Faultf(wire.ErrMalformed, "node payload of unknown kind %d", kind)
}

// checker is a structure that knows its own bounds.
type checker interface{ check() error }

func fill[T checker](b []byte, v T) (any, error) {
	if err := wire.Unmarshal(b, v, wire.MaxPayload); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "nodes: %v", err)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	return v, nil
}

func (r *Register) check() error {
	if !r.Roles.Valid() || !text(r.Name, MaxName) {
		return wire.Faultf(wire.ErrMalformed, "roles %#x, or a name that is not printable or over %d bytes", uint8(r.Roles), MaxName)
	}
	return r.Shown.check()
}

func (r *Renew) check() error { return r.Shown.check() }

func (b *Boot) check() error { return b.Shown.check() }

func (r *Retire) check() error { return nil }

func (p *Promote) check() error { return nil }

func (a *Attestation) check() error {
	switch {
	case len(a.Claims) == 0 || len(a.Claims) > MaxClaims:
		return wire.Faultf(wire.ErrMalformed, "claims of %d bytes, 1 to %d", len(a.Claims), MaxClaims)
	case len(a.Evidence) == 0:
		return wire.Faultf(wire.ErrMalformed, "no evidence")
	case a.Boots == 0:
		return wire.Faultf(wire.ErrMalformed, "runs of a core are counted from 1")
	case !text(a.Endpoint, MaxEndpoint):
		return wire.Faultf(wire.ErrMalformed, "the endpoint is not printable or over %d bytes", MaxEndpoint)
	}
	return nil
}

// text accepts what can be shown to people as it is: no control characters.
func text(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}
