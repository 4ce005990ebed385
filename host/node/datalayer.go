package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"

	"cloister/host/api"
	"cloister/host/api/factom"
	"cloister/host/archive"
	"cloister/host/directory"
	"cloister/wire"
	"cloister/wire/record"
)

// Where factomd's interface is mounted: its API, and the calls about the network
// that it keeps apart.
const (
	factomPath      = "/v2"
	factomDebugPath = "/debug"
)

// dataLayer is the ledger as Factom's clients see it; nil fields on a chain
// without the record family.
type dataLayer struct {
	index *directory.Index
	state *directory.State
	rpc   *factom.Server
}

// openDataLayer makes it, if the chain has one.
func (c *Config) openDataLayer(blocks *archive.Archive, queries api.Queries, submit api.Submitter) (d dataLayer, err error) {
	if !slices.ContainsFunc(c.Genesis.Families, func(f wire.FamilyGenesis) bool { return f.Name == record.Name }) {
		return d, nil
	}
	core := &directory.Core{Genesis: c.Genesis, Queries: queries}
	d.index, err = directory.Open(filepath.Join(c.Home, directoryName), directory.Options{
		Genesis: c.Genesis, Archive: blocks, Ledger: core, Log: c.Log,
	})
	if err != nil {
		return d, fmt.Errorf("node: %w", err)
	}
	d.state = &directory.State{Core: core, Index: d.index, Submitter: submit}
	d.rpc, err = factom.New(factom.Config{
		Source: d.index, State: d.state, Log: c.Log, Name: c.Genesis.Name, Version: c.Version,
		User: c.Factom.User, Password: c.Factom.Password,
	})
	if err != nil {
		return d, errors.Join(fmt.Errorf("node: %w", err), d.index.Close())
	}
	return d, nil
}

func (d *dataLayer) close() error {
	if d.index == nil {
		return nil
	}
	d.rpc.Close()
	return d.index.Close()
}

// mount is what the API's port answers besides its own.
func (d *dataLayer) mount() map[string]http.Handler {
	if d.rpc == nil {
		return nil
	}
	return map[string]http.Handler{factomPath: d.rpc, factomDebugPath: d.rpc}
}

// run follows the archive. That the host's blocks do not give the keys which the
// ledger decided ends this interface, which logs it, and not the host.
func (d *dataLayer) run(ctx context.Context) error {
	if d.index == nil {
		<-ctx.Done()
		return nil
	}
	defer d.index.Watch(d.rpc.Ordered)()
	if err := d.index.Run(ctx); err != nil {
		<-ctx.Done()
	}
	return nil
}

// serveAlso answers on a second port, or waits if there is none.
func serveAlso(ctx context.Context, server *api.Server, l net.Listener) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	return server.Serve(ctx, l)
}
