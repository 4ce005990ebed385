package client

import (
	"context"
	"crypto/tls"
	"net/http"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/wire"
)

// FetchGenesis takes the genesis file from a host and accepts it only if it is
// that of the given chain, so that 32 bytes from a trusted source replace the
// file. Errors: ErrForeignChain, ErrMalformed, ErrUnavailable.
func FetchGenesis(ctx context.Context, endpoint string, chain wire.Hash, config *tls.Config) (*wire.Genesis, error) {
	base, err := endpointURL(endpoint)
	if err != nil {
		return nil, err
	}
	transport := newTransport(config)
	defer transport.CloseIdleConnections()
	ledger := cloisterv1connect.NewLedgerClient(&http.Client{Transport: transport}, base,
		connect.WithReadMaxBytes(2*wire.MaxGenesis), connect.WithAcceptCompression("gzip", nil, nil))
	res, err := ledger.Genesis(ctx, connect.NewRequest(&pb.GenesisRequest{}))
	if err != nil {
		return nil, received(ctx, err)
	}
	g, err := wire.ParseGenesis(res.Msg.File)
	if err != nil {
		return nil, err
	}
	if g.ChainID() != chain {
		return nil, wire.Faultf(wire.ErrForeignChain, "the host's genesis is of chain %s, not %s", g.ChainID(), chain)
	}
	return g, nil
}
