package node

import (
	"cloister/core/ledger"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// renew takes new evidence of a registered core. run judges the run it is of.
func (f Family) renew(c *ledger.Call, s *shown, run func(n *node.Node, s *shown) error) (effect, error) {
	st, id := c.State(node.Name), wire.NodeIDOf(s.claims.Identity)
	n, err := known(st, id)
	if err != nil {
		return nil, err
	}
	if err := mayRenew(c, n, s); err != nil {
		return nil, err
	}
	if err := run(n, s); err != nil {
		return nil, err
	}
	found, err := f.attest(c, s, n.Roles, policy.Renewing)
	if err != nil {
		return nil, err
	}
	if found.result.Device != n.Platform.Device {
		return nil, wire.Faultf(wire.ErrDeviceChanged, "the node is registered on device %s, the evidence is of %s", n.Platform.Device, found.result.Device)
	}
	l, err := listOf(st)
	if err != nil {
		return nil, err
	}
	// Since the registration ran out, another node may have taken the device, or
	// its place among the operator's.
	if err := oneOnDevice(l, id, n.Roles, n.Platform.Device, c.TimeMs); err != nil {
		return nil, err
	}
	if c.TimeMs >= n.ExpiresMs {
		if err := f.share(c, l, id, n.Roles, n.Operator); err != nil {
			return nil, err
		}
	}
	return func() ([]byte, error) {
		if err := f.enrol(c, s, found); err != nil {
			return nil, err
		}
		settle(c, n, s, found)
		if err := list(st, l, n); err != nil {
			return nil, err
		}
		if err := saveNode(st, n); err != nil {
			return nil, err
		}
		return nil, touch(st)
	}, nil
}

// mayRenew checks who asks, that the node may, and that it is the same.
func mayRenew(c *ledger.Call, n *node.Node, s *shown) error {
	switch operator := wire.Account(s.claims.Operator); {
	case n.Status == node.Awaited:
		return wire.Faultf(wire.ErrNotRegistered, "node %s", n.ID())
	case !n.Status.Registered():
		return wire.Faultf(n.Standing(c.TimeMs), "node %s", n.ID())
	case c.Payer != n.Operator && c.Payer != wire.AccountOf(n.Identity):
		return wire.Faultf(wire.ErrNotOperator, "node %s belongs to %s, the payer is %s", n.ID(), n.Operator, c.Payer)
	case s.claims.Box != n.Box || s.claims.VRF != n.VRF || operator != n.Operator:
		return wire.Faultf(wire.ErrNodeKeysChanged, "node %s", n.ID())
	case s.claims.Height < n.Attested:
		return wire.Faultf(wire.ErrEvidenceStale, "the node has shown evidence that names block %d, this names %d", n.Attested, s.claims.Height)
	}
	return nil
}

func sameRun(n *node.Node, s *shown) error {
	if s.Boots != n.Boots || s.claims.BootID != n.BootID {
		return wire.Faultf(wire.ErrBootUnknown, "run %d of the core is registered, this is run %d", n.Boots, s.Boots)
	}
	return nil
}

func laterRun(n *node.Node, s *shown) error {
	if s.Boots <= n.Boots || s.claims.BootID == n.BootID {
		return wire.Faultf(wire.ErrBootReplayed, "run %d of the core is registered, this is run %d", n.Boots, s.Boots)
	}
	return nil
}
