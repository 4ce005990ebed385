package factom

import (
	"encoding/binary"

	"cloister/wire"
)

// AdminType is the first byte of an admin message.
type AdminType uint8

// Types of message (specification §6.5). Those from AdminCoinbaseDescriptor on
// carry their length, so that a reader can skip what it does not know.
const (
	AdminMinute             AdminType = 0x00 // obsolete
	AdminBlockSignature     AdminType = 0x01
	AdminRevealMHash        AdminType = 0x02
	AdminAddMHash           AdminType = 0x03
	AdminServerCount        AdminType = 0x04
	AdminAddFederated       AdminType = 0x05
	AdminAddAudit           AdminType = 0x06
	AdminRemoveServer       AdminType = 0x07
	AdminSigningKey         AdminType = 0x08
	AdminBitcoinKey         AdminType = 0x09
	AdminServerFault        AdminType = 0x0A
	AdminCoinbaseDescriptor AdminType = 0x0B
	AdminCoinbaseCancel     AdminType = 0x0C
	AdminPayoutAddress      AdminType = 0x0D
	AdminEfficiency         AdminType = 0x0E
)

// AdminMessage is one message of an admin block: one of the types below.
type AdminMessage interface {
	kind() AdminType
	// appendTo appends the message's bytes, its type first.
	appendTo(b []byte) []byte
}

// AdminTypeOf is the first byte of a message.
func AdminTypeOf(m AdminMessage) AdminType { return m.kind() }

// AppendAdmin appends a message's bytes, its type first.
func AppendAdmin(b []byte, m AdminMessage) []byte { return m.appendTo(b) }

// ParseAdmin reads one message from the front of b. Errors carry
// ErrBlockMalformed.
func ParseAdmin(b []byte) (m AdminMessage, rest []byte, err error) {
	c := &cursor{rest: b, code: wire.ErrBlockMalformed, what: "admin message"}
	if m = c.adminMessage(); c.err != nil {
		return nil, nil, c.err
	}
	return m, c.rest, nil
}

// Messages of an admin block.
type (
	// MinuteEnd is of early blocks; the number of the minute that ends.
	MinuteEnd struct{ Minute uint8 }

	// BlockSignature signs the previous directory block's header.
	BlockSignature struct {
		Identity  wire.Hash
		Key       wire.PublicKey
		Signature wire.Signature
	}

	// MHash reveals a server's next M-hash, or replaces its outermost one.
	MHash struct {
		Kind     AdminType // AdminRevealMHash or AdminAddMHash
		Identity wire.Hash
		Hash     wire.Hash
	}

	// ServerCount raises the number of federated servers by one server.
	ServerCount struct{ Raise uint8 }

	// ServerChange adds or removes a server from a height on.
	ServerChange struct {
		Kind     AdminType // AdminAddFederated, AdminAddAudit or AdminRemoveServer
		Identity wire.Hash
		Height   uint32
	}

	// SigningKey sets the key a server signs blocks with.
	SigningKey struct {
		Identity wire.Hash
		Priority uint8
		Key      wire.PublicKey
		Height   uint32
	}

	// BitcoinKey sets a key a server anchors with.
	BitcoinKey struct {
		Identity wire.Hash
		Priority uint8
		Script   uint8 // 0 P2PKH, 1 P2SH
		Hash160  [20]byte
	}

	// ServerFault hands over from a faulty server to another.
	ServerFault struct {
		TimestampMs uint64
		Faulted     wire.Hash
		Promoted    wire.Hash
		ListIndex   uint8
		Height      uint32
		ListHeight  uint32
		Signatures  []FaultSignature
	}

	// CoinbaseDescriptor announces the outputs of a later coinbase; may be empty.
	CoinbaseDescriptor struct{ Outputs []TransAddress }

	// CoinbaseCancel strikes out one output of a descriptor.
	CoinbaseCancel struct {
		Height uint64 // of the descriptor
		Index  uint64 // of the output in it
	}

	// PayoutAddress sets where a server's share goes, an RCD hash.
	PayoutAddress struct {
		Identity wire.Hash
		Address  wire.Hash
	}

	// Efficiency sets what a server forgoes, in 1/100 %.
	Efficiency struct {
		Identity   wire.Hash
		Efficiency uint16
	}

	// UnknownMessage is of a type above those known, kept as it came.
	UnknownMessage struct {
		Kind AdminType
		Data []byte
	}
)

// FaultSignature supports a ServerFault.
type FaultSignature struct {
	Key       wire.PublicKey
	Signature wire.Signature
}

const faultSignatureSize = 32 + 64

func (*MinuteEnd) kind() AdminType          { return AdminMinute }
func (*BlockSignature) kind() AdminType     { return AdminBlockSignature }
func (m *MHash) kind() AdminType            { return m.Kind }
func (*ServerCount) kind() AdminType        { return AdminServerCount }
func (m *ServerChange) kind() AdminType     { return m.Kind }
func (*SigningKey) kind() AdminType         { return AdminSigningKey }
func (*BitcoinKey) kind() AdminType         { return AdminBitcoinKey }
func (*ServerFault) kind() AdminType        { return AdminServerFault }
func (*CoinbaseDescriptor) kind() AdminType { return AdminCoinbaseDescriptor }
func (*CoinbaseCancel) kind() AdminType     { return AdminCoinbaseCancel }
func (*PayoutAddress) kind() AdminType      { return AdminPayoutAddress }
func (*Efficiency) kind() AdminType         { return AdminEfficiency }
func (m *UnknownMessage) kind() AdminType   { return m.Kind }

func (m *MinuteEnd) appendTo(b []byte) []byte { return append(b, byte(m.kind()), m.Minute) }

func (m *BlockSignature) appendTo(b []byte) []byte {
	b = append(append(b, byte(m.kind())), m.Identity[:]...)
	return append(append(b, m.Key[:]...), m.Signature[:]...)
}

func (m *MHash) appendTo(b []byte) []byte {
	return append(append(append(b, byte(m.kind())), m.Identity[:]...), m.Hash[:]...)
}

func (m *ServerCount) appendTo(b []byte) []byte { return append(b, byte(m.kind()), m.Raise) }

func (m *ServerChange) appendTo(b []byte) []byte {
	b = append(append(b, byte(m.kind())), m.Identity[:]...)
	return binary.BigEndian.AppendUint32(b, m.Height)
}

func (m *SigningKey) appendTo(b []byte) []byte {
	b = append(append(b, byte(m.kind())), m.Identity[:]...)
	return binary.BigEndian.AppendUint32(append(append(b, m.Priority), m.Key[:]...), m.Height)
}

func (m *BitcoinKey) appendTo(b []byte) []byte {
	b = append(append(b, byte(m.kind())), m.Identity[:]...)
	return append(append(b, m.Priority, m.Script), m.Hash160[:]...)
}

func (m *ServerFault) appendTo(b []byte) []byte {
	b = appendTimestamp(append(b, byte(m.kind())), m.TimestampMs)
	b = append(append(append(b, m.Faulted[:]...), m.Promoted[:]...), m.ListIndex)
	for _, n := range []uint32{m.Height, m.ListHeight, uint32(len(m.Signatures))} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, s := range m.Signatures {
		b = append(append(b, s.Key[:]...), s.Signature[:]...)
	}
	return b
}

func (m *CoinbaseDescriptor) appendTo(b []byte) []byte {
	var body []byte
	for _, o := range m.Outputs {
		body = append(AppendVarInt(body, o.Amount), o.Address[:]...)
	}
	return appendSized(b, m.kind(), body)
}

func (m *CoinbaseCancel) appendTo(b []byte) []byte {
	return appendSized(b, m.kind(), AppendVarInt(AppendVarInt(nil, m.Height), m.Index))
}

func (m *PayoutAddress) appendTo(b []byte) []byte {
	return appendSized(b, m.kind(), append(m.Identity[:], m.Address[:]...))
}

func (m *Efficiency) appendTo(b []byte) []byte {
	return appendSized(b, m.kind(), binary.BigEndian.AppendUint16(m.Identity[:], m.Efficiency))
}

func (m *UnknownMessage) appendTo(b []byte) []byte { return appendSized(b, m.kind(), m.Data) }

func appendSized(b []byte, kind AdminType, body []byte) []byte {
	return append(AppendVarInt(append(b, byte(kind)), uint64(len(body))), body...)
}

// adminMessage takes one message.
func (c *cursor) adminMessage() AdminMessage {
	kind := AdminType(c.u8())
	if kind >= AdminCoinbaseDescriptor {
		return c.sizedMessage(kind)
	}
	switch kind {
	case AdminMinute:
		return &MinuteEnd{c.u8()}
	case AdminBlockSignature:
		return &BlockSignature{c.hash(), c.key(), c.signature()}
	case AdminRevealMHash, AdminAddMHash:
		return &MHash{kind, c.hash(), c.hash()}
	case AdminServerCount:
		return &ServerCount{c.u8()}
	case AdminAddFederated, AdminAddAudit, AdminRemoveServer:
		return &ServerChange{kind, c.hash(), c.u32()}
	case AdminSigningKey:
		return &SigningKey{c.hash(), c.u8(), c.key(), c.u32()}
	case AdminBitcoinKey:
		m := &BitcoinKey{Identity: c.hash(), Priority: c.u8(), Script: c.u8()}
		if m.Script > 1 {
			c.failf("Bitcoin key of type %d", m.Script)
		}
		c.fill(m.Hash160[:])
		return m
	}
	return c.serverFault()
}

func (c *cursor) serverFault() AdminMessage {
	m := &ServerFault{
		TimestampMs: c.timestamp(), Faulted: c.hash(), Promoted: c.hash(),
		ListIndex: c.u8(), Height: c.u32(), ListHeight: c.u32(),
	}
	n := uint64(c.u32())
	signatures := cursor{rest: c.take(n * faultSignatureSize)}
	for len(signatures.rest) > 0 {
		m.Signatures = append(m.Signatures, FaultSignature{signatures.key(), signatures.signature()})
	}
	return m
}

// sizedMessage takes the rest of a message that carries its length.
func (c *cursor) sizedMessage(kind AdminType) (m AdminMessage) {
	body := cursor{rest: c.take(c.varint()), code: c.code, what: c.what}
	if c.err != nil {
		return nil
	}
	switch kind {
	case AdminCoinbaseDescriptor:
		d := &CoinbaseDescriptor{}
		for len(body.rest) > 0 {
			d.Outputs = append(d.Outputs, TransAddress{body.varint(), body.hash()})
		}
		if body.err == nil && !within(d.Outputs) {
			body.failf("coinbase outputs add up to more than %d", uint64(MaxAmount))
		}
		m = d
	case AdminCoinbaseCancel:
		m = &CoinbaseCancel{body.varint(), body.varint()}
	case AdminPayoutAddress:
		m = &PayoutAddress{body.hash(), body.hash()}
	case AdminEfficiency:
		m = &Efficiency{body.hash(), body.u16()}
	default:
		return &UnknownMessage{kind, body.rest}
	}
	if body.end(); body.err != nil {
		c.err, c.rest = body.err, nil
	}
	return m
}
