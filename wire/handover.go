package wire

import "fmt"

// Handover shows that one member set passed the ordering of blocks on to the
// next: a header of epoch e with FlagHandover, sealed by the set of epoch e,
// whose engine part holds the hash of the set of epoch e+1.
type Handover struct {
	_      struct{} `cbor:",toarray"`
	Header *Header
	Seal   []byte     // encoded Seal, of this very header
	Next   *MemberSet // of epoch e+1
}

// MaxMemberSet bounds an encoded set of MaxGenesisMembers members.
const MaxMemberSet = 32 + MaxGenesisMembers*(2*34+2*9+4)

// MaxHandover bounds an encoded handover.
const MaxHandover = MaxHeader + MaxSeal + MaxMemberSet + 32

// DecodeHandover reads one handover strictly; what it shows is for
// rules.Follow.
func DecodeHandover(b []byte) (*Handover, error) {
	h := new(Handover)
	if err := Unmarshal(b, h, MaxHandover); err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	if h.Header == nil || h.Next == nil || h.Header.Version != HeaderVersion || len(h.Header.Engine) > 256 || len(h.Seal) > MaxSeal {
		return nil, fmt.Errorf("handover: %w: a part is missing or too large", ErrEncoding)
	}
	return h, nil
}
