package trust

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
)

// Genesis is what a chain trusts from its first block on: a part of the
// parameters of family hardware, in JSON. A role without a policy gets
// policy.Default; Mandatory without entries is the image.
type Genesis struct {
	Testnet      bool                 `json:"testnet"` // simulated hardware may be trusted
	Roots        []GenesisRoot        `json:"roots,omitempty"`
	Items        []GenesisItem        `json:"items,omitempty"`
	Measurements []GenesisMeasurement `json:"measurements,omitempty"`
	Policies     []policy.Policy      `json:"policies,omitempty"`
	// Mandatory components always keep a version that is in force.
	Mandatory []Component `json:"mandatory,omitempty"`
}

// GenesisRoot is a root in a genesis file.
type GenesisRoot struct {
	Vendor       vendor `json:"vendor"` // "intel", "amd" or "tpm"
	Name         string `json:"name"`
	Product      string `json:"product,omitempty"`
	Class        Class  `json:"class"`
	Simulated    bool   `json:"simulated,omitempty"`
	MaxDevices   uint32 `json:"max_devices,omitempty"`
	SeatCap      uint16 `json:"seat_cap,omitempty"`
	IssuePercent uint8  `json:"issue_percent"`
	Certificate  string `json:"certificate"` // one certificate: PEM, or DER in base64
}

// GenesisItem is collateral in a genesis file; bytes in base64, the signature in hex.
type GenesisItem struct {
	Type      itemType `json:"type"` // "tcb-info", "qe-identity", "crl" or "amd-chain"
	Body      []byte   `json:"body"`
	Signature wire.Hex `json:"signature,omitempty"`
	Chain     [][]byte `json:"chain,omitempty"`
}

// GenesisMeasurement is an approved version in a genesis file.
type GenesisMeasurement struct {
	Component  Component `json:"component"`
	Version    string    `json:"version"`
	Alg        alg       `json:"alg"`
	Digest     wire.Hex  `json:"digest"`
	PCRs       []int     `json:"pcrs,omitempty"`
	Register   string    `json:"register,omitempty"`
	MinSVN     uint32    `json:"min_svn,omitempty"`
	Activation uint64    `json:"activation,omitempty"`
}

// ParseGenesis reads the JSON strictly: no unknown key, nothing after the end.
// Errors wrap wire.ErrEncoding; the entries' form is checked as they are taken.
func ParseGenesis(params []byte) (*Genesis, error) {
	g := new(Genesis)
	if len(params) > wire.MaxGenesis {
		return nil, fmt.Errorf("trust: %w: %d bytes", wire.ErrEncoding, len(params))
	}
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("trust: %w: %v", wire.ErrEncoding, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("trust: %w: something follows the parameters", wire.ErrEncoding)
	}
	return g, nil
}

// NewGenesisRoot is the form of a root in a genesis file.
func NewGenesisRoot(r *Root) GenesisRoot {
	return GenesisRoot{
		Vendor: vendor(r.Vendor), Name: r.Name, Product: r.Product, Class: r.Class, Simulated: r.Simulated,
		MaxDevices: r.MaxDevices, SeatCap: r.SeatCap, IssuePercent: r.IssuePercent,
		Certificate: base64.StdEncoding.EncodeToString(r.DER),
	}
}

// NewGenesisItem is the form of an item in a genesis file.
func NewGenesisItem(i *evidence.Item) GenesisItem {
	return GenesisItem{Type: itemType(i.Type), Body: i.Body, Signature: i.Signature, Chain: i.Chain}
}

// NewGenesisMeasurement is the form of a measurement in a genesis file.
func NewGenesisMeasurement(m *Measurement) GenesisMeasurement {
	g := GenesisMeasurement{
		Component: m.Component, Version: m.Version, Alg: alg(m.Alg), Digest: m.Digest,
		Register: m.Register, MinSVN: m.MinSVN, Activation: m.Activation,
	}
	for _, p := range m.PCRs {
		g.PCRs = append(g.PCRs, int(p))
	}
	return g
}

// Root is the root in the form of the ledger. Errors carry ErrMalformed or
// ErrRootMalformed.
func (g *GenesisRoot) Root() (*Root, error) {
	der, err := certificate(g.Certificate)
	if err != nil {
		return nil, wire.Faultf(wire.ErrRootMalformed, "root %.64q: %v", g.Name, err)
	}
	r := &Root{
		Vendor: evidence.Vendor(g.Vendor), DER: der, Name: g.Name, Product: g.Product, Class: g.Class,
		MaxDevices: g.MaxDevices, SeatCap: g.SeatCap, IssuePercent: g.IssuePercent, Simulated: g.Simulated,
	}
	return r, r.check()
}

// Item is the item in the form of the ledger. Errors carry ErrCollateralMalformed.
func (g *GenesisItem) Item() (*evidence.Item, error) {
	i := &evidence.Item{Type: evidence.ItemType(g.Type), Body: g.Body, Signature: g.Signature, Chain: g.Chain}
	return i, CheckItem(i)
}

// Measurement is the measurement in the form of the ledger. Errors carry
// ErrMalformed or ErrResettablePCR.
func (g *GenesisMeasurement) Measurement() (*Measurement, error) {
	m := &Measurement{
		Component: g.Component, Version: g.Version, Alg: uint8(g.Alg), Digest: g.Digest,
		Register: g.Register, MinSVN: g.MinSVN, Activation: g.Activation,
	}
	for _, p := range g.PCRs {
		if p < 0 || p >= maxPCRs {
			return nil, malformed("a TPM has no PCR %d", p)
		}
		m.PCRs = append(m.PCRs, uint8(p))
	}
	return m, m.check()
}

// CheckMandatory judges the form of Genesis.Mandatory.
func CheckMandatory(list []Component) error {
	for _, c := range list {
		if componentNames[c] == "" {
			return malformed("unknown component %d is mandatory", uint8(c))
		}
	}
	if !increasing(list) {
		return malformed("mandatory components must be ascending, each once")
	}
	return nil
}

// certificate reads one certificate in PEM, or DER in base64.
func certificate(text string) ([]byte, error) {
	if !strings.HasPrefix(text, "-----BEGIN") {
		return base64.StdEncoding.DecodeString(text)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("not one certificate in PEM")
	}
	return block.Bytes, nil
}
