package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/wire"
)

// Policy says which evidence qualifies a node for a role. Durations are
// milliseconds of block time. Encoded it has at most MaxPolicy bytes.
type Policy struct {
	_      struct{} `cbor:",toarray"`
	Role   Role     `json:"role"`
	Kinds  Kinds    `json:"kinds"`  // technologies that qualify
	Status Table    `json:"status"` // what becomes of each status
	// Advisories are those a node may have where Status says Listed, ascending.
	Advisories []string `json:"advisories"`
	// MinSVN is the lowest security version of the program (SGX, SNP); a
	// measurement may demand a higher one.
	MinSVN uint16 `json:"min_svn"`
	// MinTCBNumber is the lowest tcbEvaluationDataNumber of Intel's collateral.
	MinTCBNumber uint64 `json:"min_tcb_number"`
	// MinTCB are the lowest security levels of AMD's product lines, by
	// ascending product; a line without one is not limited.
	MinTCB []MinTCB `json:"min_tcb"`
	// Provisional accepts AMD firmware that is not committed: it can still be
	// rolled back.
	Provisional bool `json:"provisional"`
	// Masked accepts evidence of a CPU that names no device, as under a VLEK.
	Masked bool `json:"masked"`
	// MaxVMPL is the highest privilege level of an SNP guest that may quote:
	// 0, or what a paravisor leaves to the guest.
	MaxVMPL uint8 `json:"max_vmpl"`
	// RefusedProducts are product lines (AMD: "Milan"; Intel: an FMSPC) that do
	// not qualify, ascending.
	RefusedProducts []string `json:"refused_products"`
	// The block that evidence names may be this much older than the block that
	// judges it; both bounds hold.
	MaxEvidenceBlocks uint64 `json:"max_evidence_age_blocks"`
	MaxEvidenceMs     uint64 `json:"max_evidence_age_ms"`
	// MaxRegistrationMs is how long a registration lasts without renewal.
	MaxRegistrationMs uint64 `json:"max_registration_age_ms"`
	// MaxPerOperator limits the nodes one operator has registered in the role at a
	// time; 0: no limit. A lower limit binds newcomers.
	MaxPerOperator uint32 `json:"max_per_operator"`
	// MinVendorClasses is how many vendors' hardware the holders of the role
	// together must keep once they have it; 0 and 1 demand nothing. Today it binds
	// the set of voters alone.
	MinVendorClasses uint8 `json:"min_vendor_classes"`
	// GraceMs is how long Grace lasts.
	GraceMs uint64 `json:"grace_ms"`
}

// MinTCB is the lowest security level of an AMD product line, component by component.
type MinTCB struct {
	_          struct{} `cbor:",toarray"`
	Product    string   `json:"product"`
	Bootloader uint8    `json:"bootloader"`
	TEE        uint8    `json:"tee"`
	SNP        uint8    `json:"snp"`
	Microcode  uint8    `json:"microcode"`
	FMC        uint8    `json:"fmc"`
}

// TCB is the level in AMD's form.
func (m *MinTCB) TCB() amd.TCB {
	return amd.TCB{Bootloader: m.Bootloader, TEE: m.TEE, SNP: m.SNP, Microcode: m.Microcode, FMC: m.FMC}
}

// Bounds of a policy.
const (
	MaxPolicy     = 16 << 10
	MaxAdvisories = 256
	MaxProducts   = 16
	maxName       = 32                          // bytes of an advisory or a product
	maxDurationMs = 10 * 365 * 24 * 3600 * 1000 // so that no sum of times overflows
	// MaxEvidenceBlocks: block hashes are remembered for about as many heights.
	MaxEvidenceBlocks = 1000
)

// Bytes is the encoding.
func (p *Policy) Bytes() []byte { return wire.Marshal(p) }

// Decode reads a policy strictly and checks it. Errors carry wire.ErrMalformed.
func Decode(b []byte) (*Policy, error) {
	p := new(Policy)
	if err := wire.Unmarshal(b, p, MaxPolicy); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "policy: %v", err)
	}
	return p, p.Check()
}

// Check judges the form: known values, sorted lists, bounds. Errors carry
// wire.ErrMalformed.
func (p *Policy) Check() error {
	bad := func(what string) error {
		return wire.Faultf(wire.ErrMalformed, "policy for %s: %s", p.Role, what)
	}
	switch {
	case !p.Role.Known():
		return bad("there is no such role")
	case len(p.Kinds) == 0 || !ascending(p.Kinds) || slices.ContainsFunc(p.Kinds, func(k evidence.Kind) bool { return k.Vendor() == 0 }):
		return bad("kinds must be known ones, ascending")
	case p.Role.HoldsKeys() && slices.Contains(p.Kinds, evidence.TPM):
		return bad("a TPM isolates nothing and cannot hold this role")
	case slices.ContainsFunc(p.Status.rows(), func(a Acceptance) bool { return acceptanceNames[a] == "" }):
		return bad("a status has an unknown acceptance")
	case len(p.Advisories) > MaxAdvisories || !names(p.Advisories):
		return bad("advisories must be at most 256 names of 1 to 32 printable bytes, ascending")
	case len(p.RefusedProducts) > MaxProducts || !names(p.RefusedProducts):
		return bad("refused products must be at most 16 names of 1 to 32 printable bytes, ascending")
	case len(p.MinTCB) > MaxProducts || !names(products(p.MinTCB)):
		return bad("minimum TCBs must be at most 16, each of a product of 1 to 32 printable bytes, ascending")
	case p.MaxVMPL > 3:
		return bad("there is no VMPL above 3")
	case p.MaxEvidenceBlocks == 0 || p.MaxEvidenceBlocks > MaxEvidenceBlocks:
		return bad("evidence may be 1 to 1000 blocks old")
	case p.MaxEvidenceMs == 0 || p.MaxRegistrationMs == 0 || max(p.MaxEvidenceMs, p.MaxRegistrationMs, p.GraceMs) > maxDurationMs:
		return bad("ages must be above zero, and no duration longer than ten years")
	case p.MinVendorClasses > 3:
		return bad("there are three vendors")
	}
	return nil
}

// Lasts is the block time, Unix milliseconds, until which a registration made
// or renewed at timeMs holds.
func (p *Policy) Lasts(timeMs uint64) uint64 { return timeMs + p.MaxRegistrationMs }

// Fresh checks the age of the block that evidence names against the block that
// judges it: heights, and block times in Unix milliseconds. Errors carry
// wire.ErrEvidenceStale.
func (p *Policy) Fresh(namedHeight, namedMs, height, timeMs uint64) error {
	switch {
	case namedHeight > height || namedMs > timeMs:
		return wire.Faultf(wire.ErrEvidenceStale, "it names block %d, which is later than %d", namedHeight, height)
	case height-namedHeight > p.MaxEvidenceBlocks:
		return wire.Faultf(wire.ErrEvidenceStale, "it names a block %d blocks back, at most %d are accepted", height-namedHeight, p.MaxEvidenceBlocks)
	case timeMs-namedMs > p.MaxEvidenceMs:
		return wire.Faultf(wire.ErrEvidenceStale, "it names a block %d ms old, at most %d are accepted", timeMs-namedMs, p.MaxEvidenceMs)
	}
	return nil
}

// Room checks that an operator that has nodes in the role may have one more.
// Errors carry wire.ErrNodesOfOperator.
func (p *Policy) Room(nodes uint32) error {
	if p.MaxPerOperator != 0 && nodes >= p.MaxPerOperator {
		return wire.Faultf(wire.ErrNodesOfOperator, "the operator has %d nodes as %s, at most %d are accepted", nodes, p.Role, p.MaxPerOperator)
	}
	return nil
}

// MarshalJSON shows names instead of numbers.
func (k Kinds) MarshalJSON() ([]byte, error) {
	list := make([]kind, len(k))
	for i, v := range k {
		list[i] = kind(v)
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads names. Errors wrap wire.ErrEncoding.
func (k *Kinds) UnmarshalJSON(b []byte) error {
	var list []kind
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*k = nil
	for _, v := range list {
		*k = append(*k, evidence.Kind(v))
	}
	return nil
}

func products(list []MinTCB) (names []string) {
	for i := range list {
		names = append(names, list[i].Product)
	}
	return names
}

// names checks that a list is ascending, each once, of short printable ASCII.
func names(list []string) bool {
	return ascending(list) && !slices.ContainsFunc(list, func(s string) bool {
		return s == "" || len(s) > maxName || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	})
}

func ascending[T interface{ ~uint8 | ~string }](list []T) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}
