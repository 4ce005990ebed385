package node

import "cloister/wire"

// Application is what an operator wants a core registered with. The core answers
// with the payload of a Register, which the operator's transaction carries.
type Application struct {
	_        struct{}     `cbor:",toarray"`
	Operator wire.Account // signs and pays the transaction, and answers for the node
	Roles    Roles
	Name     string
	Endpoint string
}

// Bytes is the encoding.
func (a *Application) Bytes() []byte { return wire.Marshal(a) }

// DecodeApplication reads an application strictly. Errors carry ErrBadRequest.
func DecodeApplication(b []byte) (*Application, error) {
	a := new(Application)
	if err := wire.Unmarshal(b, a, MaxName+MaxEndpoint+64); err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "application: %v", err)
	}
	if !a.Roles.Valid() || !text(a.Name, MaxName) || !text(a.Endpoint, MaxEndpoint) {
		return nil, wire.Faultf(wire.ErrBadRequest, "application: roles, name or endpoint are not acceptable")
	}
	return a, nil
}
