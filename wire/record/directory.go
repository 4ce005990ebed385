package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"cloister/wire"
)

// Bounds and defaults of Params.
const (
	DefaultPeriodMs  = 600_000
	MinPeriodMs      = 1000
	MaxPeriodMs      = 12 * 60 * 60 * 1000 // what is signed in a period has to be within 12 h of its opening
	DefaultNetworkID = 0xFAC10157          // no network of factomd has it
	MaxAnchorKeys    = 64
)

// Params is the family's part of the genesis.
type Params struct {
	// PeriodMs is the length of a period in ms, a multiple of 10; 0 means
	// DefaultPeriodMs. Periods begin at multiples of it.
	PeriodMs uint64 `json:"period_ms,omitempty"`
	// NetworkID stands in directory blocks; 0 means
	// DefaultNetworkID.
	NetworkID uint32 `json:"network_id,omitempty"`
	// AnchorKeys may anchor from the start.
	AnchorKeys []AnchorKey `json:"anchor_keys,omitempty"`
}

// ParseParams reads the family's part of a genesis, with the defaults filled in.
func ParseParams(params json.RawMessage) (*Params, error) {
	p := new(Params)
	if len(params) > 0 {
		dec := json.NewDecoder(bytes.NewReader(params))
		dec.DisallowUnknownFields()
		if err := dec.Decode(p); err != nil {
			return nil, fmt.Errorf("parameters: %w", err)
		}
	}
	if p.PeriodMs == 0 {
		p.PeriodMs = DefaultPeriodMs
	}
	if p.PeriodMs%10 != 0 || p.PeriodMs < MinPeriodMs || p.PeriodMs > MaxPeriodMs {
		return nil, fmt.Errorf("parameters: period_ms is a multiple of 10 from %d to %d", MinPeriodMs, MaxPeriodMs)
	}
	if p.NetworkID == 0 {
		p.NetworkID = DefaultNetworkID
	}
	if len(p.AnchorKeys) > MaxAnchorKeys {
		return nil, fmt.Errorf("parameters: %d anchor keys, at most %d", len(p.AnchorKeys), MaxAnchorKeys)
	}
	return p, nil
}

// AnchorKey is a Bitcoin key that may anchor for a validator.
type AnchorKey struct {
	_        struct{}    `cbor:",toarray"`
	Node     wire.NodeID `json:"node"`
	Priority uint8       `json:"priority"`
	Type     uint8       `json:"type"` // 0 pay to public key hash, 1 pay to script hash
	Key      Hash160     `json:"key"`
}

// Hash160 is Bitcoin's hash of a public key or a script; hex in text.
type Hash160 [20]byte

// MarshalText implements encoding.TextMarshaler.
func (h Hash160) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash160) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("%w: the hash of a Bitcoin key is 40 hex digits", wire.ErrEncoding)
	}
	*h = Hash160(b)
	return nil
}

// Period is the period a block time is in, by its opening time.
func Period(timeMs, periodMs uint64) (openedMs uint64) { return timeMs - timeMs%periodMs }

// Minute is the tenth of a period a block time is in, 1 to 10.
func Minute(timeMs, openedMs, periodMs uint64) uint8 {
	return uint8(min(10, 1+(timeMs-openedMs)*10/periodMs))
}

// Progress is where the data layer stands, under ProgressKey.
type Progress struct {
	_        struct{} `cbor:",toarray"`
	PeriodMs uint64
	Network  uint32
	Height   uint32 // of the directory block in progress
	OpenedMs uint64 // when its period began
	First    uint64 // height of its first ledger block
	Closed   uint32 // periods that are closed: heights 0 to Closed-1
	Rate     uint64 // factoshis per entry credit throughout the period
	Coming   uint64 // rate that is decided to come, 0 if none is
}

// ProgressKey is the state key of Progress within the family.
var ProgressKey = []byte("h")

// DecodeProgress reads a proved value of ProgressKey.
func DecodeProgress(b []byte) (*Progress, error) {
	p := new(Progress)
	if err := wire.Unmarshal(b, p, 128); err != nil {
		return nil, fmt.Errorf("progress of the data layer: %w", err)
	}
	return p, nil
}

// Directory is a closed period: the keys of its blocks, and what of them does
// not follow from the ledger's transactions. Under DirectoryKey.
type Directory struct {
	_           struct{} `cbor:",toarray"`
	Height      uint32
	OpenedMs    uint64
	First, Last uint64 // ledger blocks in it
	Rate        uint64 // factoshis per entry credit
	KeyMR       wire.Hash
	FullHash    wire.Hash
	Admin       wire.Hash // lookup hash
	Credit      wire.Hash // header hash
	Factoid     wire.Hash // KeyMR
	Coinbase    []byte    // the first transaction of the factoid block
	AdminBlock  []byte    // the admin block's bytes
}

// MaxDirectory bounds an encoded Directory.
const MaxDirectory = 48 << 10

// DirectoryKey is the state key of a closed period within the family.
func DirectoryKey(height uint32) []byte { return binary.BigEndian.AppendUint32([]byte("d"), height) }

// DecodeDirectory reads a proved value of DirectoryKey.
func DecodeDirectory(b []byte) (*Directory, error) {
	d := new(Directory)
	if err := wire.Unmarshal(b, d, MaxDirectory); err != nil {
		return nil, fmt.Errorf("directory of a period: %w", err)
	}
	return d, nil
}

// Orders of the authorities to the family.

// Order is one order; exactly one field is set.
type Order struct {
	_         struct{}   `cbor:",toarray"`
	AnchorKey *AnchorKey // may anchor from the next period on; replaces the node's key of this priority
}

// Bytes encodes the order.
func (o *Order) Bytes() []byte { return wire.Marshal(o) }

// DecodeOrder reads an order strictly.
func DecodeOrder(b []byte) (*Order, error) {
	o := new(Order)
	if err := wire.Unmarshal(b, o, 512); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "order to the record family: %v", err)
	}
	if o.AnchorKey == nil {
		return nil, wire.Faultf(wire.ErrMalformed, "the order says nothing")
	}
	if o.AnchorKey.Type > 1 {
		return nil, wire.Faultf(wire.ErrMalformed, "an anchor key is of type 0 or 1, this of %d", o.AnchorKey.Type)
	}
	return o, nil
}
