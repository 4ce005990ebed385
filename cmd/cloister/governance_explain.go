package main

import (
	"fmt"
	"strings"

	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/governance"
	"cloister/wire/hardware"
	"cloister/wire/node"
	"cloister/wire/record"
	"cloister/wire/token"
)

// explainers say in words what an order to a family does: who approves one must
// not have to take another authority's word for it.
var explainers = map[string]func(order []byte) (string, error){
	governance.Name: explainGovernance,
	node.Name:       explainNode,
	hardware.Name:   explainHardware,
	token.Name:      explainToken,
	record.Name:     explainRecord,
}

// explain says what an order does.
func explain(family string, order []byte) string {
	f := explainers[family]
	if f == nil {
		return fmt.Sprintf("an order to family %s, which this program cannot read", family)
	}
	does, err := f(order)
	if err != nil {
		return fmt.Sprintf("an order this program cannot read: %v", err)
	}
	return does
}

func explainGovernance(order []byte) (string, error) {
	a, err := governance.DecodeOrder(order)
	if err != nil {
		return "", err
	}
	var list []string
	for _, account := range a.Accounts {
		list = append(list, wire.FactoidAddress(account))
	}
	return fmt.Sprintf("make %s the authorities, more than %d/%d of whom decide; proposals stay open for %s",
		strings.Join(list, ", "), a.Threshold.Num, a.Threshold.Den, span(a.LifetimeMs)), nil
}

func explainNode(order []byte) (string, error) {
	o, err := node.DecodeOrder(order)
	if err != nil {
		return "", err
	}
	switch o := o.(type) {
	case *node.Admit:
		return fmt.Sprintf("admit node %s as %s", o.Node, memberRole(o.Role)), nil
	case *node.Remove:
		return fmt.Sprintf("remove member %s", o.Node), nil
	case *node.Revoke:
		return fmt.Sprintf("bar node %s for ever: %s", o.Node, shown(o.Reason)), nil
	case *node.SetParams:
		return fmt.Sprintf("keep at most %d registrations, and give founders %s to register", o.MaxNodes, span(o.FoundingMs)), nil
	}
	return "", fmt.Errorf("nothing is known of a %T", o)
}

func explainHardware(order []byte) (string, error) {
	kind, err := trust.KindOf(order)
	if err != nil {
		return "", err
	}
	if kind > trust.LastKind {
		return explainDevices(order)
	}
	o, err := trust.Decode(order)
	if err != nil {
		return "", err
	}
	switch o := o.(type) {
	case *trust.RootAdd:
		return fmt.Sprintf("trust root %s, %s, of %s for hardware of class %s%s",
			o.Root.ID(), shown(o.Root.Name), o.Root.Vendor, o.Root.Class, marked(o.Root.Simulated, ", SIMULATED")), nil
	case *trust.RootRevoke:
		return fmt.Sprintf("take trust from root %s in mode %d: %s", o.Root, o.Mode, modeText(o.Mode)), nil
	case *trust.CertRevoke:
		return fmt.Sprintf("revoke %d keys below root %s: %s", len(o.SPKIs), o.Root, joined(o.SPKIs)), nil
	case *trust.MeasurementApprove:
		m := &o.Measurement
		return fmt.Sprintf("approve %s %s, digest %x, from block %d on%s", m.Component, shown(m.Version), m.Digest, m.Activation,
			marked(o.Emergency, ", at once if all agree")), nil
	case *trust.MeasurementDeprecate:
		return fmt.Sprintf("keep newcomers from measurement %s from block %d on%s: %s", o.ID, o.Height, forced(o.Force), shown(o.Reason)), nil
	case *trust.MeasurementRevoke:
		return fmt.Sprintf("forbid measurement %s from block %d on%s: %s", o.ID, o.Height, forced(o.Force), shown(o.Reason)), nil
	case *trust.PolicySet:
		return fmt.Sprintf("set the policy for role %s:\n%s", o.Policy.Role, wire.EncodeJSON(&o.Policy)), nil
	}
	return "", fmt.Errorf("nothing is known of a %T", o)
}

func explainDevices(order []byte) (string, error) {
	o, err := hardware.DecodeOrder(order)
	if err != nil {
		return "", err
	}
	switch o := o.(type) {
	case *hardware.DeviceRevoke:
		return fmt.Sprintf("end device %s for ever: %s", o.Device, shown(o.Reason)), nil
	case *hardware.ParamsSet:
		return fmt.Sprintf("replace the registry's parameters from the next epoch on by %x", o.Params), nil
	case *hardware.TreasuryPay:
		return fmt.Sprintf("pay %s factoids of the registry's treasury to %s", amount(o.Amount), wire.FactoidAddress(o.To)), nil
	}
	return "", fmt.Errorf("nothing is known of a %T", o)
}

func modeText(m trust.Mode) string {
	if m == trust.SuspendAll {
		return "nothing new is accepted under it, and what is registered is suspended"
	}
	return "nothing new is accepted under it"
}

func forced(force bool) string { return marked(force, ", even if no version is left") }

// marked is text that stands only if something holds.
func marked(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

func joined(list []wire.Hash) string {
	texts := make([]string, len(list))
	for i, h := range list {
		texts[i] = h.String()
	}
	return strings.Join(texts, ", ")
}

func memberRole(r wire.Role) string {
	switch r {
	case wire.Voter:
		return "voter"
	case wire.Learner:
		return "learner"
	case wire.Audit:
		return "audit"
	}
	return fmt.Sprintf("role-%d", uint8(r))
}
