package client_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"cloister/client"
	"cloister/evidence"
	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/node"
)

// registrar is a host that answers every application with what it is told to.
type registrar struct {
	cloisterv1connect.UnimplementedLedgerHandler
	payload []byte
}

func (r *registrar) Registration(context.Context, *connect.Request[pb.RegistrationRequest]) (*connect.Response[pb.RegistrationResponse], error) {
	return connect.NewResponse(&pb.RegistrationResponse{Payload: r.payload}), nil
}

// attested is what an honest core of a chain makes of an application.
func attested(chain wire.Hash, a *node.Application) (*node.Register, *evidence.Claims, wire.PrivateKey) {
	key := wire.NewPrivateKey([32]byte{7})
	claims := &evidence.Claims{Purpose: evidence.Register, ChainID: chain, Identity: key.Public(), Operator: wire.Hash(a.Operator), Box: [32]byte{1}, BootID: wire.Hash{2}}
	r := &node.Register{Shown: node.Attestation{Evidence: []byte{1}, Boots: 1, Endpoint: a.Endpoint}, Roles: a.Roles, Name: a.Name}
	sign(r, claims, chain, key)
	return r, claims, key
}

func sign(r *node.Register, claims *evidence.Claims, chain wire.Hash, key wire.PrivateKey) {
	r.Shown.Claims = wire.Marshal(claims)
	r.Shown.Signature = key.Sign(r.Digest(chain))
}

func TestAnOperatorIsNotMadeToSignForAnythingElse(t *testing.T) {
	l := apitest.New(1)
	chain := l.Genesis.ChainID()
	h := &registrar{}
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(h))
	endpoint := listen(t, func(ctx context.Context, l net.Listener) error {
		server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
		server.Protocols.SetUnencryptedHTTP2(true)
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(l) // ends with ErrServerClosed
		}()
		<-ctx.Done()
		err := server.Close()
		<-served
		return err
	})

	c := dial(t, l, client.Options{Retry: client.Retry{Attempts: 1}}, endpoint)
	app := &node.Application{Operator: wire.Account{9}, Roles: node.VoterRole, Name: "spare", Endpoint: "https://example.org"}
	honest, _, _ := attested(chain, app)
	h.payload = honest.Bytes()
	r, claims, err := c.Registration(t.Context(), app)
	if err != nil || r.Name != app.Name || wire.Account(claims.Operator) != app.Operator {
		t.Fatalf("an honest answer: %+v, %v", r, err)
	}

	for name, change := range map[string]func(r *node.Register, claims *evidence.Claims){
		"another operator": func(_ *node.Register, c *evidence.Claims) { c.Operator = wire.Hash{8} },
		"another chain":    func(_ *node.Register, c *evidence.Claims) { c.ChainID = wire.Hash{8} },
		"another purpose":  func(_ *node.Register, c *evidence.Claims) { c.Purpose = evidence.Renew },
		"more roles":       func(r *node.Register, _ *evidence.Claims) { r.Roles |= node.WorkerRole },
		"another name":     func(r *node.Register, _ *evidence.Claims) { r.Name = "mine" },
		"another endpoint": func(r *node.Register, _ *evidence.Claims) { r.Shown.Endpoint = "https://example.com" },
		"another core":     func(_ *node.Register, c *evidence.Claims) { c.Identity[0] ^= 1 },
	} {
		r, claims, key := attested(chain, app)
		change(r, claims)
		sign(r, claims, chain, key)
		h.payload = r.Bytes()
		if _, _, err := c.Registration(t.Context(), app); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
	unsigned, _, _ := attested(chain, app)
	unsigned.Shown.Signature[0] ^= 1
	for name, payload := range map[string][]byte{
		"nothing": nil, "a payment": {1, 2, 3}, "a retirement": (&node.Retire{Node: wire.Hash{1}}).Bytes(), "no signature of the core": unsigned.Bytes(),
	} {
		h.payload = payload
		if _, _, err := c.Registration(t.Context(), app); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}
