package policy

import (
	"fmt"

	"cloister/evidence"
	"cloister/wire"
)

// Role is what a node is trusted with. Wire values, never reused.
type Role uint8

// Roles.
const (
	Voter      Role = 1 // orders blocks
	Gatekeeper Role = 2 // holds and hands out contract keys
	Worker     Role = 3 // runs confidential contracts
	Audit      Role = 4 // keeps data and executes again; holds no secret
)

// Roles lists all of them, ascending.
var Roles = []Role{Voter, Gatekeeper, Worker, Audit}

var roleNames = map[Role]string{Voter: "voter", Gatekeeper: "gatekeeper", Worker: "worker", Audit: "audit"}

// Known reports whether the role is one of Roles.
func (r Role) Known() bool { return roleNames[r] != "" }

// HoldsKeys reports whether a broken node of the role would break others'
// secrets or the order of blocks.
func (r Role) HoldsKeys() bool { return r != Audit }

// String is the role's name.
func (r Role) String() string {
	if n := roleNames[r]; n != "" {
		return n
	}
	return fmt.Sprintf("role-%d", uint8(r))
}

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors wrap wire.ErrEncoding.
func (r *Role) UnmarshalText(text []byte) error { return parse(r, roleNames, text, "role") }

// Acceptance is what becomes of evidence with one status. Wire values, never reused.
type Acceptance uint8

// Acceptances.
const (
	Refuse Acceptance = 0
	Accept Acceptance = 1
	// Listed accepts if the policy lists every advisory the vendor names.
	Listed Acceptance = 2
	// Flagged accepts, and says so wherever the node is shown.
	Flagged Acceptance = 3
	// Grace refuses newcomers and renewals; who was accepted before it got the
	// status stays for Policy.GraceMs of block time.
	Grace Acceptance = 4
)

var acceptanceNames = map[Acceptance]string{
	Refuse: "refuse", Accept: "accept", Listed: "listed", Flagged: "flagged", Grace: "grace",
}

// String is the acceptance's name.
func (a Acceptance) String() string {
	if n := acceptanceNames[a]; n != "" {
		return n
	}
	return fmt.Sprintf("acceptance-%d", uint8(a))
}

// MarshalText implements encoding.TextMarshaler.
func (a Acceptance) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors wrap wire.ErrEncoding.
func (a *Acceptance) UnmarshalText(text []byte) error {
	return parse(a, acceptanceNames, text, "acceptance")
}

// Table says what becomes of each status that can be accepted at all; Revoked
// and NotSupported have no row, so that no policy can accept them.
type Table struct {
	_                                 struct{}   `cbor:",toarray"`
	UpToDate                          Acceptance `json:"UpToDate"`
	SWHardeningNeeded                 Acceptance `json:"SWHardeningNeeded"`
	ConfigurationNeeded               Acceptance `json:"ConfigurationNeeded"`
	ConfigurationAndSWHardeningNeeded Acceptance `json:"ConfigurationAndSWHardeningNeeded"`
	OutOfDate                         Acceptance `json:"OutOfDate"`
	OutOfDateConfigurationNeeded      Acceptance `json:"OutOfDateConfigurationNeeded"`
}

// Of is the row of a status; Refuse for those without one.
func (t *Table) Of(s evidence.Status) Acceptance {
	switch s {
	case evidence.UpToDate:
		return t.UpToDate
	case evidence.SWHardeningNeeded:
		return t.SWHardeningNeeded
	case evidence.ConfigurationNeeded:
		return t.ConfigurationNeeded
	case evidence.ConfigurationAndSWHardeningNeeded:
		return t.ConfigurationAndSWHardeningNeeded
	case evidence.OutOfDate:
		return t.OutOfDate
	case evidence.OutOfDateConfigurationNeeded:
		return t.OutOfDateConfigurationNeeded
	}
	return Refuse
}

// rows lists the table's rows in the order of statuses.
func (t *Table) rows() []Acceptance {
	return []Acceptance{t.UpToDate, t.SWHardeningNeeded, t.ConfigurationNeeded,
		t.ConfigurationAndSWHardeningNeeded, t.OutOfDate, t.OutOfDateConfigurationNeeded}
}

// Kinds is a set of technologies, ascending. JSON shows their names.
type Kinds []evidence.Kind

// kind gives a technology a text form.
type kind evidence.Kind

var kindNames = map[kind]string{
	kind(evidence.SGX): evidence.SGX.String(), kind(evidence.TDX): evidence.TDX.String(),
	kind(evidence.SNP): evidence.SNP.String(), kind(evidence.TPM): evidence.TPM.String(),
}

func (k kind) MarshalText() ([]byte, error)     { return []byte(evidence.Kind(k).String()), nil }
func (k *kind) UnmarshalText(text []byte) error { return parse(k, kindNames, text, "kind") }

// parse finds the value with a name.
func parse[T ~uint8](into *T, names map[T]string, text []byte, what string) error {
	for v, n := range names { //deterministic: names are distinct
		if n == string(text) {
			*into = v
			return nil
		}
	}
	return fmt.Errorf("%w: no %s is called %.40q", wire.ErrEncoding, what, text)
}
