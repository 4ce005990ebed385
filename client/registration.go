package client

import (
	"context"

	"connectrpc.com/connect"

	"cloister/evidence"
	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/node"
)

// Registration has a host's core make what it is registered with: evidence for
// an operator, who signs and submits Bytes of it within minutes. Hosts do so for
// programs on their own machine only; of several endpoints the first that
// answers is taken, so a client for this has one.
//
// The answer is checked against the application, chain and the core's own
// signature, so that a host cannot have its operator sign for anything else.
// Whether the evidence holds, the ledger judges. Errors: ErrNoHardware (a core
// without any), ErrBadRequest, ErrProof.
func (c *Client) Registration(ctx context.Context, a *node.Application) (*node.Register, *evidence.Claims, error) {
	var made *node.Register
	var claims *evidence.Claims
	err := c.do(ctx, "registration", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Registration(ctx, connect.NewRequest(&pb.RegistrationRequest{Application: a.Bytes()}))
		if err != nil {
			return err
		}
		made, claims, err = c.trust.checkRegistration(a, res.Msg.Payload)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return made, claims, nil
}

// checkRegistration judges a registration by the application it was made for.
// Errors carry ErrProof.
func (t *Trust) checkRegistration(a *node.Application, payload []byte) (*node.Register, *evidence.Claims, error) {
	wrong := func(format string, args ...any) (*node.Register, *evidence.Claims, error) {
		return nil, nil, wire.Faultf(wire.ErrProof, "the registration "+format, args...)
	}
	p, err := node.Decode(payload)
	if err != nil {
		return wrong("cannot be read: %v", err)
	}
	r, ok := p.(*node.Register)
	if !ok {
		return wrong("is a %T", p)
	}
	claims := new(evidence.Claims)
	if err := wire.Unmarshal(r.Shown.Claims, claims, node.MaxClaims); err != nil {
		return wrong("has claims that cannot be read: %v", err)
	}
	switch {
	case claims.Purpose != evidence.Register || claims.ChainID != t.chain:
		return wrong("is for purpose %d on chain %s", claims.Purpose, claims.ChainID)
	case claims.Operator != wire.Hash(a.Operator):
		return wrong("names operator %s, not %s", claims.Operator, a.Operator)
	case r.Roles != a.Roles || r.Name != a.Name || r.Shown.Endpoint != a.Endpoint:
		return wrong("is for other roles, another name or another endpoint")
	case !claims.Identity.Verify(r.Digest(t.chain), r.Shown.Signature):
		return wrong("is not signed by the core it names")
	}
	return r, claims, nil
}
