package gatetest

import (
	"sync"
	"testing"

	"cloister/gate"
)

// Connect joins a core and a host in this process over socket pairs, and closes
// both when the test ends. The host has not sent Start.
func Connect(t testing.TB, c gate.Handler, objects gate.Objects, h gate.HostHandler) (*gate.Core, *gate.Host) {
	t.Helper()
	coreConns, hostConns, err := gate.Pairs()
	if err != nil {
		t.Fatal(err)
	}
	var host *gate.Host
	var hostErr error
	var up sync.WaitGroup
	up.Go(func() { host, hostErr = gate.Serve(hostConns[:], gate.Token{}, objects, h) })
	core, err := gate.NewCore(coreConns, gate.Token{})
	up.Wait()
	if err != nil || hostErr != nil {
		t.Fatal(err, hostErr)
	}
	core.Handle(c)
	t.Cleanup(func() {
		core.Close()
		host.Close()
	})
	return core, host
}
