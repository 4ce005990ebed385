package factom

import (
	"cloister/wire"
)

// ECKind is the first byte of an object in an entry credit block's body.
type ECKind uint8

// Kinds of object (specification §6.3).
const (
	ECServerIndex     ECKind = 0 // who confirmed what follows; obsolete, never written
	ECMinute          ECKind = 1 // ends a minute
	ECChainCommit     ECKind = 2
	ECEntryCommit     ECKind = 3
	ECBalanceIncrease ECKind = 4 // a purchase
)

// ECObject is an object of an entry credit block's body.
type ECObject struct {
	Kind     ECKind
	Number   uint8            // the server index, or the minute
	Commit   *Commit          // of the two kinds of commit
	Increase *BalanceIncrease // of a balance increase
}

// BalanceIncrease says what an entry credit output of a factoid transaction
// bought.
type BalanceIncrease struct {
	Key     wire.PublicKey
	TXID    wire.Hash // of the factoid transaction
	Index   uint64    // of the output among its entry credit outputs
	Credits uint64
}

// CommitObject is the object that records a commit.
func CommitObject(k *Commit) ECObject {
	if k.Chain {
		return ECObject{Kind: ECChainCommit, Commit: k}
	}
	return ECObject{Kind: ECEntryCommit, Commit: k}
}

// IncreaseObject is the object that records a purchase.
func IncreaseObject(i *BalanceIncrease) ECObject {
	return ECObject{Kind: ECBalanceIncrease, Increase: i}
}

// Append appends the object's bytes, its kind first.
func (o ECObject) Append(b []byte) []byte {
	b = append(b, byte(o.Kind))
	switch o.Kind {
	case ECChainCommit, ECEntryCommit:
		return append(b, o.Commit.Bytes()...)
	case ECBalanceIncrease:
		b = append(append(b, o.Increase.Key[:]...), o.Increase.TXID[:]...)
		return AppendVarInt(AppendVarInt(b, o.Increase.Index), o.Increase.Credits)
	}
	return append(b, o.Number)
}

// ParseECObject reads one object from the front of b. Errors carry
// ErrBlockMalformed.
func ParseECObject(b []byte) (o ECObject, rest []byte, err error) {
	c := &cursor{rest: b, code: wire.ErrBlockMalformed, what: "entry credit block object"}
	if o = c.ecObject(); c.err != nil {
		return ECObject{}, nil, c.err
	}
	return o, c.rest, nil
}

func (c *cursor) ecObject() ECObject {
	o := ECObject{Kind: ECKind(c.u8())}
	switch o.Kind {
	case ECServerIndex:
		o.Number = c.u8()
	case ECMinute:
		if o.Number = c.u8(); o.Number < 1 || o.Number > Minutes {
			c.failf("minute %d", o.Number)
		}
	case ECChainCommit, ECEntryCommit:
		o.Commit = c.commit(o.Kind == ECChainCommit)
	case ECBalanceIncrease:
		o.Increase = &BalanceIncrease{Key: c.key(), TXID: c.hash(), Index: c.varint(), Credits: c.varint()}
	default:
		c.failf("object of kind %d", o.Kind)
	}
	return o
}
